"""Writes typed values as the API's parameters, and refuses those that would mean "all"."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """A call that starts a job: the command's name, and its parameters as they are sent.

    Attributes:
        size: what the seconds of its job grow with, as `polling.EACH_MORE` counts it.
    """

    name: str
    params: Mapping[str, object]
    size: int = 0


def command(name: str, /, **values: object) -> Command:
    """Return the call of a command; see `parameters`."""
    return Command(name, parameters(**values))


def parameters(**values: object) -> dict[str, object]:
    """Name each value as CloudStack does, without underscores; None leaves a parameter out.

    Mappings become the indexed form (`tags[0].key`, `tags[0].value`), sequences a comma list.

    Raises:
        ValueError: an empty text or collection: to CloudStack it is not given. A list without its
            filter shows everything, and a firewall rule without sources allows everyone.
    """
    result: dict[str, object] = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, str | Sequence | Mapping) and not value:
            raise ValueError(f"{name} is empty; leave it out to mean everything")
        result[name.replace("_", "")] = pairs(value) if isinstance(value, Mapping) else value
    return result


def pairs(values: Mapping[str, str], *, key: str = "key") -> list[dict[str, str]]:
    """Write a mapping as CloudStack's list of `key` and `value`."""
    return [{key: name, "value": value} for name, value in values.items()]
