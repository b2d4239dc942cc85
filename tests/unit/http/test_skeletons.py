import json
from collections.abc import Callable
from functools import reduce

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooks.http.hide import HIDDEN, MAX_ESCAPES, Hider, hide
from hooks.http.skeletons import Skeletons
from tests.unit.http.test_hide import SECRET, WRITTEN

#: How a server may write one character.
WRITERS: list[Callable[[str], str]] = [
    lambda char: char,
    lambda char: f"\\u{ord(char):04x}",
    lambda char: f"\\x{ord(char):02x}",
    lambda char: f"%{ord(char):02X}",
    lambda char: f"%25{ord(char):02x}",
    lambda char: f"&#{ord(char)};",
    lambda char: f"&amp;#x{ord(char):x}",
    lambda char: f"\\{char}",
    lambda char: f"\n{char}",
    lambda char: f"{char}\\n \r\n",
]
PIECES = [
    "\\",
    "n",
    "u0041",
    "x41",
    "%",
    "25",
    "41",
    "&#",
    "&amp;",
    "65",
    ";",
    "\n",
    " ",
    "a",
    "3C",
    '"',
]

#: A secret, each of its characters written several times over, and what is between them.
hidden_secrets = st.tuples(
    st.text('aA0nux35C4/+=%&#\\";', min_size=8, max_size=10),
    st.lists(st.lists(st.sampled_from(WRITERS), max_size=3), min_size=10, max_size=10),
    st.lists(st.sampled_from(["", "", "", *PIECES]), min_size=11, max_size=11),
)


def write(char: str, writers: list[Callable[[str], str]]) -> str:
    return reduce(lambda text, writer: "".join(map(writer, text)), writers, char)


@settings(max_examples=300)
@given(hidden_secrets)
def test_what_would_be_hidden_is_never_ruled_out(
    hidden: tuple[str, list[list[Callable[[str], str]]], list[str]],
) -> None:
    secret, writers, between = hidden
    written = [write(char, how) for char, how in zip(secret, writers, strict=False)]
    text = "".join(piece + char for piece, char in zip(between, written, strict=False))
    hider = Hider([secret])
    if hider.hide_exactly(text) != text:
        assert Skeletons(hider.needles).may_be_in(text)


@settings(max_examples=300)
@given(st.text("0a3CnA", min_size=8, max_size=8), st.lists(st.sampled_from(PIECES), max_size=40))
@example("0aaaaaaaa", ["&#", "6", "\n", "0", "aaaaaaaa"])
@example("3Caaaaaaa", ["%", "\n", "3Caaaaaaa"])
@example("naaaaaaaa", ["\\\\u006e", "aaaaaaaa"])
@example("Aaaaaaaaa", ["%4", "\\", "\n", "n1", "aaaaaaaa"])
def test_nor_is_what_comes_about_where_line_ends_are_left_out(
    secret: str, pieces: list[str]
) -> None:
    for text in ("".join(pieces), "".join(pieces) + secret):
        hider = Hider([secret])
        if hider.hide_exactly(text) != text:
            assert Skeletons(hider.needles).may_be_in(text)


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_no_writing_is_ruled_out(written: Callable[[str], str]) -> None:
    assert Skeletons(Hider([SECRET]).needles).may_be_in(f"before {written(SECRET)} after")


LONG = {
    "lines": "10.0.0.1 host.example.com\n",
    "quotes": '{"a": "b"}',
    "tags": "<b>&amp;</b>",
    "tabs": "a:\tb\r\n",
    "backslashes": "^\\\\d+\\s*$ C:\\\\new\\\\",
    "letters of other alphabets": "Größe, 大きさ\n",
}


@pytest.mark.parametrize("piece", LONG.values(), ids=LONG)
def test_an_answer_stays_as_it_is_however_many_escapes_it_has(piece: str) -> None:
    text = json.dumps(piece * (MAX_ESCAPES + 1))
    for each in (text, text.replace("<", "\\u003c").replace("&", "\\u0026")):
        assert hide(each, [SECRET]) == each


def test_a_credential_among_too_many_escapes_hides_the_whole() -> None:
    assert hide(json.dumps("line\n" * (MAX_ESCAPES + 1) + f"\n{SECRET}"), [SECRET]) == HIDDEN
