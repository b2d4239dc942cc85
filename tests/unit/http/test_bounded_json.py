"""JSON is counted before it is parsed, in time that grows with its length and no faster."""

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import (
    BadJson,
    bytes_of_text,
    has_more_values,
    parse_json,
    parsing_bytes,
)

MIB = 1024 * 1024
TEXTS = st.text('a",:[]{}\\', max_size=5)
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
GEOJSON = json.dumps({"coordinates": [[7.5 + n / 7, 51.5 - n / 3] for n in range(25_000)]})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param(b"1", 0, id="a number"),
        pytest.param(b"[]", 1, id="an empty list"),
        pytest.param(b"[1, 2, 3]", 3, id="a list"),
        pytest.param(b'{"a": 1, "b": {"c": []}}', 4, id="objects"),
        pytest.param(b'["a,b,[{", ",,,,"]', 2, id="commas and brackets in strings"),
        pytest.param(b'["\\",[{", 1]', 2, id="an escaped quote"),
        pytest.param(b'["\\\\",[{", 1]', 4, id="an escaped backslash before the quote"),
        pytest.param(b'["x", ",,,,', 2, id="a string without end"),
        pytest.param(b'["x", ",,,\\', 2, id="an escape without end"),
        pytest.param(b'[",\n,"]', 1, id="a line break in a string"),
        pytest.param(b'{",": ","}', 1, id="a key"),
    ],
)
def test_values_outside_of_strings_are_counted(text: bytes, values: int) -> None:
    assert not has_more_values(text, values)
    assert values == 0 or has_more_values(text, values - 1)


def test_text_full_of_commas_and_brackets_is_no_value() -> None:
    maps = {"items": [{"data": {"map.geojson": GEOJSON, "n": n}} for n in range(5)]}
    assert parse_json(json.dumps(maps).encode(), max_values=100) == maps


def test_what_has_too_many_values_is_refused_before_it_is_parsed() -> None:
    text = b"[" + b"[]," * (5 * MIB) + b"[]]"
    tracemalloc.start()
    try:
        with pytest.raises(BadJson, match="has more than 1000000 values"):
            parse_json(text, max_values=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"[],", id="lists"),
        pytest.param(b'"",', id="empty strings"),
        pytest.param(b'"', id="quotes"),
        pytest.param(b'\\"', id="escaped quotes"),
        pytest.param(b'"a\\"', id="strings without end"),
        pytest.param(b"\\", id="backslashes"),
        pytest.param(b'"\\u005c,', id="escapes"),
        pytest.param(b'{"', id="keys without end"),
    ],
)
def test_counting_takes_time_in_proportion_to_the_length(piece: bytes) -> None:
    def seconds(size: int) -> float:
        # A comma more than the bound, all of it in a string: neither short cut ends the count.
        text = piece * (size // len(piece)) + b'"' + b"," * size
        spent = []
        for _ in range(3):
            started = time.thread_time()
            has_more_values(text, size - 1)
            spent.append(time.thread_time() - started)
        return min(spent)

    one, four = seconds(MIB // 2), seconds(2 * MIB)
    assert four < 8 * one + 0.02  # four times, or sixteen where it is quadratic
    assert one < 0.5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(b"", "is not JSON", id="nothing"),
        pytest.param(b"***", "was hidden whole", id="hidden"),
        pytest.param(b"<html>", "is not JSON: invalid character at line 1, column 1", id="HTML"),
        pytest.param(b'{\n "a" 1}', "is not JSON: expected ':' at line 2, column 6", id="a line"),
        pytest.param(b'{"a": 1', "is not JSON", id="cut short"),
        pytest.param(b"NaN", "is not JSON", id="NaN"),
        pytest.param(b"[-Infinity]", "is not JSON", id="infinity"),
        pytest.param(b"[1e999]", "has a number that is too large", id="1e999"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "has a number that is too large", id="digits"),
        pytest.param(b'["\\ud800", "abcdef"]', "is not JSON: .* surrogate", id="half a character"),
        pytest.param(b'"\xff"', "is not UTF-8 at byte 1", id="Latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16"), "is not UTF-8 at byte 0", id="UTF-16"),
        pytest.param(b"[" * 129 + b"]" * 129, "is nested deeper than 128 levels", id="129 deep"),
        pytest.param(b'{"a":' * 100_000, "is nested deeper than 128 levels", id="100000 deep"),
        pytest.param(b'[{"a": 1, "a": 2}]', "has a key twice in an object", id="a key twice"),
        pytest.param(b'{"a,": [{}], "a,": ","}', "has a key twice", id="a key with a comma twice"),
        pytest.param(b"[0,0,0]" * 100, "has more than 200 values", id="many values"),
    ],
)
def test_refuses(text: bytes, problem: str) -> None:
    with pytest.raises(BadJson, match=problem):
        parse_json(text, max_values=200 if b"0,0" in text else 200_000, distinct_keys=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"[" * 128 + b"]" * 128, None, id="128 deep"),
        pytest.param(b'{"a": [1, 2.5, true, null]}', {"a": [1, 2.5, True, None]}, id="values"),
        pytest.param(b'"\\ud83d\\ude00"', "\N{GRINNING FACE}", id="a pair of surrogates"),
        pytest.param(b'{"a": 1, "a": 2}', {"a": 2}, id="the last of two keys"),
        pytest.param(b"123456789012345678901", 123456789012345678901, id="a large integer"),
    ],
)
def test_reads(text: bytes, value: object) -> None:
    read = parse_json(text, max_values=1000)
    assert value is None or read == value


@given(VALUES)
def test_distinct_keys_are_never_taken_for_repeated_ones(value: object) -> None:
    text = json.dumps(value).encode()
    assert parse_json(text, max_values=1000, distinct_keys=True) == value


@pytest.mark.parametrize("written", [json.dumps, partial(json.dumps, ensure_ascii=False)])
@pytest.mark.parametrize(
    "last",
    [
        pytest.param("a", id="ASCII"),
        pytest.param("\u00e9", id="Latin 1"),
        pytest.param("\u20ac", id="two bytes a character"),
        pytest.param("\U0001f600", id="four bytes a character"),
    ],
)
def test_one_wide_character_makes_all_of_a_text_wide(
    written: Callable[[str], str], last: str
) -> None:
    text = "x" * MIB + last
    data = written(text).encode()
    taken = sys.getsizeof(json.loads(data)) - 100
    assert taken <= bytes_of_text(text) <= 1.1 * taken + 100
    assert taken <= parsing_bytes(data, 10) <= 1.1 * taken + 1000


def test_escapes_of_ascii_make_no_text_wide() -> None:
    data = json.dumps("x" * MIB).encode()[:-1] + b'\\u003c\\n"'
    assert parsing_bytes(data, 10) < 1.1 * MIB
