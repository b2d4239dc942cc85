from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import moment
from hooks.targetclusters.health.model import Failure, Nodes, ProbeResult, ReadyCount
from hooks.targetclusters.plan.actions import (
    Action,
    StartDeletion,
    StartProbe,
    StartRound,
    StopRound,
)
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.plan import MAX_WAIT, plan_finalize, plan_sync
from hooks.targetclusters.plan.schedule import JobState
from hooks.targetclusters.request import Interval, ResourceSync, Spec
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.webhook.contract import Plan
from tests.unit.targetclusters import views
from tests.unit.targetclusters.views import (
    NOW,
    SPEC,
    children,
    finished,
    inventory,
    report,
    round_,
    with_metadata,
    with_status,
)

AB = inventory("a", "b")
HEALTHY = ProbeResult(
    NOW - 5,
    0.1,
    1,
    server="https://h",
    answered=True,
    version="v1",
    nodes=Nodes(ReadyCount(1, 1)),
    pods=ReadyCount(1, 1),
)


def facts(**changes: Any) -> Facts:
    """Write the facts of a TargetCluster that has been probed five seconds ago."""
    fields: dict[str, Any] = {"spec": Spec("target"), "probe": finished(HEALTHY)}
    return views.facts(**{**fields, **changes})


def answered(plan: Plan[Action]) -> Json:
    return dict(plan.response)


def test_a_cluster_is_probed_first() -> None:
    plan = plan_sync(facts(probe=JobState()))
    assert plan.actions == (StartProbe("new"),)


def test_a_probe_that_runs_is_looked_at_soon_and_not_started_again() -> None:
    plan = plan_sync(facts(probe=JobState(running_since=NOW - 1)))
    assert plan.actions == ()
    assert answered(plan)["resyncAfterSeconds"] == 1.0


@pytest.mark.parametrize(
    ("interval", "ago", "started"),
    [
        pytest.param(30.0, 5, False, id="not-due"),
        pytest.param(30.0, 33, True, id="due"),
        pytest.param(3600.0, 33, False, id="a-long-interval"),
    ],
)
def test_a_probe_is_due_one_interval_after_the_last(
    interval: float, ago: float, started: bool
) -> None:
    spec = Spec("target", monitor_interval=Interval(interval))
    plan = plan_sync(facts(spec=spec, now=NOW - 5 + ago))
    assert (StartProbe("quick") in plan.actions) is started
    assert answered(plan)["resyncAfterSeconds"] <= MAX_WAIT


def test_a_probe_that_another_replica_counted_counts_for_this_one() -> None:
    seen = {"lastTime": moment(NOW - 1), "observedGeneration": 1, "checks": []}
    plan = plan_sync(facts(cluster=with_status({"probe": seen}), probe=JobState()))
    assert plan.actions == ()
    assert answered(plan)["status"]["probe"] == seen


def test_a_time_that_lies_ahead_is_not_believed() -> None:
    seen = {"lastTime": "2999-01-01T00:00:00Z", "observedGeneration": 1, "checks": []}
    assert (
        answered(plan_sync(facts(cluster=with_status({"probe": seen}))))["status"]["version"]
        == "v1"
    )
    without = plan_sync(facts(cluster=with_status({"probe": seen}), probe=JobState()))
    assert without.actions == (StartProbe("slow"),)


@pytest.mark.parametrize(
    ("seconds", "failure", "pool"),
    [
        pytest.param(0.2, None, "quick", id="quick"),
        pytest.param(9.0, None, "slow", id="slow"),
        pytest.param(0.2, Failure("connection", "R", "m"), "slow", id="out-of-reach"),
    ],
)
def test_slow_and_silent_clusters_have_a_pool_of_their_own(
    seconds: float, failure: Failure | None, pool: Any
) -> None:
    spec = Spec("target", failure_threshold=1)
    latest = ProbeResult(NOW - 60, seconds, 1, failure=failure, answered=True, version="v1")
    plan = plan_sync(facts(spec=spec, probe=finished(latest)))
    assert plan.actions == (StartProbe(pool),)


@pytest.mark.parametrize(
    ("latest", "pool"),
    [
        pytest.param(None, "new", id="the-first"),
        pytest.param(round_(AB, report(AB)), "quick", id="quick"),
        pytest.param(round_(AB, report(AB), seconds=60.0), "slow", id="slow"),
        pytest.param(round_(AB, report(AB, error="timeout")), "slow", id="interrupted"),
        pytest.param(round_(AB, None), "slow", id="no-way"),
    ],
)
def test_a_cluster_that_takes_for_ever_to_write_slows_no_other(latest: Any, pool: Any) -> None:
    plan = plan_sync(
        facts(
            cluster=with_metadata(generation=2),
            spec=SPEC,
            config_maps=tuple(children(AB)),
            probe=JobState(running_since=NOW, latest=HEALTHY),
            sync=finished(latest),
        )
    )
    assert plan.actions == (StartRound(AB, pool),)


def test_a_round_that_may_not_write_any_more_is_ended() -> None:
    spec = Spec("target", sync=ResourceSync(enabled=True), suspend=True)
    plan = plan_sync(facts(spec=spec, sync=JobState(running_since=NOW - 1)))
    assert plan.actions == (StopRound(),)


def test_changes_are_told_once() -> None:
    first = plan_sync(facts())
    assert [event.reason for event in first.events] == ["ClusterReady"]
    again = plan_sync(facts(cluster=with_status(answered(first)["status"])))
    assert again.events == ()
    assert answered(again)["status"] == answered(first)["status"]


def test_a_deletion_is_started_and_what_is_recorded_stays() -> None:
    spec = Spec("target", sync=ResourceSync(enabled=True), deletion_policy="Delete")
    maps = tuple(children(AB))
    plan = plan_finalize(facts(spec=spec, config_maps=maps, deleting_since=NOW - 1))
    assert plan.actions == (StartDeletion(AB, "quick"),)
    assert answered(plan)["children"] == list(maps)
    assert answered(plan)["finalized"] is False
    assert "resyncAfterSeconds" in answered(plan)


def test_the_last_answer_asks_for_nothing_more() -> None:
    plan = plan_finalize(facts(deleting_since=NOW - 1))
    assert answered(plan)["finalized"] is True
    assert answered(plan)["children"] == []
    assert "resyncAfterSeconds" not in answered(plan)
    assert Inventory() == Inventory.from_config_maps(answered(plan)["children"])
