"""Reads YAML from untrusted sources into JSON values, as Kubernetes' own tools read it.

YAML 1.1 without what JSON cannot hold: timestamps and sexagesimal numbers stay strings, keys become
strings, no value contains itself. No message quotes a value: it may be a secret.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import yaml

from hooks.http.bounded_json import bytes_of_text
from hooks.kube.field_paths import Part, field_path

#: How deep values may nest; the parser's time grows with the square of it.
MAX_DEPTH = 100
#: Values in one text, each counted as often as aliases repeat it. A ConfigMap of 1 MiB that is
#: written without aliases holds a quarter of this.
MAX_VALUES = 200_000
#: Bytes of memory for what is in one text, counted in the same way.
MAX_TEXT_BYTES = 4 * 1024 * 1024

_INTEGER = re.compile(r"([-+]?)(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + name for name in ("plain", "int", "float", "bool", "null"))
#: JSON readers do not agree on longer numbers.
_MAX_DIGITS = 40
_INTEGERS = range(-(2**63), 2**64)  # int64 and uint64
_KEYS = range(-(2**63), 2**63)  # int64 alone
_BAD_TAG = "has a tag for which JSON has no value"
_TOO_LARGE = "is a number too large for Kubernetes; quote it to make it a string"

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None


class InvalidField(ValueError):
    """A field that cannot be used: its path, empty for the whole document, and the problem."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message


class _Loader(yaml.CSafeLoader):
    """Composes nodes; gives every value without quotes and tag a tag of its own."""


_Loader.yaml_implicit_resolvers = {None: [(f"{_TAG}plain", re.compile(r".*", re.DOTALL))]}


class Size(NamedTuple):
    """How much a text holds, each value and text counted as often as aliases repeat it."""

    values: int
    text_bytes: int


NO_SIZE = Size(0, 0)


def documents(
    text: str, spend: Callable[[Size], object] = lambda _: None
) -> Iterator[Value | InvalidField]:
    """Read each document of a YAML text; text that is not YAML ends it with an InvalidField.

    Args:
        text: from anybody.
        spend: called with the size of the text before anything is built from it; may raise.
    """
    size = _measure(text)
    if isinstance(size, str):
        yield InvalidField("", size)
        return
    spend(size)
    loader = _Loader(text)
    try:
        while loader.check_node():
            try:
                yield _value(loader.get_node())
            except InvalidField as error:
                yield error
    except yaml.YAMLError as error:
        yield InvalidField("", _syntax_problem(error))
    finally:
        loader.dispose()


def _measure(text: str) -> Size | str:
    """Return how much a text holds, or which bound it exceeds; builds nothing from it."""
    counter = _Counter()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            counter.add(event)
            if problem := counter.problem():
                return problem
    except yaml.YAMLError:
        pass  # the documents before it may be good
    except UnicodeError:
        return "contains characters that are not valid Unicode"
    return Size(counter.values, counter.text_bytes)


class _Counted(NamedTuple):
    """What an anchor stands for; `height` is how many levels of collections it has."""

    values: int
    text_bytes: int
    height: int = 0


@dataclass
class _Open:
    """A collection that is being counted, and what the text holds before it."""

    anchor: str | None
    before: Size
    is_mapping: bool
    height: int = 1
    children: int = 0


class _Counter:
    """Counts what a text holds, event by event."""

    def __init__(self) -> None:
        self.values = self.text_bytes = 0
        self._depth = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Counted] = {}

    def problem(self) -> str:
        """Return which bound is exceeded; empty for none."""
        if self._depth > MAX_DEPTH:
            return f"nests deeper than {MAX_DEPTH} levels, or contains itself"
        for count, most, what in (
            (self.values, MAX_VALUES, "values"),
            (self.text_bytes, MAX_TEXT_BYTES, "bytes of text"),
        ):
            if count > most:
                return (
                    f"holds more than {most} {what}, each as often as aliases repeat it; split it"
                )
        return ""

    def add(self, event: yaml.Event) -> None:
        """Count an event."""
        match event:
            case yaml.DocumentStartEvent():
                self._anchors.clear()
            case yaml.ScalarEvent():
                parent = self._open[-1] if self._open else None
                is_key = parent is not None and parent.is_mapping and parent.children % 2 == 0
                self._add(_Counted(0 if is_key else 1, bytes_of_text(event.value)), event.anchor)
            case yaml.AliasEvent():
                self._add(self._anchors.get(event.anchor or "", _Counted(1, 0)))
            case yaml.CollectionStartEvent():
                before = Size(self.values, self.text_bytes)
                # Until its end an alias to it makes it contain itself.
                self._remember(event.anchor, _Counted(1, 0, height=MAX_DEPTH + 1))
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._open.append(_Open(event.anchor, before, is_mapping))
                self._depth = len(self._open)
                self.values += 1
            case yaml.CollectionEndEvent():
                one = self._open.pop()
                values, text_bytes = self.values, self.text_bytes
                self.values, self.text_bytes = one.before
                counted = _Counted(values - self.values, text_bytes - self.text_bytes, one.height)
                self._add(counted, one.anchor)

    def _add(self, counted: _Counted, anchor: str | None = None) -> None:
        """Add a key or value to the collection that is open."""
        self.values += counted.values
        self.text_bytes += counted.text_bytes
        self._depth = len(self._open) + counted.height
        self._remember(anchor, counted)
        if self._open:
            self._open[-1].children += 1
            self._open[-1].height = max(self._open[-1].height, counted.height + 1)

    def _remember(self, anchor: str | None, counted: _Counted) -> None:
        if anchor is not None:
            self._anchors[anchor] = counted


def _syntax_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if isinstance(error, yaml.composer.ComposerError):  # its text quotes the document
        return f"{where}an anchor is missing or defined twice"
    if isinstance(error, yaml.MarkedYAMLError):
        return f"{where}is not YAML: {error.problem}"
    return "is not YAML: contains control characters"


def _invalid(at: tuple[Part, ...], message: str) -> InvalidField:
    return InvalidField(field_path(at), message)


def _value(node: yaml.Node | None, at: tuple[Part, ...] = ()) -> Value:
    """Read a node; Raises InvalidField."""
    if node is None:
        return None
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, at)
    if node.tag != _TAG + ("map" if isinstance(node, yaml.MappingNode) else "seq"):
        raise _invalid(at, _BAD_TAG)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, at)
    return [_value(item, (*at, n)) for n, item in enumerate(node.value)]


def _mapping(node: yaml.MappingNode, at: tuple[Part, ...]) -> dict[str, Value]:
    own: dict[str, Value] = {}
    merged: dict[str, Value] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, at)
        if key == "<<" and key_node.tag == f"{_TAG}plain":
            _merge(merged, value_node, (*at, key))
            continue
        if key in own:
            raise _invalid((*at, key), "is a duplicate key")
        own[key] = _value(value_node, (*at, key))
    return {**merged, **own}


def _key(node: yaml.Node, at: tuple[Part, ...]) -> str:
    """Read a key; whole numbers and booleans become texts, as sigs.k8s.io/yaml writes them.

    It shortens numbers with a fraction, such as 1.10, so these are refused.
    """
    match _scalar(node, at) if isinstance(node, yaml.ScalarNode) else None:
        case str(key):
            return key
        case bool(key):
            return str(key).lower()
        case int(key) if key in _KEYS:
            return str(key)
    line = node.start_mark.line + 1
    problem = "that is neither a string nor a boolean nor a whole number of 64 bits; quote it"
    raise _invalid(at, f"has a key in line {line} {problem}")


def _merge(merged: dict[str, Value], node: yaml.Node, at: tuple[Part, ...]) -> None:
    """Add the values of a merge key; of several mappings the first that has a key wins."""
    value = _value(node, at)
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, dict):
            raise _invalid(at, "can only merge mappings")
        for key, inner in part.items():
            merged.setdefault(key, inner)


def _scalar(node: yaml.ScalarNode, at: tuple[Part, ...]) -> Value:
    if node.tag == f"{_TAG}str":
        return str(node.value)
    if node.tag in _PLAIN_TAGS:
        return _plain(node.value, at)
    raise _invalid(at, _BAD_TAG)


def _plain(text: str, at: tuple[Part, ...]) -> Value:
    """Read a value without quotes."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if match := _INTEGER.fullmatch(text):
        return _integer(text, match[1], match[2].replace("_", "").lower(), at)
    if not _FLOAT.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        raise _invalid(at, _TOO_LARGE)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _integer(text: str, sign: str, digits: str, at: tuple[Part, ...]) -> int | str:
    is_octal = digits[0] == "0" and digits[1:].isdigit()
    try:
        if len(digits) <= _MAX_DIGITS:
            number = int(sign + digits, 8 if is_octal else 0)
            if number in _INTEGERS:
                return number
    except ValueError:  # 0x_
        return text
    raise _invalid(at, _TOO_LARGE)
