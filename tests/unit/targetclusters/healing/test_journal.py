"""The journal of repairs fits into a Lease, whatever a cluster and a CloudStack say."""

from collections import Counter
from dataclasses import replace

import pytest

from hooks.targetclusters.healing.machines import MAX_MACHINES
from hooks.targetclusters.healing.nodes import MAX_NODES, read_node
from hooks.targetclusters.healing.plan import decide
from hooks.targetclusters.healing.plan.decide import MAX_OUTCOME, MAX_RECORDS
from hooks.targetclusters.healing.plan.journal import (
    MAX_BYTES,
    Unreadable,
    read_journal,
    write_journal,
)
from hooks.targetclusters.healing.plan.known_nodes import note_ready, read_marks
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    HealingResult,
    IllPod,
    Journal,
    Machine,
    NodeState,
    PodsSeen,
    Record,
)
from hooks.targetclusters.healing.pods import read_pod
from hooks.targetclusters.plan.healing import healing_condition
from tests.targets.fake_cluster import node
from tests.unit.targetclusters.healing.looks import down, seen, tried

NOW = 1_800_000_000.123456
#: What Kubernetes takes in all annotations of an object.
ANNOTATIONS = 256 * 1024
LONGEST = "n" * 249


def largest() -> Journal:
    """Write the largest journal that there is: each record full, in the widest characters."""
    full = Record(
        "ClusterNotRunning",
        "",
        since=NOW,
        gone_since=NOW,
        seen_at=NOW,
        held_until=NOW,
        changed=NOW,
        ended_at=NOW,
        attempts=100,
        tried_at=NOW,
        next_try=NOW,
        repair="StartCluster",
        vm="f" * 64,
        outcome="\N{GRINNING FACE}" * MAX_OUTCOME,
    )
    records = [replace(full, object=f"{LONGEST}{number:04d}") for number in range(MAX_RECORDS)]
    records[0] = replace(records[0], by="p" * 300)
    machines = tuple(Machine(f"{LONGEST}{number:04d}", "f" * 64) for number in range(MAX_MACHINES))
    nodes = tuple(
        NodeState(f"n-{number}", f"{number}", is_ready=True) for number in range(MAX_NODES)
    )
    known = note_ready(Journal(), Evidence(nodes), NOW)
    return Journal({each.key: each for each in records}, NOW, NOW, machines, "f" * 32, known)


def test_the_largest_journal_fits_with_every_attempt() -> None:
    text = write_journal(largest())
    assert len(text.encode()) <= MAX_BYTES < ANNOTATIONS
    found = read_journal(text)
    assert {key: each.attempts for key, each in found.records.items()} == {
        key: each.attempts for key, each in largest().records.items()
    }
    assert found.known
    assert read_marks(found.known) <= read_marks(largest().known)
    assert write_journal(found) == text


def test_a_journal_with_room_keeps_its_outcomes_whole() -> None:
    records = list(largest().records.values())[:100]
    journal = Journal({each.key: each for each in records}, NOW)
    assert read_journal(write_journal(journal)) == journal


def test_hundreds_of_nodes_with_the_longest_names_are_no_more_than_it_holds() -> None:
    shown = [
        node(f"{number:04d}" + "\N{GRINNING FACE}" * 2000, ready=False) for number in range(900)
    ]
    nodes = tuple(read_node(each) for each in shown)
    assert len({each.name for each in nodes}) == 900
    evidence = Evidence(nodes)
    faults = decide.find_faults(evidence)
    journal = decide.remember(Journal(), evidence, faults, decide.Look(NOW, 600.0))
    assert len(journal.records) == MAX_RECORDS
    assert len(write_journal(journal).encode()) <= MAX_BYTES


def test_pods_with_endless_names_take_no_more_than_any_fault() -> None:
    wide = "\N{GRINNING FACE}" * 2000
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": wide, "controller": True}
    metadata = {"name": wide, "uid": wide, "ownerReferences": [owner]}
    read = read_pod("kube-system", {"metadata": metadata})
    assert len(read.controller.encode()) < 253
    assert len(read.uid.encode()) <= 64


def test_a_full_journal_forgets_no_attempt_for_a_new_fault() -> None:
    evidence = Evidence((read_node(node("new", ready=False)),))
    faults = decide.find_faults(evidence)
    full = largest()
    later = decide.remember(full, evidence, faults, decide.Look(NOW + 60, 600.0))
    assert later.records.keys() == full.records.keys()
    assert all(each.attempts == 100 for each in later.records.values())


def test_the_journal_stays_small_and_keeps_what_was_tried() -> None:
    many = [f"n-{number:04}" for number in range(2 * decide.MAX_RECORDS)]
    journal = tried(seen(down("zzz")), "zzz", at=NOW)
    journal = seen(down("zzz", *many, of=5000), journal, at=NOW + 60)
    assert len(journal.records) == decide.MAX_RECORDS
    assert journal.records["NodeNotReady/zzz"].attempts == 1
    assert len(write_journal(journal)) < 200_000


def test_a_journal_is_read_as_it_was_written() -> None:
    journal = replace(tried(seen(down("a", "b")), "a", at=NOW), again=NOW)
    assert read_journal(write_journal(journal)) == journal
    assert read_journal("") == Journal()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"records": [{}]}', '{"records": [1]}', '{"records": 1}']
)
def test_what_is_no_journal_is_none_that_is_empty(text: str) -> None:
    with pytest.raises(Unreadable):
        read_journal(text)


def test_what_is_remembered_besides_faults_stays() -> None:
    journal = Journal(machines=(Machine("a", "vm-a"),), place="here")
    kept = seen(down("b"), journal).with_record(Record("NodeNotReady", "c"))
    assert (kept.machines, kept.place) == (journal.machines, "here")
    assert read_journal(write_journal(kept)) == kept


def full(kind: str, **fields: float) -> Journal:
    records = [
        Record(kind, f"n-{number:03}", attempts=1, **fields)  # type: ignore[arg-type]
        for number in range(MAX_RECORDS)
    ]
    return Journal({each.key: each for each in records})


def test_a_fault_that_is_gone_gives_way_to_one_that_is_there_if_its_vm_remembers_it() -> None:
    evidence = down("new")
    before = full("NodeNotReady", gone_since=NOW - 60, seen_at=NOW - 60)
    oldest = replace(before.records["NodeNotReady/n-100"], gone_since=NOW - 900)
    later = seen(evidence, before.with_record(oldest), at=NOW)
    assert set(before.records) - set(later.records) == {oldest.key}
    assert "NodeNotReady/new" in later.records
    there = seen(evidence, full("NodeNotReady", since=NOW - 60, seen_at=NOW - 60), at=NOW)
    assert "NodeNotReady/new" in there.records  # the others are gone by now
    pods = full("PodNotReady", gone_since=NOW - 60, seen_at=NOW - 60)
    assert seen(evidence, pods, at=NOW).records.keys() == pods.records.keys()


def test_pods_leave_half_of_the_room_to_other_faults() -> None:
    one = IllPod(
        namespace="kube-system",
        name="p",
        uid="uid-of-p",
        node="a",
        controller="",
        why="it crashes",
        since=NOW,
    )
    ill = tuple(replace(one, controller=f"DaemonSet/d-{n:03}") for n in range(MAX_RECORDS))
    evidence = replace(down("a"), pods=PodsSeen(ill, len(ill)))
    journal = seen(evidence)
    kinds = Counter(each.kind for each in journal.records.values())
    assert kinds == {"NodeNotReady": 1, "PodNotReady": MAX_RECORDS // 2}


def test_faults_for_which_there_is_no_room_are_told() -> None:
    record = Record("NodeNotReady", "a", since=NOW)
    result = HealingResult(NOW, 1.0, 1, journal=Journal().with_record(record))
    told = healing_condition(replace(result, faults=(record.key, "PodNotReady/b", "PodNotReady/c")))
    assert (told.status, told.reason) == ("False", "Waiting")
    assert told.message.startswith("2 faults more wait")
    assert healing_condition(replace(result, faults=(record.key,))).status == "True"
    assert healing_condition(result).reason == "Healthy"


def test_a_breaker_of_pods_hides_nothing_that_was_given_up() -> None:
    record = Record("NodeNotReady", "a", since=NOW, attempts=3)
    journal = Journal().with_record(record)
    result = HealingResult(
        NOW, 1.0, 1, journal=journal, faults=(record.key,), pod_breaker="4 of 5 pods are ill"
    )
    assert healing_condition(result).message == "4 of 5 pods are ill"
    assert healing_condition(replace(result, given_up=(record.key,))).reason == "RetriesExhausted"
    assert healing_condition(replace(result, breaker="3 of 5 nodes")).message == "3 of 5 nodes"
