"""Reads why an API server refuses fields, in words of Kubernetes' own."""

from collections.abc import Iterator

from hooks.http.bounded_json import Json
from hooks.kube.objects import items

#: What is shown of the causes of a refusal: fields and reasons that no object can make up.
_FIELDS = frozenset(("data", "immutable", "metadata", "rules", "spec", "type"))
_REASONS = frozenset(
    f"FieldValue{what}"
    for what in (
        *("Duplicate", "Forbidden", "Invalid", "NotFound", "NotSupported", "Required"),
        *("TooLong", "TooMany", "TypeInvalid"),
    )
)


def read_causes(status: Json) -> Iterator[str]:
    """Read the causes that a Status names, as `data: FieldValueForbidden`."""
    for cause in items(status, "details", "causes"):
        if not isinstance(cause, dict):
            continue
        field, reason = str(cause.get("field")).split(".")[0].split("[")[0], cause.get("reason")
        if field in _FIELDS and reason in _REASONS:
            yield f"{field}: {reason}"
