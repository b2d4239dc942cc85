"""Reads one field of a CloudStack answer in the type we want, whichever type it came in.

The same kind of value arrives in several types: ports of load balancer rules and ACL items are
strings where firewall rules have integers, limits are "Unlimited" or digits, lists of CIDRs are
one string (observed on CloudStack 4.22).
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

Model = TypeVar("Model")

#: An object of an answer.
Answer = Mapping[str, Any]


class Malformed(ValueError):
    """An answer lacks a field that we cannot do without, or holds it in no known form."""


def required(answer: Answer, kind: str, name: str) -> str:
    """Return a non-empty text field; raise Malformed, naming `kind` and field, without one."""
    value = optional(answer, name)
    if not value:
        raise Malformed(f"a {kind} without {name!r}")
    return value


def optional(answer: Answer, name: str) -> str:
    """Return a text field, empty where it is missing; numbers and booleans become text."""
    value = answer.get(name)
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def flag(answer: Answer, name: str) -> bool:
    """Return a boolean field, given as such or as text; false where it is missing."""
    return optional(answer, name).lower() == "true"


def number(answer: Answer, kind: str, name: str) -> int:
    """Return a whole number, given as such or as text; raise Malformed without one."""
    value = optional_number(answer, kind, name)
    if value is None:
        raise Malformed(f"a {kind} without {name!r}")
    return value


def optional_number(answer: Answer, kind: str, name: str) -> int | None:
    """Return a whole number, or None where there is none; raise Malformed for other text."""
    text = optional(answer, name)
    if not text:
        return None
    if not re.fullmatch(r"[+-]?\d+(\.0+)?", text, re.ASCII):
        raise Malformed(f"a {kind} with {name!r} {text!r}, a whole number was expected")
    return int(text.partition(".")[0])


def words(answer: Answer, name: str) -> tuple[str, ...]:
    """Return a list of texts, given as a JSON list or as one string with commas or spaces."""
    value = answer.get(name)
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return tuple(word for word in re.split(r"[,\s]+", optional(answer, name)) if word)


def objects(answer: Answer, name: str, parse: Callable[[Answer], Model]) -> tuple[Model, ...]:
    """Return a list of objects, each parsed; empty where it is missing."""
    value = answer.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"{name!r} is no list")
    for item in value:
        if not isinstance(item, dict):
            raise Malformed(f"{name!r} lists something that is no object")
    return tuple(parse(item) for item in value)


def moment(answer: Answer, name: str) -> float | None:
    """Return a time such as `2026-11-22T00:44:54+0000` as epoch seconds, None without one."""
    try:
        return datetime.strptime(optional(answer, name), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None
