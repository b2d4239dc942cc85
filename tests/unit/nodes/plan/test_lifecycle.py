import pytest

from hooks.nodes.plan.lifecycle import Census, Missed, deletion_due, held, missed_again
from tests.unit.nodes.objects import NOW

MISSED = Missed(since=NOW - 60, snapshots=3, last_snapshot=NOW - 1)


def census(missing: int, *, of: int, ready: int = 0, gone: bool = True) -> Census:
    names = tuple(f"node-{n}" for n in range(missing))
    return Census(nodes=of, missing=names, ready=names[:ready], gone=gone)


def test_each_snapshot_counts_once() -> None:
    first = missed_again(None, NOW)
    assert first == Missed(NOW, 1, NOW)
    assert missed_again(first, NOW) == first
    assert missed_again(first, NOW - 15) == first
    assert missed_again(first, NOW + 15) == Missed(NOW, 2, NOW + 15)


@pytest.mark.parametrize(
    ("missed", "due"),
    [
        pytest.param(Missed(NOW - 60, 3, NOW), True, id="long and often enough"),
        pytest.param(Missed(NOW - 59, 3, NOW), False, id="not long enough"),
        pytest.param(Missed(NOW - 600, 2, NOW), False, id="not often enough"),
    ],
)
def test_a_deletion_waits_for_time_and_for_snapshots(missed: Missed, due: bool) -> None:
    assert deletion_due(missed, now=NOW, grace=60) is due


@pytest.mark.parametrize(
    ("counted", "kept"),
    [
        pytest.param(census(1, of=10), False, id="one of ten"),
        pytest.param(census(2, of=3), False, id="two of three: two are never too many"),
        pytest.param(census(3, of=12), False, id="a quarter"),
        pytest.param(census(3, of=10), True, id="the autoscaler removes three of ten"),
        pytest.param(census(10, of=10), True, id="all at once"),
        pytest.param(census(1, of=10, ready=1), True, id="a Ready node is missing"),
        pytest.param(census(1, of=10, gone=False), True, id="CloudStack has it by id after all"),
    ],
)
def test_the_guard_keeps_what_looks_wrong(counted: Census, kept: bool) -> None:
    reason = held(counted, MISSED, now=NOW, hold=600, confirmed=False)
    assert (reason is not None) is kept


def test_many_are_held_for_a_while_only() -> None:
    missed = Missed(NOW - 600, 40, NOW)
    assert held(census(3, of=10), missed, now=NOW - 1, hold=600, confirmed=False)
    assert held(census(3, of=10), missed, now=NOW, hold=600, confirmed=False) is None


def test_a_person_may_confirm_many() -> None:
    assert held(census(10, of=10), MISSED, now=NOW, hold=600, confirmed=True) is None


@pytest.mark.parametrize("now", [NOW, NOW + 1_000_000])
def test_neither_time_nor_a_person_overrules_a_ready_node(now: float) -> None:
    reason = held(census(1, of=10, ready=1), MISSED, now=now, hold=600, confirmed=True)
    assert reason is not None
    assert "node-0" in reason


def test_a_long_list_of_names_is_cut() -> None:
    reason = held(census(9, of=10), MISSED, now=NOW, hold=600, confirmed=False)
    assert reason is not None
    assert "9 of 10" in reason
    assert "and 4 more" in reason
