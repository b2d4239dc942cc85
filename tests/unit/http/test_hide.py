import base64
import json
import re
import tracemalloc
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hooks.http.hide import (
    _PATTERN,
    _PATTERN_WITH_QUOTES,
    HIDDEN,
    MAX_ESCAPES,
    MAX_ESCAPES_BESIDE_CREDENTIALS,
    MAX_FOUND,
    Hider,
    _char,
    _decode_all,
    hide,
)

SECRET = "s3cr3t/with+signs=="


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


#: How a text is written within another.
WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "each character escaped": escaped,
    "escaped twice": lambda text: escaped(escaped(text)),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps({"sent": text})),
    "escaped slashes": lambda text: text.replace("/", "\\/"),
    "as Go writes HTML": lambda text: text.replace("=", "\\u003d"),
    "a query": lambda text: quote(text, safe=""),
    "a form": quote_plus,
    "a query in a query": lambda text: quote(quote(text, safe=""), safe=""),
    "each character percent-encoded": lambda text: "".join(f"%{ord(c):02x}" for c in text),
    "percent signs escaped": lambda text: "".join(f"\\u0025{ord(c):02x}" for c in text),
    "HTML": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "Python": lambda text: repr(text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "base64": base64_of,
    "base64 behind one byte": lambda text: base64_of(f"1{text}1"),
    "base64 behind two bytes": lambda text: base64_of(f"12{text}12"),
    "base64 of a login": lambda text: base64_of(f"someone:{text}"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 on several lines": lambda text: "\n".join(base64_of(text).partition("N")),
    "lines in JSON": lambda text: f"{text[:9]}\\n{text[9:]}",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_secret_is_taken_out_however_it_is_written(written: Callable[[str], str]) -> None:
    text = f"before {written(SECRET)} after"
    shown = hide(text, [SECRET])
    assert "***" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert hide(text.encode(), [SECRET]) == shown.encode()
    assert "cr3t" not in shown
    assert len(shown) < 45


@given(
    secret=st.text(
        st.characters(max_codepoint=0x1F9FF, exclude_categories=("Cc", "Cs")), min_size=8
    ),
    written=st.sampled_from(["plain", "JSON", "JSON in JSON", "a query", "hexadecimal"]),
)
@example(secret='000000"\\', written="JSON")
@example(secret='000000"\\', written="JSON in JSON")
def test_any_secret_is_taken_out(secret: str, written: str) -> None:
    shown = hide(f"before {WRITTEN[written](secret)} after", [secret])
    assert "***" in shown


@given(st.text() | st.text('\\u0025%&#;"nr\n\r /1'))
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert hide(text, [SECRET]) == text


@given(st.binary())
def test_bytes_of_any_kind_stay_as_they_are(data: bytes) -> None:
    assert hide(data, [SECRET]) == data


def test_json_stays_json() -> None:
    echo = {"message": f"you sent {SECRET}", SECRET: "next", "last": f"\n{SECRET}\n"}
    shown = hide(json.dumps(echo).replace("/", "\\/").replace("=", "\\u003d"), [SECRET])
    assert json.loads(shown) == {"message": "you sent ***", "***": "next", "last": "\n***\n"}


def test_a_short_secret_would_be_found_in_innocent_words() -> None:
    assert hide("a token and a node", ["", "node", "token"]) == "a token and a node"


LONG = {
    "lines": "10.0.0.1 host.example.com\n",
    "quotes": '{"a": "b"}',
    "tags": "<b>&amp;</b>",
    "tabs": "a:\tb\r\n",
    "backslashes": "^\\\\d+\\s*$ C:\\\\new\\\\",
    "letters of other alphabets": "Größe, 大きさ\n",
}


@pytest.mark.parametrize("piece", LONG.values(), ids=LONG)
def test_a_long_answer_stays_as_it_is_however_many_escapes_it_has(piece: str) -> None:
    text = json.dumps(piece * (MAX_ESCAPES_BESIDE_CREDENTIALS + 1))
    text = text.replace("<", "\\u003c").replace("&", "\\u0026")
    assert hide(text, [SECRET]) == text


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_credential_among_many_escapes_hides_the_whole(written: Callable[[str], str]) -> None:
    text = "line\\n" * (MAX_ESCAPES_BESIDE_CREDENTIALS + 1) + written(SECRET)
    assert hide(text, [SECRET]) == HIDDEN


def test_a_text_with_more_escapes_than_are_decoded_is_hidden_whole() -> None:
    assert hide("\\/" * (MAX_ESCAPES + 1), [SECRET]) == HIDDEN


@pytest.mark.parametrize("piece", ["\\", "%25", "\\u005c", "&amp;", "\n ", "&#"])
def test_escapes_without_end_cost_time_by_their_length_alone(piece: str) -> None:
    text = piece * (MAX_ESCAPES_BESIDE_CREDENTIALS * 3 // 5)
    assert hide(text, [SECRET]) == text


def test_a_hider_hides_in_one_text_after_the_other() -> None:
    hider = Hider([SECRET])
    texts = ["", f"before {SECRET} after", "innocent", SECRET]
    assert [hider.hide(text) for text in texts] == ["", "before *** after", "innocent", "***"]
    assert hider.hide(SECRET.encode()) == b"***"


def peak_of_hiding(escape: str, escapes: int) -> int:
    """Return the most bytes that hiding takes, of a text in which everything is escaped."""
    text = escape * escapes
    tracemalloc.start()
    try:
        assert hide(text, [SECRET]) == text
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("escape", ["\\u0041", "%41", "ab\\/", "é\\u4e00", "&#65;"])
def test_what_is_decoded_takes_the_memory_of_a_few_texts(escape: str) -> None:
    assert peak_of_hiding(escape, 400_000) < 8 * 400_000 * len(escape)


@given(
    st.text('\\u0025%&#;"nrampx41\n\r /', max_size=200),
    st.integers(1, 40),
    st.sampled_from([_PATTERN, _PATTERN_WITH_QUOTES]),
)
@example("\\%41" * 10, 7, _PATTERN)
@example("\\\\%41\n\n \\n%2525%41", 3, _PATTERN)
def test_a_text_is_decoded_piece_by_piece_as_in_one(
    text: str, piece: int, pattern: re.Pattern[str]
) -> None:
    assert _decode_all(text, pattern, piece) == pattern.sub(_char, text)


@pytest.mark.parametrize("unit", ["a", "ab", "abcab"])
def test_a_credential_that_repeats_itself_costs_no_more_than_the_text(unit: str) -> None:
    secret, text = (unit * 20)[:16], unit * 200_000
    tracemalloc.start()
    shown = hide(f"<{text}>", [secret])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shown.startswith("<***")
    assert len(shown) < len("<***>") + len(secret)
    assert peak < 8 * len(text)


@given(st.text("ab", min_size=8, max_size=12), st.text("ab", max_size=60))
def test_all_that_overlaps_is_hidden_and_nothing_else(secret: str, text: str) -> None:
    covered = {
        start + offset
        for start in range(len(text))
        if text.startswith(secret, start)
        for offset in range(len(secret))
    }
    kept = "".join(char for index, char in enumerate(text) if index not in covered)
    assert hide(text, [secret]).replace(HIDDEN, "") == kept


def test_a_text_with_too_many_credentials_is_hidden_whole() -> None:
    assert hide(f"{SECRET} " * MAX_FOUND, [SECRET]).count(HIDDEN) == MAX_FOUND
    assert hide(f"{SECRET} " * (MAX_FOUND + 1), [SECRET]) == HIDDEN
