"""Writes `status.sync` and the condition ResourcesSynced."""

from collections.abc import Mapping

from hooks.http.bounded_json import Json
from hooks.http.texts import shorten
from hooks.kube.conditions import Condition
from hooks.kube.objects import part
from hooks.kube.times import moment, read_past
from hooks.targetclusters.health.judge import CREDENTIALS, NOT_PROBED, REACHABLE, CheckState
from hooks.targetclusters.plan.facts import Facts, RoundResult
from hooks.targetclusters.plan.resources import SYNCED, count_objects
from hooks.targetclusters.sync.plan.model import SyncReport

#: Reasons for which nothing is known of the resources; when they end, a round is due.
_UNKNOWN = ("Disabled", "Suspended", "Unreachable", "Pending")
#: How a status spells the outcomes that it names.
_OUTCOMES = {"failed": "Failed", "conflict": "Conflict", "drifted": "Drifted"}
#: How many problems and objects a status names; the others are counted.
_MAX_NAMED = 10
_MAX_FIELDS = 20
_MAX_MESSAGE = 1024


def sync_status(facts: Facts) -> Json:
    """Return `status.sync`, with the latest round if the status does not hold it yet."""
    before: Json = part(facts.status, "sync")
    latest = facts.sync.latest
    if latest is None or latest.started_at <= (read_past(before.get("lastTime"), facts.now) or 0.0):
        return before
    report = latest.report
    progressing = report is not None and not report.complete and not report.error
    synced = report is not None and report.synced
    attempts = before.get("attempts") or 0
    sync: Json = {
        "lastTime": moment(latest.started_at),
        "durationSeconds": round(latest.seconds, 3),
        "observedGeneration": latest.generation,
        "attempts": 0 if synced else attempts if progressing else attempts + 1,
    }
    if synced:
        sync["lastSuccessTime"] = moment(latest.started_at)
    elif "lastSuccessTime" in before:
        sync["lastSuccessTime"] = before["lastSuccessTime"]
    if report is None:
        return sync | {key: before[key] for key in ("objects",) if key in before}
    counts = report.counts
    return sync | {
        "objects": count_objects(facts.key, report.inventory),
        "applied": counts["applied"],
        "unchanged": counts["unchanged"],
        "pruned": counts["pruned"],
        "drifted": counts["drifted"],
        "conflicts": counts["conflict"],
        "failed": counts["failed"] + len(report.problems),
        "results": _named_results(report),
    }


def resources_condition(facts: Facts, checks: Mapping[str, CheckState], sync: Json) -> Condition:
    """Return ResourcesSynced; Unknown as long as no round has checked the resources.

    Args:
        facts: what is known.
        checks: the conditions that probes decide.
        sync: `status.sync`.
    """
    if not facts.spec.sync.enabled:
        return _unknown("Disabled", "resourceSyncPolicy.enabled is false")
    if facts.spec.suspend:
        return _unknown("Suspended", "spec.suspend stops every write to the cluster")
    for check in (CREDENTIALS, REACHABLE):
        condition = checks[check].condition
        if condition.status != "True" and condition.reason != NOT_PROBED:
            return _unknown("Unreachable", condition.message)
    latest = facts.sync.latest
    if latest is not None and sync.get("lastTime") == moment(latest.started_at):
        return _round_condition(latest, sync)
    for before in facts.status.get("conditions") or []:
        if before["type"] == SYNCED and before.get("reason") not in _UNKNOWN:
            reason, message = before.get("reason") or "", before.get("message") or ""
            return Condition(SYNCED, before["status"], reason, message)
    return _unknown("Pending", "no sync round has finished yet")


def _round_condition(latest: RoundResult, sync: Json) -> Condition:
    report = latest.report
    if report is None:
        message = latest.failure.message if latest.failure else "cannot connect to the cluster"
        return _unknown("NoAccess", message)
    if report.error:
        return Condition(SYNCED, "False", "Interrupted", report.error)
    counts = {key: sync[key] for key in ("failed", "conflicts", "drifted") if sync[key]}
    if counts:
        reason = {"failed": "Failed", "conflicts": "Conflict", "drifted": "Drifted"}
        listed = ", ".join(f"{count} {key}" for key, count in counts.items())
        message = f"{listed} (of {sync['objects']} objects)"
        return Condition(SYNCED, "False", reason[next(iter(counts))], message)
    if not report.complete:
        return Condition(SYNCED, "False", "Progressing", "objects are being applied")
    return Condition(SYNCED, "True", "Synced", f"{sync['objects']} objects are in sync")


def _named_results(report: SyncReport) -> list[Json]:
    """Name the first problems and objects that need attention, problems of the sources first."""
    problems = [_named("Failed", each.source, str(each)) for each in report.problems[:_MAX_NAMED]]
    results = [
        _named(_OUTCOMES[each.outcome], str(each.entry.key), each.message, each.fields)
        for each in report.troubled[:_MAX_NAMED]
    ]
    return (problems + results)[:_MAX_NAMED]


def _named(outcome: str, name: str, message: str, fields: tuple[str, ...] = ()) -> Json:
    entry: Json = {"outcome": outcome, "object": name}
    if message:
        entry["message"] = shorten(message, _MAX_MESSAGE)
    if fields:
        entry["fields"] = list(fields[:_MAX_FIELDS])
    return entry


def _unknown(reason: str, message: str) -> Condition:
    return Condition(SYNCED, "Unknown", reason, message)
