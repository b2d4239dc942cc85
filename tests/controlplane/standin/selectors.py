"""Knows which labels a Kubernetes label selector takes."""

from collections.abc import Mapping

from tests.controlplane.api import Object
from tests.controlplane.standin.errors import SyncError


def matches(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a LabelSelector takes these labels; None and an empty one take all."""
    if selector is None:
        return True
    equal = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in equal.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    values = expression.get("values") or []
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise SyncError(f'"{operator}" is not an operator of a label selector')
