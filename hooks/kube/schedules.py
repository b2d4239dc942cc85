"""Times by the clock on the wall: a schedule of cron in a time zone.

The time zones are those of the package tzdata, on every machine; a slim image has none of its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: How many fields a schedule has: minute, hour, day of the month, month, day of the week.
FIELDS = 5


class BadSchedule(ValueError):
    """A text is no schedule; str() says what is wrong with it."""


class BadZone(ValueError):
    """A text is the name of no time zone."""


def next_start(schedule: str, zone: str, after: float) -> float | None:
    """Return when a schedule begins next, later than a time, in epoch seconds; None for never.

    A time that the clock skips is taken right after the leap. One that the clock shows twice is
    taken the first time, unless minutes or hours are `*`: those go by as they come.

    Args:
        schedule: five fields of cron.
        zone: a name of the IANA, such as Europe/Berlin.
        after: epoch seconds.

    Raises:
        BadSchedule, BadZone: naming no value.
    """
    start = datetime.fromtimestamp(after, tz=UTC).astimezone(_zone(zone))
    return next((each for each in _starts(schedule, start) if each > after), None)


def _starts(schedule: str, start: datetime) -> Iterator[float]:
    if len(schedule.split()) != FIELDS:
        raise BadSchedule(f"it has {len(schedule.split())} fields instead of {FIELDS}")
    try:
        for found in CronSim(schedule, start):
            # The first in an hour that comes twice may be earlier than `start` in its second one.
            yield found.timestamp()
    except CronSimError as error:
        raise BadSchedule(str(error)[:1].lower() + str(error)[1:]) from None
    except OverflowError:  # past the calendar's last year
        return


@cache
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def _zone(name: str) -> ZoneInfo:
    if name not in _zones():
        raise BadZone("it is no time zone of the IANA")
    return ZoneInfo(name)
