import pytest

from hooks.nodes.context import Absences
from hooks.nodes.plan.absence import (
    AbsenceRecord,
    MissingNodes,
    SeenAbsence,
    extend_absence,
    is_overdue,
    reason_to_keep,
)
from tests.unit.nodes.objects import NOW, seen_missing

SEEN = seen_missing(60, snapshots=3)


def missing_nodes(missing: int, *, of: int, ready: int = 0, gone: bool = True) -> MissingNodes:
    names = tuple(f"node-{n}" for n in range(missing))
    return MissingNodes(nodes=of, missing=names, ready=names[:ready], gone=gone)


def test_each_snapshot_counts_once() -> None:
    first = extend_absence(None, NOW)
    assert first == AbsenceRecord(NOW, 1, NOW)
    assert extend_absence(first, NOW) == first
    assert extend_absence(first, NOW - 15) == first
    assert extend_absence(first, NOW + 15) == AbsenceRecord(NOW, 2, NOW + 15)


@pytest.mark.parametrize(
    ("seen", "due"),
    [
        pytest.param(seen_missing(60, snapshots=3), True, id="long and often enough"),
        pytest.param(seen_missing(59, snapshots=3), False, id="not long enough"),
        pytest.param(seen_missing(600, snapshots=2), False, id="not often enough"),
    ],
)
def test_a_deletion_waits_for_time_and_for_snapshots(seen: SeenAbsence, due: bool) -> None:
    assert is_overdue(seen, grace=60) is due


def test_a_process_counts_each_snapshot_that_it_sees_once() -> None:
    seen = seen_missing(0, snapshots=1)
    assert seen.extend(seen.last) == seen
    assert seen.extend(seen.last - 1) == seen
    later = seen.extend(seen.last + 15).extend(seen.last + 30)
    assert (later.seconds, later.snapshots) == (30, 3)


def test_a_vm_that_was_there_meanwhile_is_counted_from_the_start() -> None:
    absences, subject = Absences(), ("uid", "vm", NOW)
    for at in (0.0, 15.0):
        absences.note("node-1", subject, at)
    assert absences.note("node-1", subject, 30.0).seconds == 30
    # Another replica found it: there is another record since.
    assert absences.note("node-1", ("uid", "vm", NOW + 40), 60.0).seconds == 0
    absences.forget("node-1")
    assert absences.note("node-1", ("uid", "vm", NOW + 40), 90.0).snapshots == 1


@pytest.mark.parametrize(
    ("counted", "kept"),
    [
        pytest.param(missing_nodes(1, of=10), False, id="one of ten"),
        pytest.param(missing_nodes(2, of=3), False, id="two of three: two are never too many"),
        pytest.param(missing_nodes(3, of=12), False, id="a quarter"),
        pytest.param(missing_nodes(3, of=10), True, id="the autoscaler removes three of ten"),
        pytest.param(missing_nodes(10, of=10), True, id="all at once"),
        pytest.param(missing_nodes(1, of=10, ready=1), True, id="a Ready node is missing"),
        pytest.param(
            missing_nodes(1, of=10, gone=False), True, id="CloudStack has it by id after all"
        ),
    ],
)
def test_the_guard_keeps_what_looks_wrong(counted: MissingNodes, kept: bool) -> None:
    reason = reason_to_keep(counted, SEEN, hold=600, confirmed=False)
    assert bool(reason) is kept


def test_many_are_held_for_a_while_only() -> None:
    many = missing_nodes(3, of=10)
    assert reason_to_keep(many, seen_missing(599), hold=600, confirmed=False)
    assert not reason_to_keep(many, seen_missing(600), hold=600, confirmed=False)


def test_a_person_may_confirm_many() -> None:
    assert not reason_to_keep(missing_nodes(10, of=10), SEEN, hold=600, confirmed=True)


@pytest.mark.parametrize("seconds", [60, 1_000_000])
def test_neither_time_nor_a_person_overrules_a_ready_node(seconds: float) -> None:
    reason = reason_to_keep(
        missing_nodes(1, of=10, ready=1), seen_missing(seconds), hold=600, confirmed=True
    )
    assert "node-0" in reason


def test_a_long_list_of_names_is_cut() -> None:
    reason = reason_to_keep(missing_nodes(9, of=10), SEEN, hold=600, confirmed=False)
    assert "9 of 10" in reason
    assert "and 4 more" in reason
