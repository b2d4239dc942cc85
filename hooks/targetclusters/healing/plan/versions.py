"""Reads and writes what another version of the operator may have written too.

Two versions take turns when an update is rolled back, and work side by side while it is made. Each
keeps what only the other knows. No version gives a field that there is another meaning.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

import msgspec

from hooks.http.bounded_json import Json

T = TypeVar("T")
#: The field of a dataclass with those that this version does not know.
_UNKNOWN = "unknown"


def read_fields(found: Mapping[str, object], kind: type[T]) -> T:
    """Read a dataclass that has a field `unknown`, which gets what this version does not know.

    Raises:
        msgspec.ValidationError: a field that is known holds something else.
    """
    names = {each.name for each in fields(kind)} - {_UNKNOWN}  # type: ignore[arg-type]
    known = {name: value for name, value in found.items() if name in names}
    rest = {name: value for name, value in found.items() if name not in names}
    return msgspec.convert({**known, _UNKNOWN: rest}, kind)


def write_fields(written: object) -> Json:
    """Write a dataclass that has a field `unknown`, with what is in that beside the others."""
    known: Json = msgspec.to_builtins(written)
    unknown = known.pop(_UNKNOWN)
    return {**known, **{name: unknown[name] for name in sorted(unknown)}}
