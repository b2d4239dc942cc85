"""Conditions as metav1.Condition has them: the time of a transition moves only with the status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from hooks.webhook import Json

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Condition:
    """One thing that is so, is not so, or is not known."""

    type: str
    status: Status
    reason: str
    message: str = ""


def timestamp(now: float) -> str:
    """Write epoch seconds as Kubernetes writes times: RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(int(now), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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


def epoch(text: str) -> float:
    """Read a time as Kubernetes writes it, in epoch seconds.

    Raises:
        ValueError: the text is no RFC 3339 time.
    """
    return datetime.fromisoformat(text).timestamp()
