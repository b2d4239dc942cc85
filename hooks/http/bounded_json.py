"""Reads JSON from other processes: what is too large in memory is refused before it is parsed."""

import re
import sys
from functools import lru_cache
from operator import not_
from typing import Any

import msgspec

from hooks.http.hide import HIDDEN

#: JSON values as Python has them. A Kubernetes object, an answer, or any part of one: read, never
#: changed in place.
Json = dict[str, Any]

#: Deeper values are refused; a Kubernetes object with its managedFields stays under 40.
MAX_DEPTH = 128

#: Bytes of memory that a value takes at most, however short its text is.
VALUE_BYTES = 240
#: Each of these outside of strings begins a value, or a container.
_STRUCTURE = (b",", b"[", b"{")
_CONTAINERS = frozenset({dict, list})
#: What makes a string's characters take four bytes, or two: as UTF-8 or as an escape.
_WIDEST = re.compile(rb"[\xf0-\xf4]|\\u[dD][89a-fA-F]")
_WIDER = re.compile(rb"[\xc4-\xef]|\\u(?!00)")
#: Bytes that a text takes besides its characters, if these are not ASCII.
_TEXT_OVERHEAD = 72
_LOCATION = re.compile(r" \(byte (\d+)\)$")


class BadJson(ValueError):
    """Bytes that are not JSON within the bounds; str() continues "the body " or "the answer "."""


class TooManyValues(BadJson):
    """Text that would take too much memory; nothing of it was parsed."""


def parse_json(data: bytes | bytearray, *, max_values: int, distinct_keys: bool = False) -> Any:  # noqa: ANN401
    """Parse strict JSON: UTF-8, finite numbers, whole characters.

    A value takes up to VALUE_BYTES: `[],[]` takes thirty times its text.

    Args:
        data: the whole text.
        max_values: the most values, nested ones included, as `has_more_values` counts them.
        distinct_keys: refuse an object with a key twice; else the last one counts.

    Raises:
        BadJson: naming the line and column where the text goes wrong, or the bound it passes.
    """
    if has_more_values(data, max_values):
        raise TooManyValues(f"has more than {max_values} values")
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        raise BadJson(f"is nested deeper than {MAX_DEPTH} levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadJson(_problem(error, data)) from None
    count = _count_values(value)
    if distinct_keys and has_more_values(data, count):
        raise BadJson("has a key twice in an object")
    return value


def has_more_values(data: bytes | bytearray, max_values: int) -> bool:
    """Tell whether JSON text has more than so many commas and opening brackets outside strings.

    Linear in time for any bytes, and without a copy of them.
    """
    if sum(map(data.count, _STRUCTURE)) <= max_values:
        return False  # ten times faster than the count without strings
    return _more_than(max_values).match(data) is not None


def parsing_bytes(data: bytes | bytearray, max_values: int) -> int:
    """Return how many bytes of memory the parsed text takes at most.

    One character that takes four bytes makes all others of its string take as many.
    """
    count = sum(map(data.count, _STRUCTURE))
    width = 4 if _WIDEST.search(data) else 2 if _WIDER.search(data) else 1
    return width * len(data) + min(count, max_values) * VALUE_BYTES


def bytes_of_text(text: str) -> int:
    """Return how many bytes the characters of a text take: as many each as the widest needs."""
    return len(text) if text.isascii() else max(len(text), sys.getsizeof(text) - _TEXT_OVERHEAD)


@lru_cache(maxsize=8)
def _more_than(count: int) -> re.Pattern[bytes]:
    """Compile what matches one comma or opening bracket too many.

    All repeats are possessive: nothing is tried twice. A string that does not end, ends the text.
    """
    string = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
    return re.compile(rb'(?:(?:[^",\[{]++|%s)*+[,\[{]){%d}+' % (string, count + 1), re.DOTALL)


def _count_values(value: object) -> int:
    """Count a value's commas and opening brackets, of which its text has more if a key is twice.

    Raises:
        BadJson: it is nested deeper, so that code that recurses could not write it again.
    """
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    count = depth = 0
    while level:
        if depth == MAX_DEPTH:
            raise BadJson(f"is nested deeper than {MAX_DEPTH} levels")
        depth += 1
        count += sum(map(len, level)) + sum(map(not_, level))
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) in _CONTAINERS
        ]
    return count


def _problem(error: Exception, data: bytes | bytearray) -> str:
    """Say what is wrong with the text, and where."""
    if data == HIDDEN.encode():
        return "was hidden whole: it has too many escapes to look for credentials"
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return f"is not UTF-8 at byte {wrong.start}"
    problem = str(error).removeprefix("JSON is malformed: ")
    if isinstance(error, msgspec.ValidationError):
        return f"has a number that is too large: {problem}"
    if not (found := _LOCATION.search(problem)):
        return f"is not JSON: {problem}"
    at = int(found[1])
    line = data.count(b"\n", 0, at) + 1
    column = at - data.rfind(b"\n", 0, at)
    return f"is not JSON: {problem[: found.start()]} at line {line}, column {column}"
