"""How each field and annotation of a Service is read, and the errors for invalid ones."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from hooks.cloudstack.models.tags import MAX_TAG_LENGTH
from hooks.http.bounded_json import Json
from hooks.http.texts import quote, shorten
from hooks.kube.conditions import MAX_MESSAGE
from hooks.kube.field_paths import join_path
from hooks.kube.patterns import DNS_NAME, LABEL_KEY, LABEL_VALUE

Raw = TypeVar("Raw")
Value = TypeVar("Value")

#: Ports of a Service that are served.
MAX_PORTS = 256
#: Labels of a node selector.
MAX_LABELS = 64

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_SHARE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class InvalidValue(ValueError):
    """A value that cannot be served; str() quotes it and says what would be right."""


class Reader:
    """Reads one value after another, and collects what is invalid and what has no effect.

    Args:
        annotations: of the Service.

    Attributes:
        invalid: `field` and `message` of each invalid value, in the order of reading.
        ignored: the same of what has no effect.
    """

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self.annotations = annotations
        self.invalid: list[Json] = []
        self.ignored: list[Json] = []

    def read(
        self, field: str, raw: Raw, parse: Callable[[Raw], Value], *, otherwise: Value
    ) -> Value:
        """Return what `parse` makes of a field's value; another value where it is invalid."""
        try:
            return parse(raw)
        except InvalidValue as error:
            self.refuse(field, str(error))
            return otherwise

    def annotation(self, key: str, parse: Callable[[str], Value], *, default: Value) -> Value:
        """Return what `parse` makes of an annotation; the default where it is absent or invalid."""
        if key not in self.annotations:
            return default
        return self.read(annotation_path(key), self.annotations[key], parse, otherwise=default)

    def flag(self, key: str) -> bool:
        """Return an annotation that is `true` or `false`; false where it is absent or invalid."""
        return self.annotation(key, boolean, default=False)

    def refuse(self, field: str, message: str) -> None:
        """Note that a field cannot be served."""
        self.invalid.append({"field": field, "message": message})

    def ignore(self, field: str, message: str) -> None:
        """Note that something in a field has no effect, and does no harm."""
        self.ignored.append({"field": field, "message": shorten(message, MAX_MESSAGE)})


def annotation_path(key: str) -> str:
    """Return the path of an annotation, as errors name it."""
    return join_path("metadata.annotations", key)


def boolean(text: str) -> bool:
    """Read `true` or `false`, in any case. Raises InvalidValue."""
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise InvalidValue(f'{quote(text)} is not a boolean; write "true" or "false"')
    return word == "true"


def choice(text: str, choices: Mapping[str, Value]) -> Value:
    """Read one word of several, in any case, and return its value. Raises InvalidValue."""
    word = text.strip().lower()
    if word not in choices:
        *others, last = choices
        raise InvalidValue(f"{quote(text)} is not known; write {', '.join(others)} or {last}")
    return choices[word]


def ipv4_address(text: str) -> str:
    """Read an IPv4 address. Raises InvalidValue."""
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        problem = f"{quote(text)} is not an IPv4 address; write one such as 203.0.113.7"
        raise InvalidValue(problem) from None


def cluster_id(text: str) -> str:
    """Read the id of a cluster, which is the value of a tag in CloudStack. Raises InvalidValue."""
    name = text.strip()
    if len(name) > MAX_TAG_LENGTH:
        raise InvalidValue(f"{quote(text)} is longer than a tag's {MAX_TAG_LENGTH} characters")
    return name


def share_name(text: str) -> str:
    """Read the name of a shared address; empty for none. Raises InvalidValue."""
    name = text.strip()
    if name and not _SHARE.fullmatch(name):
        raise InvalidValue(
            f"{quote(text)} is not a name of a shared address; write at most 63 lower case "
            "letters, digits and dashes between them, such as front"
        )
    return name


def resource_id(text: str) -> str:
    """Read an id of CloudStack; empty stays empty. Raises InvalidValue."""
    name = text.strip()
    if name and not _ID.fullmatch(name):
        problem = f"{quote(text)} is not an id of CloudStack; write one as listNetworks shows it"
        raise InvalidValue(problem)
    return name


def dns_name(text: str) -> str:
    """Read a name that `Service.status` may show: lower case, no address. Raises InvalidValue.

    An empty text stays empty.
    """
    name = text.strip()
    if text and not DNS_NAME.fullmatch(name):
        raise InvalidValue(f"{quote(text)} is not a DNS name; write one such as lb.example.com")
    if re.fullmatch(r"[0-9.]+", name):
        raise InvalidValue(f"{quote(text)} is an address; write a DNS name such as lb.example.com")
    return name


def node_selector(text: str) -> dict[str, str]:
    """Read labels such as `pool=edge,zone=a`; empty selects every node. Raises InvalidValue."""
    selector: dict[str, str] = {}
    parts = [part for part in text.split(",") if part.strip()]
    if len(parts) > MAX_LABELS:
        raise InvalidValue(
            f"{quote(text)} has {len(parts)} labels, which are too many; write at most {MAX_LABELS}"
        )
    for part in map(str.strip, parts):
        key, equals, value = (word.strip() for word in part.partition("="))
        value = value.removeprefix("=").lstrip()
        if not (equals and LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value)):
            raise InvalidValue(f"{quote(part)} is not a label; write key=value, such as pool=edge")
        if selector.setdefault(key, value) != value:
            raise InvalidValue(
                f"{key} cannot be both {quote(selector[key])} and {quote(value)}; write one value"
            )
    return selector
