"""Decides whether a target holds another value than was asked for, or only another notation."""

import json
from collections.abc import Iterator

from hooks.http.bounded_json import Json
from hooks.http.texts import shorten
from hooks.kube.field_paths import Part, field_path
from hooks.kube.notations import means_the_same
from hooks.targetclusters.sync.plan.fields import by_name

#: How many fields are named, and characters of a value that are shown.
FIELDS_NAMED = 5
MAX_SHOWN = 60
#: Values that are compared; of what a target or a source makes larger, the rest counts as equal.
MAX_COMPARED = 200_000
#: Characters of a text that are compared for one value.
CHARACTERS = 100
_ABSENT = object()
_Difference = tuple[tuple[Part, ...], object]


def set_otherwise(wanted: Json, live: Json, *, shows_values: bool) -> tuple[str, ...]:
    """Name the wanted fields that a target holds with another value: `spec.replicas to 1`.

    What may be another notation counts as the same: another type, equal quantities, durations,
    times or addresses, whitespace, case, and an empty value that is left out.
    """
    found: list[str] = []
    for path, value in _Comparison().differences(wanted, live, ()):
        if value is _ABSENT:
            shown = "nothing"
        else:
            shown = shorten(json.dumps(value), MAX_SHOWN) if shows_values else "another value"
        found.append(f"{field_path(path)} to {shown}")
        if len(found) == FIELDS_NAMED:
            break
    return tuple(found)


class _Comparison:
    """Compares values up to a bound."""

    def __init__(self) -> None:
        self._left = MAX_COMPARED

    def differences(
        self, wanted: object, live: object, path: tuple[Part, ...]
    ) -> Iterator[_Difference]:
        """Walk what is wanted, and return where the target has something else, and what."""
        if self._is_over(wanted, live):
            return
        if isinstance(wanted, dict) and isinstance(live, dict):
            for key, value in wanted.items():
                if key in live:
                    yield from self.differences(value, live[key], (*path, key))
                elif not self._is_empty(value):
                    yield (*path, key), _ABSENT
        elif isinstance(wanted, list) and isinstance(live, list):
            yield from self._item_differences(wanted, live, path)
        elif type(wanted) is type(live) and not means_the_same(wanted, live):
            yield path, live

    def _item_differences(
        self, wanted: list[object], live: list[object], path: tuple[Part, ...]
    ) -> Iterator[_Difference]:
        """Compare lists by the names of their items, else by position; a target may add items."""
        ours, theirs = by_name(wanted), by_name(live)
        if ours and theirs:
            yield from self.differences(ours, theirs, path)
            return
        for index, one in enumerate(wanted):
            pair = live[index : index + 1]
            found = [
                each for other in pair for each in self.differences(one, other, (*path, index))
            ]
            if pair and not found and type(one) is type(pair[0]):
                continue
            others = (other for place, other in enumerate(live) if place != index)
            if any(self._is_found(one, other) for other in others):
                continue
            if len(wanted) != len(live):
                yield path, live
                return
            yield from found

    def _is_found(self, wanted: object, live: object) -> bool:
        if type(wanted) is type(live):
            return next(self.differences(wanted, live, ()), None) is None
        return self._is_over()

    def _is_empty(self, value: object) -> bool:
        """Tell whether a value is what its absence stands for."""
        if self._is_over():
            return True
        return all(map(self._is_empty, value.values())) if isinstance(value, dict) else not value

    def _is_over(self, *values: object) -> bool:
        """Count one more comparison, of values that may be long texts; tell if it is too many."""
        self._left -= 1 + sum(len(one) for one in values if isinstance(one, str)) // CHARACTERS
        return self._left < 0
