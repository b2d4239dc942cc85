import pytest

from hooks.nodes.context import Absences
from hooks.nodes.plan.absence import (
    AbsenceRecord,
    SeenAbsence,
    extend_absence,
    is_overdue,
)
from tests.unit.nodes.objects import NOW, seen_missing


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
