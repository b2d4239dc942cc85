"""What another version of the operator wrote is kept, and does not stop this one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hooks.targetclusters.healing.nodes import read_node
from hooks.targetclusters.healing.plan import decide, owed
from hooks.targetclusters.healing.plan.decide import MAX_RECORDS
from hooks.targetclusters.healing.plan.journal import (
    MAX_BYTES,
    Unreadable,
    read_journal,
    write_journal,
)
from hooks.targetclusters.healing.plan.known_nodes import note_ready
from hooks.targetclusters.healing.plan.model import Evidence, Fault, Journal, Record
from hooks.targetclusters.healing.plan.vm_attempts import VmAttempts, read_attempts, write_attempts
from tests.targets.fake_cluster import node
from tests.unit.targetclusters.healing.test_owed import POLICY

NOW = 1_800_000_000.0
#: A journal of a version that knows more kinds of faults and repairs, and more fields.
NEWER: dict[str, Any] = {
    "records": [
        {"kind": "DiskFull", "object": "a", "since": NOW, "seen_at": NOW, "attempts": 2},
        {
            "kind": "NodeNotReady",
            "object": "b",
            "attempts": 1,
            "tried_at": NOW,
            "repair": "MigrateVM",
            "host": {"id": "host-1"},
        },
    ],
    "again": NOW,
    "budget": [1, 2],
}


def seen(journal: Journal, *names: str, at: float = NOW) -> Journal:
    evidence = Evidence(tuple(read_node(node(name, ready=False)) for name in names))
    look = decide.Look(at, 600.0)
    return decide.remember(journal, evidence, decide.find_faults(evidence), look)


def written(journal: Journal) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_journal(journal))
    return found


def test_what_is_not_known_is_written_as_it_was_read() -> None:
    found = written(read_journal(json.dumps(NEWER)))
    assert found["budget"] == [1, 2]
    for before, after in zip(NEWER["records"], found["records"], strict=True):
        assert after | before == after
    assert written(read_journal(json.dumps(found))) == found


def test_days_of_looks_and_attempts_change_nothing_that_is_not_known() -> None:
    journal = read_journal(json.dumps(NEWER))
    for minutes in range(0, 2 * 1440, 9):
        journal = seen(journal, "b", at=NOW + minutes * 60)
    record = journal.records["NodeNotReady/b"]
    journal = journal.with_record(decide.begin(record, "RebootVM", POLICY, now=NOW + 2 * 86400))
    found = {each["kind"]: each for each in written(journal)["records"]}
    assert found["DiskFull"]["attempts"] == 2
    assert found["NodeNotReady"]["host"] == {"id": "host-1"}
    assert found["NodeNotReady"]["attempts"] == 2


@pytest.mark.parametrize("repair", ["MigrateVM", "RebootVM"])
def test_a_repair_of_another_version_is_not_disturbed(repair: str) -> None:
    strange = Record("DiskFull", "a", by="newer", vm="vm-a", repair=repair)
    well = Evidence((read_node(node("b")),))
    known = note_ready(Journal(), well, NOW)
    journal = seen(Journal(known=known).with_record(strange), "b")
    later = seen(journal, "b", at=NOW + 300)
    due = decide.due_repairs(later, [fault()], POLICY, now=NOW + 300)
    assert due.records == ()
    assert due.waits == {"NodeNotReady/b": "a repair of a is being made"}
    assert decide.find_clash(later, "RebootVM", "vm-a")
    assert bool(decide.find_clash(later, "RebootVM", "vm-b")) is (repair == "MigrateVM")


def fault() -> Fault:
    [found] = decide.find_faults(Evidence((read_node(node("b", ready=False)),)))
    return found


def test_a_start_that_another_version_owes_is_due() -> None:
    strange = Record("DiskFull", "a", owed_at=NOW, vm="vm-a")
    journal = Journal().with_record(strange)
    assert owed.due_starts(journal, POLICY, now=NOW) == (strange,)


def test_faults_that_are_known_find_room() -> None:
    strange = [Record("DiskFull", f"{each:03d}", seen_at=NOW + each) for each in range(MAX_RECORDS)]
    strange[0] = replace(strange[0], owed_at=NOW)
    strange[1] = replace(strange[1], by="newer")
    journal = seen(Journal({each.key: each for each in strange}), "b", "c")
    assert len(journal.records) == MAX_RECORDS
    gone = {each.key for each in strange} - journal.records.keys()
    assert gone == {"DiskFull/002", "DiskFull/003"}


def test_what_is_not_known_takes_no_room_from_what_is() -> None:
    wide = {"wide": "x" * MAX_BYTES}
    known = Record("NodeNotReady", "b", attempts=3, unknown=wide)
    strange = Record("DiskFull", "a"), Record("DiskFull", "c", owed_at=NOW)
    journal = Journal({each.key: each for each in (known, *strange)}, unknown=wide)
    kept = read_journal(write_journal(journal))
    assert kept.records.keys() == {"NodeNotReady/b", "DiskFull/c"}
    assert kept.records["NodeNotReady/b"] == replace(known, unknown={})


def test_a_field_that_is_known_and_holds_something_else_is_no_journal() -> None:
    with pytest.raises(Unreadable):
        read_journal('{"records": [{"kind": "DiskFull", "object": "a", "attempts": "two"}]}')


def test_what_was_tried_on_a_vm_keeps_what_another_version_wrote() -> None:
    text = json.dumps({"vm-a": {"times": [NOW], "reason": "x"}, "vm-b": {"times": [], "more": 1}})
    known = read_attempts(text)
    assert known.of("vm-a") == VmAttempts((NOW,), unknown={"reason": "x"})
    found = json.loads(write_attempts(known.having("vm-c", VmAttempts((NOW + 60,)), NOW + 60)))
    assert found.keys() == {"vm-a", "vm-c"}
    assert found["vm-a"]["reason"] == "x"
