"""Decides what a TargetCluster that is being deleted still owes the VMs that a repair has stopped.

Rounds of healing go on, and make nothing but these starts, until none is owed, none can be made, or
finalizeTimeout has passed. Then the TargetCluster goes, and an Event names the VMs.
"""

from dataclasses import dataclass

from hooks import names
from hooks.http.texts import join_sentences
from hooks.kube.objects import part
from hooks.targetclusters.healing.plan.model import HealingResult, Record
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.healing import OWED, ROUND_GAP, name_owed

#: Seconds until the next round, after one that could not make a start.
RETRY = 10.0
#: Reasons of rounds after which no other does better.
_IN_VAIN = ("NoAccount", "AccountInvalid")
_MAX_NAMED = 20


@dataclass(frozen=True)
class Release:
    """What to do about starts that are owed.

    Attributes:
        wait: seconds until the next call is useful; None: nothing keeps the TargetCluster.
        start: start a round.
        event: reason and message.
    """

    wait: float | None = None
    start: bool = False
    event: tuple[str, str] | None = None


def plan_release(facts: Facts) -> Release:
    """Decide whether a TargetCluster that is being deleted may go, for all that healing did."""
    running, latest = facts.healing.poll_delay(facts.monotonic), facts.healing.latest
    if running is None and latest is None and not _may_owe(facts):
        return Release()
    if facts.time_left <= 0:
        return _let_go(facts, latest, "finalizeTimeout has passed")
    if running is not None:
        return Release(min(facts.time_left, running))
    if latest is None or not latest.only_owed:
        return Release(0.0, start=True)
    if not _named(facts, latest):
        return Release()
    if why := _why_in_vain(facts, latest):
        return _let_go(facts, latest, why)
    pause = ROUND_GAP if latest.tried else RETRY
    wait = facts.healing.started + latest.seconds + pause - facts.monotonic
    return Release(max(0.0, min(facts.time_left, wait)), start=wait <= 0)


def _may_owe(facts: Facts) -> bool:
    """Tell whether the journal is to be read: it may name a start, and this process made none.

    A status without a field of healing says that nothing is owed; one that was lost says nothing.
    """
    return "healing" in facts.status or (facts.request.spec.healing.enabled and not facts.status)


def _named(facts: Facts, latest: HealingResult | None) -> list[str]:
    """Name the VMs that wait; without a journal, those that the status has."""
    if latest is None or latest.journal is None:
        owed = part(facts.status, "healing").get(OWED) or ()
        return [name_owed(each["object"], each["vm"]) for each in owed]
    owing = [each for each in latest.journal.records.values() if each.owed_at is not None]
    return [_say(each, latest) for each in sorted(owing, key=lambda each: each.key)]


def _say(record: Record, latest: HealingResult) -> str:
    why = latest.waits.get(record.key) or record.outcome
    return name_owed(record.object, record.owed_vm) + (f" ({why})" if why else "")


def _why_in_vain(facts: Facts, latest: HealingResult) -> str:
    """Say why another round would not make the start; empty if it might."""
    healing, failure = facts.request.spec.healing, latest.failure
    if not healing.enabled:
        return "autoHealing.enabled is false"
    if healing.mode == "Plan":
        return "mode Plan"
    return failure.message if failure is not None and failure.reason in _IN_VAIN else ""


def _let_go(facts: Facts, latest: HealingResult | None, why: str) -> Release:
    if not (owed := _named(facts, latest)):
        return Release()
    sentences = [join_sentences(owed, limit=_MAX_NAMED), f"healing ends: {why}"]
    return Release(event=(names.EVENT_VM_LEFT_STOPPED, join_sentences(sentences, limit=2)))
