"""The table of faults and repairs, and their bounds."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.targetclusters.healing.plan import decide
from hooks.targetclusters.healing.plan.journal import Unreadable, read_journal, write_journal
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    Journal,
    NodeState,
    Policy,
    Record,
    Repair,
)
from hooks.targetclusters.request import IntOrPercent

NOW = 1_800_000_000.0
MINUTE = 60.0
POLICY = Policy(3, 5 * MINUTE, 5 * MINUTE, 30 * MINUTE, IntOrPercent("40%"))


def node(name: str, *, ready: bool = False, **fields: Any) -> NodeState:
    return NodeState(name, f"uid-of-{name}", ready, **fields)


def down(*names: str, of: int = 10, **fields: Any) -> Evidence:
    """Return evidence of nodes that are not ready, of so many."""
    well = [node(f"well-{number}", ready=True) for number in range(of - len(names))]
    return Evidence((*(node(name, **fields) for name in names), *well))


def seen(evidence: Evidence, journal: Journal | None = None, *, at: float = NOW) -> Journal:
    faults = decide.find_faults(evidence)
    return decide.remember(journal or Journal(), evidence, faults, again=0.0, now=at)


def due(evidence: Evidence, journal: Journal, *, at: float, policy: Policy = POLICY) -> list[str]:
    faults = decide.find_faults(evidence)
    return [each.object for each in decide.next_due(journal, faults, policy, now=at).records]


def tried(journal: Journal, name: str, *, at: float, sent: bool = True) -> Journal:
    record = journal.records[f"NodeNotReady/{name}"]
    begun = replace(decide.begin(record, "RebootVM", POLICY, now=at), by="me", vm=f"vm-{name}")
    return journal.with_record(decide.end(begun, "done", POLICY, sent=sent, now=at))


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
    journal = seen(down(), journal, at=NOW + 4 * MINUTE)
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
    assert decide.next_due(journal, faults, POLICY, now=now).given_up == ("NodeNotReady/a",)


def test_attempts_are_forgotten_after_a_healthy_hour_and_not_before() -> None:
    journal = tried(seen(down("a")), "a", at=NOW + 5 * MINUTE)
    journal = seen(down(), journal, at=NOW + 10 * MINUTE)
    soon = seen(down("a"), journal, at=NOW + 60 * MINUTE)
    assert soon.records["NodeNotReady/a"].attempts == 1
    assert seen(down(), journal, at=NOW + 70 * MINUTE).records == {}


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
    journal = journal.with_record(decide.lose(journal.records["NodeNotReady/a"]))
    assert due(evidence, journal, at=NOW + 3600) == ["a", "b"]
    assert journal.records["NodeNotReady/a"].attempts == 1


def opened(journal: Journal, name: str, *, at: float, **fields: Any) -> Journal:
    record = journal.records[f"NodeNotReady/{name}"]
    begun = decide.begin(record, "RebootVM", POLICY, now=at)
    return journal.with_record(replace(begun, by="another", vm=f"vm-{name}", **fields))


@pytest.mark.parametrize(("most", "left"), [(1, []), (2, ["b", "c"]), (3, ["b", "c"])])
def test_as_many_repairs_run_at_once_as_said(most: int, left: list[str]) -> None:
    evidence, policy = down("a", "b", "c"), replace(POLICY, max_concurrent=most)
    journal, now = opened(seen(evidence), "a", at=NOW), NOW + 3600
    assert due(evidence, journal, at=now, policy=policy) == left
    journal = opened(journal, "b", at=NOW)
    assert due(evidence, journal, at=now, policy=policy) == (["c"] if most == 3 else [])


def test_a_control_plane_node_waits_for_one_that_is_ready_already_while_its_repair_runs() -> None:
    evidence, policy = down("a", "b", control_plane=True), replace(POLICY, max_concurrent=5)
    journal = opened(seen(evidence), "a", at=NOW)
    recovered = down("b", control_plane=True)
    journal = seen(recovered, journal, at=NOW + MINUTE)
    assert due(recovered, journal, at=NOW + 3600, policy=policy) == []


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


def test_never_two_control_plane_nodes_at_once() -> None:
    evidence = down("a", "b", control_plane=True)
    journal, now = seen(evidence), NOW + 5 * MINUTE
    assert due(evidence, journal, at=now) == ["a", "b"]
    journal = tried(journal, "a", at=now)
    assert due(evidence, journal, at=now + MINUTE) == []
    journal = seen(down("b", control_plane=True), journal, at=now + MINUTE)
    assert due(down("b", control_plane=True), journal, at=now + MINUTE) == ["b"]


@pytest.mark.parametrize(
    ("unhealthy", "total", "most"),
    [("40%", 100, 40), ("40%", 3, 2), ("40%", 1, 1), ("2", 100, 2), ("0", 100, 0), ("100%", 5, 5)],
)
def test_the_breaker_opens_above_its_bound(unhealthy: str, total: int, most: int) -> None:
    policy = replace(POLICY, unhealthy=IntOrPercent(unhealthy))
    for count in (most, most + 1):
        if count <= total:
            names = [f"down-{number}" for number in range(count)]
            assert bool(decide.breaker(down(*names, of=total), policy)) == (count > most)


def test_what_is_not_read_stays_as_it_was() -> None:
    journal = tried(seen(down("a")), "a", at=NOW)
    assert seen(Evidence(), journal, at=NOW + 86400) == journal
    assert decide.breaker(Evidence(), POLICY) == ""


def test_a_person_begins_again_once_for_each_later_time() -> None:
    evidence = down("a")
    journal = tried(seen(evidence), "a", at=NOW)
    faults = decide.find_faults(evidence)

    def asked(before: Journal, again: float) -> Journal:
        return decide.remember(before, evidence, faults, again=again, now=NOW + 60)

    again = asked(journal, NOW + 30)
    assert again.records["NodeNotReady/a"].attempts == 0
    more = tried(again, "a", at=NOW + 90)
    for late in (NOW + 30, NOW, 0.0):
        assert asked(more, late).records["NodeNotReady/a"].attempts == 1
    assert asked(more, NOW + 31).records["NodeNotReady/a"].attempts == 0


def test_the_journal_stays_small_and_keeps_what_was_tried() -> None:
    many = [f"n-{number:04}" for number in range(2 * decide.MAX_RECORDS)]
    journal = tried(seen(down("zzz")), "zzz", at=NOW)
    journal = seen(down("zzz", *many, of=5000), journal, at=NOW + 60)
    assert len(journal.records) == decide.MAX_RECORDS
    assert journal.records["NodeNotReady/zzz"].attempts == 1
    assert len(write_journal(journal)) < 200_000


def test_attempts_on_a_vm_count_whatever_its_node_is_called() -> None:
    journal = tried(seen(down("a", "b")), "a", at=NOW)
    renamed = replace(journal.records["NodeNotReady/b"], vm="vm-a", attempts=2)
    assert journal.with_record(renamed).attempts_on("vm-a") == 3
    assert journal.attempts_on("") == 0


def test_a_journal_is_read_as_it_was_written() -> None:
    journal = replace(tried(seen(down("a", "b")), "a", at=NOW), again=NOW)
    assert read_journal(write_journal(journal)) == journal
    assert read_journal("") == Journal()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"records": [{}]}', '{"records": [], "more": 1}', '{"records": [1]}']
)
def test_what_is_no_journal_is_none_that_is_empty(text: str) -> None:
    with pytest.raises(Unreadable):
        read_journal(text)
