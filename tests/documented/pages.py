"""The pages of the documentation, and the blocks of code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "deploy/**/*.md")
    for page in PROJECT.glob(pattern)
)
#: The comment that says why no test runs the commands below it.
NOT_RUN = "<!-- Not run by the tests: "
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+|~~~+)(?P<language>\S*)\s*$")
_REASON = re.compile(rf"^ *{NOT_RUN}(?P<reason>.+?) -->$")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        line: where it begins, counted from 1.
        reason: why its commands are not run by a test, if they are not.
    """

    page: Path
    line: int
    language: str
    code: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{named(self.page)}:{self.line}"


def named(page: Path) -> str:
    """Return a page's path in the project."""
    return str(page.relative_to(PROJECT))


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return a page's blocks in their order, of all languages or of one."""
    found = _blocks(page, page.read_text())
    return [block for block in found if language in (None, block.language)]


def _blocks(page: Path, markdown: str) -> Iterator[Block]:
    """Yield the blocks of a page. Raises ValueError where one has no end."""
    lines = markdown.splitlines()
    number = 0
    while number < len(lines):
        start = _FENCE.match(lines[number])
        number += 1
        if not start:
            continue
        first, indent = number, len(start["indent"])
        while number < len(lines) and lines[number].strip() != start["ticks"]:
            number += 1
        if number == len(lines):
            raise ValueError(f"{named(page)}:{first}: the block has no end")
        code = "\n".join(line[indent:] for line in lines[first:number])
        reason = _REASON.match(lines[first - 2]) if first > 1 else None
        yield Block(page, first, start["language"], code, reason["reason"] if reason else "")
        number += 1


def sections(page: Path) -> list[list[Block]]:
    """Return a page's blocks of commands, by the section in which they stand."""
    lines = page.read_text().splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line.startswith("## ")]
    found = blocks(page, "sh")
    edges = [0, *starts, len(lines) + 1]
    return [
        [block for block in found if start < block.line < end] for start, end in pairwise(edges)
    ]
