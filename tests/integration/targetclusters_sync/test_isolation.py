"""A real target of which a part fails: everything else arrives, and what does not is named."""

import json
import time
from collections.abc import Iterator

import pytest

from hooks.http.bounded_json import Json
from hooks.names import LABEL_SYNC
from tests.integration.targetclusters_sync.worlds import World, manifest, result
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
