"""Decides what to answer about repairs, and when a round of healing is due."""

from dataclasses import dataclass, replace

from hooks import names
from hooks.http.bounded_json import Json
from hooks.http.texts import join_sentences, shorten
from hooks.kube.conditions import Condition, Status
from hooks.kube.objects import annotations, find_condition, part
from hooks.kube.times import CLOCK_SLACK, moment, read_past, timestamp
from hooks.targetclusters.healing.plan.decide import MAX_RECORDS
from hooks.targetclusters.healing.plan.model import REPAIRS, Attempt, HealingResult, Record
from hooks.targetclusters.health.model import Nodes, ProbeResult, ReadyCount
from hooks.targetclusters.plan.facts import Facts

HEALING = "Healing"
#: Seconds between two rounds, after one that has tried something.
ROUND_GAP = 1.0
#: Seconds after which account and journal are looked at again, though no fault is there.
CHECK_EVERY = 600.0
#: Faults that a status names, and that a message names.
_MAX_NAMED = 20
_MAX_IN_MESSAGE = 3
_MAX_TEXT = 512
#: The fields of the status with when the last round began, and with the starts that are owed.
TIME, OWED = "lastTime", "owedStarts"
#: Reasons of a condition that says nothing of faults.
_SILENT = ("Disabled", "Suspended", "Pending", "")


@dataclass(frozen=True)
class HealingDecision:
    """What to answer about repairs.

    Attributes:
        condition: Healing.
        status: `status.healing`; empty for none.
        wait: seconds until the next call is useful; None if nothing here needs one.
        start: start a round.
        events: reasons and messages.
    """

    condition: Condition
    status: Json
    wait: float | None = None
    start: bool = False
    events: tuple[tuple[str, str], ...] = ()


def plan_healing(facts: Facts) -> HealingDecision:
    """Decide what to answer about repairs, and whether a round is due."""
    before = part(facts.status, "healing")
    running = facts.healing.poll_delay(facts.monotonic)
    if not facts.request.spec.healing.enabled:
        condition = _condition("False", "Disabled", "autoHealing.enabled is false")
        kept = {key: value for key, value in _known_now(facts).items() if key in (TIME, OWED)}
        return HealingDecision(_with_owed(condition, kept), kept, wait=running)
    if facts.request.spec.suspend:
        message = "spec.suspend stops every write to the cluster and to CloudStack"
        condition, kept = _condition("False", "Suspended", message), _known_now(facts)
        return HealingDecision(_with_owed(condition, kept), kept, wait=running)
    latest, status = facts.healing.latest, before
    events: tuple[tuple[str, str], ...] = ()
    condition = _condition_before(facts)
    if latest is not None:
        recorded = before.get(TIME)
        if not facts.is_counted(latest, recorded):
            events = tuple(_attempt_event(attempt) for attempt in latest.tried)
        if recorded == moment(latest.started_at) or not facts.is_counted(latest, recorded):
            status = write_healing(latest, facts)
            condition = _with_owed(healing_condition(latest), status)
    if running is not None:
        return HealingDecision(condition, status, wait=running, events=events)
    wait = _until_round(facts)
    start = wait is not None and wait <= 0
    return HealingDecision(condition, status, wait=wait, start=start, events=events)


def _known_now(facts: Facts) -> Json:
    """Return `status.healing` of a TargetCluster that heals no more: a round may have ended since.

    That round may owe a start. Where no journal is known, the last status stands.
    """
    before, latest = part(facts.status, "healing"), facts.healing.latest
    is_running = facts.healing.poll_delay(facts.monotonic) is not None
    if is_running or latest is None or latest.journal is None:
        return before
    written = write_healing(latest, facts)
    return written if facts.request.spec.suspend or OWED in written else {}


def healing_condition(result: HealingResult) -> Condition:
    """Return what a round says of the condition, the most urgent first."""
    records, there = result.records, result.present
    given_up = [each for each in there if each.key in result.given_up]
    if result.breaker:
        return _condition("False", "BreakerOpen", result.breaker)
    if given_up:
        return _condition("False", "RetriesExhausted", _named(given_up, result))
    if result.failure is not None:
        status: Status = "Unknown" if result.failure.reason == "NotRead" else "False"
        return _condition(status, result.failure.reason, result.failure.message)
    if lasting := [each for each in there if each.key in result.cannot]:
        return _condition("False", "CannotRepair", _named(lasting, result))
    if result.pod_breaker:
        return _condition("False", "BreakerOpen", result.pod_breaker)
    if unrecorded := len(result.faults) - len(there):
        message = f"{unrecorded} faults more wait until some of {MAX_RECORDS} are forgotten"
        return _condition("False", "Waiting", f"{message}, each an hour after it is gone")
    if there and not result.opening.is_open:
        return _condition("True", "OutsideWindow", result.opening.closed)
    if result.planned:
        would = [f"{records[key].object}: {what}" for key, what in sorted(result.planned.items())]
        message = "mode Plan; would do: " + join_sentences(would, limit=_MAX_IN_MESSAGE)
        return _condition("True", "PlanOnly", message)
    if not there:
        return _condition("True", "Healthy", "no fault is there")
    is_tried = any(each.attempts for each in there)
    return _condition("True", "Repairing" if is_tried else "Waiting", _named(there, result))


def write_healing(result: HealingResult, facts: Facts) -> Json:
    """Write `status.healing`."""

    def urgency(record: Record) -> tuple[bool, int, str]:
        return record.key not in result.given_up, -record.attempts, record.key

    records, there = result.records, sorted(result.present, key=urgency)
    owing = [records[key] for key in sorted(records) if records[key].is_owing]
    owed = [{"object": each.object, "vm": each.owed_vm} for each in owing[:_MAX_NAMED]]
    return {
        TIME: moment(result.started_at),
        "durationSeconds": round(result.seconds, 3),
        "observedGeneration": result.generation,
        "open": len(result.faults),
        "givenUp": sum(each.key in result.given_up for each in there),
        "breaker": "Open" if result.breaker or result.pod_breaker else "Closed",
        "faults": [_fault(each, result, facts) for each in there[:_MAX_NAMED]],
        **({OWED: owed} if owed else {}),
    }


def name_owed(node: str, vm: str) -> str:
    """Say of a VM that it waits for its start."""
    return f"VM {vm} of {node} was stopped by a repair, and its start is owed"


def _with_owed(condition: Condition, status: Json) -> Condition:
    """Name the VMs that stay stopped until healing can start them again."""
    owed = [name_owed(each["object"], each["vm"]) for each in status.get(OWED) or ()]
    if not owed:
        return condition
    sentences = [condition.message, join_sentences(owed, limit=_MAX_IN_MESSAGE)]
    return replace(condition, message=join_sentences(sentences, limit=len(sentences)))


def _fault(record: Record, result: HealingResult, facts: Facts) -> Json:
    """Write what a status says of a fault."""
    is_given_up = record.key in result.given_up
    fault: Json = {
        "kind": record.kind,
        "object": record.object,
        "attempts": record.attempts,
        "givenUp": is_given_up,
    }
    if record.since is not None:
        fault["since"] = timestamp(record.since)
    if record.tried_at is not None:
        fault["lastTry"] = timestamp(record.tried_at)
    if record.attempts and not is_given_up and record.next_try > facts.now:
        fault["nextTry"] = timestamp(record.next_try)
    for name, text in (
        ("repair", record.repair if record.repair in REPAIRS else ""),
        ("lastOutcome", record.outcome),
        ("waits", "" if is_given_up else result.waits.get(record.key, "")),
        ("planned", result.planned.get(record.key, "")),
    ):
        if text:
            fault[name] = shorten(text, _MAX_TEXT)
    return fault


def _named(records: list[Record], result: HealingResult) -> str:
    """Say of the first faults what was tried, and what became of it."""
    sentences = []
    for each in records:
        texts = (each.outcome, result.waits.get(each.key, ""))
        said = "; ".join(text for text in texts if text)
        tried = f"{each.attempts} attempts" if each.attempts != 1 else "1 attempt"
        sentences.append(f"{each.kind} {each.object}: {tried}" + (f", {said}" if said else ""))
    return join_sentences(sentences, limit=_MAX_IN_MESSAGE)


def _condition_before(facts: Facts) -> Condition:
    before = find_condition(facts.request.cluster, HEALING)
    if before.get("reason", "") in _SILENT:
        return _condition("Unknown", "Pending", "no round of healing has finished yet")
    return _condition(before["status"], before["reason"], before.get("message") or "")


def _attempt_event(attempt: Attempt) -> tuple[str, str]:
    is_done = attempt.verdict == "Done"
    reason = names.EVENT_REPAIR_MADE if is_done else names.EVENT_REPAIR_FAILED
    message = f"{attempt.kind} {attempt.object}: {attempt.repair}: {attempt.text}"
    return reason, message


def _until_round(facts: Facts) -> float | None:
    """Return the seconds until the next round is due; None until the next probe."""
    probe, latest = facts.probe.latest, facts.healing.latest
    if probe is None:
        return None
    if latest is None:
        return 0.0
    elapsed = facts.monotonic - facts.healing.started
    again = read_past(
        annotations(facts.request.cluster).get(names.ANNOTATION_HEAL_AGAIN), facts.now + CLOCK_SLACK
    )
    is_asked = latest.journal is not None and (again or 0.0) > latest.journal.again
    if latest.generation != facts.generation or latest.tried or is_asked:
        return max(0.0, latest.seconds + ROUND_GAP - elapsed)
    opens = latest.opening.opens
    if latest.faults and opens is not None and opens <= facts.now:
        return 0.0
    if facts.probe.started <= facts.healing.started:
        return opens - facts.now if latest.faults and opens is not None else None
    if elapsed >= CHECK_EVERY or _is_round_useful(facts, latest):
        return 0.0
    return None


def _is_round_useful(facts: Facts, latest: HealingResult) -> bool:
    """Tell whether a fault is or was there, or something could not be read."""
    probe = facts.probe.latest
    if probe is None or probe.failure is not None or not isinstance(probe.nodes, Nodes):
        return True
    is_down = probe.nodes.count.ready < probe.nodes.count.total
    is_quiet = latest.journal is not None and latest.journal.is_quiet
    return is_down or not is_quiet or latest.failure is not None or _may_have_ill_pods(facts, probe)


def _may_have_ill_pods(facts: Facts, probe: ProbeResult) -> bool:
    """Tell whether a pod that is to be healed is not ready, or whether the probe cannot tell."""
    healed, probed = facts.request.spec.healed_namespaces, facts.request.spec.health.pod_namespaces
    if not healed:
        return False
    if not isinstance(probe.pods, ReadyCount) or not set(healed) <= set(probed):
        return True
    return probe.pods.ready < probe.pods.total


def _condition(status: Status, reason: str, message: str) -> Condition:
    return Condition(HEALING, status, reason, message)
