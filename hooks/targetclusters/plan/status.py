"""Writes a TargetCluster's status out of what stood there and what was found since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.times import moment, read_past, read_time, timestamp
from hooks.targetclusters.health.judge import (
    CHECKS,
    CREDENTIALS,
    Count,
    Fault,
    Nodes,
    Probe,
    Standing,
    expiry,
    fold,
    judge,
    read_standing,
)
from hooks.targetclusters.request import Spec

READY = "Ready"
HEALING = "Healing"
RECONCILING = "Reconciling"
STALLED = "Stalled"

#: What a probe learns; kept, and marked as stale, when a later one cannot read it.
_FACTS = ("version", "nodes", "capacity", "allocatable", "systemPods")


@dataclass(frozen=True)
class Counted:
    """A status with a probe counted in.

    Attributes:
        facts: the status without conditions and without `sync`.
        standing: the conditions that probes decide.
    """

    facts: Json
    standing: Mapping[str, Standing]


def count_in(status: Json, probe: Probe | None, spec: Spec, *, now: float) -> Counted:
    """Count a probe into a status, once.

    A probe that the status has seen, from this replica or another, changes nothing.
    """
    standing = read_standing(status)
    facts = {key: value for key, value in status.items() if key not in ("conditions", "sync")}
    seen = read_past((status.get("probe") or {}).get("lastTime"), now)
    if probe is None or (seen is not None and probe.started_at <= seen):
        return Counted(facts, standing)
    standing = fold(standing, judge(probe, spec), spec)
    if probe.server:
        facts.pop("credentialExpiry", None)
    facts |= _facts(probe)
    if any(fact in facts for fact in _FACTS):
        facts["stale"] = not _read_all(probe)
    facts["probe"] = _probe(probe, standing)
    return Counted(facts, standing)


def conditions(
    cluster: Json, counted: Counted, synced: Condition, spec: Spec, *, now: float
) -> list[Json]:
    """Write all conditions of a TargetCluster.

    Args:
        cluster: the TargetCluster, with the conditions that stood.
        counted: its new status.
        synced: ResourcesSynced.
        spec: its spec.
        now: epoch seconds.
    """
    facts = counted.facts
    checks = {check: counted.standing[check].condition for check in CHECKS}
    checks[CREDENTIALS] = expiry(
        checks[CREDENTIALS], read_time(facts.get("credentialExpiry")), now=now
    )
    generation = cluster["metadata"].get("generation") or 0
    current = [
        _ready(checks, facts),
        _reconciling(facts, generation),
        _stalled(checks[CREDENTIALS]),
        *checks.values(),
        synced,
        _healing(spec),
    ]
    before: Sequence[Json] = (cluster.get("status") or {}).get("conditions") or []
    return merge_conditions(before, current, now=now, generation=generation)


def _facts(probe: Probe) -> Json:
    """Write what a probe has read; what it has not read is not there."""
    facts: Json = {}
    if probe.server:
        facts["server"] = probe.server
    if probe.expires is not None:
        facts["credentialExpiry"] = timestamp(probe.expires)
    if probe.answered:
        facts["lastContactTime"] = timestamp(probe.started_at)
    if probe.version is not None:
        facts["version"] = probe.version
    if isinstance(probe.nodes, Nodes):
        facts["nodes"] = _count(probe.nodes.count)
        facts["nodes"]["summary"] = f"{probe.nodes.count.ready}/{probe.nodes.count.total}"
        facts["capacity"] = dict(probe.nodes.capacity)
        facts["allocatable"] = dict(probe.nodes.allocatable)
    if isinstance(probe.pods, Count):
        facts["systemPods"] = _count(probe.pods)
    return facts


def _probe(probe: Probe, standing: Mapping[str, Standing]) -> Json:
    return {
        "lastTime": moment(probe.started_at),
        "durationSeconds": round(probe.seconds, 3),
        "observedGeneration": probe.generation,
        "checks": [
            {
                "condition": check,
                "failures": standing[check].failures,
                "successes": standing[check].successes,
            }
            for check in CHECKS
        ],
    }


def _count(count: Count) -> Json:
    return {"ready": count.ready, "total": count.total, "notReady": list(count.not_ready)}


def _read_all(probe: Probe) -> bool:
    unread = (probe.nodes, probe.pods)
    return probe.version is not None and not any(
        part is None or isinstance(part, Fault) for part in unread
    )


def _ready(checks: Mapping[str, Condition], facts: Json) -> Condition:
    """Sum up: what is False decides, then what is unknown; the more fundamental first."""
    for status in ("False", "Unknown"):
        for condition in checks.values():
            if condition.status == status:
                return Condition(READY, condition.status, condition.reason, condition.message)
    nodes = facts.get("nodes") or {}
    message = f"{facts.get('version')}, {nodes.get('ready')} of {nodes.get('total')} nodes ready"
    return Condition(READY, "True", "Healthy", message)


def _reconciling(facts: Json, generation: int) -> Condition:
    """Tell whether the newest spec still waits for its first probe."""
    if (facts.get("probe") or {}).get("observedGeneration") == generation:
        return Condition(RECONCILING, "False", "Observed", "the newest spec is in use")
    return Condition(RECONCILING, "True", "NewSpec", "no probe has followed the newest spec yet")


def _stalled(credentials: Condition) -> Condition:
    """Tell whether somebody must do something before anything can go on."""
    if credentials.status == "False":
        return Condition(STALLED, "True", credentials.reason, credentials.message)
    return Condition(STALLED, "False", "NothingToDo", "nobody needs to do anything")


def _healing(spec: Spec) -> Condition:
    if not spec.healing_enabled:
        return Condition(HEALING, "False", "Disabled", "autoHealing.enabled is false")
    message = "this version does not repair; autoHealing is accepted and without effect"
    return Condition(HEALING, "False", "NotImplemented", message)
