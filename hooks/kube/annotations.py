"""Finds annotations of our prefixes that do not exist, which are most likely misspelt."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from hooks.http.texts import shorten

#: How many of them are named, and characters of each that are compared.
MAX_UNKNOWN = 4
MAX_SHOWN = 63


def unknown_annotations(
    annotations: Mapping[str, str], prefix: str, known: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield each annotation of a prefix that does not exist, and what to say about it.

    Args:
        annotations: of an object.
        prefix: what ours begin with.
        known: what follows the prefix in those that exist.
    """
    unknown = sorted(
        key for key in annotations if key.startswith(prefix) and key[len(prefix) :] not in known
    )
    for key in unknown[:MAX_UNKNOWN]:
        word = key[len(prefix) :].lower()
        nearest = get_close_matches(shorten(word, MAX_SHOWN), known, n=1)
        meant = f"; is {prefix}{nearest[0]} meant?" if nearest else ""
        yield key, f"there is no such annotation, so it has no effect{meant}"
