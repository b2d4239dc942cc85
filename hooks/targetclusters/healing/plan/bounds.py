"""Holds repairs back while too much is wrong at once, in a cluster, a zone, or among pods."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from hooks.targetclusters.healing.plan.model import Evidence, Fault, NodeState, PodsSeen, Policy

#: Zones of a cluster, and nodes of one, from which on a zone can be told to be down.
MIN_ZONES = 2
MIN_IN_ZONE = 2


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


def hold_back(faults: Iterable[Fault], evidence: Evidence, policy: Policy) -> tuple[Fault, ...]:
    """Return the faults, of which those have a reason to wait that are one of too many at once.

    Nothing is begun for them now. What was begun is finished.
    """
    nodes = evidence.nodes or ()
    too_many, dark = breaker(evidence, policy), _dark_zones(nodes)
    by_node = {node.name: too_many or dark.get(node.zone, "") for node in nodes}
    ill_pods, held = pod_breaker(evidence, policy), list[Fault]()
    for fault in faults:
        why_not = fault.why_not
        if fault.kind == "NodeNotReady":
            why_not = why_not or by_node.get(fault.object, "")
        elif fault.kind == "PodNotReady":
            why_not = why_not or ill_pods or too_many
        held.append(replace(fault, why_not=why_not))
    return tuple(held)


def _dark_zones(nodes: Iterable[NodeState]) -> Mapping[str, str]:
    """Return why the nodes of a zone are left alone, by zone: all are down, and others are not.

    That is the zone's fault. The controller of node leases in Kubernetes evicts no pods from one.
    """
    down, total = Counter[str](), Counter[str]()
    for node in nodes:
        total[node.zone] += 1
        down[node.zone] += not node.is_ready
    named = [zone for zone in total if zone]
    if len(named) < MIN_ZONES or all(down[zone] == total[zone] for zone in named):
        return {}
    return {
        zone: f"all {count} nodes of the zone {zone} are not ready: that is the zone's fault"
        for zone, count in total.items()
        if zone and count >= MIN_IN_ZONE and down[zone] == count
    }
