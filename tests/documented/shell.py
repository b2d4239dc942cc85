"""Reads blocks of shell commands into the commands that they run."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_HERE_DOCUMENT = re.compile(r"<<'?(?P<end>\w+)'?\n.*?^\s*(?P=end)$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s.*$", re.MULTILINE)
_KEYWORDS = {"until", "while", "do", "done", "then", "if", "fi", "!"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One program and its arguments.

    Attributes:
        writes: the files that its output goes to.
    """

    program: str
    arguments: tuple[str, ...]
    writes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return shlex.join([self.program, *self.arguments])


def commands(code: str) -> list[Command]:
    """Return all commands of a block. Raises ValueError where a quote has no end."""
    plain = _COMMENT.sub("", _HERE_DOCUMENT.sub("", code)).replace("\\\n", " ")
    words = shlex.shlex(plain, posix=True, punctuation_chars="|&;<>\n")
    words.whitespace = " \t"
    words.whitespace_split = True
    words.commenters = ""
    found: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set("|&;\n"):
            found.append([])
        else:
            found[-1].append(word)
    return list(_commands(found))


def _commands(found: list[list[str]]) -> Iterator[Command]:
    for words in found:
        rest = list(words)
        while rest and (rest[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(rest[0])):
            rest.pop(0)
        writes = []
        while ">" in rest:
            place = rest.index(">")
            writes.append(rest[place + 1])
            del rest[place : place + 2]
        if rest:
            yield Command(rest[0], tuple(rest[1:]), tuple(writes))
