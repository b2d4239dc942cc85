"""What is known where syncing and finalizing are decided, each with only what a row changes."""

from collections.abc import Mapping
from typing import Any

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.times import moment
from hooks.targetclusters.health.judge import (
    CREDENTIALS,
    REACHABLE,
    Fault,
    Probe,
    Stage,
    Standing,
    Stop,
    first_standing,
)
from hooks.targetclusters.plan.schedule import State
from hooks.targetclusters.plan.syncing import Deletion, Round, SyncView
from hooks.targetclusters.request import Spec
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from hooks.targetclusters.sync.plan.model import (
    DeleteReport,
    DesiredSet,
    ObjectResult,
    Outcome,
    SourceProblem,
    SyncReport,
)

NOW = 1_800_000_000.0
KEY = "team/example"
SPEC = Spec("target", sync_enabled=True)


def entry(name: str, *, uid: str = "") -> InventoryEntry:
    return InventoryEntry("v1", "ConfigMap", "team", name, uid, f"ConfigMap/{name}")


def inventory(*names: str) -> Inventory:
    return Inventory.of(entry(name) for name in names)


def children(of: Inventory) -> list[Json]:
    return of.to_config_maps(name="example", namespace="team") if of.by_key else []


def standing(**turned: str) -> Mapping[str, Standing]:
    """Say that a cluster is reachable with good credentials, but for what is turned."""
    stands = dict(first_standing())
    for check in (CREDENTIALS, REACHABLE):
        status, _, reason = turned.get(check, "True Fine").partition(" ")
        stands[check] = Standing(Condition(check, status, reason, "so it is"))  # type: ignore[arg-type]
    return stands


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
        results, shown, NOW, complete, problems=problems, error=error, resume_after=resume_after
    )


def round_(recorded: Inventory, reported: SyncReport | None, **changes: Any) -> Round:
    """Write a round that began ten seconds ago and took one."""
    fields: dict[str, Any] = {
        "started_at": NOW - 10,
        "seconds": 1.0,
        "generation": 1,
        "recorded": recorded,
        "desired": DesiredSet(),
        "report": reported,
    }
    return Round(**{**fields, **changes})


def counted(latest: Round, **status: Any) -> Json:
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


def stop(reason: str, stage: Stage = "kubeconfig") -> Stop:
    return Stop(stage, Fault(reason, "so it is"))


def deletion(given: Inventory, left: Inventory, **changes: Any) -> Deletion:
    """Write a round of deleting that began ten seconds ago and took one."""
    done = DeleteReport((), left, complete=not left.by_key)
    fields: dict[str, Any] = {
        "started_at": NOW - 10,
        "seconds": 1.0,
        "given": given,
        "report": done,
    }
    return Deletion(**{**fields, **changes})


def view(**changes: Any) -> SyncView:
    """Write a view of a reachable TargetCluster that was never synced."""
    fields: dict[str, Any] = {
        "key": KEY,
        "generation": 1,
        "spec": SPEC,
        "status": {},
        "config_maps": [],
        "standing": standing(),
        "rounds": State(),
        "probe": Probe(NOW - 5, 0.1, 1, answered=True, version="v1", desired=DesiredSet()),
        "now": NOW,
    }
    return SyncView(**{**fields, **changes})
