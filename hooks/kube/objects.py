"""Reads parts of any Kubernetes object; what is missing or of another type reads as empty."""

from typing import Any

from hooks.http.bounded_json import Json


def part(obj: Json, *path: str) -> Json:
    """Return the object at a path."""
    for key in path:
        value = obj.get(key)
        obj = value if isinstance(value, dict) else {}
    return obj


def items(obj: Json, *path: str) -> list[Any]:
    """Return the list at a path."""
    value = part(obj, *path[:-1]).get(path[-1])
    return value if isinstance(value, list) else []


def labels(obj: Json) -> dict[str, str]:
    """Return an object's labels."""
    return part(obj, "metadata", "labels")


def annotations(obj: Json) -> dict[str, str]:
    """Return an object's annotations, without those that are null."""
    values = part(obj, "metadata", "annotations")
    return {key: value for key, value in values.items() if value is not None}


def finalizers(obj: Json) -> tuple[str, ...]:
    """Return the finalizers that an object waits for before it is gone."""
    return tuple(items(obj, "metadata", "finalizers"))


def is_deleting(obj: Json) -> bool:
    """Tell whether an object's deletion was requested."""
    return bool(part(obj, "metadata").get("deletionTimestamp"))


def find_condition(obj: Json, condition_type: str) -> Json:
    """Return a condition of an object's status; empty where it has none of this type."""
    conditions = (each for each in items(obj, "status", "conditions") if isinstance(each, dict))
    return next((each for each in conditions if each.get("type") == condition_type), {})


def is_true(obj: Json, condition_type: str) -> bool:
    """Tell whether an object has a condition with status True."""
    return find_condition(obj, condition_type).get("status") == "True"
