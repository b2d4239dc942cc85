"""Knows the exact shape of what hooks answer and of what controllers ask for.

A shape is a check: it takes a value and the path of the field it is in, and raises ShapeError. A
null is taken wherever it means the same as leaving the field out.
"""

import json
from collections.abc import Callable, Mapping
from typing import NoReturn

from tests.controlplane.api import Object

Shape = Callable[[object, str], None]


class ShapeError(ValueError):
    """A JSON text is not of the shape it has to be; the message names the field."""


def parse(text: bytes, shape: Shape) -> Object:
    """Return a JSON text's object after checking its shape; null counts as an empty object."""
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ShapeError(str(error)) from error
    shape(value, "")
    return value if isinstance(value, dict) else {}


def text(value: object, path: str) -> None:
    """Take a string."""
    _expect(value is None or isinstance(value, str), value, path, "a string")


def flag(value: object, path: str) -> None:
    """Take true or false."""
    _expect(value is None or isinstance(value, bool), value, path, "true or false")


def number(value: object, path: str) -> None:
    """Take any number."""
    good = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    _expect(good, value, path, "a number")


def whole(value: object, path: str) -> None:
    """Take a whole number."""
    good = value is None or (isinstance(value, int) and not isinstance(value, bool))
    _expect(good, value, path, "a whole number")


def mapping(value: object, path: str) -> None:
    """Take an object with any fields."""
    _expect(value is None or isinstance(value, dict), value, path, "an object")


def kubernetes_object(value: object, path: str) -> None:
    """Take a Kubernetes object, which has a kind and never is null."""
    if not isinstance(value, dict):
        raise ShapeError(f"{path}: {json.dumps(value)} is not an object")
    if not isinstance(value.get("kind"), str) or not value["kind"]:
        raise ShapeError(f"{path}: an object without a kind")
    if not isinstance(value.get("metadata"), dict):
        raise ShapeError(f"{path}: an object without metadata")


def values_of(shape: Shape) -> Shape:
    """Take an object whose values all have one shape."""

    def check(value: object, path: str) -> None:
        mapping(value, path)
        if isinstance(value, dict):
            for key, item in value.items():
                shape(item, _joined(path, key))

    return check


def items_of(shape: Shape) -> Shape:
    """Take a list whose items all have one shape."""

    def check(value: object, path: str) -> None:
        _expect(value is None or isinstance(value, list), value, path, "a list")
        if isinstance(value, list):
            for index, item in enumerate(value):
                shape(item, f"{path}[{index}]")

    return check


def record(fields: Mapping[str, Shape]) -> Shape:
    """Take an object that has these fields, all or some, and no others."""

    def check(value: object, path: str) -> None:
        mapping(value, path)
        if isinstance(value, dict):
            for key, item in value.items():
                if key not in fields:
                    raise ShapeError(f'unknown field "{_joined(path, key)}"')
                fields[key](item, _joined(path, key))

    return check


LABEL_SELECTOR = record(
    {
        "matchLabels": values_of(text),
        "matchExpressions": items_of(
            record({"key": text, "operator": text, "values": items_of(text)})
        ),
    }
)

DECORATOR_ANSWER = record(
    {
        "labels": values_of(text),
        "annotations": values_of(text),
        "status": mapping,
        "attachments": items_of(kubernetes_object),
        "resyncAfterSeconds": number,
        "finalized": flag,
    }
)

COMPOSITE_ANSWER = record(
    {
        "status": mapping,
        "children": items_of(kubernetes_object),
        "resyncAfterSeconds": number,
        "finalized": flag,
    }
)

CUSTOMIZE_ANSWER = record(
    {
        "relatedResources": items_of(
            record(
                {
                    "apiVersion": text,
                    "resource": text,
                    "labelSelector": LABEL_SELECTOR,
                    "namespaceSelector": LABEL_SELECTOR,
                    "namespace": text,
                    "names": items_of(text),
                }
            )
        )
    }
)


def _expect(good: bool, value: object, path: str, wanted: str) -> None:
    if not good:
        raise ShapeError(f"{path or 'the answer'}: {json.dumps(value)} is not {wanted}")


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _without_duplicates(pairs: list[tuple[str, object]]) -> Object:
    found: Object = {}
    for key, value in pairs:
        if key in found:
            raise ShapeError(f'duplicate field "{key}"')
        found[key] = value
    return found


def _refuse(constant: str) -> NoReturn:
    raise ShapeError(f"{constant} is not JSON")
