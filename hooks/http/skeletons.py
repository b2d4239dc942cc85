"""Tells quickly that a text holds no credential in any writing.

Escapes can hide what a letter or a digit is only if they stand for letters, digits, or what further
escapes are made of. Those are decoded here. All others, and whatever is neither letter nor digit,
are left out of the text and of the credentials, which are then looked for as they are: the work is
that of a few replacements by regular expressions, whatever line ends, quotes and tags a text has.
"""

import re
from collections.abc import Iterable

#: Letters and digits that what is left of a credential has at least; shorter ones are everywhere.
SHORTEST = 6
#: How many times a text is decoded, and how many of its escapes at most, each time.
STEPS = 4
MAX_DECODED = 1_000_000

#: Line ends, which may stand within base64 and within escapes, and what is blank after them.
LINE_ENDS = r"(?:\\(?<!\\\\)\\*+[nr]|[\r\n])(?:\\++[nr]|\s)*+"
#: Codes of letters, digits, blanks, line ends, and of the characters that escapes begin with.
_TELLING = r"(?:0[9a-d]|2[0356]|3[\db]|4[1-9a-f]|5[\dac]|6[1-9a-f]|7[\da])"
_FLAGS = re.IGNORECASE | re.ASCII
_LINE_ENDS = re.compile(LINE_ENDS, _FLAGS)
_DECODED = re.compile(
    rf"\\(?<!\\\\)\\*+(?:u00({_TELLING})|x({_TELLING})|([%&#;]))"
    rf"|%(?:25)*({_TELLING})"
    r"|&(?:amp;)*#(?:x0*([\da-f]{1,6})|0*(\d{1,7}));?",
    _FLAGS,
)
_OTHERS = re.compile(rf"{LINE_ENDS}|\\++(?:u[\da-f]{{4}}|x[\da-f]{{2}})?|%[\da-f]{{2}}", _FLAGS)
_PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum())


class Skeletons:
    """What is left of some credentials."""

    def __init__(self, credentials: Iterable[str]) -> None:
        self._credentials = tuple(credentials)
        both = {each for text in self._credentials for each in (text, _joined(text))}
        self._skeletons = {_skeleton(each) for each in both}
        self._short = any(len(skeleton) < SHORTEST for skeleton in self._skeletons)

    def may_be_in(self, text: str) -> bool:
        """Tell whether a text may hold one of the credentials; False is certain."""
        if self._short:
            return True
        for _ in range(STEPS):
            if self._are_in(text):
                return True
            joined = _joined(text)
            decoded, count = _DECODED.subn(_decode, joined, MAX_DECODED)
            if count == MAX_DECODED:
                return True
            if decoded == text:
                return False
            if count and self._are_in(joined):
                return True
            text = decoded
        return self._are_in(text)

    def _are_in(self, text: str) -> bool:
        if any(credential in text for credential in self._credentials):
            return True  # an escape may begin right before it, and leave its first letters out
        left = _skeleton(text)
        return any(skeleton in left for skeleton in self._skeletons)


def _joined(text: str) -> str:
    return _LINE_ENDS.sub("", text)


def _skeleton(text: str) -> bytes:
    return _OTHERS.sub("", text).encode("ascii", "ignore").translate(None, _PUNCTUATION)


def _decode(found: re.Match[str]) -> str:
    escaped, byte, plain, percent, hexadecimal, decimal = found.groups()
    if plain:
        return plain
    code = int(decimal) if decimal else int(escaped or byte or percent or hexadecimal, 16)
    return chr(code) if code <= 0x10FFFF else "?"
