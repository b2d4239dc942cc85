import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.targetclusters.untrusted_yaml import (
    MAX_DEPTH,
    MAX_TEXT_BYTES,
    MAX_VALUES,
    InvalidField,
    Size,
    documents,
)
from tests.controlplane.polling import SLACK


def only(text: str) -> object:
    (document,) = documents(text)
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("~", None, id="tilde"),
        pytest.param("yes", True, id="yes"),
        pytest.param("Off", False, id="off"),
        pytest.param('"yes"', "yes", id="quoted"),
        pytest.param("!!str 5", "5", id="tagged as text"),
        pytest.param("!!int '5'", 5, id="tagged as number"),
        pytest.param("y", "y", id="a letter"),
        pytest.param("0644", 420, id="octal"),
        pytest.param("0o644", 420, id="octal as in YAML 1.2"),
        pytest.param("-0x1F", -31, id="hexadecimal"),
        pytest.param("0b101", 5, id="binary"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("09", 9, id="no octal digit"),
        pytest.param("0x_", "0x_", id="no digit at all"),
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param("1.10", 1.1, id="fraction"),
        pytest.param("22:22", "22:22", id="sexagesimal"),
        pytest.param("2026-11-22", "2026-11-22", id="date"),
        pytest.param("2026-11-22T02:10:00Z", "2026-11-22T02:10:00Z", id="timestamp"),
        pytest.param("=", "=", id="equals sign"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("[a, 1]", ["a", 1], id="list"),
        pytest.param("|\n    a\n    b\n", "a\nb\n", id="block"),
    ],
)
def test_reads_a_value_as_kubernetes_does(text: str, value: object) -> None:
    assert only(f"v: {text}") == {"v": value}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("8080: web", "8080"),
        ("010: web", "8"),
        ("-5: web", "-5"),
        ("on: web", "true"),
        ("No: web", "false"),
        ('"on": web', "on"),
        ("!!str 8080: web", "8080"),
    ],
)
def test_reads_a_key_as_kubectl_does(text: str, key: str) -> None:
    assert only(text) == {key: "web"}


def test_aliases_repeat_and_merge_keys_merge() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{q: 1}, {q: 2, r: 3}]}\nd: *a"
    assert only(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"q": 1, "r": 3},
        "d": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        pytest.param("a: {b: 1, b: 2}", "a.b", "is a duplicate key", id="key twice"),
        pytest.param("a:\n  1.10: x", "a", "key in line 2 that is neither", id="fraction as key"),
        pytest.param(f"{2**63}: x", "", "key in line 1 that is neither", id="large number as key"),
        pytest.param("~: x", "", "key in line 1 that is neither", id="null as key"),
        pytest.param("? [a]\n: b", "", "key in line 1 that is neither", id="list as key"),
        pytest.param('1: a\n"1": b', "1", "is a duplicate key", id="key twice, once as a number"),
        pytest.param("a: [{b: !thing x}]", "a[0].b", "tag", id="unknown tag"),
        pytest.param("a: !!binary aGk=", "a", "tag", id="bytes"),
        pytest.param("a: !!set {x}", "a", "tag", id="set"),
        pytest.param("a: !!seq {x: 1}", "a", "tag", id="mapping tagged as list"),
        pytest.param("a: !!map [x]", "a", "tag", id="list tagged as mapping"),
        pytest.param("a: 99999999999999999999", "a", "too large", id="large number"),
        pytest.param(f"a: 0x{'f' * 5000}", "a", "too large", id="endless number"),
        pytest.param("a: 1e999", "a", "too large", id="large fraction"),
        pytest.param("a: {<<: 1}", "a[<<]", "only merge mappings", id="merged number"),
        pytest.param("a: &a [*a]", "", "contains itself", id="value within itself"),
        pytest.param("a: *b", "", "anchor is missing", id="alias without anchor"),
        pytest.param("a: [", "", "line 2, column 1: is not YAML", id="no YAML"),
        pytest.param("\ta: b", "", "line 1, column 1: is not YAML", id="tab"),
        pytest.param("a: \x00", "", "control characters", id="control character"),
        pytest.param("a: \ud800", "", "not valid Unicode", id="half a character"),
        pytest.param("[" * (MAX_DEPTH + 1), "", "nests deeper", id="deep"),
        pytest.param("- " * (MAX_DEPTH + 1), "", "nests deeper", id="deep block"),
        pytest.param("- a\n" * (2 * MAX_VALUES), "", "split it", id="long"),
    ],
)
def test_says_why_a_document_cannot_be_used(text: str, field: str, message: str) -> None:
    found = only(text)
    assert isinstance(found, InvalidField)
    assert found.field == field
    assert message in found.message


def bomb(first: str, step: str, levels: int) -> str:
    """Write a text in which each level repeats the one before ten times."""
    lines = [f"a0: &a0 {first}"]
    for level in range(levels):
        aliases = ", ".join([f"*a{level}"] * 10)
        lines.append(f"a{level + 1}: &a{level + 1} {step.format(aliases)}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        pytest.param(bomb("[x, x]", "[{}]", 12), MAX_VALUES, id="lists"),
        pytest.param(bomb("{k: v}", "{{<<: [{}]}}", 12), MAX_VALUES, id="merge keys"),
        pytest.param(bomb("x" * 100_000, "[{}]", 4), MAX_TEXT_BYTES, id="long texts"),
        pytest.param("[" * 1_000_000, MAX_DEPTH, id="brackets"),
        pytest.param("{a: " * 250_000, MAX_DEPTH, id="braces"),
    ],
)
def test_a_bomb_is_refused_at_once(text: str, bound: int) -> None:
    began = time.monotonic()
    found = only(text)
    assert isinstance(found, InvalidField)
    assert str(bound) in found.message
    assert time.monotonic() - began < SLACK


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "values", "text_bytes"),
    [
        pytest.param("", 0, 0, id="empty"),
        pytest.param("ab", 1, 2, id="text"),
        pytest.param("{ab: cd, e: [f, {}]}", 5, 6, id="keys are no values"),
        pytest.param("{x: &a [{}, bc], y: [*a, *a]}", 11, 8, id="aliases"),
        pytest.param("{x: &a {k: v}, y: {<<: [*a, *a]}}", 9, 10, id="merge keys"),
        pytest.param("- &a [b, c]\n---\n- *a", 6, 2, id="until the document without the anchor"),
        pytest.param("- &a {}\n- *b", 3, 0, id="an anchor that is missing"),
    ],
)
def test_a_text_is_measured_before_anything_is_built(
    text: str, values: int, text_bytes: int
) -> None:
    sizes: list[Size] = []
    found = documents(text, sizes.append)
    assert sizes == []
    list(found)
    assert sizes == [Size(values, text_bytes)]


def test_a_character_of_four_bytes_counts_for_each_of_its_text() -> None:
    sizes: list[Size] = []
    list(documents("x" * 1000 + "\U0001f600", sizes.append))
    assert 4000 <= sizes[0].text_bytes < 4100


@given(JSON_VALUES)
def test_the_size_is_that_of_the_values(value: object) -> None:
    sizes: list[Size] = []
    list(documents(json.dumps({"once": value}), sizes.append))
    assert [size.values for size in sizes] == [1 + count(value)]


def count(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + sum(map(count, inner if isinstance(value, (dict, list)) else ()))  # type: ignore[call-overload]


def test_a_text_that_may_not_be_spent_is_not_built() -> None:
    def refuse(size: Size) -> None:
        raise MemoryError(size)

    text = "a: &a [" + "{}," * 440 + "]\nb: [" + "*a," * 440 + "]"
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError):
            next(documents(text, refuse))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_documents_before_one_that_is_no_yaml_are_read() -> None:
    first, second = documents("a: 1\n---\n[")
    assert first == {"a": 1}
    assert isinstance(second, InvalidField)


def test_a_bad_document_does_not_hide_the_next() -> None:
    first, second = documents("a: !x 1\n---\nb: 2")
    assert isinstance(first, InvalidField)
    assert second == {"b": 2}


def test_no_message_quotes_a_value() -> None:
    secret = "hunter2"
    for text in (f"a: *{secret}", f"a: !{secret} x", f"a: {{<<: {secret}}}", f"a: [{secret}"):
        assert secret not in str(only(text))


@given(JSON_VALUES)
def test_json_is_read_as_json(value: object) -> None:
    text = json.dumps(value)
    assert only(text) == json.loads(text)


@given(st.text(st.sampled_from("ab01:-&*!<>{}[]?|#,.\"' \n\t\x00\ud800~=e_")))
def test_never_fails_on_any_text(text: str) -> None:
    for document in documents(text):
        json.dumps(document if not isinstance(document, InvalidField) else document.message)
