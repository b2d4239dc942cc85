"""Takes credentials out of what may be shown: answers, which may echo them, and error texts.

A server may write a credential in any of the ways that texts are written within texts. A text that
may hold one is therefore decoded step by step, and what a credential was decoded from is replaced.
"""

import json
import re
from array import array
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from itertools import chain
from typing import AnyStr

#: What stands where a credential was.
HIDDEN = "***"
#: Characters that a credential has at least; a shorter text would be found in innocent words too.
SHORTEST_HIDDEN = 8
#: How many times a text is decoded: JSON in JSON in a query is three texts in one.
_STEPS = 4
#: A text with more escapes is hidden whole, and one that holds a credential with fewer: there it
#: counts where each escape was, which takes longer.
MAX_ESCAPES = 4_000_000
MAX_ESCAPES_BESIDE_CREDENTIALS = 200_000
#: A text with more credentials is hidden whole: to list them would take much memory.
MAX_FOUND = 100_000

#: Characters of a text that are decoded at once: what is decoded takes many times their memory
#: until it is put together.
_PIECE = 64 * 1024
#: What escapes stand for, as far as they are short and were met lately.
_known: dict[str, str] = {}
_MAX_KNOWN = 10_000
#: Characters of an escape at most, without its repetitions, which may be without end.
_LONGEST_ESCAPE = 32

#: One character as JSON, Python, Go, queries and HTML write it, escaped twice too; and line ends,
#: which may break base64 anywhere. Linear in time: runs of backslashes are tried once.
_ESCAPE = (
    r"(?P<none>(?:(?<!\\)\\++[nr]|[\r\n])(?:\\++[nr]|\s)*+)"
    r"|(?<!\\)\\++(?:u(?P<u>[\da-f]{4})|x(?P<x>[\da-f]{2})|(?P<plain>[^\w\s%s]))"
    r"|%%(?:25)*(?P<percent>[\da-f]{2})"
    r"|&(?:amp;)*#(?:x0*(?P<hex>[\da-f]{1,6})|0*(?P<decimal>\d{1,7}));?"
)
#: Answers are full of escaped quotes and backslashes, and few credentials hold any.
_PATTERN = re.compile(_ESCAPE % '"', re.IGNORECASE | re.ASCII)
_PATTERN_WITH_QUOTES = re.compile(
    _ESCAPE % "" + r"|(?<!\\)(?P<backslash>\\)\\++", re.IGNORECASE | re.ASCII
)
_ESCAPED = ("\\", "%", "&", "\r", "\n")
_BASES = {"u": 16, "x": 16, "percent": 16, "hex": 16, "decimal": 10}


class Hider:
    """Hides the same secrets in several texts; what they look like takes longer than most texts.

    A text of n characters takes 5 n of memory for a while; 12 n if one of them takes four bytes. A
    megabyte of escapes takes a tenth of a second.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        needles = {form for secret in secrets for form in _forms(secret)}
        has_quotes = any('"' in needle or "\\" in needle for needle in needles)
        self._pattern = _PATTERN_WITH_QUOTES if has_quotes else _PATTERN
        decoded = (step.text for needle in needles for step in _steps(needle, self._pattern))
        self._needles = needles.union(decoded)

    def hide(self, text: AnyStr) -> AnyStr:
        """Replace each of the secrets, as `hide`."""
        if isinstance(text, str):
            return self._hide(text) if text and self._needles else text
        return bytes(self.hide_bytes(text))

    def hide_bytes(self, data: bytes | bytearray) -> bytes | bytearray:
        """Replace each of the secrets; bytes that hold none are returned as they are."""
        if not (data and self._needles):
            return data
        text = data.decode(errors="surrogateescape")
        shown = self._hide(text)
        return data if shown is text else shown.encode(errors="surrogateescape")

    def _hide(self, text: str) -> str:
        try:
            if not _holds(text, self._needles, self._pattern):
                return text
            return _hide_steps(text, self._needles, self._pattern)
        except OverflowError:
            return HIDDEN


def hide(text: AnyStr, secrets: Iterable[str]) -> AnyStr:
    """Replace each of the secrets: plain, escaped, percent-encoded, in base64, in hexadecimal."""
    return Hider(secrets).hide(text)


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret looks in a text that is decoded."""
    if len(secret) < SHORTEST_HIDDEN:
        return
    data = secret.encode(errors="surrogatepass")
    yield from (secret, secret.replace(" ", "+"), data.hex(), data.hex().upper())
    if not secret.isascii():
        units = secret.encode("utf-16-be", errors="surrogatepass")
        pairs = zip(units[::2], units[1::2], strict=True)
        yield from (data.decode("latin-1"), "".join(chr(high << 8 | low) for high, low in pairs))
    if '"' in secret or "\\" in secret:
        # What is decoded does not tell a last backslash from a quote's.
        quoted = json.dumps(secret)[1:-1]
        yield from (quoted, json.dumps(quoted)[1:-1])
    for before in range(3):  # bytes in front of it within the same four characters
        encoded = b64encode(bytes(before) + data).decode()
        first, last = (0, 2, 3)[before], len(before * b" " + data) * 8 // 6
        yield from (encoded[first:last], encoded[first:last].translate(_URL_SAFE))


_URL_SAFE = str.maketrans("+/", "-_")


def _numbers() -> "array[int]":
    return array("l")


@dataclass
class _Step:
    """A decoded text, and where each decoded escape is in it and was in the text before.

    Arrays, as an answer may have hundreds of thousands: a tuple takes ten times their memory.
    """

    text: str
    positions: "array[int]" = field(default_factory=_numbers)
    starts: "array[int]" = field(default_factory=_numbers)
    ends: "array[int]" = field(default_factory=_numbers)
    lengths: "array[int]" = field(default_factory=_numbers)

    def source(self, index: int) -> tuple[int, int]:
        """Return the start and end of what the character at an index was decoded from."""
        found = bisect_right(self.positions, index) - 1
        if found < 0:
            return index, index + 1
        start, end = self.starts[found], self.ends[found]
        after = index - self.positions[found] - self.lengths[found]
        return (start, end) if after < 0 else (end + after, end + after + 1)


def _hide_steps(text: str, needles: set[str], pattern: re.Pattern[str]) -> str:
    """Replace what needles were decoded from. Raises OverflowError if it is too much."""
    spans: list[tuple[int, int]] = []
    steps: list[_Step] = []
    for step in chain([_Step(text)], _steps(text, pattern)):
        steps.append(step)
        for start, end in _find(step.text, needles):
            first, last = start, end - 1
            for each in reversed(steps):
                first, last = each.source(first)[0], each.source(last)[1] - 1
            spans.append((first, last + 1))
            if len(spans) > MAX_FOUND:
                raise OverflowError
    return _replace(text, spans)


def _steps(text: str, pattern: re.Pattern[str]) -> Iterator[_Step]:
    """Decode a text until nothing in it is escaped. Raises OverflowError on too many escapes."""
    escapes = MAX_ESCAPES_BESIDE_CREDENTIALS
    for _ in range(_STEPS):
        if not any(mark in text for mark in _ESCAPED):
            return
        step = _decode(text, pattern, escapes)
        if step.text == text:
            return
        yield step
        text, escapes = step.text, escapes - len(step.positions)


def _holds(text: str, needles: set[str], pattern: re.Pattern[str]) -> bool:
    """Tell whether a text holds a needle once it is decoded. Raises OverflowError, as `_steps`."""
    for _ in range(_STEPS):
        if any(needle in text for needle in needles):
            return True
        if not any(mark in text for mark in _ESCAPED):
            return False
        decoded = _decode_all(text, pattern)
        if decoded == text:
            return False
        text = decoded
    return any(needle in text for needle in needles)


def _decode_all(text: str, pattern: re.Pattern[str], piece: int = _PIECE) -> str:
    """Decode a text piece by piece. Raises OverflowError on too many escapes."""
    pieces: list[str] = []
    start = escapes = 0
    while start < len(text):
        end = _end_of_piece(text, start + piece, pattern)
        decoded, count = pattern.subn(_known_char, text[start:end])
        escapes += count
        if escapes > MAX_ESCAPES:
            raise OverflowError
        pieces.append(decoded)
        start = end
    return "".join(pieces)


def _end_of_piece(text: str, at: int, pattern: re.Pattern[str]) -> int:
    """Return where an escape begins at or after a place, as all of the text together shows it.

    Behind a backslash none does: that is escaped by it.
    """
    while at < len(text):
        # An escape may be as long as the text; only where it begins matters.
        found = pattern.search(text, at, at + _PIECE)
        at = found.start() if found else at + _PIECE - _LONGEST_ESCAPE
        if found and text[at - 1] != "\\":
            return at
        at += 1
    return len(text)


def _known_char(found: re.Match[str]) -> str:
    """Return what an escape stands for, as `_char`, a third faster for those that come again."""
    written = found[0]
    char = _known.get(written)
    if char is None:
        char = _char(found)
        if len(written) <= _LONGEST_ESCAPE:
            if len(_known) >= _MAX_KNOWN:
                _known.clear()
            _known[written] = char
    return char


def _char(found: re.Match[str]) -> str:
    """Return what an escape stands for."""
    kind = found.lastgroup or ""
    if kind == "none":
        return ""
    written = found[kind]
    if kind in ("plain", "backslash"):
        return written
    code = int(written, _BASES[kind])
    return chr(code) if code <= 0x10FFFF else "?"


def _decode(text: str, pattern: re.Pattern[str], most: int) -> _Step:
    decoded = StringIO()
    step = _Step("")
    at = length = 0
    for found in pattern.finditer(text):
        if len(step.positions) == most:
            raise OverflowError
        start, char = found.start(), _char(found)
        length += start - at
        step.positions.append(length)
        step.starts.append(start)
        step.ends.append(found.end())
        step.lengths.append(len(char))
        decoded.write(text[at:start])
        decoded.write(char)
        length += len(char)
        at = found.end()
    decoded.write(text[at:])
    step.text = decoded.getvalue()
    return step


def _find(text: str, needles: set[str]) -> Iterator[tuple[int, int]]:
    """Yield where needles are; those of one needle that overlap or touch are one."""
    for needle in needles:
        length, start = len(needle), text.find(needle)
        while start >= 0:
            end = start + length
            # The last one that begins in this one or right after it.
            while (last := text.rfind(needle, end - length + 1, end + length)) >= 0:
                end = last + length
            yield start, end
            start = text.find(needle, end)


def _replace(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start > at or not pieces:
            pieces += (text[at:start], HIDDEN)
        at = max(at, end)
    return "".join((*pieces, text[at:]))
