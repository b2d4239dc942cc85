"""Decides what to answer about the resources on a cluster, and when a sync round is due."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hooks import names
from hooks.http.backoff import delay
from hooks.http.bounded_json import Json
from hooks.http.texts import shorten
from hooks.kube.conditions import MAX_MESSAGE, Condition, Status
from hooks.kube.objects import find_condition, part
from hooks.kube.times import moment
from hooks.targetclusters.health.judge import CREDENTIALS, NOT_PROBED, REACHABLE, CheckState
from hooks.targetclusters.plan.facts import Facts, SyncResult
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import Outcome, SyncReport

SYNCED = "ResourcesSynced"
#: Seconds between the starts of two rounds at least.
ROUND_GAP = 1.0
#: Seconds until a round that failed is tried again: at first, and at most.
FIRST_RETRY = 5.0
LAST_RETRY = 300.0
#: Seconds until drift that was corrected is looked for once more, where faults are repaired.
LOOK_AGAIN = 10.0
#: Seconds in which Metacontroller has certainly written an inventory that was answered.
RECORDED_WITHIN = 1.0
#: Reasons for which nothing is known of the resources; when they end, a round is due.
_UNKNOWN = ("Disabled", "Suspended", "Unreachable", "Pending")
#: The reason for each count of a status that needs a person's attention, the most urgent first.
_REASONS = {
    "failed": "Failed",
    "conflicts": "Conflict",
    "drifted": "Drifted",
    "contested": "Contested",
    "deleting": "Deleting",
}
#: The outcomes that a status counts under their own names.
_COUNTED: tuple[Outcome, ...] = (
    "applied",
    "unchanged",
    "pruned",
    "drifted",
    "contested",
    "deleting",
)
#: How many problems and objects a status names; the others are counted.
_MAX_NAMED = 10
_MAX_FIELDS = 20


@dataclass(frozen=True)
class Decision:
    """What to answer about the resources on the cluster.

    Attributes:
        children: the inventory's ConfigMaps.
        condition: ResourcesSynced.
        sync: `status.sync`; empty if it stays as it is.
        wait: seconds until the next call is useful; None if nothing here needs one.
        start: the inventory to start a round with; None for no round.
        stop: stop the running sync round.
        finalized: nothing is left to be done before the TargetCluster goes.
        event: reason and message.
    """

    children: list[Json]
    condition: Condition
    sync: Json = field(default_factory=dict)
    wait: float | None = None
    start: Inventory | None = None
    stop: bool = False
    finalized: bool = False
    event: tuple[str, str] | None = None


def plan_syncing(facts: Facts, checks: Mapping[str, CheckState]) -> Decision:
    """Decide what to answer about the resources, and whether a round is due.

    Args:
        facts: what is known.
        checks: the conditions that probes decide, with the newest probe counted.
    """
    sync = _sync_status(facts)
    condition = _condition(facts, checks, sync)
    unrecorded = facts.unrecorded
    event = dropped_event(facts, unrecorded) or _corrected_event(facts)
    decision = Decision(facts.children_for(unrecorded), condition, sync, event=event)
    stopped = condition.reason in ("Disabled", "Suspended")
    wait = facts.sync.poll_delay(facts.monotonic)
    if wait is not None:
        return replace(decision, wait=wait, stop=stopped)
    reachable = all(checks[check].condition.status == "True" for check in (CREDENTIALS, REACHABLE))
    if stopped or not reachable:
        return decision
    if unrecorded is not None:
        return replace(decision, wait=RECORDED_WITHIN)
    wait = max(0.0, _pause_left(facts), _until_round(facts, sync, condition.reason))
    return replace(decision, wait=wait, start=None if wait else facts.inventory)


def dropped_event(facts: Facts, new: Inventory | None) -> tuple[str, str] | None:
    """Return reason and message of an Event about lists that a new inventory drops."""
    if new is None or not (dropped := facts.dropped(new)):
        return None
    message = (
        f"the kubeconfig led to many clusters, so {dropped} are no longer listed; the label "
        f"{names.LABEL_MEMBER_OF} finds them there"
    )
    return names.EVENT_CLUSTER_CHANGED, message


def _corrected_event(facts: Facts) -> tuple[str, str] | None:
    """Return reason and message of an Event about drift that a round corrected, once for each."""
    latest = facts.sync.latest
    if latest is None or latest.report is None:
        return None
    corrected = [one for one in latest.report.results if one.corrects_drift]
    if not corrected or facts.is_counted(latest, part(facts.status, "sync").get("lastTime")):
        return None
    named = [f"{one.entry.key} ({', '.join(one.fields)})" for one in corrected[:_MAX_NAMED]]
    more = f" and {len(corrected) - _MAX_NAMED} more" if len(corrected) > _MAX_NAMED else ""
    message = f"changed on the cluster, and corrected: {'; '.join(named)}{more}"
    return names.EVENT_DRIFT_CORRECTED, shorten(message, MAX_MESSAGE)


def _pause_left(facts: Facts) -> float:
    """Return the seconds for which the target still asks to be left alone."""
    latest = facts.sync.latest
    if latest is None or latest.report is None or not latest.report.pause:
        return 0.0
    return facts.sync.started + latest.seconds + latest.report.pause - facts.monotonic


def _until_round(facts: Facts, sync: Json, reason: str) -> float:
    """Return the seconds until the next round is due."""
    latest = facts.sync.latest
    if latest is None:
        return 0.0
    elapsed = facts.monotonic - facts.sync.started
    if reason == "Pending" or _is_outdated(latest, facts):
        return ROUND_GAP - elapsed
    interval = facts.request.spec.sync.interval
    regular = facts.until_due(sync.get("lastTime"), facts.sync, interval)
    if regular is None:
        regular = interval - elapsed
    early = min(_retry_after(latest, sync.get("attempts") or 0), _look_again_after(latest, facts))
    return min(regular, early - elapsed)


def _is_outdated(latest: SyncResult, facts: Facts) -> bool:
    """Tell whether the spec, the sources or the inventory have changed since a round."""
    probe = facts.probe.latest
    sources_changed = (
        probe is not None
        and probe.desired is not None
        and facts.probe.started > facts.sync.started
        and probe.desired != latest.desired
    )
    inventory_changed = latest.report is not None and facts.inventory != latest.report.inventory
    return latest.generation != facts.generation or sources_changed or inventory_changed


def _retry_after(latest: SyncResult, unfinished: int) -> float:
    """Return how many seconds after its start to retry what a round did not finish."""
    report = latest.report
    if report is None or report.error:
        return latest.seconds + delay(unfinished, first=FIRST_RETRY, longest=LAST_RETRY)
    if not report.complete:
        return ROUND_GAP
    return float("inf") if report.resume_after is None else latest.seconds + report.resume_after


def _look_again_after(latest: SyncResult, facts: Facts) -> float:
    """Return how many seconds after its start to see whether corrected drift stays corrected.

    What is contested is not worth it: it is corrected at each interval, and no faster.
    """
    if not facts.request.spec.healing.enabled or latest.report is None:
        return float("inf")
    corrected = [one for one in latest.report.results if one.corrects_drift]
    is_worth_it = any(one.outcome == "applied" for one in corrected)
    return latest.seconds + LOOK_AGAIN if is_worth_it else float("inf")


def _sync_status(facts: Facts) -> Json:
    """Return `status.sync`, with the latest round if the status does not hold it yet."""
    before: Json = part(facts.status, "sync")
    latest = facts.sync.latest
    if latest is None or facts.is_counted(latest, before.get("lastTime")):
        return before
    report = latest.report
    progressing = report is not None and not report.complete and not report.error
    synced = report is not None and report.synced
    unfinished = before.get("attempts") or 0
    sync: Json = {
        **{key: before[key] for key in ("lastSuccessTime", "objects") if key in before},
        "lastTime": moment(latest.started_at),
        "durationSeconds": round(latest.seconds, 3),
        "observedGeneration": latest.generation,
        "attempts": 0 if synced else unfinished if progressing else unfinished + 1,
    }
    if synced:
        sync["lastSuccessTime"] = sync["lastTime"]
    if report is None:
        return sync
    counts = report.counts
    counted: Json = {key: counts[key] for key in _COUNTED}
    return (
        sync
        | counted
        | {
            "objects": facts.count_objects(report.inventory),
            "conflicts": counts["conflict"],
            "failed": counts["failed"] + len(report.problems),
            "results": _named_results(report),
            **({"warnings": _named_warnings(report)} if report.warnings else {}),
        }
    )


def _condition(facts: Facts, checks: Mapping[str, CheckState], sync: Json) -> Condition:
    """Return ResourcesSynced; Unknown as long as no round has checked the resources."""
    if not facts.request.spec.sync.enabled:
        return _synced("Unknown", "Disabled", "resourceSyncPolicy.enabled is false")
    if facts.request.spec.suspend:
        return _synced("Unknown", "Suspended", "spec.suspend stops every write to the cluster")
    for check in (CREDENTIALS, REACHABLE):
        condition = checks[check].condition
        if condition.status != "True" and condition.reason != NOT_PROBED:
            return _synced("Unknown", "Unreachable", condition.message)
    if facts.is_refused:
        return _not_recorded(facts)
    latest = facts.sync.latest
    if latest is not None and sync.get("lastTime") == moment(latest.started_at):
        return _round_condition(latest, sync)
    before = find_condition(facts.request.cluster, SYNCED)
    if before and before.get("reason") not in _UNKNOWN:
        return _synced(before["status"], before.get("reason") or "", before.get("message") or "")
    return _synced("Unknown", "Pending", "no sync round has finished yet")


def _not_recorded(facts: Facts) -> Condition:
    """Say that nothing new is applied, because the inventory cannot be written, and why."""
    probe = facts.probe.latest
    said = probe.refusal if probe else ""
    why = said or "Metacontroller's Event SyncError on this TargetCluster may say why"
    message = f"the ConfigMaps with the inventory are not written, so nothing new is applied: {why}"
    return _synced("False", "NotRecorded", message)


def _round_condition(latest: SyncResult, sync: Json) -> Condition:
    report = latest.report
    if report is None:
        if latest.failure:
            return _synced("Unknown", latest.failure.reason, latest.failure.message)
        return _synced("Unknown", "NoAccess", "cannot connect to the cluster")
    if report.error:
        return _synced("False", "Interrupted", report.error)
    counts = {key: sync[key] for key in _REASONS if sync.get(key)}
    if counts:
        listed = ", ".join(f"{count} {key}" for key, count in counts.items())
        message = f"{listed} (of {sync['objects']} objects){_first(sync)}"
        return _synced("False", _REASONS[next(iter(counts))], message)
    if not report.synced:
        return _synced("False", "Progressing", "objects are being applied")
    message = f"{sync['objects']} objects are in sync"
    if latest.desired and (empty := latest.desired.empty_sources):
        more = f" and {len(empty) - 1} more hold" if len(empty) > 1 else " holds"
        message += f"; {empty[0]}{more} no object"
    if unlisted := describe_unlisted(report):
        message += f"; {unlisted}"
    return _synced("True", "Synced", message)


def describe_unlisted(report: SyncReport) -> str:
    """Say what on the target has our mark and is in no inventory; empty for nothing."""
    if not report.unlisted:
        return ""
    named = (str(key) for key in report.unlisted if key.kind != "Secret")
    return (
        f"{len(report.unlisted)} more on the cluster have our mark and are in no inventory, "
        f"such as {next(named, 'a Secret')}; the label {report.label} finds them"
    )


def _first(sync: Json) -> str:
    """Say what is wrong with the first object that a status names."""
    for named in sync["results"][:1]:
        name, message = named["object"], named.get("message", "")
        return f"; {message if message.startswith(name) else f'{name}: {message}'}"
    return ""


def _synced(status: Status, reason: str, message: str) -> Condition:
    return Condition(SYNCED, status, reason, message)


def _named_results(report: SyncReport) -> list[Json]:
    """Name the first problems and objects that need attention, problems of the sources first."""
    problems = [_named("failed", each.source, str(each)) for each in report.problems[:_MAX_NAMED]]
    results = [
        _named(each.outcome, str(each.entry.key), each.message, each.fields)
        for each in report.troubled[:_MAX_NAMED]
    ]
    return (problems + results)[:_MAX_NAMED]


def _named_warnings(report: SyncReport) -> list[Json]:
    """Name the first texts with which the target warned, each with its first object."""
    named = []
    for text, keys in list(report.warnings.items())[:_MAX_NAMED]:
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        name = f"{shorten(str(keys[0]), MAX_MESSAGE - len(more))}{more}"
        named.append({"object": name, "message": shorten(text, MAX_MESSAGE)})
    return named


def _named(outcome: str, name: str, message: str, fields: tuple[str, ...] = ()) -> Json:
    entry: Json = {"outcome": outcome.capitalize(), "object": shorten(name, MAX_MESSAGE)}
    if message:
        entry["message"] = shorten(message, MAX_MESSAGE)
    if fields:
        entry["fields"] = list(fields[:_MAX_FIELDS])
    return entry
