from collections.abc import Sequence

import pytest

from hooks.http.texts import join_names, join_sentences, one_line, quote, shorten


@pytest.mark.parametrize(
    ("text", "short"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("12345", "12345", id="just fits"),
        pytest.param("123456", "1234…", id="one too many"),
    ],
)
def test_a_text_is_shortened_to_a_limit(text: str, short: str) -> None:
    assert shorten(text, 5) == short


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("two\nlines", "two lines", id="two lines"),
        pytest.param("bell\x07 and\t tab ", "bell and tab", id="control characters"),
        pytest.param("a\n\x00b", "a b", id="a null character"),
        pytest.param("\ud800", "", id="half a character"),
        pytest.param(None, "", id="nothing"),
        pytest.param(["v1"], "['v1']", id="not a text"),
        pytest.param(ValueError("wrong"), "wrong", id="an error"),
        pytest.param("x" * 100, "x" * 11 + "…", id="long"),
        pytest.param(" " * 100 + "x", "", id="blanks without end"),
    ],
)
def test_a_servers_text_becomes_one_line(text: object, line: str) -> None:
    assert one_line(text, 12) == line


def test_a_value_is_quoted_and_shortened() -> None:
    assert quote("a\nb") == r"'a\nb'"
    assert quote(["x"]) == "['x']"
    assert len(quote("x" * 100)) == 80


@pytest.mark.parametrize(
    ("names", "total", "joined"),
    [
        pytest.param([], 0, "", id="none"),
        pytest.param(["a", "b"], 0, "a, b", id="all"),
        pytest.param(["a", "b", "c"], 0, "a, b and 1 more", id="too many"),
        pytest.param(("a", "b", "c"), 9, "a, b and 7 more", id="only the first are known"),
        pytest.param(["a"], 4, "a and 3 more", id="fewer are known than may be shown"),
    ],
)
def test_names_are_joined_and_the_others_counted(
    names: Sequence[str], total: int, joined: str
) -> None:
    assert join_names(names, limit=2, total=total) == joined


def test_sentences_are_joined_and_the_others_counted() -> None:
    assert join_sentences(["x is a", "y is b"], limit=2) == "x is a; y is b"
    assert join_sentences(["x is a", "y is b", "z is c"], limit=1) == "x is a; and 2 more"
