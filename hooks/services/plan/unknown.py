"""Finds annotations of a Service's prefix that do not exist."""

from collections.abc import Iterator, Mapping

from hooks import names
from hooks.kube import annotations as kube

_PREFIX = names.SERVICE_ANNOTATION_PREFIX
#: What follows the prefix in the annotations that exist, also in those of other providers.
KNOWN = tuple(
    value.removeprefix(_PREFIX)
    for name, value in vars(names).items()
    if name.startswith("ANNOTATION_") and value.startswith(_PREFIX)
)


def unknown_annotations(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each annotation of a Service that does not exist, and what to say about it."""
    return kube.unknown_annotations(annotations, _PREFIX, KNOWN)
