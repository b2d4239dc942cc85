"""Finds annotations of our prefix that do not exist, which are most likely misspelt."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from hooks import names
from hooks.http.texts import shorten

#: How many of them are named, and characters of each.
MAX_UNKNOWN = 4
MAX_SHOWN = 63

_PREFIX = names.SERVICE_ANNOTATION_PREFIX
#: What follows the prefix in the annotations that exist, also in those of other providers.
KNOWN = tuple(
    value.removeprefix(_PREFIX)
    for name, value in vars(names).items()
    if name.startswith("ANNOTATION_") and value.startswith(_PREFIX)
)


def unknown_annotations(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each annotation of our prefix that does not exist, and what to say about it.

    Args:
        annotations: of a Service.
    """
    unknown = sorted(
        key for key in annotations if key.startswith(_PREFIX) and key[len(_PREFIX) :] not in KNOWN
    )
    for key in unknown[:MAX_UNKNOWN]:
        word = key[len(_PREFIX) :].lower()
        nearest = get_close_matches(shorten(word, MAX_SHOWN), KNOWN, n=1)
        meant = f"; is {_PREFIX}{nearest[0]} meant?" if nearest else ""
        yield key, f"there is no such annotation, so it has no effect{meant}"
