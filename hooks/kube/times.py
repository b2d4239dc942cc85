"""Times: RFC 3339 in UTC as Kubernetes writes them, epoch seconds in the hooks."""

from datetime import UTC, datetime

#: Seconds that the clock of another replica may be ahead of ours.
CLOCK_SLACK = 60.0


def timestamp(now: float) -> str:
    """Write epoch seconds as metav1.Time: RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(now), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """Return an RFC 3339 time in epoch seconds.

    Raises:
        ValueError: the text is not an RFC 3339 time, or one that no calendar of UTC holds.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return time.astimezone(UTC).timestamp()
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None


def milliseconds(now: float) -> float:
    """Round epoch seconds down to milliseconds, which `moment` writes without loss."""
    whole = int(now * 1000)  # the product may be rounded up
    return (whole - (whole / 1000 > now)) / 1000


def moment(now: float) -> str:
    """Write epoch seconds as metav1.MicroTime: RFC 3339 in UTC, with milliseconds."""
    whole, thousandths = divmod(round(now * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%Y-%m-%dT%H:%M:%S}.{thousandths:03}Z"


def read_time(text: str | None) -> float | None:
    """Return a status's time in epoch seconds; None where it is missing or malformed."""
    try:
        return epoch(text) if text else None
    except ValueError:
        return None


def read_past(text: str | None, now: float) -> float | None:
    """Return a time in the past, in epoch seconds; None where it is in the future.

    A time in the future comes from a wrong clock. If it counted, nothing would happen until then.
    """
    time = read_time(text)
    return None if time is None or time > now else time
