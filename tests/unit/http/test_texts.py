from collections.abc import Sequence

import pytest

from hooks.http.texts import (
    join_names,
    join_sentences,
    one_line,
    printable,
    quote,
    shorten,
)
from hooks.kube.conditions import Condition
from hooks.kube.events import Event, Reference


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
        pytest.param("bell\x07\t a tab ", "bell� a tab", id="control characters"),
        pytest.param("a\n\x00b", "a �b", id="a null character"),
        pytest.param("\ud800", "�", id="half a character"),
        pytest.param(None, "", id="nothing"),
        pytest.param(["v1"], "['v1']", id="not a text"),
        pytest.param(ValueError("wrong"), "wrong", id="an error"),
        pytest.param("x" * 100, "x" * 11 + "…", id="long"),
        pytest.param(" " * 100 + "x", "", id="blanks without end"),
    ],
)
def test_a_servers_text_becomes_one_line(text: object, line: str) -> None:
    assert one_line(text, 12) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("café 日本 ☃ 👍", "café 日本 ☃ 👍", id="what can be seen"),
        pytest.param("a\u0301\ufe0f", "a\u0301\ufe0f", id="what belongs to the one before"),
        pytest.param("a\xa0b\u3000c", "a b c", id="other blanks"),
        pytest.param("\x1b[31mred\x1b[0m", "�[31mred�[0m", id="colours of a terminal"),
        pytest.param("\x9b2J", "�2J", id="the same in one character"),
        pytest.param("\x1b]0;title\x07", "�]0;title�", id="the title of a terminal"),
        pytest.param("a\nb\r\nc\x85d\u2028e\u2029f", "a�b��c�d�e�f", id="ends of lines"),
        pytest.param("a\tb\x0bc\x0cd", "a�b�c�d", id="tabulators"),
        pytest.param("a\x00b\x08c\x7fd", "a�b�c�d", id="null, backspace, delete"),
        pytest.param("\u202egpj.exe\u202c", "�gpj.exe�", id="turned around"),
        pytest.param("\u2066a\u2069\u200f\u061c", "�a���", id="other directions"),
        pytest.param("ad\u200bm\u00adin\ufeff\u2060", "ad�m�in��", id="without a width"),
        pytest.param("x\U000e0041\U000e007f", "x��", id="tags"),
        pytest.param("\ud83d\ude00 \udc80", "�� �", id="halves of characters"),
        pytest.param("\ue000\uffff\U0010ffff", "���", id="of nobody"),
        pytest.param("\ufff9a\ufffbb", "�a�b", id="notes between lines"),
    ],
)
def test_what_cannot_be_seen_becomes_a_mark(text: str, shown: str) -> None:
    assert shorten(text, 80) == shown
    assert Condition("Ready", "False", "Because", text).message == shown
    assert Event(Reference("v1", "Node", "n", "u"), "Because", text).message == shown
    assert one_line(text, 80).isprintable()
    assert len(printable(text)) == len(text)
    assert printable(shown) == shown


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
