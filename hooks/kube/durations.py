"""Durations as Kubernetes users write them: `30s`, `5m`, `1h30m`."""

import re

#: The pattern in the schemas of crds/.
PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Return a duration in seconds. Raises ValueError."""
    if not re.fullmatch(PATTERN, text):
        raise ValueError("is not a duration; write for example 30s, 5m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
