"""Requests with one value put in another's place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hooks.http.bounded_json import Json

_GOLDEN = Path(__file__).parents[1] / "golden"
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "a/b", [], {}, [None], [1], ["x"], [{}], [[]]),
    *({"a": None}, {"a": {}}, {"name": 1}, {"metadata": None}, {"metadata": {"name": "x"}}),
)


def golden(hook: str) -> st.SearchStrategy[Json]:
    """Generate a hook's golden requests, with one value taken away or replaced."""
    texts = [file.read_text() for file in sorted(_GOLDEN.glob(f"{hook}/*/request.json"))]
    return st.sampled_from(texts).flatmap(lambda text: broken(json.loads(text)))


def broken(body: Json) -> st.SearchStrategy[Json]:
    """Generate a request with one value taken away or replaced."""
    return st.builds(
        _put,
        st.just(json.dumps(body)),
        st.sampled_from(list(_places(body))),
        st.sampled_from(_VALUES),
    )


def _places(value: Any, *at: Any) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, *at, key)


def _put(text: str, at: tuple[Any, ...], value: Any) -> Json:
    body: Json = json.loads(text)
    place: Any = body
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return body
