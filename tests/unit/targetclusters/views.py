"""What is known where syncing and finalizing are decided, each with only what a row changes."""

from collections.abc import Mapping
from typing import Any

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.times import moment
from hooks.targetclusters.health.judge import CREDENTIALS, REACHABLE, CheckState, read_checks
from hooks.targetclusters.health.model import Failure, FailureKind, ProbeResult
from hooks.targetclusters.plan.facts import Facts, SyncResult
from hooks.targetclusters.plan.schedule import JobState
from hooks.targetclusters.request import ResourceSync, Spec, TargetClusterRequest
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from hooks.targetclusters.sync.plan.model import (
    ObjectResult,
    Outcome,
    SourceProblem,
    SyncReport,
    WantedDigest,
)
from tests.targets.driving import target_cluster

NOW = 1_800_000_000.0
SPEC = Spec("target", sync=ResourceSync(enabled=True))


def entry(name: str, *, uid: str = "") -> InventoryEntry:
    return InventoryEntry("v1", "ConfigMap", "team", name, uid, f"ConfigMap/{name}")


def inventory(*names: str) -> Inventory:
    return Inventory().with_entries(entry(name) for name in names)


def children(of: Inventory) -> list[Json]:
    return of.to_config_maps(name="example", namespace="team") if of.by_key else []


def checks(**changed: str) -> Mapping[str, CheckState]:
    """Return the checks of a reachable cluster with good credentials, except for what changed."""
    states = read_checks({})
    for check in (CREDENTIALS, REACHABLE):
        status, _, reason = changed.get(check, "True Fine").partition(" ")
        condition = Condition(check, status, reason, "so it is")  # type: ignore[arg-type]
        states[check] = CheckState(condition)
    return states


def report(
    shown: Inventory,
    *,
    outcomes: Mapping[str, Outcome] | None = None,
    complete: bool = True,
    error: str = "",
    resume_after: float | None = None,
    problems: tuple[SourceProblem, ...] = (),
) -> SyncReport:
    results = tuple(
        ObjectResult(entry(name), outcome, "why") for name, outcome in (outcomes or {}).items()
    )
    return SyncReport(
        results, shown, complete, problems=problems, error=error, resume_after=resume_after
    )


def round_(recorded: Inventory, reported: SyncReport | None, **changes: Any) -> SyncResult:
    """Write a round that began ten seconds ago and took one."""
    fields: dict[str, Any] = {
        "started_at": NOW - 10,
        "seconds": 1.0,
        "generation": 1,
        "recorded": recorded,
        "desired": WantedDigest(),
        "report": reported,
    }
    return SyncResult(**{**fields, **changes})


def counted(latest: SyncResult, **status: Any) -> Json:
    """Write a status that has seen a round."""
    sync = {
        "lastTime": moment(latest.started_at),
        "attempts": 0,
        "objects": 0,
        "failed": 0,
        "conflicts": 0,
        "drifted": 0,
    }
    return {"sync": {**sync, **status}}


def failure(reason: str, kind: FailureKind = "kubeconfig") -> Failure:
    return Failure(kind, reason, "so it is")


def deletion(given: Inventory, left: Inventory, **changes: Any) -> SyncResult:
    """Write a round of deleting that began ten seconds ago and took one."""
    done = SyncReport((), left, complete=not left.by_key)
    fields: dict[str, Any] = {
        "started_at": NOW - 10,
        "seconds": 1.0,
        "generation": 1,
        "recorded": given,
        "report": done,
    }
    return SyncResult(**{**fields, **changes})


def finished(latest: Any) -> JobState[Any]:
    """Return the state of jobs whose last one has finished; the clock never stepped."""
    return JobState(latest=latest, started=0.0 if latest is None else latest.started_at)


def facts(**changes: Any) -> Facts:
    """Write the facts of a reachable TargetCluster that was never synced.

    The monotonic seconds are epoch seconds unless `monotonic` is given. The fields of the request
    are given as if they were facts.
    """
    request: dict[str, Any] = {
        "cluster": target_cluster(),
        "spec": SPEC,
        "config_maps": (),
        "controller": "",
    }
    request |= {name: changes.pop(name) for name in [*changes] if name in request}
    fields: dict[str, Any] = {
        "request": TargetClusterRequest(**request),
        "probe": finished(
            ProbeResult(NOW - 5, 0.1, 1, answered=True, version="v1", desired=WantedDigest())
        ),
        "sync": JobState(),
        "deletion": JobState(),
        "healing": JobState(),
        "deleting_since": None,
        "now": NOW,
    }
    fields |= changes
    return Facts(**{"monotonic": fields["now"], **fields})


def with_metadata(**metadata: Any) -> Json:
    """Write a TargetCluster with other metadata."""
    cluster = target_cluster()
    return {**cluster, "metadata": {**cluster["metadata"], **metadata}}


def with_status(status: Json) -> Json:
    """Write a TargetCluster with a status."""
    return {**target_cluster(), "status": status}
