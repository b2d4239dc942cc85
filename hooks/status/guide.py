"""The troubleshooting page of the documentation: what it says of a reason, and itself as HTML.

It reads just as much Markdown as that page has: headings, tables, paragraphs, commands, code and
bold text. Links become their text, since the other pages are not served here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup, escape

#: The image holds it beside the hooks.
TROUBLESHOOTING = Path(__file__).resolve().parents[2] / "docs" / "guides" / "troubleshooting.md"

_LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]+)`")
_WORD = re.compile(r"`([A-Z][A-Za-z]+)`")


@dataclass(frozen=True)
class Help:
    """What the documentation says of a reason.

    Attributes:
        anchor: where on the page.
        helps: what helps, as plain text; empty where only a whole section fits.
    """

    anchor: str
    helps: str = ""


@dataclass
class Guide:
    """The page: HTML of its parts, and what it says by section and reason."""

    html: Markup = field(default_factory=Markup)
    sections: list[tuple[str, str]] = field(default_factory=list)
    reasons: dict[str, Help] = field(default_factory=dict)

    def help_for(self, reason: str, section: str) -> Help | None:
        """Return what the page says of a reason, else where its section begins, if there is one."""
        if reason in self.reasons:
            return self.reasons[reason]
        anchor = slug(section)
        return Help(anchor) if any(anchor == known for known, _ in self.sections) else None


def slug(heading: str) -> str:
    """Return the anchor of a heading, as Markdown viewers make it."""
    return re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-"))


def read_guide(file: Path = TROUBLESHOOTING) -> Guide:
    """Read the page; an empty one where it is not there."""
    guide = Guide()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return guide
    guide.html = Markup("\n").join(_blocks(lines, guide))
    return guide


def _blocks(lines: list[str], guide: Guide) -> Iterator[Markup]:
    """Yield the page's blocks as HTML, and note what they say."""
    while lines:
        line = lines.pop(0)
        if heading := re.fullmatch(r"(#+) (.+)", line):
            level, text = len(heading[1]), heading[2]
            if level > 1:
                guide.sections.append((slug(text), text))
            yield Markup('<h{} id="{}">{}</h{}>').format(level, slug(text), inline(text), level)
        elif line.startswith("```"):
            command = _taken(lines, lambda each: not each.startswith("```"))
            del lines[:1]
            yield Markup("<pre><code>{}</code></pre>").format("\n".join(command))
        elif line.startswith("|"):
            rows = [line, *_taken(lines, lambda each: each.startswith("|"))]
            yield _table(rows, guide)
        elif line.strip() and not line.startswith("<!--"):
            words = [line, *_taken(lines, lambda each: bool(each.strip()))]
            yield Markup("<p>{}</p>").format(inline(" ".join(words)))


def _taken(lines: list[str], wanted: Callable[[str], bool]) -> list[str]:
    """Take the first lines as long as they are wanted."""
    taken = []
    while lines and wanted(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _table(rows: list[str], guide: Guide) -> Markup:
    """Make a table; each row gets the anchors of the reasons in its first two cells."""
    head, _, *body = [
        [cell.strip() for cell in row.strip().strip("|").split(" | ")] for row in rows
    ]
    titles = Markup("").join(Markup('<th scope="col">{}</th>').format(inline(c)) for c in head)
    made = []
    for cells in body:
        new = [each for each in _WORD.findall(" ".join(cells[:2])) if each not in guide.reasons]
        guide.reasons |= {reason: Help(reason, plain(cells[-1])) for reason in new}
        anchors = Markup("").join(Markup('<span id="{}"></span>').format(each) for each in new)
        shown = [Markup("<td>{}</td>").format(inline(cell)) for cell in cells[1:]]
        first = Markup("<td>{}{}</td>").format(anchors, inline(cells[0]))
        made.append(Markup("<tr>{}</tr>").format(Markup("").join((first, *shown))))
    title = guide.sections[-1][1] if guide.sections else ""
    return Markup(
        '<div class="wide"><table><caption>{}</caption><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(title, titles, Markup("\n").join(made))


def plain(text: str) -> str:
    """Return Markdown as plain text."""
    return _CODE.sub(r"\1", _LINK.sub(r"\1", text)).replace("**", "")


def inline(text: str) -> Markup:
    """Return Markdown within a line as HTML."""
    parts = _CODE.split(_LINK.sub(r"\1", text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
