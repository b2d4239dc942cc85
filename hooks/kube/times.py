"""Times as Kubernetes writes them: RFC 3339, in UTC; here they are epoch seconds."""

from datetime import UTC, datetime


def timestamp(now: float) -> str:
    """Write epoch seconds as Kubernetes writes times: RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(int(now), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """Read a time as Kubernetes writes it, in epoch seconds.

    Raises:
        ValueError: the text is no RFC 3339 time.
    """
    return datetime.fromisoformat(text).timestamp()


def milliseconds(now: float) -> float:
    """Cut epoch seconds to what `moment` can write, so that what is read again is equal."""
    return int(now * 1000) / 1000


def moment(now: float) -> str:
    """Write epoch seconds as RFC 3339 in UTC, to the millisecond, as MicroTime allows."""
    whole, thousandths = divmod(round(now * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%Y-%m-%dT%H:%M:%S}.{thousandths:03}Z"


def read_time(text: str | None) -> float | None:
    """Read a time of a status; None where there is none that can be read."""
    try:
        return epoch(text) if text else None
    except ValueError:
        return None


def read_past(text: str | None, now: float) -> float | None:
    """Read a time at which something was done; None where it lies ahead.

    Whoever wrote such a time had a clock that was wrong; believed, it would hold up everything
    until then.
    """
    time = read_time(text)
    return None if time is None or time > now else time
