"""Which calls have a line of their own in the log, and the line that sums up a minute."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hooks.http.bounded_json import Json
from hooks.http.deadline import Monotonic
from hooks.http.recent import Recent
from hooks.kube.objects import items, part

#: Seconds that one summary is about, at least: it is written with the first call after them.
SUMMARY_SECONDS = 60.0
#: Seconds in which an error that an object has had before has no line of its own again.
REPEAT_SECONDS = 3600.0


def changes_object(obj: Json, answer: Mapping[str, Any]) -> bool:
    """Tell whether an answer changes the object that it is about, in what people read of it.

    That is a label, an annotation or what a condition says; times and counts in a status are not.
    """
    for field_name in ("labels", "annotations"):
        present, wanted = part(obj, "metadata", field_name), answer.get(field_name) or {}
        if any(present.get(key) != value for key, value in wanted.items()):
            return True
    status = answer.get("status")
    return bool(answer.get("finalized")) or (
        status is not None and _conditions(status) != _conditions(part(obj, "status"))
    )


def _conditions(status: Json) -> set[tuple[object, ...]]:
    told = ("type", "status", "reason")
    return {tuple(each.get(key) for key in told) for each in items(status, "conditions")}


@dataclass
class _Summary:
    """What is counted of the calls since `began`, in monotonic seconds."""

    began: float
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: int = 0
    slowest: float = 0.0

    def fields(self, now: float) -> dict[str, object]:
        """Return the fields of its line."""
        calls: dict[str, dict[str, int]] = {}
        for (hook, outcome), count in sorted(self.outcomes.items()):
            calls.setdefault(hook, {})[outcome] = count
        return {
            "calls": calls,
            "changed": self.changed,
            "slowest": round(self.slowest, 4),
            "seconds": round(now - self.began, 1),
        }


class CallLog:
    """Chooses the level of each call's line, and counts calls for the summary.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # The error of each object, by a hash of its text, and since when it has had a line.
        self._errors = Recent[tuple[int, float]]()
        self._summary: _Summary | None = None

    def level(self, outcome: str, about: str, *, changed: bool, error: str) -> int:
        """Return the level of a call's line.

        A call that went well is worth reading at `info` only if it changed something, and an error
        only if the object did not have the same one a short while ago.

        Args:
            outcome: as the metrics call it.
            about: the path and the object; empty for a call that reached no hook.
            changed: whether the call or its answer changed anything.
            error: its text; empty for none.
        """
        if outcome == "bug":
            return logging.ERROR
        with self._lock:
            if outcome == "ok":
                self._errors.pop(about, None)
                return logging.INFO if changed else logging.DEBUG
            return logging.DEBUG if about and self._is_repeated(about, error) else logging.WARNING

    def count(
        self, hook: str, outcome: str, seconds: float, *, changed: bool
    ) -> dict[str, object] | None:
        """Count a call; return the fields of the summary if one is due.

        Args:
            hook: empty for a call that reached none.
            outcome: as the metrics call it.
            seconds: that the call took.
            changed: whether it or its answer changed anything.
        """
        with self._lock:
            now, due = self._clock(), None
            if self._summary and now - self._summary.began >= SUMMARY_SECONDS:
                due, self._summary = self._summary.fields(now), None
            summary = self._summary = self._summary or _Summary(now)
            summary.outcomes[hook or "refused", outcome] += 1
            summary.changed += changed
            summary.slowest = max(summary.slowest, seconds)
            return due

    def _is_repeated(self, about: str, error: str) -> bool:
        now, text = self._clock(), hash(error)
        known, since = self._errors.get(about, (None, 0.0))
        if known == text and now - since < REPEAT_SECONDS:
            return True
        self._errors[about] = (text, now)
        return False
