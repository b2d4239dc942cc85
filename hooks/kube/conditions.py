"""Conditions as metav1.Condition has them: the time of a transition moves only with the status."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Condition:
    """One thing that is so, is not so, or is not known."""

    type: str
    status: Status
    reason: str
    message: str = ""


def merge_conditions(
    previous: Sequence[Json], current: Sequence[Condition], *, now: float, generation: int | None
) -> list[Json]:
    """Write conditions, keeping `lastTransitionTime` where the status is what it was.

    Args:
        previous: the conditions in the object's status; types not in `current` are dropped.
        current: what is so now, in the order to be shown.
        now: epoch seconds.
        generation: the generation that was looked at; None for objects that have none.
    """
    before = {condition.get("type"): condition for condition in previous}
    merged = []
    for condition in current:
        old = before.get(condition.type, {})
        same = old.get("status") == condition.status and "lastTransitionTime" in old
        entry: Json = {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
            "lastTransitionTime": old["lastTransitionTime"] if same else timestamp(now),
        }
        if generation is not None:
            entry["observedGeneration"] = generation
        merged.append(entry)
    return merged
