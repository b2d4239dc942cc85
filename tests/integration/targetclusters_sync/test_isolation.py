"""Parts of a real target fail: everything else arrives, and what does not is named."""

import json
from collections.abc import Iterator

import pytest

from hooks.http.bounded_json import Json
from hooks.names import LABEL_SYNC
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.targets import failing_parts
from tests.targets.failing_parts import of_api_down

LABELLED = {LABEL_SYNC: "true"}


@pytest.fixture
def api_down(world: World) -> Iterator[None]:
    with failing_parts.api_down(world.target, world.namespace):
        yield


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
    with failing_parts.hanging_accounts(world.target, world.namespace):
        yield


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
