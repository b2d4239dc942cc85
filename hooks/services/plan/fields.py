"""Knows how each field and annotation of a Service is read, and what to say where it cannot be."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")

#: How much of a bad value is repeated to its author.
_SHOWN = 80

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Refusal:
    """A field or annotation that cannot be served: its path, and what would be right."""

    field: str
    message: str


class Unfit(ValueError):
    """A value that cannot be served; str() says what it is and what would be right."""


class Reader:
    """Reads one value after another and remembers the refusals.

    Attributes:
        refusals: what could not be read, in the order of reading.
    """

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    def read(self, field: str, parse: Callable[[], Value], *, otherwise: Value) -> Value:
        """Answer what `parse` makes of the field; where it is unfit, note that and go on."""
        try:
            return parse()
        except Unfit as error:
            self.refuse(field, str(error))
            return otherwise

    def refuse(self, field: str, message: str) -> None:
        """Note that a field cannot be served."""
        self.refusals.append(Refusal(field, message))


def fit(parse: Callable[[], Value], *, otherwise: Value) -> Value:
    """Answer what `parse` makes of a value, or something else where it is unfit."""
    try:
        return parse()
    except Unfit:
        return otherwise


def shown(value: object) -> str:
    """Write a value for a message: quoted, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def boolean(text: str) -> bool:
    """Read `true` or `false`, in any case. Raises Unfit."""
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise Unfit(f'{shown(text)} is no boolean; write "true" or "false"')
    return word == "true"


def choice(text: str, values: Mapping[str, Value]) -> Value:
    """Read one word of several, in any case; `values` says what each stands for. Raises Unfit."""
    word = text.strip().lower()
    if word not in values:
        *firsts, last = values
        raise Unfit(f"{shown(text)} is not known; write {', '.join(firsts)} or {last}")
    return values[word]


def ipv4_address(text: str) -> str:
    """Read an IPv4 address. Raises Unfit."""
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise Unfit(f"{shown(text)} is no IPv4 address; write one such as 203.0.113.7") from None


def cidrs(texts: Sequence[str], *, most: int) -> list[str]:
    """Read IPv4 CIDRs: host bits cleared, repetitions left out, order kept. Raises Unfit."""
    networks = dict.fromkeys(_cidr(text) for text in texts)
    if len(networks) > most:
        raise Unfit(f"{len(networks)} ranges are too many; join them to at most {most}")
    return list(networks)


def _cidr(text: str) -> str:
    address, slash, _ = text.strip().partition("/")
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise Unfit(f"{shown(text)} is no CIDR; write one such as 192.0.2.0/24") from None
    if network.version == 6:
        raise Unfit(f"{shown(text)} is IPv6; CloudStack's load balancers serve IPv4 only")
    if not slash:
        raise Unfit(f"{shown(text)} has no prefix length; write {address}/32 for one address")
    return str(network)


def dns_name(text: str) -> str:
    """Read a name that `Service.status` may show: lower case, and no address. Raises Unfit."""
    name = text.strip()
    if len(name) > 253 or not _DNS_NAME.fullmatch(name):
        raise Unfit(f"{shown(text)} is no DNS name; write one such as lb.example.com")
    if re.fullmatch(r"[0-9.]+", name):
        raise Unfit(f"{shown(text)} is an address; write a DNS name such as lb.example.com")
    return name


def node_selector(text: str) -> dict[str, str]:
    """Read labels such as `pool=edge,zone=a`; an empty text selects every node. Raises Unfit."""
    selector: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        value = value.removeprefix("=").lstrip()
        if not equals or not _is_label_key(key) or not _is_label_value(value):
            raise Unfit(f"{shown(part)} is no label; write key=value, such as pool=edge")
        if selector.setdefault(key, value) != value:
            raise Unfit(f"{key} is asked to be {shown(selector[key])} and {shown(value)}")
    return selector


def _is_label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _DNS_NAME.fullmatch(prefix)):
        return False
    return _LABEL_NAME.fullmatch(name) is not None


def _is_label_value(value: str) -> bool:
    return value == "" or _LABEL_NAME.fullmatch(value) is not None
