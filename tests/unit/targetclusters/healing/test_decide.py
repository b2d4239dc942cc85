"""The table of faults and repairs, and their bounds."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.targetclusters.healing.plan import bounds, decide
from hooks.targetclusters.healing.plan.journal import write_journal
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    Journal,
    Record,
    Repair,
)
from hooks.targetclusters.request import IntOrPercent
from tests.unit.targetclusters.healing.looks import (
    GAP,
    MINUTE,
    NOW,
    POLICY,
    down,
    due,
    node,
    opened,
    seen,
    tried,
    watched,
)


@pytest.mark.parametrize(
    ("state", "record", "repair"),
    [
        pytest.param("Stopped", {}, "StartVM", id="stopped"),
        pytest.param("Running", {}, "RebootVM", id="running"),
        pytest.param(
            "Running", {"attempts": 1, "repair": "StartVM"}, "RebootVM", id="started, in vain"
        ),
        pytest.param(
            "Running", {"attempts": 1, "repair": "RebootVM"}, "StopStartVM", id="rebooted, in vain"
        ),
        pytest.param(
            "Running", {"attempts": 2, "repair": "StopStartVM"}, "StopStartVM", id="and once more"
        ),
        pytest.param(
            "Running", {"attempts": 0, "repair": "RebootVM"}, "RebootVM", id="begun again"
        ),
        pytest.param("Starting", {}, None, id="starting"),
        pytest.param("Stopping", {}, None, id="stopping"),
        pytest.param("Migrating", {}, None, id="migrating"),
        pytest.param("Error", {}, None, id="in error"),
        pytest.param("Expunging", {}, None, id="going"),
    ],
)
def test_the_state_of_the_vm_decides(state: str, record: dict[str, Any], repair: str) -> None:
    assert decide.choose_repair(Record("NodeNotReady", "a", **record), state) == repair


@pytest.mark.parametrize(
    ("state", "repair"),
    [("Stopped", "StartCluster"), ("Alert", "StartCluster"), ("Running", None), ("Scaling", None)],
)
def test_the_state_of_the_cluster_decides(state: str, repair: str | None) -> None:
    assert decide.choose_repair(Record("ClusterNotRunning", "c"), state) == repair
    faults = decide.find_faults(Evidence(cluster_state=state, cluster_id="c"))
    assert [fault.key for fault in faults] == ["ClusterNotRunning/c"] * bool(repair)


def test_a_node_is_due_after_its_timeout_from_first_sight() -> None:
    evidence = down("a")
    journal = seen(evidence)
    assert due(evidence, journal, at=NOW + 5 * MINUTE - 1) == []
    assert due(evidence, journal, at=NOW + 5 * MINUTE) == ["a"]


def test_a_node_that_was_ready_meanwhile_begins_anew() -> None:
    journal = seen(down("a"))
    well = Evidence((node("a", ready=True), *(down().nodes or ())))
    journal = seen(well, journal, at=NOW + 4 * MINUTE)
    journal = seen(down("a"), journal, at=NOW + 5 * MINUTE)
    assert due(down("a"), journal, at=NOW + 9 * MINUTE) == []
    assert due(down("a"), journal, at=NOW + 10 * MINUTE) == ["a"]


def test_attempts_are_ever_further_apart_and_end() -> None:
    evidence = down("a")
    journal, now, at = seen(evidence), NOW, []
    while now < NOW + 3 * 3600:
        if due(evidence, journal, at=now):
            at.append((now - NOW) / MINUTE)
            journal = tried(journal, "a", at=now)
        now += MINUTE
    assert at == [5, 10, 20]
    faults = decide.find_faults(evidence)
    assert decide.due_repairs(journal, faults, POLICY, now=now).given_up == ("NodeNotReady/a",)


def test_attempts_are_forgotten_after_a_healthy_hour_and_not_before() -> None:
    journal = tried(seen(down("a")), "a", at=NOW + 5 * MINUTE)
    journal = watched(down(), journal, start=NOW + 10 * MINUTE, end=NOW + 55 * MINUTE)
    soon = seen(down("a"), journal, at=NOW + 60 * MINUTE)
    assert soon.records["NodeNotReady/a"].attempts == 1
    journal = watched(down(), journal, start=NOW + 60 * MINUTE, end=NOW + 65 * MINUTE)
    assert journal.records
    assert seen(down(), journal, at=NOW + 70 * MINUTE).records == {}


@pytest.mark.parametrize("hole", [GAP + 1, 2 * 3600.0, -3600.0, 3600.0])
def test_after_a_time_without_a_look_what_lasted_begins_anew(hole: float) -> None:
    evidence = down("a")
    journal = seen(evidence, seen(evidence), at=NOW + 4 * MINUTE)
    later = NOW + 4 * MINUTE + hole
    journal = seen(evidence, journal, at=later)
    assert due(evidence, journal, at=later + 5 * MINUTE - 1) == []
    assert due(evidence, journal, at=later + 5 * MINUTE) == ["a"]


@pytest.mark.parametrize("hole", [2 * 3600.0, -3600.0])
def test_attempts_are_not_forgotten_over_a_time_without_a_look(hole: float) -> None:
    journal = tried(seen(down("a")), "a", at=NOW + 5 * MINUTE)
    journal = seen(down(), journal, at=NOW + 10 * MINUTE)
    journal = seen(down(), journal, at=NOW + 10 * MINUTE + hole)
    assert journal.records["NodeNotReady/a"].attempts == 1


def test_clocks_that_are_an_hour_apart_forget_nothing() -> None:
    journal = tried(seen(down("a")), "a", at=NOW + 5 * MINUTE)
    for minute in range(10, 600, 5):
        skew = 3700.0 if minute % 10 else 0.0
        journal = seen(down(), journal, at=NOW + minute * MINUTE + skew)
    assert journal.records["NodeNotReady/a"].attempts == 1


def test_looks_change_a_journal_once_a_minute_at_most() -> None:
    for evidence in (down("a"), down("a", cordoned=True)):
        journals = {write_journal(seen(evidence, seen(evidence), at=NOW + s)) for s in range(60)}
        assert len(journals) == 1


@pytest.mark.parametrize(
    "held",
    [
        {"cordoned": True},
        {"left_alone": True},
        {"leaving": "the node has the taint node.kubernetes.io/out-of-service"},
    ],
)
def test_a_node_that_is_let_go_has_its_whole_time(held: dict[str, Any]) -> None:
    evidence = down("a", **held)
    journal = watched(evidence, seen(evidence), start=NOW + 60, end=NOW + 3600)
    assert due(evidence, journal, at=NOW + 3600) == []
    free, let_go = down("a"), NOW + 3600 + 89
    journal = watched(free, journal, start=let_go, end=let_go + 4 * MINUTE)
    assert due(free, journal, at=let_go + 5 * MINUTE - 1) == []
    assert due(free, journal, at=let_go + 5 * MINUTE) == ["a"]


@pytest.mark.parametrize("ahead", [0.0, 600.0, -3600.0, 86400.0])
def test_a_node_that_was_ready_between_two_looks_begins_anew_by_whatever_clock(
    ahead: float,
) -> None:
    journal = seen(down("a", changed=NOW + ahead))
    again = down("a", changed=NOW + ahead + 3 * MINUTE)
    journal = seen(again, journal, at=NOW + 4 * MINUTE)
    assert due(again, journal, at=NOW + 9 * MINUTE - 1) == []
    assert due(again, journal, at=NOW + 9 * MINUTE) == ["a"]
    journal = seen(again, journal, at=NOW + 9 * MINUTE)
    assert due(again, journal, at=NOW + 9 * MINUTE) == ["a"]


def test_a_new_node_has_time_to_become_ready() -> None:
    evidence = down("a", created=NOW - MINUTE)
    journal = seen(evidence)
    assert due(evidence, journal, at=NOW + 18 * MINUTE) == []
    assert due(evidence, journal, at=NOW + 19 * MINUTE) == ["a"]


@pytest.mark.parametrize(
    ("fields", "is_due"),
    [
        pytest.param({}, True, id="as it was"),
        pytest.param({"uid": "another"}, False, id="another node of the name"),
        pytest.param({"provider_id": "cloudstack:///vm-b"}, False, id="on another VM"),
        pytest.param({"system_uuid": "vm-b"}, False, id="on another VM, as its firmware says"),
        pytest.param({"provider_id": "cloudstack:///vm-b", "allowed": True}, True, id="allowed"),
    ],
)
def test_only_what_was_seen_ready_is_repaired(fields: dict[str, Any], is_due: bool) -> None:
    well = Evidence((node("a", ready=True), node("b", ready=True), node("c", ready=True)))
    fallen = replace(node("a", changed=NOW + MINUTE), **fields)
    evidence = Evidence((fallen, *well.nodes[1:])) if well.nodes else well
    journal = seen(evidence, seen(well, Journal()), at=NOW + MINUTE)
    assert due(evidence, journal, at=NOW + 3600) == ["a"] * is_due


def test_what_comes_back_from_a_backup_is_not_known_and_its_change_is_no_proof() -> None:
    journal = seen(down("a", changed=NOW - 1), seen(down(), Journal()), at=NOW + MINUTE)
    gone = seen(
        down(), seen(Evidence((node("a", ready=True),)), journal, at=NOW + 120), at=NOW + 180
    )
    back = down("a", changed=NOW + 240, created=NOW - 86400)
    journal = watched(back, gone, start=NOW + 240, end=NOW + 3600)
    assert due(back, journal, at=NOW + 3600) == []
    assert seen(back, journal, at=NOW + 3660).started == NOW


@pytest.mark.parametrize(
    ("created", "is_due"), [(MINUTE, True), (-2 * MINUTE, False), (2 * 3600.0, False)]
)
def test_a_node_that_registers_after_the_first_look_is_repaired_though_it_was_never_ready(
    created: float, is_due: bool
) -> None:
    new = down("a", created=NOW + created)
    journal = seen(new, seen(down(), Journal()), at=NOW + 2 * MINUTE)
    journal = watched(new, journal, start=NOW + 2 * MINUTE, end=NOW + 3600)
    assert due(new, journal, at=NOW + 3600) == ["a"] * is_due


@pytest.mark.parametrize("ahead", [600.0, 3600.0, 1e9])
def test_a_node_that_registers_by_a_clock_ahead_of_ours_is_new_all_the_same(ahead: float) -> None:
    new = down("a", created=NOW + ahead, allowed=True)
    journal = watched(new, Journal(), start=NOW, end=NOW + 19 * MINUTE)
    assert due(new, journal, at=NOW + 19 * MINUTE) == []
    journal = watched(new, journal, start=NOW + 20 * MINUTE, end=NOW + 22 * MINUTE)
    assert due(new, journal, at=NOW + 22 * MINUTE) == ["a"] * (ahead > 22 * MINUTE)


@pytest.mark.parametrize(
    ("updated", "record", "is_just_started"),
    [
        pytest.param(None, {}, False, id="not known"),
        pytest.param(NOW - 30, {}, True, id="half a minute ago"),
        pytest.param(NOW - 5 * MINUTE, {}, False, id="long ago"),
        pytest.param(NOW + 3600, {}, False, id="a clock that is ahead"),
        pytest.param(NOW - 30, {"ended_at": NOW - 20}, False, id="by us"),
        pytest.param(NOW - 30, {"ended_at": NOW - 3600}, True, id="since we did"),
    ],
)
def test_a_vm_that_somebody_else_has_just_started_is_booting(
    updated: float | None, record: dict[str, Any], is_just_started: bool
) -> None:
    fault = Record("NodeNotReady", "a", **record)
    assert decide.was_just_started(fault, updated, POLICY, NOW) == is_just_started


def test_what_was_not_sent_counts_as_no_attempt_and_waits() -> None:
    evidence = down("a")
    journal = tried(seen(evidence), "a", at=NOW + 5 * MINUTE, sent=False)
    assert journal.records["NodeNotReady/a"].attempts == 0
    assert due(evidence, journal, at=NOW + 9 * MINUTE) == []
    assert due(evidence, journal, at=NOW + 10 * MINUTE) == ["a"]


def test_a_time_that_a_wrong_clock_wrote_holds_nothing_up() -> None:
    evidence, later = down("a"), NOW + 365 * 86400
    journal = tried(seen(evidence, at=later), "a", at=later)
    journal = seen(evidence, journal)
    assert due(evidence, journal, at=NOW + 5 * MINUTE) == ["a"]


def test_an_open_attempt_holds_everything_up() -> None:
    evidence = down("a", "b")
    journal = seen(evidence)
    begun = decide.begin(journal.records["NodeNotReady/a"], "RebootVM", POLICY, now=NOW)
    journal = journal.with_record(replace(begun, by="another"))
    assert due(evidence, journal, at=NOW + 3600) == []
    journal = journal.with_record(decide.with_lost_outcome(journal.records["NodeNotReady/a"]))
    assert due(evidence, journal, at=NOW + 3600) == ["a", "b"]
    assert journal.records["NodeNotReady/a"].attempts == 1


@pytest.mark.parametrize(("most", "left"), [(1, []), (2, ["b", "c"]), (3, ["b", "c"])])
def test_as_many_repairs_run_at_once_as_said(most: int, left: list[str]) -> None:
    evidence, policy = down("a", "b", "c"), replace(POLICY, max_concurrent=most)
    journal, now = opened(seen(evidence), "a", at=NOW), NOW + 3600
    assert due(evidence, journal, at=now, policy=policy) == left
    journal = opened(journal, "b", at=NOW)
    assert due(evidence, journal, at=now, policy=policy) == (["c"] if most == 3 else [])


@pytest.mark.parametrize(
    ("running", "repair", "vm", "clashes"),
    [
        pytest.param("RebootVM", "StartVM", "vm-b", False, id="two VMs"),
        pytest.param("RebootVM", "StartVM", "vm-a", True, id="one VM, under two names"),
        pytest.param("RebootVM", "StartCluster", "c", True, id="the cluster, beside a VM"),
        pytest.param("StartCluster", "RebootVM", "vm-b", True, id="a VM, beside the cluster"),
    ],
)
def test_nothing_is_repaired_twice_at_once(
    running: Repair, repair: Repair, vm: str, clashes: bool
) -> None:
    journal = opened(seen(down("a")), "a", at=NOW, repair=running)
    assert bool(decide.find_clash(journal, repair, vm)) == clashes
    assert decide.find_clash(seen(down("a")), repair, vm) == ""


@pytest.mark.parametrize("field", ["cordoned", "left_alone"])
def test_a_node_that_is_to_be_left_alone_is(field: str) -> None:
    evidence = down("a", **{field: True})
    assert due(evidence, seen(evidence), at=NOW + 3600) == []


@pytest.mark.parametrize(
    ("unhealthy", "total", "most"),
    [("40%", 100, 40), ("40%", 3, 2), ("40%", 1, 1), ("2", 100, 2), ("0", 100, 0), ("100%", 5, 5)],
)
def test_the_breaker_opens_above_its_bound(unhealthy: str, total: int, most: int) -> None:
    policy = replace(POLICY, unhealthy=IntOrPercent(unhealthy))
    for count in (most, most + 1):
        if count <= total:
            names = [f"down-{number}" for number in range(count)]
            assert bool(bounds.breaker(down(*names, of=total), policy)) == (count > most)


def test_what_is_not_read_stays_as_it_was() -> None:
    journal = tried(seen(down("a")), "a", at=NOW)
    assert seen(Evidence(), journal, at=NOW + 86400) == journal
    assert bounds.breaker(Evidence(), POLICY) == ""


def test_a_person_begins_again_once_for_each_later_time() -> None:
    evidence = down("a")
    journal = tried(seen(evidence), "a", at=NOW)
    faults = decide.find_faults(evidence)

    def asked(before: Journal, again: float) -> Journal:
        return decide.remember(before, evidence, faults, decide.Look(NOW + 60, GAP, again))

    again = asked(journal, NOW + 30)
    assert again.records["NodeNotReady/a"].attempts == 0
    more = tried(again, "a", at=NOW + 90)
    for late in (NOW + 30, NOW, 0.0):
        assert asked(more, late).records["NodeNotReady/a"].attempts == 1
    assert asked(more, NOW + 31).records["NodeNotReady/a"].attempts == 0
