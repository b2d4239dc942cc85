r"""Reads text in the form of gopkg.in/gcfg.v1, by which the existing provider reads `cloud-config`.

Names are of letters, digits and `-`. A comment begins at `;` or `#` wherever it stands outside of
double quotes, also without a blank before it. Quotes may open and close anywhere in a value, and do
not belong to it. Between them a backslash makes `\n`, `\t`, `\"` and `\\`; outside of them it
stands before quotes that belong to the value, or before the end of a line that goes on in the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hooks.settings.parsing import SettingsError

_NAME = r"[^\W\d_](?:[^\W_]|-)*"
_BLANKS = r"[ \t\r]*+"
_QUOTED = r'"(?:[^"\\\n]|\\["\\nt])*"'
_LINE = re.compile(
    rf"""{_BLANKS}
    (?: \[ {_BLANKS} (?P<section>{_NAME}) {_BLANKS} (?P<part>"(?:[^"\\\n]|\\["\\])+")?
        {_BLANKS} \] {_BLANKS}
      | (?P<name>{_NAME}) {_BLANKS}
        (?:= {_BLANKS} (?P<value>(?:[^;#"\\\n] | {_QUOTED} | \\\r?["\n])*+))?
    )?
    (?P<comment>[;\#][^\n]*)?
    (?:\n | \Z)""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r'\\(.)|"', re.DOTALL)
_MADE = {"n": "\n", "t": "\t", "\n": ""}


@dataclass(frozen=True)
class Entry:
    """One name in a text.

    Attributes:
        line: the number of its line.
        section: lower case, as names are; with its part behind it, as in `a "b"`.
        name: empty for the header of a section.
        value: None for a name that stands alone.
        surprises: what a reader may not expect of the value, to continue a sentence that begins
            with the name.
    """

    line: int
    section: str
    name: str
    value: str | None
    surprises: tuple[str, ...] = ()


def read_entries(text: str) -> Iterator[Entry]:
    """Yield the headers and names of a text in their order.

    Raises:
        SettingsError: naming the line that has another form, and nothing of what is in it.
    """
    if "\0" in text:
        raise SettingsError(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}: holds a NUL")
    section, position, line = "", 0, 1
    while position < len(text):
        found = _LINE.match(text, position)
        if not found:
            raise SettingsError(f"line {line}: {_problem(text, position)}")
        if found["section"]:
            section = " ".join(filter(None, (found["section"].lower(), found["part"])))
            yield Entry(line, section, "", None)
        elif found["name"]:
            if not section:
                raise SettingsError(f"line {line}: there is a line before [Global]")
            yield _entry(line, section, found)
        line += found[0].count("\n")
        position = found.end()


def _entry(line: int, section: str, found: re.Match[str]) -> Entry:
    name, raw = found["name"].lower(), found["value"]
    if raw is None:
        return Entry(line, section, name, None)
    value = raw.rstrip(" \t\r").replace("\r", "")
    return Entry(
        line,
        section,
        name,
        _ESCAPED.sub(lambda each: _MADE.get(each[1], each[1]) if each[1] else "", value),
        tuple(_surprises(value, is_cut=bool(found["comment"]) and raw[-1:] not in ('"', *" \t\r"))),
    )


def _surprises(value: str, *, is_cut: bool) -> Iterator[str]:
    if is_cut and value:
        yield "ends before the ; or #, where a comment begins; put the value in double quotes"
    if '"' in re.sub(r"\\.", "", value, flags=re.DOTALL) and not re.fullmatch(_QUOTED, value):
        yield "has double quotes within its value, which do not belong to it"
    if "\n" in value:
        yield "goes on in the next line, because a backslash ends this one"


def _problem(text: str, position: int) -> str:
    """Say what is wrong with the line at a position."""
    end = text.find("\n", position)
    line = text[position:] if end < 0 else text[position:end]
    if line.startswith("\ufeff"):
        return "begins with a byte order mark; save the file without one"
    if re.match(rf"{_BLANKS}{_NAME}{_BLANKS}=", line):
        return (
            "the value's double quotes are not closed, or a backslash stands where it has no "
            'meaning; write the value in double quotes, with \\\\ for \\ and \\" for "'
        )
    if line.lstrip(" \t\r").startswith("["):
        return "is not the header of a section; write [Global]"
    return "is not of the form name = value"
