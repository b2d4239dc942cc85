"""Remembers by how much the clock on the wall was set, so that it forgets nothing."""

from dataclasses import dataclass, field

from hooks.kube.times import CLOCK_SLACK
from hooks.targetclusters.healing.plan.decide import FORGET_FAULT_AFTER


@dataclass
class ClockSteps:
    """How far the clock on the wall was ahead of the one that never steps, within the last hour."""

    #: When that was last so, in monotonic seconds, and how far it was.
    _offsets: list[tuple[float, float]] = field(default_factory=list)

    def nows(self, now: float, monotonic: float) -> tuple[float, ...]:
        """Return the present time by each clock that was there within the last hour.

        Args:
            now: epoch seconds.
            monotonic: monotonic seconds.
        """
        self.note(now, monotonic)
        return tuple(monotonic + offset for _, offset in self._offsets)

    def note(self, now: float, monotonic: float) -> None:
        """Remember how far the clock is ahead now."""
        offset = now - monotonic
        self._offsets = [
            (at, each)
            for at, each in self._offsets
            if monotonic - at < FORGET_FAULT_AFTER and abs(each - offset) > CLOCK_SLACK
        ]
        self._offsets.append((monotonic, offset))
