"""Turns YAML that nobody has checked into JSON values, the way Kubernetes' own tools read it.

YAML 1.1 without what JSON cannot hold: timestamps and sexagesimal numbers stay text, keys are
text, no value repeats itself within itself. No message quotes a value: it may be a secret.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from hooks.kube.field_paths import Part, field_path

#: How deep values may nest; the parser's time grows with the square of it.
MAX_DEPTH = 100
#: Values in one text, each counted as often as its aliases repeat it. A ConfigMap of 1 MiB that
#: is written out by hand holds a quarter of this.
MAX_VALUES = 200_000
#: Characters in one text, counted in the same way.
MAX_CHARACTERS = 4 * 1024 * 1024

_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + name for name in ("plain", "int", "float", "bool", "null"))
#: Longer texts are no numbers that JSON readers agree on.
_MAX_DIGITS = 40
_INT64 = range(-(2**63), 2**64)

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None


@dataclass(frozen=True)
class Unusable:
    """Why a document is none that can be used: the field, empty for all of it, and the reason."""

    field: str
    message: str


class _Bad(Exception):
    """Ends the reading of one document."""

    def __init__(self, at: tuple[Part, ...], message: str) -> None:
        super().__init__(message)
        self.unusable = Unusable(field_path(at), message)


class _Loader(yaml.CSafeLoader):
    """Composes nodes; what an untagged value is, `_Reader` says."""


#: Gives what stands there without quotes or tag a tag of its own.
_Loader.yaml_implicit_resolvers = {None: [(f"{_TAG}plain", re.compile(r".*", re.DOTALL))]}


def documents(text: str) -> Iterator[Value | Unusable]:
    """Read each document of a YAML text; what is no YAML ends it with an Unusable."""
    trouble = _bounded(text)
    if trouble is not None:
        yield trouble
        return
    loader = _Loader(text)
    reader = _Reader()
    try:
        while loader.check_node():
            try:
                yield reader.value(loader.get_node())
            except _Bad as bad:
                yield bad.unusable
    except yaml.YAMLError as error:
        yield _not_yaml(error)
    finally:
        loader.dispose()


def _bounded(text: str) -> Unusable | None:
    """Look over a text without building anything from it."""
    depth = count = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            count += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                return Unusable("", f"nests deeper than {MAX_DEPTH} levels")
            if count > 2 * MAX_VALUES:
                return Unusable("", f"holds more than {MAX_VALUES} values; split it")
    except yaml.YAMLError:
        return None  # the documents before it may be good
    except UnicodeError:
        return Unusable("", "holds characters that are no Unicode text")
    return None


def _not_yaml(error: yaml.YAMLError) -> Unusable:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if isinstance(error, yaml.composer.ComposerError):  # these quote the text
        return Unusable("", f"{where}an anchor is missing or there twice")
    if isinstance(error, yaml.MarkedYAMLError):
        return Unusable("", f"{where}is no YAML: {error.problem}")
    return Unusable("", "is no YAML: holds control characters")


class _Reader:
    """Reads the values of one text, counting them."""

    def __init__(self) -> None:
        self._count = 0
        self._characters = 0

    def value(self, node: yaml.Node | None, at: tuple[Part, ...] = ()) -> Value:
        """Read a node; raises _Bad."""
        self._count += 1
        if self._count > MAX_VALUES:
            raise _Bad((), f"its aliases repeat values over {MAX_VALUES} times")
        if len(at) > MAX_DEPTH:
            raise _Bad((), f"nests deeper than {MAX_DEPTH} levels, or within itself")
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, "map", at)
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq", at)
            return [self.value(item, (*at, n)) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        return None

    def _mapping(self, node: yaml.MappingNode, at: tuple[Part, ...]) -> dict[str, Value]:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, at)
            if key == "<<" and key_node.tag == f"{_TAG}plain":
                self._merge(merged, value_node, (*at, key))
                continue
            if key in own:
                raise _Bad((*at, key), "is there twice")
            own[key] = self.value(value_node, (*at, key))
        return {**merged, **own}

    def _merge(self, merged: dict[str, Value], node: yaml.Node, at: tuple[Part, ...]) -> None:
        """Add what a merge key brings; of several maps the first that has a key wins."""
        value = self.value(node, at)
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise _Bad(at, "can merge maps only")
            for key, inner in part.items():
                merged.setdefault(key, inner)

    def _key(self, node: yaml.Node, at: tuple[Part, ...]) -> str:
        key = self._scalar(node, at) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            line = node.start_mark.line + 1
            raise _Bad(at, f"has a key in line {line} that is no text; write it in quotes")
        return key

    def _scalar(self, node: yaml.ScalarNode, at: tuple[Part, ...]) -> Value:
        text: str = node.value
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise _Bad((), f"its aliases repeat text over {MAX_CHARACTERS} characters")
        if node.tag == f"{_TAG}str":
            return text
        if node.tag in _PLAIN_TAGS:
            return _plain(text, at)
        raise _Bad(at, "has a tag that JSON has no value for")

    @staticmethod
    def _check_tag(node: yaml.CollectionNode, kind: str, at: tuple[Part, ...]) -> None:
        if node.tag != _TAG + kind:
            raise _Bad(at, "has a tag that JSON has no value for")


def _plain(text: str, at: tuple[Part, ...]) -> Value:
    """Read a value without quotes."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.fullmatch(text):
        return _integer(text, at)
    if _FLOAT.fullmatch(text):
        return _float(text, at)
    return text


def _integer(text: str, at: tuple[Part, ...]) -> int | str:
    digits = text.replace("_", "").lower()
    sign, digits = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
    if len(digits) <= _MAX_DIGITS:
        base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 0)
        if not base and len(digits) > 1 and digits[0] == "0":
            base = 8
        try:
            number = sign * int(digits, base or 10)
        except ValueError:  # 0x_
            return text
        if number in _INT64:
            return number
    raise _Bad(at, "is a number too large for Kubernetes; write a text in quotes")


def _float(text: str, at: tuple[Part, ...]) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise _Bad(at, "is a number too large for Kubernetes; write a text in quotes")
    whole = number.is_integer() and abs(number) < 2**53
    return int(number) if whole else number
