import pytest

from hooks.nodes.plan.absence import (
    AbsenceRecord,
    MissingNodes,
    extend_absence,
    is_overdue,
    reason_to_keep,
)
from tests.unit.nodes.objects import NOW

ABSENCE = AbsenceRecord(since=NOW - 60, snapshots=3, last_snapshot=NOW - 1)


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
    ("absence", "due"),
    [
        pytest.param(AbsenceRecord(NOW - 60, 3, NOW), True, id="long and often enough"),
        pytest.param(AbsenceRecord(NOW - 59, 3, NOW), False, id="not long enough"),
        pytest.param(AbsenceRecord(NOW - 600, 2, NOW), False, id="not often enough"),
    ],
)
def test_a_deletion_waits_for_time_and_for_snapshots(absence: AbsenceRecord, due: bool) -> None:
    assert is_overdue(absence, now=NOW, grace=60) is due


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
    reason = reason_to_keep(counted, ABSENCE, now=NOW, hold=600, confirmed=False)
    assert bool(reason) is kept


def test_many_are_held_for_a_while_only() -> None:
    absence = AbsenceRecord(NOW - 600, 40, NOW)
    assert reason_to_keep(missing_nodes(3, of=10), absence, now=NOW - 1, hold=600, confirmed=False)
    assert not reason_to_keep(missing_nodes(3, of=10), absence, now=NOW, hold=600, confirmed=False)


def test_a_person_may_confirm_many() -> None:
    assert not reason_to_keep(missing_nodes(10, of=10), ABSENCE, now=NOW, hold=600, confirmed=True)


@pytest.mark.parametrize("now", [NOW, NOW + 1_000_000])
def test_neither_time_nor_a_person_overrules_a_ready_node(now: float) -> None:
    reason = reason_to_keep(
        missing_nodes(1, of=10, ready=1), ABSENCE, now=now, hold=600, confirmed=True
    )
    assert "node-0" in reason


def test_a_long_list_of_names_is_cut() -> None:
    reason = reason_to_keep(missing_nodes(9, of=10), ABSENCE, now=NOW, hold=600, confirmed=False)
    assert "9 of 10" in reason
    assert "and 4 more" in reason
