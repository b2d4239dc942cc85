"""Decides when a round of syncing is due, which inventory is answered, and what the status says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.times import moment, read_past
from hooks.targetclusters.health.judge import (
    CREDENTIALS,
    NOT_PROBED,
    REACHABLE,
    Probe,
    Standing,
    Stop,
)
from hooks.targetclusters.plan.schedule import State, backoff, due, next_look
from hooks.targetclusters.request import Spec
from hooks.targetclusters.sync.plan.applyset import set_parents
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import (
    NAMED,
    DeleteReport,
    DesiredSet,
    ObjectResult,
    SyncReport,
)

SYNCED = "ResourcesSynced"

#: Seconds between rounds that follow one another at once.
ROUND_GAP = 1.0
#: Seconds after which a round that could not be done is tried again: at first, and at most.
FIRST_RETRY = 5.0
LAST_RETRY = 300.0
#: Seconds in which Metacontroller has surely written an inventory that was answered.
RECORDED_WITHIN = 1.0

#: Why nothing is known of the resources; when that ends, a round is due.
_NOT_LOOKED_AT = ("Disabled", "Suspended", "Unreachable", "Pending")
#: How a status spells the outcomes that it names.
_OUTCOMES = {"failed": "Failed", "conflict": "Conflict", "drifted": "Drifted"}
_MAX_FIELDS = 20
_MAX_MESSAGE = 1024


@dataclass(frozen=True)
class Round:
    """What a round of syncing came to.

    Attributes:
        started_at: epoch seconds, to the millisecond.
        generation: of the TargetCluster that it followed.
        recorded: the inventory that it was given.
        stop: why there was no way to the cluster.
        desired: what was to be on the cluster; None with a stop.
        report: what became of it; None with a stop.
    """

    started_at: float
    seconds: float
    generation: int
    recorded: Inventory
    stop: Stop | None = None
    desired: DesiredSet | None = None
    report: SyncReport | None = None


@dataclass(frozen=True)
class Deletion:
    """What a round of deleting everything came to.

    Attributes:
        seconds: how long it took.
        given: the inventory that was to be deleted.
        stop: why there was no way to the cluster.
        report: what became of it; None with a stop.
    """

    started_at: float
    seconds: float
    given: Inventory
    stop: Stop | None = None
    report: DeleteReport | None = None


@dataclass(frozen=True)
class SyncView:
    """What is known where syncing is decided.

    Attributes:
        key: the TargetCluster, for spreading due times.
        status: its status as Metacontroller sent it.
        config_maps: the children, which hold the inventory.
        standing: the conditions that probes decide, the newest probe counted in.
        rounds: how the jobs that write to the cluster stand.
        probe: the newest probe of this process.
    """

    key: str
    generation: int
    spec: Spec
    status: Json
    config_maps: Sequence[Json]
    standing: Mapping[str, Standing]
    rounds: State[Round | Deletion]
    probe: Probe | None
    now: float

    @property
    def latest(self) -> Round | None:
        """Answer the newest round of this process."""
        latest = self.rounds.latest
        return latest if isinstance(latest, Round) else None

    @property
    def shown(self) -> Inventory:
        """Answer the inventory as Metacontroller shows it."""
        return Inventory.from_config_maps(self.config_maps)


@dataclass(frozen=True)
class SyncDecision:
    """What is answered of the resources.

    Attributes:
        children: the inventory's ConfigMaps.
        start: the inventory that a round is to be started with; None for no round.
        stop: the round that runs is to end, since it may not write any more.
        wait: seconds until there may be something to do; None where only something else knows.
        status: `status.sync`.
        condition: ResourcesSynced.
    """

    children: list[Json]
    wait: float | None
    status: Json
    condition: Condition
    start: Inventory | None = None
    stop: bool = False


def decide(view: SyncView) -> SyncDecision:
    """Decide what to answer of the resources, and whether a round is due."""
    status = _status(view)
    condition = _condition(view, status)
    unrecorded = _unrecorded(view)
    children = kept_children(view) if unrecorded is None else new_children(view, unrecorded)
    outcome = SyncDecision(children, None, status, condition)
    if view.rounds.running_since is not None:
        wait = next_look(view.rounds.running_since, view.now)
        return replace(outcome, wait=wait, stop=condition.reason in ("Disabled", "Suspended"))
    if condition.reason in ("Disabled", "Suspended", "Unreachable") or not _reachable(view):
        return outcome
    if unrecorded is not None:
        return replace(outcome, wait=RECORDED_WITHIN)
    wait = max(0.0, _due(view, status, condition) - view.now)
    return replace(outcome, wait=wait, start=None if wait else view.shown)


def kept_children(view: SyncView) -> list[Json]:
    """Answer the inventory as it is, with only the fields that are ours."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_map["metadata"]["name"],
                "namespace": config_map["metadata"].get("namespace"),
            },
            "data": config_map.get("data") or {},
        }
        for config_map in view.config_maps
    ]


def new_children(view: SyncView, inventory: Inventory) -> list[Json]:
    """Write the ConfigMaps of a new inventory."""
    namespace, _, name = view.key.partition("/")
    return inventory.to_config_maps(name=name, namespace=namespace)


def count_objects(cluster: str, inventory: Inventory) -> int:
    """Count the objects that were brought to a cluster; an ApplySet's own ConfigMap is none."""
    return len(inventory.by_key) - len(set_parents(cluster, inventory))


def _unrecorded(view: SyncView) -> Inventory | None:
    """Answer the inventory that the last round wants recorded; None where it is, or is outdated.

    A round speaks only of the inventory that it was given: one that somebody has changed since
    is left as it is, and the next round goes by that.
    """
    latest = view.latest
    if latest is None or latest.report is None or view.shown != latest.recorded:
        return None
    wanted = latest.report.inventory
    return None if wanted == view.shown else wanted


def _reachable(view: SyncView) -> bool:
    return all(
        view.standing[check].condition.status == "True" for check in (CREDENTIALS, REACHABLE)
    )


def _due(view: SyncView, status: Json, condition: Condition) -> float:
    """Answer when the next round is due, in epoch seconds."""
    latest = view.latest
    if latest is None or condition.reason == "Pending" or _is_outdated(latest, view):
        return _not_before(latest)
    last = read_past(status.get("lastTime"), view.now) or latest.started_at
    regular = due(last, view.spec.sync_interval, key=view.key)
    return min(regular, _retry(latest, status.get("attempts") or 0))


def _is_outdated(latest: Round, view: SyncView) -> bool:
    """Tell whether a round's result no longer speaks of what there is."""
    if latest.generation != view.generation:
        return True
    probe = view.probe
    if (
        probe is not None
        and probe.desired is not None
        and probe.started_at > latest.started_at
        and probe.desired != latest.desired
    ):
        return True
    return latest.report is not None and view.shown != latest.report.inventory


def _retry(latest: Round, attempts: int) -> float:
    """Answer when what a round left undone is tried again."""
    ended = latest.started_at + latest.seconds
    report = latest.report
    if report is None or report.error:
        return ended + backoff(attempts, first=FIRST_RETRY, most=LAST_RETRY)
    if not report.complete:
        return _not_before(latest)
    return float("inf") if report.resume_after is None else ended + report.resume_after


def _not_before(latest: Round | None) -> float:
    return 0.0 if latest is None else latest.started_at + ROUND_GAP


def _status(view: SyncView) -> Json:
    """Write `status.sync`, with the newest round counted in where the status has not seen it."""
    before: Json = view.status.get("sync") or {}
    latest = view.latest
    if latest is None or latest.started_at <= (read_past(before.get("lastTime"), view.now) or 0.0):
        return before
    status: Json = {
        **{key: before[key] for key in ("lastSuccessTime",) if key in before},
        "lastTime": moment(latest.started_at),
        "durationSeconds": round(latest.seconds, 3),
        "observedGeneration": latest.generation,
        "attempts": _attempts(before.get("attempts") or 0, latest),
    }
    report = latest.report
    if report is None:
        return status | {key: before[key] for key in ("objects",) if key in before}
    counts = report.counts
    if report.synced:
        status["lastSuccessTime"] = moment(latest.started_at)
    status |= {
        "objects": count_objects(view.key, report.inventory),
        "applied": counts["applied"],
        "unchanged": counts["unchanged"],
        "pruned": counts["pruned"],
        "drifted": counts["drifted"],
        "conflicts": counts["conflict"],
        "failed": counts["failed"] + len(report.problems),
        "results": _named(report),
    }
    return status


def _attempts(before: int, latest: Round) -> int:
    report = latest.report
    if report is not None and report.synced:
        return 0
    progressing = report is not None and not report.complete and not report.error
    return before if progressing else before + 1


def _named(report: SyncReport) -> list[Json]:
    """Name the first objects that people must look at, those of the sources before the others."""
    problems = [
        {"outcome": "Failed", "object": problem.source, "message": str(problem)[:_MAX_MESSAGE]}
        for problem in report.problems[:NAMED]
    ]
    results, _ = report.trouble()
    return (problems + [_result(result) for result in results])[:NAMED]


def _result(result: ObjectResult) -> Json:
    entry: Json = {"outcome": _OUTCOMES[result.outcome], "object": str(result.entry.key)}
    if result.message:
        entry["message"] = result.message[:_MAX_MESSAGE]
    if result.fields:
        entry["fields"] = list(result.fields[:_MAX_FIELDS])
    return entry


def _condition(view: SyncView, status: Json) -> Condition:
    """Say how the resources are; what no round has looked at is unknown."""
    spec = view.spec
    if not spec.sync_enabled:
        return _unknown("Disabled", "resourceSyncPolicy.enabled is false")
    if spec.suspend:
        return _unknown("Suspended", "spec.suspend stops every write to the cluster")
    for check in (CREDENTIALS, REACHABLE):
        stands = view.standing[check].condition
        if stands.status != "True" and stands.reason != NOT_PROBED:
            return _unknown("Unreachable", stands.message)
    if view.latest is not None and status.get("lastTime") == moment(view.latest.started_at):
        return _of_round(view.latest, status)
    for before in view.status.get("conditions") or []:
        if before["type"] == SYNCED and before.get("reason") not in _NOT_LOOKED_AT:
            message = before.get("message") or ""
            return Condition(SYNCED, before["status"], before.get("reason") or "", message)
    return _unknown("Pending", "no round has ended yet")


def _of_round(latest: Round, status: Json) -> Condition:
    report = latest.report
    if report is None:
        message = latest.stop.fault.message if latest.stop else "no way to the cluster"
        return Condition(SYNCED, "Unknown", "NoAccess", message)
    counts = {key: status[key] for key in ("failed", "conflicts", "drifted")}
    told = ", ".join(f"{count} {key}" for key, count in counts.items() if count)
    if report.error:
        return Condition(SYNCED, "False", "Interrupted", report.error)
    for key, reason in (("failed", "Failed"), ("conflicts", "Conflict"), ("drifted", "Drifted")):
        if counts[key]:
            return Condition(SYNCED, "False", reason, f"of {status['objects']} objects: {told}")
    if not report.complete:
        return Condition(SYNCED, "False", "Progressing", "objects are being applied")
    return Condition(SYNCED, "True", "Synced", f"{status['objects']} objects are as they should be")


def _unknown(reason: str, message: str) -> Condition:
    return Condition(SYNCED, "Unknown", reason, message)
