from dataclasses import replace
from typing import Any

import msgspec
import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import moment
from hooks.targetclusters.health.judge import CREDENTIALS, NOT_PROBED, REACHABLE
from hooks.targetclusters.health.model import ProbeResult
from hooks.targetclusters.plan.facts import REFUSED_AFTER
from hooks.targetclusters.plan.schedule import EARLIEST, JobState
from hooks.targetclusters.plan.syncing import (
    FIRST_RETRY,
    RECORDED_WITHIN,
    ROUND_GAP,
    SYNCED,
    Decision,
    plan_syncing,
)
from hooks.targetclusters.request import ResourceSync
from hooks.targetclusters.sync.plan.inventory import Inventory, ObjectKey
from hooks.targetclusters.sync.plan.model import SourceProblem, WantedDigest
from tests.unit.targetclusters.views import (
    NOW,
    SPEC,
    checks,
    children,
    counted,
    entry,
    facts,
    failure,
    finished,
    inventory,
    report,
    round_,
    with_metadata,
)

PROBED = ProbeResult(NOW - 5, 0.1, 1, answered=True, version="v1", desired=WantedDigest())
A, AB = inventory("a"), inventory("a", "b")
SETTLED = round_(A, report(A, outcomes={"a": "unchanged"}))


def decided(**changes: Any) -> Decision:
    """Decide on a TargetCluster; `status` and `generation` are the cluster's."""
    states = changes.pop("checks", checks())
    cluster = with_metadata(generation=changes.pop("generation", 1))
    cluster["status"] = changes.pop("status", {})
    return plan_syncing(facts(cluster=cluster, **changes), states)


def summary(decision: Decision) -> str:
    return f"{decision.condition.status} {decision.condition.reason}"


def test_a_cluster_that_was_never_synced_is_synced_at_once() -> None:
    decision = decided()
    assert decision.start == Inventory()
    assert decision.children == []
    assert summary(decision) == "Unknown Pending"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param(
            {"spec": msgspec.structs.replace(SPEC, sync=ResourceSync())},
            "Unknown Disabled",
            id="disabled",
        ),
        pytest.param(
            {"spec": msgspec.structs.replace(SPEC, suspend=True)},
            "Unknown Suspended",
            id="suspended",
        ),
        pytest.param(
            {"checks": checks(**{REACHABLE: "False Unreachable"})},
            "Unknown Unreachable",
            id="out-of-reach",
        ),
        pytest.param(
            {"checks": checks(**{CREDENTIALS: "False Unauthorized"})},
            "Unknown Unreachable",
            id="not-accepted",
        ),
        pytest.param(
            {"checks": checks(**{REACHABLE: f"Unknown {NOT_PROBED}"})},
            "Unknown Pending",
            id="not-probed-yet",
        ),
    ],
)
def test_nothing_is_started_and_what_is_recorded_stays(changes: Json, wanted: str) -> None:
    decision = decided(config_maps=children(AB), **changes)
    assert decision.start is None
    assert summary(decision) == wanted
    assert decision.children == children(AB)
    assert not decision.stop


@pytest.mark.parametrize("why", [{"suspend": True}, {"sync": ResourceSync()}])
def test_a_round_that_runs_is_ended_when_it_may_not_write_any_more(why: dict[str, Any]) -> None:
    running: JobState[Any] = JobState(running_since=NOW - 1)
    assert decided(spec=msgspec.structs.replace(SPEC, **why), sync=running).stop
    assert not decided(sync=running).stop


def test_while_a_round_runs_nothing_is_started() -> None:
    decision = decided(sync=JobState(running_since=NOW - 2, latest=SETTLED))
    assert decision.start is None
    assert decision.wait == 2.0


def test_what_a_round_wants_recorded_is_answered_and_waited_for() -> None:
    wanting = round_(A, report(AB, outcomes={"b": "skipped"}, complete=False))
    decision = decided(config_maps=children(A), sync=finished(wanting))
    assert decision.children == children(AB)
    assert decision.start is None
    assert decision.wait == RECORDED_WITHIN


def test_once_it_is_recorded_the_next_round_goes_by_it() -> None:
    wanting = round_(A, report(AB, outcomes={"b": "skipped"}, complete=False))
    decision = decided(config_maps=children(AB), sync=finished(wanting))
    assert decision.start == AB
    assert decision.children == children(AB)
    assert summary(decision) == "False Progressing"


def test_rounds_do_not_follow_one_another_without_a_breath() -> None:
    wanting = round_(A, report(AB, complete=False), started_at=NOW - 0.4, seconds=0.1)
    decision = decided(config_maps=children(AB), sync=finished(wanting))
    assert decision.start is None
    assert decision.wait == pytest.approx(ROUND_GAP - 0.4)


@pytest.mark.parametrize("shown", [Inventory(), inventory("other")])
def test_an_inventory_that_somebody_changed_is_left_and_gone_by(shown: Inventory) -> None:
    decision = decided(config_maps=children(shown), sync=finished(SETTLED))
    assert decision.children == children(shown)
    assert decision.start == shown


def settled(**changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "config_maps": children(A),
        "status": counted(SETTLED),
        "sync": finished(SETTLED),
    }
    return decided(**{**fields, **changes})


def test_a_settled_cluster_waits_for_its_interval() -> None:
    decision = settled()
    assert decision.start is None
    assert decision.wait is not None
    assert EARLIEST <= (decision.wait + 10) / SPEC.sync.interval <= 1
    assert summary(decision) == "True Synced"


NEW = WantedDigest(("new",))


def read_at(started_at: float) -> JobState[ProbeResult]:
    """Write the state of a probe that has read new sources."""
    return finished(ProbeResult(started_at, 0.1, 1, answered=True, version="v1", desired=NEW))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"now": NOW + 400}, id="the-interval-is-over"),
        pytest.param({"generation": 2}, id="the-spec-has-changed"),
        pytest.param(
            {"probe": read_at(NOW - 5)},
            id="a-source-has-changed",
        ),
        pytest.param({"sync": JobState()}, id="the-operator-was-restarted"),
        pytest.param(
            {"sync": finished(round_(A, report(A, outcomes={"a": "failed"}, resume_after=2.0)))},
            id="a-failed-object-is-due",
        ),
        pytest.param(
            {
                "sync": finished(round_(A, None, desired=None, failure=failure("SecretNotFound"))),
                "status": counted(SETTLED, attempts=1),
            },
            id="there-was-no-way-to-the-cluster",
        ),
    ],
)
def test_a_round_is_due(changes: Json) -> None:
    assert settled(**changes).start == A


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"probe": read_at(NOW - 60)},
            id="sources-read-before-the-round",
        ),
        pytest.param({"probe": JobState()}, id="no-probe-yet"),
        pytest.param(
            {"sync": finished(round_(A, report(A, outcomes={"a": "failed"}, resume_after=60.0)))},
            id="a-failed-object-is-not-due",
        ),
        pytest.param(
            {
                "sync": finished(
                    round_(A, replace(report(A, complete=False, error="429"), pause=60.0))
                ),
                "status": counted(SETTLED, attempts=1),
                "generation": 2,
            },
            id="the-target-asks-for-a-pause",
        ),
        pytest.param(
            {
                "sync": finished(round_(A, report(A, complete=False, error="timeout"))),
                "status": counted(SETTLED, attempts=3),
            },
            id="a-round-that-failed-often-is-tried-later",
        ),
    ],
)
def test_a_round_is_not_due(changes: Json) -> None:
    assert settled(**changes).start is None


def test_rounds_that_fail_come_ever_later() -> None:
    failed = round_(A, report(A, complete=False, error="timeout"), started_at=NOW, seconds=0.0)
    waits = []
    status: Json = {}
    for _ in range(9):
        failed = replace(failed, started_at=failed.started_at + 0.001)
        decision = settled(sync=finished(failed), status=status)
        status = {"sync": decision.sync}
        waits.append(decision.wait or 0.0)
    assert waits[:6] == pytest.approx([FIRST_RETRY * 2**n for n in range(6)], rel=0.1)
    regular = EARLIEST * SPEC.sync.interval, SPEC.sync.interval
    assert all(regular[0] <= wait <= regular[1] for wait in waits[6:])


def test_a_round_is_counted_once() -> None:
    failed = round_(A, report(A, outcomes={"a": "failed"}))
    first = settled(sync=finished(failed), status={})
    assert first.sync["attempts"] == 1
    again = settled(sync=finished(failed), status={"sync": first.sync})
    assert again.sync == first.sync


def test_a_round_of_another_replica_that_the_status_has_seen_is_not_gone_back_to() -> None:
    newer = counted(replace(SETTLED, started_at=NOW - 1), attempts=4)
    assert settled(status=newer).sync == newer["sync"]


def test_a_round_that_lies_ahead_is_not_believed() -> None:
    ahead = counted(replace(SETTLED, started_at=NOW + 1e6))
    assert settled(status=ahead).sync["lastTime"] == moment(SETTLED.started_at)


@pytest.mark.parametrize(
    ("outcomes", "problems", "wanted"),
    [
        pytest.param({"a": "unchanged", "b": "applied"}, 0, "True Synced", id="all-well"),
        pytest.param({"a": "pruned"}, 0, "True Synced", id="pruned"),
        pytest.param({"a": "failed", "b": "drifted"}, 0, "False Failed", id="failed-is-worst"),
        pytest.param({"a": "conflict", "b": "drifted"}, 0, "False Conflict", id="then-conflict"),
        pytest.param({"a": "drifted"}, 0, "False Drifted", id="then-drift"),
        pytest.param({}, 2, "False Failed", id="a-source-that-cannot-be-read"),
    ],
)
def test_the_condition_names_the_worst(outcomes: Any, problems: int, wanted: str) -> None:
    named = tuple(SourceProblem(f"ConfigMap/{n}", "is not there") for n in range(problems))
    latest = round_(A, report(A, outcomes=outcomes, problems=named))
    assert summary(settled(sync=finished(latest), status={})) == wanted


def test_ten_are_named_and_the_others_counted() -> None:
    names = [f"o-{number:03}" for number in range(300)]
    latest = round_(
        A,
        report(
            A,
            outcomes=dict.fromkeys(names, "failed"),
            problems=(SourceProblem("ConfigMap/x", "is not there", where="key k, document 2"),),
        ),
    )
    status = settled(sync=finished(latest), status={}).sync
    assert status["failed"] == 301
    assert len(status["results"]) == 10
    assert status["results"][0] == {
        "outcome": "Failed",
        "object": "ConfigMap/x",
        "message": "ConfigMap/x, key k, document 2: is not there",
    }
    assert status["results"][1] == {
        "outcome": "Failed",
        "object": "ConfigMap team/o-000",
        "message": "why",
    }


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        pytest.param(0, "1 failed (of 1 objects); ConfigMap team/b: why", id="an object"),
        pytest.param(1, "2 failed (of 1 objects); ConfigMap/0: is not there", id="a source"),
    ],
)
def test_the_condition_says_what_is_wrong_with_the_first(problems: int, said: str) -> None:
    named = tuple(SourceProblem(f"ConfigMap/{n}", "is not there") for n in range(problems))
    latest = round_(A, report(A, outcomes={"a": "unchanged", "b": "failed"}, problems=named))
    assert settled(sync=finished(latest), status={}).condition.message == said


def test_drift_that_was_corrected_is_told_once() -> None:
    reported = report(A, outcomes={"a": "applied", "b": "applied"})
    first, second = reported.results
    results = (replace(first, fields=("data.color", "data.size")), second)
    latest = round_(A, replace(reported, results=results))
    decision = settled(sync=finished(latest), status={})
    message = "changed on the cluster, and corrected: ConfigMap team/a (data.color, data.size)"
    assert decision.event == ("DriftCorrected", message)
    assert settled(sync=finished(latest), status=counted(latest)).event is None


@pytest.mark.parametrize(
    ("empty", "said"),
    [
        ((), ""),
        (("ConfigMap/a",), "; ConfigMap/a holds no object"),
        (("ConfigMap/a", "ConfigMap/b"), "; ConfigMap/a and 1 more hold no object"),
    ],
)
def test_a_source_that_holds_nothing_is_told(empty: tuple[str, ...], said: str) -> None:
    desired = WantedDigest(empty_sources=empty)
    latest = round_(A, report(A, outcomes={"a": "unchanged"}), desired=desired)
    assert settled(sync=finished(latest), status={}).condition.message.endswith(f"in sync{said}")


def test_what_is_changing_is_not_called_synced() -> None:
    reported = report(A, outcomes={"a": "skipped"}, resume_after=5.0)
    changing = tuple(replace(one, needs_recheck=True) for one in reported.results)
    for results, wanted in ((reported.results, "True Synced"), (changing, "False Progressing")):
        latest = round_(A, replace(reported, results=results))
        assert summary(settled(sync=finished(latest), status={})) == wanted


def test_no_name_of_a_secret_on_the_target_is_shown() -> None:
    """The name is the target's word: it may be what a Secret holds."""
    unlisted = (ObjectKey("", "Secret", "team", "hunter2"), ObjectKey("", "Pod", "team", "p"))
    for found, named in ((unlisted, "such as Pod team/p;"), (unlisted[:1], "such as a Secret;")):
        reported = replace(report(A, outcomes={"a": "unchanged"}), unlisted=found)
        condition = settled(sync=finished(round_(A, reported)), status={}).condition
        assert named in condition.message
        assert "hunter2" not in condition.message


@pytest.mark.parametrize(
    "reason", ["LeaseHeld", "LeaseUnwritable", "HubUnknown", "ClusterUnknown", "SecretNotFound"]
)
def test_the_condition_says_why_a_round_could_not_begin(reason: str) -> None:
    latest = round_(A, None, desired=None, failure=failure(reason))
    condition = decided(sync=finished(latest)).condition
    assert (condition.status, condition.reason) == ("Unknown", reason)
    assert condition.message == failure(reason).message


def test_the_condition_stays_until_a_round_changes_it() -> None:
    before = {"type": SYNCED, "status": "False", "reason": "Failed", "message": "of 3 objects"}
    decision = decided(status={"conditions": [before]})
    assert summary(decision) == "False Failed"
    assert decision.condition.message == "of 3 objects"


@pytest.mark.parametrize("reason", ["Suspended", "Unreachable", "Disabled"])
def test_what_was_not_looked_at_for_a_while_is_looked_at_at_once(reason: str) -> None:
    before = {"type": SYNCED, "status": "Unknown", "reason": reason, "message": ""}
    seen = {**counted(replace(SETTLED, started_at=NOW - 5)), "conditions": [before]}
    decision = settled(status=seen)
    assert summary(decision) == "Unknown Pending"
    assert decision.start == A


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        pytest.param("exceeded quota: maps", "exceeded quota: maps", id="the server says why"),
        pytest.param("", "Metacontroller's Event SyncError", id="that is not known"),
    ],
)
def test_an_inventory_that_is_not_written_is_said_with_the_reason(refusal: str, said: str) -> None:
    wanting = round_(A, report(AB, outcomes={"b": "skipped"}, complete=False))
    probe = finished(replace(PROBED, refusal=refusal))
    soon = decided(
        config_maps=children(A),
        sync=finished(replace(wanting, started_at=NOW - REFUSED_AFTER)),
        probe=probe,
    )
    assert summary(soon) == "False Progressing"
    states = {"sync": finished(replace(wanting, started_at=NOW - REFUSED_AFTER - 2))}
    late = decided(config_maps=children(A), probe=probe, **states)
    assert summary(late) == "False NotRecorded"
    assert said in late.condition.message
    assert late.children == children(AB)
    assert summary(decided(config_maps=children(AB), probe=probe, **states)) != "False NotRecorded"


def test_what_the_cluster_warned_of_is_in_the_status() -> None:
    keys = tuple(entry(name).key for name in "ab")
    warnings = {"old": keys, **{f"w{number}": keys[:1] for number in range(20)}}
    done = replace(report(AB, outcomes={"a": "unchanged", "b": "unchanged"}), warnings=warnings)
    decision = decided(config_maps=children(AB), sync=finished(round_(AB, done)))
    named = decision.sync["warnings"]
    assert named[0] == {"object": f"{keys[0]} and 1 more", "message": "old"}
    assert len(named) == 10
    assert decision.condition.reason == "Synced"
    silent = decided(
        config_maps=children(AB), sync=finished(round_(AB, replace(done, warnings={})))
    )
    assert "warnings" not in silent.sync
