"""What a real target refuses: reported per object, tried again later, without secrets."""

import json

from kubernetes.client import Configuration

from hooks.kube.client import ApiServer, KubeRefused
from hooks.targetclusters.sync.memory import FIRST_RETRY
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call, Watched

BAD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, "data": {"x": 5}}
PASSWORD = "hunter2-hunter2"


def bundle(world: World, *objects: object, kind: str = "ConfigMap") -> None:
    world.policy = {"sources": [{"kind": kind, "name": "bundle", "as": "Manifests"}]}
    texts = {f"{number}.json": json.dumps(body) for number, body in enumerate(objects)}
    world.source("bundle", texts, kind=kind, label="")


def test_one_bad_object_stops_no_other(world: World) -> None:
    bundle(world, BAD, manifest("good", {"a": "b"}))
    report = world.settle()
    assert result(report, "bad").outcome == "failed"
    assert ".data.x: expected string" in result(report, "bad").message
    assert result(report, "good").outcome == "applied"
    assert not report.synced


def test_a_field_that_does_not_exist_is_named(world: World) -> None:
    bundle(world, {**manifest("bad"), "datum": {}})
    assert ".datum: field not declared in schema" in result(world.settle(), "bad").message


def test_is_tried_again_after_growing_delays_and_at_once_when_its_source_changes(
    world: World,
) -> None:
    bundle(world, BAD)
    report = world.settle()
    assert report.resume_after == FIRST_RETRY
    world.kube.calls.clear()
    report = world.round()
    assert result(report, "bad").outcome == "failed"
    assert f"(again in {FIRST_RETRY:.0f} s)" in result(report, "bad").message
    assert world.kube.writes == []
    world.clock += FIRST_RETRY
    assert world.round().resume_after == 2 * FIRST_RETRY
    assert len(world.kube.writes) == 1
    bundle(world, {**BAD, "data": {"x": "5"}})
    report = world.round()
    assert report.synced
    assert report.resume_after is None


def test_what_is_right_is_told_while_a_failed_object_waits(world: World) -> None:
    bundle(world, BAD)
    world.settle()
    bundle(world, BAD, manifest("good"))
    world.settle()
    world.kube.calls.clear()
    report = world.round()
    assert result(report, "good").outcome == "unchanged"
    assert world.kube.writes == []


def test_no_word_of_a_secret_is_told(world: World) -> None:
    bad_secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": PASSWORD}
    bundle(world, bad_secret)
    report = world.settle()
    assert result(report, "a").outcome == "failed"
    assert result(report, "a").message.startswith("refused with 500")
    assert PASSWORD not in repr(report)
    bundle(world, {**manifest("b"), "data": PASSWORD}, kind="Secret")
    report = world.settle()
    assert result(report, "b").outcome == "failed"
    assert PASSWORD not in repr(report)


def test_a_secret_edited_on_the_target_is_named_by_its_keys_alone(world: World) -> None:
    world.policy = {"driftPolicy": "Report"}
    world.source("login", {"password": PASSWORD}, kind="Secret")
    world.settle()
    patch = {"data": {"password": "b3RoZXI="}}
    world.target.api.resource("v1", "secrets").patch("login", patch, world.namespace)
    report = world.round()
    assert result(report, "login").fields == ("data.password",)
    assert "b3RoZXI=" not in repr(report)
    assert PASSWORD not in repr(report)


def restricted(world: World) -> ApiServer:
    """Make a user of the target who may do everything in one namespace, and nothing elsewhere."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    metadata = {"name": "operator", "namespace": world.namespace}
    api = world.target.api
    api.resource("v1", "serviceaccounts").create({**account, "metadata": metadata})
    group = "rbac.authorization.k8s.io"
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata}
    api.resource(f"{group}/v1", "roles").create({**role, "rules": [everything]})
    api.resource(f"{group}/v1", "rolebindings").create(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "operator"},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        }
    )
    token = world.target.service_account_token("operator", world.namespace)
    configuration = Configuration(host=world.target.url, api_key={"authorization": token})
    configuration.api_key_prefix = {"authorization": "Bearer"}
    configuration.ssl_ca_cert = str(world.target.ca)
    return ApiServer.of(configuration)


def test_a_kubeconfig_for_one_namespace_is_enough_for_what_goes_there(world: World) -> None:
    world.kube = Watched(restricted(world))
    world.source("app", {"a": "b"})
    assert world.settle().synced
    world.unsource("app")
    world.source("app2", {"a": "b"})
    assert world.settle().synced
    assert world.names() == {"app2"}
    assert world.delete().complete


def test_what_a_restricted_kubeconfig_may_not_do_is_told_object_by_object(world: World) -> None:
    world.kube = Watched(restricted(world))
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    bundle(
        world,
        manifest("here"),
        manifest("there", namespace="default"),
        {**role, "metadata": {"name": world.namespace}},
    )
    report = world.settle()
    assert result(report, "here").outcome == "applied"
    for name in ("there", world.namespace):
        assert result(report, name).outcome == "failed"
        assert "forbidden" in result(report, name).message


def test_a_restricted_kubeconfig_is_asked_namespace_by_namespace(world: World) -> None:
    world.kube = Watched(restricted(world))
    strangers = [manifest("there", namespace=f"{world.namespace}-{n}") for n in range(4)]
    bundle(world, manifest("here"), *strangers)
    report = world.settle()
    assert result(report, "here").outcome == "applied"
    assert report.counts == {"applied": 1, "failed": 4}
    assert world.round().counts == {"unchanged": 1, "failed": 4}


def refuse_the_app(call: Call) -> None:
    if call.verb == "patch" and call.path.endswith("/app"):
        raise KubeRefused(f"PATCH {call.path}", 422, "not today")


def test_a_failure_that_became_a_conflict_asks_for_no_retry(world: World) -> None:
    world.source("app", {"a": "b"})
    world.round()
    report = world.round(kube=Watched(world.kube.kube, before=refuse_the_app))
    assert (result(report, "app").message, report.resume_after) == ("not today", FIRST_RETRY)
    body = manifest("app", namespace=world.namespace)
    world.target.api.resource("v1", "configmaps").create(body)
    world.clock += FIRST_RETRY
    report = world.round()
    assert result(report, "app").outcome == "conflict"
    assert report.resume_after is None


def test_a_list_with_a_name_twice_stays_refused_and_is_named(world: World) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    containers = [{"name": "c", "image": "i", "env": env}]
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pod}
    metadata = {"name": "twice"}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    bundle(world, body, manifest("good"))
    report = world.settle()
    assert result(report, "good").outcome == "applied"
    assert result(report, "twice").outcome == "failed"
    assert 'duplicate entries for key [name="A"]' in result(report, "twice").message


def test_a_refused_secret_is_told_by_its_field_and_without_its_value(world: World) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "immutable": True}

    def put(value: str) -> None:
        bundle(world, {**secret, "stringData": {"p": value}}, kind="Secret")

    put("hunter-one")
    assert world.settle().synced
    put("hunter-two")
    report = world.settle()
    told = "refused with 422 (data: FieldValueForbidden); the message is left out"
    assert result(report, "s").message.startswith(told)
    assert "hunter" not in str(report)
