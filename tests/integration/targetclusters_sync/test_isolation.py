"""A real target of which parts fail: everything else arrives, and what does not is named."""

import json
import time
from collections.abc import Iterator

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import APPLY_PATCH, KubeError, KubeUnreachable
from hooks.names import LABEL_SYNC
from hooks.targetclusters.sync.memory import SLOW_SECONDS
from tests.controlplane.polling import until
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call, Watched
from tests.targets.servers import black_hole, serving

DOWN = "down.example.org"
LABELLED = {LABEL_SYNC: "true"}


@pytest.fixture
def api_down(world: World) -> Iterator[None]:
    """Let the target aggregate an API behind which nothing runs."""
    services = world.target.api.resource("apiregistration.k8s.io/v1", "apiservices")
    spec = {
        "group": DOWN,
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "insecureSkipTLSVerify": True,
        "service": {"name": "none", "namespace": world.namespace},
    }
    name = f"v1.{DOWN}"
    services.create(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": spec,
        }
    )
    yield
    services.delete(name)


def of_api_down(kind: str) -> Json:
    return {"apiVersion": f"{DOWN}/v1", "kind": kind, "metadata": {"name": kind.lower()}}


def account(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def put_bundle(world: World, *bodies: Json) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    texts = {f"{number}.json": json.dumps(body) for number, body in enumerate(bodies)}
    world.source("bundle", texts, label="")


@pytest.mark.usefixtures("api_down")
def test_an_aggregated_api_that_is_down_stops_its_own_objects_and_no_other(world: World) -> None:
    put_bundle(world, *map(of_api_down, ("One", "Two", "Three", "Four")), manifest("app"))
    report = world.settle()
    assert report.error == ""
    assert result(report, "app").outcome == "applied"
    failed = {one.entry.kind: one.message for one in report.results if one.outcome == "failed"}
    assert failed.keys() == {"One", "Two", "Three", "Four"}
    assert report.resume_after is not None


@pytest.fixture
def hanging_accounts(world: World) -> Iterator[None]:
    """Let a webhook that never answers decide about the service accounts of the namespace."""
    configurations = world.target.api.resource(
        "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"
    )
    with serving(black_hole) as server:
        webhook = {
            "name": "hangs.example.org",
            "clientConfig": {"url": server.url.replace("http:", "https:")},
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["serviceaccounts"],
                    "operations": ["*"],
                }
            ],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 4,
        }
        configurations.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": world.namespace},
                "webhooks": [webhook],
            }
        )
        time.sleep(1.0)  # until the API server has seen it
        yield
        configurations.delete(world.namespace)


@pytest.mark.usefixtures("hanging_accounts")
def test_a_webhook_that_hangs_delays_only_its_own_kind(world: World) -> None:
    accounts = (account(f"account-{number}") for number in range(6))
    put_bundle(world, *accounts)
    world.policy["sources"].append({"kind": "ConfigMap", "selector": {"matchLabels": LABELLED}})
    for name in ("app", "other"):
        world.source(name, {"n": "1"})
    world.round()
    report = world.round(seconds=12.0)
    assert world.names() == {"app", "other"}
    failed = [one for one in report.results if one.outcome == "failed"]
    assert 1 <= len(failed) < 6
    assert 'failed calling webhook "hangs.example.org"' in failed[0].message
    first = {one.entry.name for one in failed}
    second = world.round(seconds=12.0)
    tried = {
        one.entry.name
        for one in second.results
        if one.outcome == "failed" and "again in" not in one.message
    }
    assert tried
    assert not tried & first
    world.unsource("app")
    world.round(seconds=12.0)
    assert world.names() == {"other"}


def test_an_admission_policy_that_refuses_what_nobody_wants_stops_nothing(world: World) -> None:
    """Nothing is made on the target but what is wanted."""
    world.source("app", {"n": "1"})
    assert world.settle().synced
    listed = world.target.api.resource("v1", "configmaps").list(world.namespace)
    assert {one["metadata"]["name"] for one in listed} - {"kube-root-ca.crt"} == {"app"}
    assert {call.path.rpartition("/")[2] for call in world.kube.writes} == {"app"}


REFUSED = "refused by the platform team"


@pytest.fixture
def refusing_policy(world: World) -> Iterator[None]:
    """Let an admission policy refuse one ConfigMap by its name."""
    group = "admissionregistration.k8s.io/v1"
    rules = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    spec = {
        "matchConstraints": {
            "resourceRules": [{**rules, "operations": ["CREATE", "UPDATE"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
        },
        "validations": [{"expression": "object.metadata.name != 'refused'", "message": REFUSED}],
    }
    bound = {"policyName": world.namespace, "validationActions": ["Deny"]}
    made = {"Policy": ("policies", spec), "PolicyBinding": ("policybindings", bound)}
    for kind, (plural, what) in made.items():
        world.target.api.resource(group, f"validatingadmission{plural}").create(
            {
                "apiVersion": group,
                "kind": f"ValidatingAdmission{kind}",
                "metadata": {"name": world.namespace},
                "spec": what,
            }
        )
    path = f"/api/v1/namespaces/{world.namespace}/configmaps/refused"
    body = manifest("refused", namespace=world.namespace)
    until(lambda: refuses(world.kube, path, body), "the policy is in force")
    yield
    for plural, _ in made.values():
        world.target.api.resource(group, f"validatingadmission{plural}").delete(world.namespace)


def refuses(kube: Watched, path: str, body: Json) -> bool:
    """Tell whether the policy refuses to apply a body."""
    params = {"fieldManager": "tests", "dryRun": "All"}
    try:
        kube.patch(path, body, deadline=Deadline(10), content_type=APPLY_PATCH, params=params)
    except KubeError as error:
        return REFUSED in error.text
    return False


def slow_and_throttled(call: Call) -> None:
    """Take long for lists of Roles, too long for RoleBindings, and throttle LimitRanges."""
    if call.verb == "list" and call.path.endswith("/roles"):
        time.sleep(SLOW_SECONDS + 0.5)
    if call.verb == "list" and call.path.endswith("/rolebindings"):
        raise KubeUnreachable(f"GET {call.path}: took too long to answer")
    if call.writes and "/limitranges/" in call.path:
        text = "Too many requests, please try again later."
        raise KubeUnreachable(f"{text} (429)", code=429, text=text, retry_after=1.0)


@pytest.mark.usefixtures("api_down", "hanging_accounts", "refusing_policy")
def test_where_all_this_comes_together_everything_else_arrives_in_one_round(world: World) -> None:
    """The round after the first, which only records what is to be applied."""
    group = "rbac.authorization.k8s.io/v1"
    role = {"apiVersion": group, "kind": "Role", "metadata": {"name": "slow"}, "rules": []}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "slow"}
    binding = {"apiVersion": group, "kind": "RoleBinding", "metadata": {"name": "unlisted"}}
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "throttled"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "good-service"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "good-secret"}}
    put_bundle(
        world,
        account("hangs"),
        *map(of_api_down, ("One", "Two")),
        {**limits, "spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}},
        manifest("refused"),
        role,
        {**binding, "roleRef": reference},
        manifest("good-map"),
        {**secret, "stringData": {"a": "b"}},
        {**service, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    )
    world.kube = Watched(world.kube.kube, before=slow_and_throttled)
    world.round()
    report = world.round()
    assert report.error == ""
    outcomes = {one.entry.name: one.outcome for one in report.results}
    good = {"good-map", "good-secret", "good-service", "slow"}
    assert {name for name, outcome in outcomes.items() if outcome == "applied"} == good
    told = {one.entry.name: one.message for one in report.troubled}
    said = {
        "hangs": 'failed calling webhook "hangs.example.org"',
        "one": "503",
        "two": "503",
        "refused": REFUSED,
        "throttled": "oo many requests",
        "unlisted": "took too long to answer",
    }
    assert told.keys() == said.keys()
    assert {name: text for name, text in said.items() if text not in told[name]} == {}
    assert report.resume_after is not None


def test_what_a_target_warns_of_is_told(world: World) -> None:
    """A deprecated kind, which it takes all the same."""
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "old"}}
    put_bundle(world, {**endpoints, "subsets": []}, manifest("app"))
    for _ in range(2):
        report = world.settle()
        assert report.synced
        ((text, keys),) = report.warnings.items()
        assert "v1 Endpoints is deprecated" in text
        assert [key.name for key in keys] == ["old"]
