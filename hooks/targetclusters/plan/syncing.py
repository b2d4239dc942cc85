"""Decides when a sync round is due, and which inventory to answer."""

from collections.abc import Mapping
from dataclasses import replace

from hooks.http.backoff import delay
from hooks.http.bounded_json import Json
from hooks.kube.times import read_past
from hooks.targetclusters.health.judge import CREDENTIALS, REACHABLE, CheckState
from hooks.targetclusters.plan.facts import Facts, RoundResult
from hooks.targetclusters.plan.resources import Decision, inventory_children
from hooks.targetclusters.plan.schedule import next_due
from hooks.targetclusters.plan.sync_status import resources_condition, sync_status
from hooks.targetclusters.sync.plan.inventory import Inventory

#: Seconds between the starts of two rounds at least.
ROUND_GAP = 1.0
#: Seconds until a round that failed is tried again: at first, and at most.
FIRST_RETRY = 5.0
LAST_RETRY = 300.0
#: Seconds in which Metacontroller has certainly written an inventory that was answered.
RECORDED_WITHIN = 1.0


def decide(facts: Facts, checks: Mapping[str, CheckState]) -> Decision:
    """Decide what to answer about the resources, and whether a round is due.

    Args:
        facts: what is known.
        checks: the conditions that probes decide, with the newest probe counted.
    """
    sync = sync_status(facts)
    condition = resources_condition(facts, checks, sync)
    unrecorded = _unrecorded(facts)
    decision = Decision(inventory_children(facts, unrecorded), condition, sync)
    stopped = condition.reason in ("Disabled", "Suspended")
    wait = facts.sync.poll_delay(facts.now)
    if wait is not None:
        return replace(decision, wait=wait, stop=stopped)
    reachable = all(checks[check].condition.status == "True" for check in (CREDENTIALS, REACHABLE))
    if stopped or not reachable:
        return decision
    if unrecorded is not None:
        return replace(decision, wait=RECORDED_WITHIN)
    wait = max(0.0, _due(facts, sync, condition.reason) - facts.now)
    return replace(decision, wait=wait, start=None if wait else facts.inventory)


def _unrecorded(facts: Facts) -> Inventory | None:
    """Return the inventory that the last round wants recorded; None if it is, or is outdated.

    A round's wish holds only while the inventory that it started with is the present one: an
    inventory that somebody else changed stays as it is, and the next round starts with that.
    """
    latest = facts.sync.latest
    if latest is None or latest.report is None or facts.inventory != latest.recorded:
        return None
    wanted = latest.report.inventory
    return None if wanted == facts.inventory else wanted


def _due(facts: Facts, sync: Json, reason: str) -> float:
    """Return when the next round is due, in epoch seconds."""
    latest = facts.sync.latest
    if latest is None:
        return 0.0
    if reason == "Pending" or _is_outdated(latest, facts):
        return latest.started_at + ROUND_GAP
    last = read_past(sync.get("lastTime"), facts.now) or latest.started_at
    regular = next_due(last, facts.spec.sync.interval, key=facts.key)
    return min(regular, _retry_due(latest, sync.get("attempts") or 0))


def _is_outdated(latest: RoundResult, facts: Facts) -> bool:
    """Tell whether the spec, the sources or the inventory have changed since a round."""
    probe = facts.probe.latest
    sources_changed = (
        probe is not None
        and probe.desired is not None
        and probe.started_at > latest.started_at
        and probe.desired != latest.desired
    )
    inventory_changed = latest.report is not None and facts.inventory != latest.report.inventory
    return latest.generation != facts.generation or sources_changed or inventory_changed


def _retry_due(latest: RoundResult, attempts: int) -> float:
    """Return when to retry what a round did not finish, in epoch seconds."""
    ended = latest.started_at + latest.seconds
    report = latest.report
    if report is None or report.error:
        return ended + delay(attempts, first=FIRST_RETRY, longest=LAST_RETRY)
    if not report.complete:
        return latest.started_at + ROUND_GAP
    return float("inf") if report.resume_after is None else ended + report.resume_after
