"""Decides whether a time lies in one of the windows in which repairs are allowed."""

from collections.abc import Sequence
from dataclasses import dataclass

from hooks.http.texts import quote
from hooks.kube.schedules import BadSchedule, BadZone, next_start
from hooks.kube.times import timestamp
from hooks.targetclusters.request import MaintenanceWindow

_FIELD = "spec.autoHealing.maintenanceWindows"
_WANTED_SCHEDULE = 'five fields of cron, such as "0 22 * * SAT"'
_WANTED_ZONE = "a name of the IANA, such as Europe/Berlin, or UTC"


class BadWindow(ValueError):
    """A window that cannot be read; str() names the field, its value, and what would be right."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether repairs are allowed now.

    Attributes:
        is_open: whether they are.
        opens: when they are next, in epoch seconds, if they are not; None for never.
    """

    is_open: bool
    opens: float | None = None

    @property
    def closed(self) -> str:
        """Say until when nothing is repaired; empty if a window is open."""
        if self.is_open:
            return ""
        begins = "never begins" if self.opens is None else f"begins at {timestamp(self.opens)}"
        return f"nothing is repaired outside of maintenanceWindows; the next {begins}"


#: Of a cluster without windows.
ALWAYS_OPEN = Opening(is_open=True)


def find_opening(windows: Sequence[MaintenanceWindow], now: float) -> Opening:
    """Tell whether repairs are allowed; without windows they always are.

    A window is open for its duration from each start of its schedule, by the clock on the wall only
    as to the start: an hour that comes twice makes none longer.

    Args:
        windows: of the spec.
        now: epoch seconds.

    Raises:
        BadWindow: one cannot be read, also if another is open.
    """
    if not windows:
        return ALWAYS_OPEN
    # A window is open if it began less than its duration ago, so if its first start since is past.
    starts = [
        (_start(each, index, now - each.duration), _start(each, index, now))
        for index, each in enumerate(windows)
    ]
    if any(recent is not None and recent <= now for recent, _ in starts):
        return Opening(is_open=True)
    return Opening(
        is_open=False,
        opens=min((coming for _, coming in starts if coming is not None), default=None),
    )


def _start(window: MaintenanceWindow, index: int, after: float) -> float | None:
    place = f"{_FIELD}[{index}]"
    try:
        return next_start(window.schedule, window.time_zone, after)
    except BadSchedule as error:
        value = quote(window.schedule)
        message = f"{place}.schedule is {value}, must be {_WANTED_SCHEDULE}: {error}"
        raise BadWindow(message) from None
    except BadZone:
        value = quote(window.time_zone)
        raise BadWindow(f"{place}.timeZone is {value}, must be {_WANTED_ZONE}") from None
