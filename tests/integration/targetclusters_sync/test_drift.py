"""What was changed on a real target: corrected, or named and left alone."""

import json

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.client import KubeRefused
from hooks.names import ANNOTATION_APPLIED_HASH, ANNOTATION_OWNER, LABEL_MEMBER_OF
from hooks.targetclusters.sync.apply import REPEATED
from tests.controlplane import polling
from tests.integration.targetclusters_sync.worlds import World, result
from tests.kubes import Call, Watched

DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}, "creationTimestamp": None},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1",
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
                    }
                ]
            },
        },
    },
}


def edit(world: World, name: str, patch: Json) -> None:
    world.target.api.resource("v1", "configmaps").patch(name, patch, world.namespace)


def test_an_edit_is_put_right_and_named(world: World) -> None:
    world.source("app", {"color": "red", "size": "1"})
    world.settle()
    edit(world, "app", {"data": {"color": "blue", "size": None, "extra": "theirs"}})
    report = world.round()
    assert result(report, "app").outcome == "applied"
    assert result(report, "app").message == "was changed on the target; it is corrected"
    assert result(report, "app").fields == ("data.color", "data.size")
    assert report.synced
    assert world.data("app") == {"color": "red", "size": "1", "extra": "theirs"}


def test_a_reported_edit_is_named_left_alone_and_asked_about_once(world: World) -> None:
    world.policy = {"driftPolicy": "Report"}
    world.source("app", {"color": "red", "size": "1"})
    world.settle()
    edit(world, "app", {"data": {"color": "blue", "size": None}})
    world.kube.calls.clear()
    report = world.round()
    assert result(report, "app").outcome == "drifted"
    assert result(report, "app").fields == ("data.color", "data.size")
    assert not report.synced
    assert world.kube.writes == []
    assert world.data("app") == {"color": "blue"}
    world.kube.calls.clear()
    assert world.round().results == report.results
    assert [call.verb for call in world.kube.calls] == ["get", "list"]
    edit(world, "app", {"data": {"color": "red", "size": "1"}})
    assert world.round().synced


def test_a_reported_edit_stays_when_its_source_changes_too(world: World) -> None:
    world.policy = {"driftPolicy": "Report"}
    world.source("app", {"color": "red", "size": "1"})
    world.settle()
    edit(world, "app", {"data": {"color": "blue"}})
    world.source("app", {"color": "red", "size": "2"})
    report = world.round()
    assert result(report, "app").outcome == "drifted"
    assert result(report, "app").fields == ("data.color", "data.size")
    assert world.data("app") == {"color": "blue", "size": "1"}


def test_a_source_that_changes_is_applied_while_drift_is_only_reported(world: World) -> None:
    world.policy = {"driftPolicy": "Report"}
    world.source("app", {"color": "red"})
    world.settle()
    world.source("app", {"color": "green"})
    assert result(world.round(), "app").outcome == "applied"
    assert world.data("app") == {"color": "green"}


@pytest.mark.parametrize(
    ("policy", "outcome", "there"),
    [
        pytest.param("Correct", "applied", True, id="made again"),
        pytest.param("Report", "drifted", False, id="named"),
    ],
)
def test_what_was_deleted_on_the_target_is(
    world: World, policy: str, outcome: str, there: bool
) -> None:
    world.policy = {"driftPolicy": policy}
    world.source("app", {"color": "red"})
    world.settle()
    world.target.api.resource("v1", "configmaps").delete("app", world.namespace)
    assert result(world.round(), "app").outcome == outcome
    assert (world.data("app") is not None) is there


#: A patch of an object's metadata that takes off what we wrote there.
UNMARKED: Json = {
    "labels": {LABEL_MEMBER_OF: None},
    "annotations": {ANNOTATION_APPLIED_HASH: None, ANNOTATION_OWNER: None},
}


def test_an_edit_that_takes_our_mark_off_does_not_make_it_a_stranger(world: World) -> None:
    world.source("app", {"color": "red", "size": "1"})
    world.settle()
    edit(world, "app", {"metadata": UNMARKED, "data": {"color": "blue"}})
    report = world.round()
    assert result(report, "app").outcome == "applied"
    assert "data.color" in result(report, "app").fields
    assert world.data("app") == {"color": "red", "size": "1"}
    assert world.names() == {"app"}


def test_one_of_which_nothing_is_ours_any_more_is_named_and_left_alone(world: World) -> None:
    world.source("app", {"color": "red"})
    world.settle()
    edit(world, "app", {"metadata": UNMARKED, "data": {"color": "blue"}})
    assert result(world.round(), "app").outcome == "conflict"
    assert world.data("app") == {"color": "blue"}


def test_what_the_target_writes_in_another_way_is_no_drift(world: World) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    world.source("bundle", {"web.yaml": json.dumps(DEPLOYMENT)})
    world.settle()
    before = world.on_target("web", "deployments", "apps/v1")
    world.kube.calls.clear()
    assert world.round().counts == {"unchanged": 1}
    assert world.round().counts == {"unchanged": 1}
    asked = [call for call in world.kube.calls if call.dry_run]
    assert len(asked) == 1
    assert world.kube.writes == []
    assert world.on_target("web", "deployments", "apps/v1") == before


_PINNED = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    resourceRules:
      - apiGroups: [apps]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [deployments]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration: {expression: "Object{spec: Object.spec{replicas: 1}}"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME}
"""


def replicas(world: World, name: str) -> int:
    created = world.target.kubectl(
        *("create", "deployment", name, "--image=i", "--replicas=3", "--dry-run=server"),
        *("-n", world.namespace, "-o", "json"),
    )
    found: int = json.loads(created)["spec"]["replicas"]
    return found


def test_what_the_target_itself_sets_is_named_and_not_called_synced(world: World) -> None:
    world.target.kubectl("apply", "-f", "-", stdin=_PINNED.replace("NAME", world.namespace))
    polling.until(lambda: replicas(world, "probe") == 1, "the policy is in force")
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    world.source("bundle", {"web.yaml": json.dumps(DEPLOYMENT)})
    for report in (world.settle(), world.round(), world.round()):
        found = result(report, "web")
        told = "the target sets spec.replicas to 1"
        assert (found.outcome, found.message, report.synced) == ("contested", told, False)
        assert found.entry.uid
    world.kube.calls.clear()
    world.round()
    assert world.kube.writes == []
    ignored = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}
    world.policy["ignoreDifferences"] = [ignored]
    assert world.settle().synced
    world.source("bundle", {})
    world.settle()
    kinds = "mutatingadmissionpolicy,mutatingadmissionpolicybinding"
    world.target.kubectl("delete", kinds, world.namespace)


def test_a_controller_that_changes_an_object_back_each_time_is_told(world: World) -> None:
    world.source("app", {"color": "red"})
    assert world.settle().synced
    for times in range(1, REPEATED + 2):
        edit(world, "app", {"data": {"color": "blue"}})
        report = world.round()
        found = result(report, "app")
        assert found.fields == ("data.color",)
        assert found.corrects_drift
        assert report.synced is (times < REPEATED)
        told = f"is changed on the target again and again: corrected {times} times in a row"
        assert (found.message == told) is (found.outcome == "contested") is (times >= REPEATED)
        assert world.data("app") == {"color": "red"}
    assert world.round().synced
    edit(world, "app", {"data": {"color": "blue"}})
    assert world.round().synced


def test_a_field_of_a_list_item_is_named_by_the_items_name(world: World) -> None:
    world.policy = {
        "driftPolicy": "Report",
        "sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}],
    }
    world.source("bundle", {"web.yaml": json.dumps(DEPLOYMENT)})
    world.settle()
    deployments = world.target.api.resource("apps/v1", "deployments")
    live = deployments.get("web", world.namespace)
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    live["spec"]["replicas"] = 5
    deployments.update(live)
    assert result(world.round(), "web").fields == (
        "spec.replicas",
        "spec.template.spec.containers.web.image",
    )


def test_a_field_that_nobody_asked_us_for_is_theirs(world: World) -> None:
    world.source("app", {"color": "red"})
    world.settle()
    edit(world, "app", {"data": {"extra": "theirs"}, "metadata": {"labels": {"team": "x"}}})
    world.kube.calls.clear()
    assert world.round().counts == {"unchanged": 1}
    assert world.kube.writes == []


def test_a_key_that_its_source_drops_goes_from_the_target(world: World) -> None:
    world.source("app", {"color": "red", "size": "1"})
    world.settle()
    world.source("app", {"color": "red"})
    assert result(world.round(), "app").outcome == "applied"
    assert world.data("app") == {"color": "red"}


def refuse_dry_runs(call: Call) -> None:
    """Refuse dry runs, as a target does whose admission webhooks do not support them."""
    if call.dry_run:
        raise KubeRefused(f"PATCH {call.path}", 400, "does not support dry run")


def test_an_edit_is_put_right_where_the_target_allows_no_dry_run(world: World) -> None:
    bundle = {"web.yaml": json.dumps(DEPLOYMENT)}
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    world.source("bundle", bundle)
    world.settle()
    world.kube = Watched(world.kube.kube, before=refuse_dry_runs)
    assert world.round().counts == {"unchanged": 1}
    deployments = world.target.api.resource("apps/v1", "deployments")
    deployments.patch("web", {"spec": {"replicas": 5}}, world.namespace)
    assert result(world.round(), "web").outcome == "applied"
    assert deployments.get("web", world.namespace)["spec"]["replicas"] == 2
    world.policy["driftPolicy"] = "Report"
    deployments.patch("web", {"spec": {"replicas": 5}}, world.namespace)
    report = world.round()
    assert result(report, "web").message == "does not support dry run"
