"""Parses a request as strict JSON, and converts it to the structs that declare what a hook reads.

A struct is shape, check and typed view in one. Plans need no other checks.
"""

import json
import re
import threading
from contextlib import suppress
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from hooks.http.bounded_json import BadJson, Json, TooManyValues, parse_json
from hooks.http.texts import quote, shorten
from hooks.kube.field_paths import join_path
from hooks.kube.patterns import OBJECT_NAME
from hooks.kube.times import epoch
from hooks.webhook.contract import BadRequest

#: The most values in a body. A load balancer's request with 5,000 Instances has half as many.
MAX_VALUES = 500_000
#: Bytes of a bad body that are parsed a second time to name what is wrong.
MAX_EXPLAINED = 1024 * 1024

#: How YAML that is no JSON begins: comments and the start of a document, then a key or a list.
_YAML = re.compile(rb"(?:\s|#[^\n]*\n|---[^\n]*\n)*+(?:[A-Za-z_][\w.-]*:|-)\s")

#: What people who write JSON or YAML call the types.
_WORDS: dict[object, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
    frozenset: "a list",
    dict: "an object",
}

T = TypeVar("T")

#: Types that msgspec knows by now.
_prepared: set[type[object]] = set()
_preparing = threading.Lock()

#: A string that must be there.
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
#: A name that can be a part of a path.
ObjectName = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{OBJECT_NAME.pattern}\Z",
        description="a name such as web-1: lower-case letters, digits, - and .",
    ),
]
PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port from 1 to 65535")]


def exactly(text: str) -> msgspec.Meta:
    """Require one text, of a field or of the keys of a map; for `Annotated`."""
    return msgspec.Meta(pattern=rf"^{re.escape(text)}\Z", description=text)


#: Objects beside the one that a request is about, where a hook reads none.
NoObjects = dict[Annotated[str, msgspec.Meta(max_length=0, description="left out")], Json]


class View(msgspec.Struct, frozen=True, rename="camel"):
    """The fields that a hook reads of a JSON object.

    Other fields are ignored, unless the class forbids them, and null counts as left out. A field
    without a default is required. If a field's class has a method `read`, that reads the JSON value
    or raises ValueError, and the attribute `wanted` says what is right.
    """


class Time(float):
    """Epoch seconds."""

    wanted = "a time such as 2026-01-01T00:00:00Z"

    @classmethod
    def read(cls, text: str) -> "Time":
        """Read a time as Kubernetes writes it. Raises ValueError."""
        return cls(epoch(text))


class ConditionView(View, frozen=True):
    """One of an object's conditions."""

    type: NonEmpty
    status: NonEmpty
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class OwnerReference(View, frozen=True):
    """One of an object's owners."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class Metadata(View, frozen=True, kw_only=True):
    """What any object's metadata may have."""

    name: ObjectName
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class NamespacedMetadata(Metadata, frozen=True, kw_only=True):
    """The metadata of an object that the API server has stored in a namespace."""

    namespace: ObjectName
    uid: NonEmpty


class Object(View, frozen=True, kw_only=True):
    """Any object. The kind stands first, so that an object of another kind is refused for that."""

    kind: str = ""
    api_version: str = ""
    metadata: Metadata


def parse_body(body: bytes | bytearray) -> Json:
    """Parse strict JSON: a request within bounds, without a key twice in any object.

    Raises:
        BadRequest: naming the field, or the line, where it goes wrong.
    """
    try:
        value = parse_json(body, max_values=MAX_VALUES, distinct_keys=True)
    except TooManyValues as error:
        raise BadRequest("", f"the body {error}") from None
    except BadJson as error:
        raise _explain(body, f"the body {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("", f"the body must be a JSON object, is {_kind(value)}")
    if "kind" in value and "apiVersion" in value:
        raise BadRequest(
            "",
            f"the body is an object of kind {quote(value['kind'])}, not a request about one, which "
            "holds it in the field object or parent, and beside it what belongs to it",
        )
    return value


def convert(value: object, kind: type[T], field: str = "") -> T:
    """Return the typed view of a JSON value.

    Raises:
        BadRequest: naming the field below `field`, what is there and what would be right.
    """
    if kind not in _prepared:
        _prepare(kind)
    try:
        return msgspec.convert(value, kind, dec_hook=_read)
    except msgspec.ValidationError:  # a null or a problem: msgspec does not name keys of maps
        return msgspec.convert(_without_nulls(value, kind, field), kind, dec_hook=_read)


def _prepare(kind: type[object]) -> None:
    """Let msgspec find out about a type, in one thread.

    It does so at the type's first use, and crashes the process if a second thread uses the type
    meanwhile (0.22.0).
    """
    with _preparing:
        with suppress(msgspec.ValidationError):
            msgspec.convert(None, kind, dec_hook=_read)
        _prepared.add(kind)


def raw_objects(body: Json, part: str, kind: str) -> dict[str, Json]:
    """Return a request's objects of a kind (`Kind.group/version`) by their keys, as they came.

    Args:
        body: a request that was converted to a View with this part.
        part: `children`, `attachments` or `related`.
        kind: the outer key.
    """
    found: dict[str, Json] = (body.get(part) or {}).get(kind) or {}
    return found


def _read(kind: Any, value: object) -> object:  # noqa: ANN401 - a class with `read`
    return kind.read(value)


def _without_nulls(value: object, kind: Any, field: str) -> object:  # noqa: ANN401 - a type
    """Return a value without the nulls that count as left out. Raises BadRequest."""
    try:
        msgspec.convert(value, kind, dec_hook=_read)
    except msgspec.ValidationError as error:
        problem = str(error)  # not the error, which would hold the value in memory by its trace
    else:
        return value
    origin, args = get_origin(kind), get_args(kind)
    if NoneType in args:
        return _without_nulls(value, args[0], field)
    if isinstance(value, dict) and _is_view(kind):
        return _fields_without_nulls(value, kind, field)
    if isinstance(value, dict) and origin is dict:
        for key in value:
            _check_key(key, args[0], field)
        return {
            key: _without_nulls(item, args[1], join_path(field, key))
            for key, item in value.items()
            if item is not None or _is_view(args[1])
        }
    if isinstance(value, list) and origin in (tuple, frozenset):
        return [
            _without_nulls(item, args[0], f"{field}[{index}]") for index, item in enumerate(value)
        ]
    raise BadRequest(field, _problem(value, kind, problem))


def _check_key(key: str, kind: object, field: str) -> None:
    """Refuse a key of a map that is none of those it may have. Raises BadRequest."""
    try:
        msgspec.convert(key, kind)
    except msgspec.ValidationError:
        place = join_path(field, key)
        raise BadRequest(place, f"is unexpected, must be {_wanted(kind)}") from None


def _fields_without_nulls(value: Json, kind: type[View], field: str) -> Json:
    kept = {}
    known = [each.encode_name for each in _fields(kind)]
    for key in value if kind.__struct_config__.forbid_unknown_fields else ():
        if key not in known:
            raise BadRequest(join_path(field, key), f"is unexpected, must be {' or '.join(known)}")
    for each in _fields(kind):
        item, place = value.get(each.encode_name), join_path(field, each.encode_name)
        if item is not None:
            kept[each.encode_name] = _without_nulls(item, each.type, place)
        elif each.required:
            raise BadRequest(place, f"is missing; it must be {_wanted(each.type)}")
    return kept


_fields = cache(msgspec.structs.fields)


def _is_view(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, View)


def _problem(value: object, kind: object, error: str) -> str:
    """Say what is there, and what would be right."""
    wanted = _wanted(kind)
    if value is None or (value == "" and get_origin(kind) is Annotated):
        return f"is missing; it must be {wanted}"
    if wanted not in _WORDS.values() or get_origin(kind) is Literal:
        return f"is {quote(value)}, must be {wanted}"
    if not error.startswith("Expected"):
        return error
    return f"must be {wanted}, is {_kind(value)}"


def _wanted(kind: Any) -> str:  # noqa: ANN401 - a type
    """Name what a field must be."""
    args = get_args(kind)
    if get_origin(kind) is Literal:
        return " or ".join(args)
    if get_origin(kind) is Annotated:
        return args[1].description or _wanted(args[0])
    known = _WORDS.get(get_origin(kind) or kind, _WORDS[dict])
    return getattr(kind, "wanted", known)


def _kind(value: object) -> str:
    """Name a JSON value's type."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {str: "a string", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")


def _explain(body: bytes | bytearray, problem: str) -> BadRequest:
    """Say that the body is YAML, or name what Python's parser finds wrong with it.

    That is a key that is there twice, or a field with half a character.
    """
    if _YAML.match(body):
        return BadRequest(
            "",
            "the body is not JSON but YAML; send JSON, which `yq -o json FILE` makes of it",
        )
    try:
        if len(body) > MAX_EXPLAINED:
            return BadRequest("", problem)
        _check_text("", json.loads(body, object_pairs_hook=_distinct))
    except BadRequest as found:
        return found
    except (ValueError, RecursionError):
        pass
    return BadRequest("", problem)


def _distinct(pairs: list[tuple[str, Any]]) -> Json:
    found: Json = {}
    for key, value in pairs:
        if key in found:
            quoted = json.dumps(shorten(key, 80))
            raise BadRequest("", f"the body has the key {quoted} twice in an object")
        found[key] = value
    return found


def _check_text(field: str, value: object) -> None:
    """Refuse half characters, which an escape can hold and UTF-8 cannot."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRequest(
                field, f"holds half a character (a lone surrogate) at position {error.start}"
            ) from None
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(field, key)
            _check_text(join_path(field, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_text(f"{field}[{index}]", item)
