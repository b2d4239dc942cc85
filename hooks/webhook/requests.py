"""Reads a request's body: strict JSON that has the contract's shape, or a BadRequest that says why.

A hook that says which fields it reads, and of which type, needs no check anywhere else: its plan
may take an object of the right shape for granted.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Union

from hooks.http.bounded_json import Json
from hooks.webhook.contract import (
    BadRequest,
    CompositeRequest,
    CustomizeRequest,
    DecoratorRequest,
    ObjectMap,
)

#: Deeper bodies are refused; a Kubernetes object with its managedFields stays under 40.
MAX_DEPTH = 128

#: Strict UTF-8 holds no surrogates, so half a character can only come from such an escape.
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

#: What a JSON value must look like: a Python type; a dict of the fields that are read, others
#: being ignored; a list holding the shape of its items; `Map` for objects with any keys;
#: `Required` for what may be neither missing nor null.
Shape = Union[
    type[str], type[int], type[float], type[bool], Mapping[str, "Shape"], list["Shape"], "Map",
    "Required",
]  # fmt: skip


@dataclass(frozen=True)
class Map:
    """An object whose keys are data, such as labels."""

    values: Shape


@dataclass(frozen=True)
class Required:
    """Something that must be there; a string must not be empty either."""

    shape: Shape


_METADATA: Shape = {
    "name": Required(str),
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "generation": int,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "labels": Map(str),
    "annotations": Map(str),
    "finalizers": [str],
    "ownerReferences": [{"kind": str, "name": str, "uid": str}],
}
_OBJECT: Mapping[str, Shape] = {
    "apiVersion": str,
    "kind": str,
    "metadata": Required(_METADATA),
    "spec": {},
    "status": {},
}
_OBJECT_MAP: Shape = Map(Map(_OBJECT))


def parse_json(body: bytes) -> Json:
    """Read strict JSON: one object of finite numbers and whole characters, not too deep.

    Raises:
        BadRequest: naming the line, or the field, where it goes wrong.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise BadRequest("", f"the body is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise BadRequest("", f"the body is nested deeper than {MAX_DEPTH} levels") from error
    except BadRequest:
        raise
    except ValueError as error:
        raise BadRequest("", f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("", f"the body must be a JSON object, is {_kind(value)}")
    _check_depth(value)
    if _SURROGATE_ESCAPE.search(body):
        _check_text("", value)
    return value


def decorator_request(body: Json, *, spec: Shape, status: Shape) -> DecoratorRequest:
    """Read what a DecoratorController sends; spec and status are the shapes of `object`'s."""
    check(
        body,
        {
            "controller": {},
            "object": Required({**_OBJECT, "spec": spec, "status": status}),
            "attachments": _OBJECT_MAP,
            "related": _OBJECT_MAP,
            "finalizing": bool,
        },
    )
    return {
        "controller": body.get("controller") or {},
        "object": body["object"],
        "attachments": _object_map(body.get("attachments")),
        "related": _object_map(body.get("related")),
        "finalizing": body.get("finalizing") or False,
    }


def composite_request(body: Json, *, spec: Shape, status: Shape) -> CompositeRequest:
    """Read what a CompositeController sends; spec and status are the shapes of `parent`'s."""
    check(
        body,
        {
            "controller": {},
            "parent": Required({**_OBJECT, "spec": spec, "status": status}),
            "children": _OBJECT_MAP,
            "related": _OBJECT_MAP,
            "finalizing": bool,
        },
    )
    return {
        "controller": body.get("controller") or {},
        "parent": body["parent"],
        "children": _object_map(body.get("children")),
        "related": _object_map(body.get("related")),
        "finalizing": body.get("finalizing") or False,
    }


def customize_request(body: Json, *, spec: Shape) -> CustomizeRequest:
    """Read what a customize hook is sent; spec is the shape of `parent`'s."""
    check(body, {"controller": {}, "parent": Required({**_OBJECT, "spec": spec})})
    return {"controller": body.get("controller") or {}, "parent": body["parent"]}


def check(value: object, shape: Shape, field: str = "") -> None:
    """Hold a value against a shape; null passes where nothing is required.

    Raises:
        BadRequest: naming the field, what is there and what would be right.
    """
    if isinstance(shape, Required):
        if value is None or value == "":
            raise BadRequest(field, f"is missing; it must be {_wanted(shape.shape)}")
        check(value, shape.shape, field)
    elif value is None:
        return
    elif isinstance(shape, type):
        if not _is_a(value, shape):
            _wrong(field, value, shape)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            _wrong(field, value, shape)
        for index, item in enumerate(value):
            check(item, Required(shape[0]), f"{field}[{index}]")
    else:
        _check_object(value, shape, field)


def _check_object(value: object, shape: Map | Mapping[str, Shape], field: str) -> None:
    if not isinstance(value, dict):
        _wrong(field, value, shape)
    if isinstance(shape, Map):
        for key, item in value.items():
            check(item, shape.values, _below(field, key))
    else:
        for key, wanted in shape.items():
            check(value.get(key), wanted, _below(field, key))


def _is_a(value: object, wanted: type) -> bool:
    """Tell whether a JSON value has a type; true and false are no numbers, 3 is a float."""
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, int | float)
    return isinstance(value, wanted)


def _wrong(field: str, value: object, shape: Shape) -> NoReturn:
    raise BadRequest(field, f"must be {_wanted(shape)}, is {_kind(value)}")


def _wanted(shape: Shape) -> str:
    if isinstance(shape, Required):
        return _wanted(shape.shape)
    if isinstance(shape, list):
        return "a list"
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    return names[shape] if isinstance(shape, type) else "an object"


def _kind(value: object) -> str:
    """Name a JSON value's type as people who write JSON or YAML do."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {str: "a string", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")


def _object_map(value: ObjectMap | None) -> ObjectMap:
    """Turn the nulls that Go writes for empty maps into empty maps."""
    return {kind: objects or {} for kind, objects in (value or {}).items()}


def _below(field: str, key: str) -> str:
    """Name a field of a field: `spec.ports`, or `labels["a.b/c"]` where a dot would mislead."""
    if "." in key or "/" in key:
        return f"{field}[{json.dumps(key)}]"
    return f"{field}.{key}" if field else key


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest("", f"the body is not JSON: {name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadRequest("", f"the body holds the number {text[:40]}, which is too large")
    return number


def _check_depth(body: Json) -> None:
    """Refuse what could be read but not written again by code that recurses."""
    level: list[Json | list[Any]] = [body]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise BadRequest("", f"the body is nested deeper than {MAX_DEPTH} levels")


def _check_text(field: str, value: object) -> None:
    """Refuse half characters, which can be read from an escape but not written as UTF-8."""
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
            _check_text(_below(field, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_text(f"{field}[{index}]", item)
