"""Reads one field of a CloudStack answer in the type we want, whichever type it came in.

The same kind of value arrives in several types: ports of load balancer rules and ACL items are
strings where firewall rules have integers, limits are "Unlimited" or digits, lists of CIDRs are
one string (observed on CloudStack 4.22).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from functools import cache, lru_cache, partial
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar, get_args, get_type_hints

from hooks.http.texts import quote

T = TypeVar("T")

#: Characters of a text, and of a list that is one text, at most.
MAX_TEXT = 4096
MAX_LIST = 1024 * 1024

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

#: An object of an answer.
Answer = Mapping[str, Any]


class Malformed(ValueError):
    """An answer lacks a field that we cannot do without, or holds it in no known form."""


def _text(answer: Answer, name: str, longest: int) -> str:
    value = answer.get(name)
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        text = str(value)
    except ValueError:  # an integer of more digits than Python writes
        raise Malformed(f"{name!r} with too many digits") from None
    if len(text) > longest:
        raise Malformed(f"{name!r} with more than {longest} characters")
    return text


def required(answer: Answer, kind: str, name: str) -> str:
    """Return a non-empty text field; raise Malformed, naming `kind` and field, without one."""
    value = optional(answer, name)
    if not value:
        raise Malformed(f"a {kind} without {name!r}")
    if name == "id" and not _ID.fullmatch(value):
        raise Malformed(f"a {kind} with {name!r} {quote(value)}, which is no id")
    return value


def optional(answer: Answer, name: str) -> str:
    """Return a text field, empty where it is missing; numbers and booleans become text.

    Raises Malformed for a longer one than MAX_TEXT.
    """
    return _text(answer, name, MAX_TEXT)


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
    if not re.fullmatch(r"[+-]?\d{1,18}(\.0+)?", text, re.ASCII):
        raise Malformed(f"a {kind} with {name!r} {quote(text)}, a whole number was expected")
    return int(text.partition(".")[0])


def words(answer: Answer, name: str) -> tuple[str, ...]:
    """Return a list of texts, given as a JSON list or as one string with commas or spaces."""
    value = answer.get(name)
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return tuple(word for word in re.split(r"[,\s]+", _text(answer, name, MAX_LIST)) if word)


def cidrs(answer: Answer, name: str) -> tuple[str, ...]:
    """Return a list of CIDRs; raise Malformed where one is none."""
    found = words(answer, name)
    for cidr in found:
        if not _is_cidr(cidr):
            raise Malformed(f"{name!r} with {quote(cidr)}, a CIDR was expected")
    return found


@lru_cache(maxsize=4096)  # all rules of an address have the same ones
def _is_cidr(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def ip(answer: Answer, name: str) -> str:
    """Return an IP address; raise Malformed without one, and for other text."""
    return optional_ip(answer, name) or required(answer, "address", name)


def optional_ip(answer: Answer, name: str) -> str:
    """Return an IP address, empty where it is missing; raise Malformed for other text."""
    text = optional(answer, name)
    try:
        if text:
            ip_address(text)
    except ValueError:
        raise Malformed(f"{name!r} {quote(text)}, an IP address was expected") from None
    return text


def objects(answer: Answer, name: str, parse: Callable[[Answer], T]) -> tuple[T, ...]:
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


def read_moment(answer: Answer, name: str) -> float | None:
    """Return a time such as `2026-11-22T00:44:54+0000` as epoch seconds, None without one.

    None as well for one before 1970.
    """
    try:
        moment = datetime.strptime(optional(answer, name), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None
    return moment if moment >= 0 else None


def each(field: str) -> Callable[[Answer, str], tuple[str, ...]]:
    """Return a function that reads a list of objects which each hold this text field."""
    return lambda answer, name: objects(answer, name, lambda one: required(one, name, field))


#: Text in lower case, such as a protocol, which must be there.
Lower = Annotated[str, lambda answer, name: required(answer, "rule", name).lower()]
#: CIDRs, and an IP address that must be there or may be missing.
Ip = Annotated[str, ip]
Cidrs = Annotated[tuple[str, ...], cidrs]
OptionalIp = Annotated[str, optional_ip]
#: Epoch seconds; None where there is no time.
Moment = Annotated[float | None, read_moment]


class Listing(NamedTuple):
    """How objects of a model are listed.

    Attributes:
        command: the list command.
        key: of the list in the answer.
        filters: names of the parameters that we may give, ours, separated by blanks.
        defaults: what is sent where the caller gives no other value.
    """

    command: str
    key: str
    filters: str = ""
    defaults: Mapping[str, object] = MappingProxyType({})


class Model:
    """An object of CloudStack: a frozen dataclass whose fields say how they are read.

    A text or number without a default must be there; a tuple lists texts, or other models. An
    annotation may hold CloudStack's name of the field, if it is not ours without underscores, and
    a function that reads the field, of an answer and by that name.
    """

    #: How the client lists such objects; models that others contain have none.
    LISTING: ClassVar[Listing]

    @classmethod
    def from_json(cls, answer: Answer) -> Self:
        """Read an object of an answer. Raises Malformed."""
        readers = _readers(cls)  # type: ignore[arg-type]
        return cls(**{name: read(answer) for name, read in readers.items()})


@cache
def _readers(model: type[Any]) -> dict[str, Callable[[Answer], Any]]:
    """Find out once how each field of a model is read."""
    hints = get_type_hints(model, include_extras=True)
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).lower()
    return {one.name: _reader(kind, one, hints[one.name]) for one in fields(model)}


def _reader(kind: str, one: Field[Any], hint: Any) -> Callable[[Answer], Any]:  # noqa: ANN401
    marks = getattr(hint, "__metadata__", ())
    name = next((mark for mark in marks if isinstance(mark, str)), one.name.replace("_", ""))
    if read := next(filter(callable, marks), None):
        return partial(read, name=name)
    plain = get_args(hint)[0] if marks else hint
    if plain is str and one.default is MISSING:
        return partial(required, kind=kind, name=name)
    if plain is int:
        return partial(number, kind=kind, name=name)
    if plain == int | None:
        return partial(optional_number, kind=kind, name=name)
    if plain in (bool, str):
        return partial(flag if plain is bool else optional, name=name)
    item = get_args(plain)[0]
    if item is str:
        return partial(words, name=name)
    return partial(objects, name=name, parse=item.from_json)
