"""What is seen of a cluster's nodes, look by look, and what is remembered of it."""

from dataclasses import replace
from typing import Any

from hooks.targetclusters.healing.plan import decide
from hooks.targetclusters.healing.plan.known_nodes import note_ready
from hooks.targetclusters.healing.plan.model import Evidence, Journal, NodeState, Policy
from hooks.targetclusters.request import IntOrPercent

NOW = 1_800_000_000.0
MINUTE = 60.0
GAP = 10 * MINUTE
POLICY = Policy(3, 5 * MINUTE, 5 * MINUTE, 30 * MINUTE, IntOrPercent("40%"), 20 * MINUTE, GAP)


def node(name: str, *, ready: bool = False, **fields: Any) -> NodeState:
    return NodeState(name, f"uid-of-{name}", ready, **fields)


def down(*names: str, of: int = 10, **fields: Any) -> Evidence:
    """Return evidence of nodes that are not ready, of so many."""
    well = [node(f"well-{number}", ready=True) for number in range(of - len(names))]
    return Evidence((*(node(name, **fields) for name in names), *well))


def knowing(evidence: Evidence) -> Journal:
    """Return the journal of who has seen all the nodes Ready."""
    well = [replace(each, is_ready=True) for each in evidence.nodes or ()]
    return Journal(known=note_ready(Journal(), Evidence(tuple(well)), NOW))


def seen(evidence: Evidence, journal: Journal | None = None, *, at: float = NOW) -> Journal:
    faults, journal = decide.find_faults(evidence), journal or knowing(evidence)
    return decide.remember(journal, evidence, faults, decide.Look(at, GAP))


def watched(evidence: Evidence, journal: Journal, *, start: float, end: float) -> Journal:
    """Look every five minutes."""
    while start <= end:
        journal, start = seen(evidence, journal, at=start), start + 5 * MINUTE
    return journal


def due(evidence: Evidence, journal: Journal, *, at: float, policy: Policy = POLICY) -> list[str]:
    faults = decide.find_faults(evidence)
    return [each.object for each in decide.due_repairs(journal, faults, policy, now=at).records]


def tried(journal: Journal, name: str, *, at: float, sent: bool = True) -> Journal:
    record = journal.records[f"NodeNotReady/{name}"]
    begun = replace(decide.begin(record, "RebootVM", POLICY, now=at), by="me", vm=f"vm-{name}")
    return journal.with_record(decide.with_outcome(begun, "done", POLICY, sent=sent, now=at))


def opened(journal: Journal, name: str, *, at: float, **fields: Any) -> Journal:
    record = journal.records[f"NodeNotReady/{name}"]
    begun = decide.begin(record, "RebootVM", POLICY, now=at)
    return journal.with_record(replace(begun, by="another", vm=f"vm-{name}", **fields))
