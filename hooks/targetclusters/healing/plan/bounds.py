"""Holds repairs back while too much is wrong at once, in a cluster, a zone, or among pods."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from hooks.targetclusters.healing.plan.known_nodes import read_marks
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    Fault,
    Journal,
    NodeState,
    PodsSeen,
    Policy,
    Record,
)

#: Zones of a cluster, and nodes of one, from which on a zone can be told to be down.
MIN_ZONES = 2
MIN_IN_ZONE = 2
_UNSEEN = Record("NodeNotReady", "")


def breaker(evidence: Evidence, policy: Policy) -> str:
    """Say why nothing is repaired, as too many nodes are unhealthy; empty if they are not."""
    if evidence.nodes is None:
        return ""
    total, down = len(evidence.nodes), sum(not each.is_ready for each in evidence.nodes)
    if down <= policy.unhealthy.of(total):
        return ""
    return (
        f"{down} of {total} nodes are not ready, more than maxUnhealthy ({policy.unhealthy}): "
        "nothing is repaired"
    )


def pod_breaker(evidence: Evidence, policy: Policy) -> str:
    """Say why no pod is deleted, as too many are ill; empty if they are not."""
    seen = evidence.pods or PodsSeen()
    if len(seen.ill) <= policy.unhealthy.of(seen.total):
        return ""
    return (
        f"{len(seen.ill)} of {seen.total} pods are ill, more than maxUnhealthy "
        f"({policy.unhealthy}): no pod is deleted"
    )


def hold_back(
    faults: Iterable[Fault], evidence: Evidence, policy: Policy, journal: Journal, *, now: float
) -> tuple[Fault, ...]:
    """Return the faults, of which those have a reason to wait that are one of too many at once.

    Nothing is begun for them now. What was begun is finished.

    Args:
        faults: those that are there.
        evidence: in which they were found.
        policy: the bounds.
        journal: what is remembered of them.
        now: epoch seconds.
    """
    faults = tuple(faults)
    too_many, ill_pods = breaker(evidence, policy), pod_breaker(evidence, policy)
    dark, held = _dark_nodes(faults, evidence.nodes or (), policy, journal, now), list[Fault]()
    for fault in faults:
        why_not = fault.why_not
        if fault.kind == "NodeNotReady":
            why_not = why_not or too_many or ("" if fault.allowed else dark.get(fault.object, ""))
        elif fault.kind == "PodNotReady":
            why_not = why_not or ill_pods or too_many
        held.append(replace(fault, why_not=why_not))
    return tuple(held)


def _dark_nodes(
    faults: Iterable[Fault],
    nodes: Iterable[NodeState],
    policy: Policy,
    journal: Journal,
    now: float,
) -> Mapping[str, str]:
    """Return why nodes in dark zones wait, by node: the zone has a fault, rather than each of them.

    When that has lasted for the longest pause between two attempts, one of them is repaired, the
    one that fell last: if it becomes ready, the zone is dark no more. The node lifecycle
    controller of Kubernetes also goes on in a zone that is down while others are not, at a bounded
    rate, and stops only where all are down.
    """
    dark, waits, known = _dark_zones(nodes), dict[str, str](), read_marks(journal.known)
    down = [fault for fault in faults if fault.kind == "NodeNotReady"]
    for zone, names in dark.items():
        of_zone = [fault for fault in down if fault.object in names]
        records = [journal.records.get(fault.key, _UNSEEN) for fault in of_zone]
        since = max((now if each.since is None else each.since for each in records), default=now)
        free = [
            each for each in of_zone if not each.why_not and (each.mark in known or each.allowed)
        ]
        first = max(free, key=lambda each: _turn(each, journal), default=None)
        text = f"all {len(names)} nodes of the zone {zone} are not ready, which is the zone's fault"
        if first is None or now - since < policy.longest:
            waits |= dict.fromkeys(names, f"{text}; one of them is repaired if that lasts")
        else:
            others = names - {first.object}
            waits |= dict.fromkeys(others, f"{text}; {first.object} is repaired first")
    return waits


def _turn(fault: Fault, journal: Journal) -> tuple[int, float, str]:
    """Return what orders the nodes of a dark zone: the one that was tried goes on."""
    tried = journal.records.get(fault.key, _UNSEEN).attempts
    return tried, fault.changed or 0.0, fault.object


def _dark_zones(nodes: Iterable[NodeState]) -> Mapping[str, frozenset[str]]:
    """Return the zones of which all nodes are down, while others are not, with their nodes."""
    by_zone = defaultdict[str, list[NodeState]](list)
    for node in nodes:
        by_zone[node.zone].append(node)
    down = {
        zone: frozenset(node.name for node in those)
        for zone, those in by_zone.items()
        if zone and not any(node.is_ready for node in those)
    }
    named = [zone for zone in by_zone if zone]
    if len(named) < MIN_ZONES or len(down) == len(named):
        return {}
    return {zone: names for zone, names in down.items() if len(names) >= MIN_IN_ZONE}
