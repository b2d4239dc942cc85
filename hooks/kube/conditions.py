"""Conditions as metav1.Condition defines them: a transition is a change of the status."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.http.texts import printable, shorten
from hooks.kube.times import timestamp

#: Characters of a message; the CRDs allow no more.
MAX_MESSAGE = 1024

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Condition:
    """One aspect of an object's state: true, false or unknown.

    The message becomes what is shown of it, printable, so that it equals the one in the status.
    """

    type: str
    status: Status
    reason: str
    message: str = ""

    def __post_init__(self) -> None:
        """Replace what cannot be seen in the message."""
        object.__setattr__(self, "message", printable(self.message))


def merge_conditions(
    previous: Sequence[Json], current: Sequence[Condition], *, now: float, generation: int | None
) -> list[Json]:
    """Return conditions as JSON; `lastTransitionTime` changes only with the status.

    A message over `MAX_MESSAGE` characters is cut.

    Args:
        previous: the conditions in the object's status; types that `current` lacks are dropped.
        current: the conditions now, in the order to show.
        now: epoch seconds.
        generation: the generation that was observed; None for objects that have none.
    """
    before = {condition.get("type"): condition for condition in previous}
    merged = []
    for condition in current:
        old = before.get(condition.type, {})
        is_same = old.get("status") == condition.status and "lastTransitionTime" in old
        changed_at = old["lastTransitionTime"] if is_same else timestamp(now)
        message = shorten(condition.message, MAX_MESSAGE)
        entry: Json = {
            **asdict(condition),
            "message": message,
            "lastTransitionTime": changed_at,
        }
        if generation is not None:
            entry["observedGeneration"] = generation
        merged.append(entry)
    return merged
