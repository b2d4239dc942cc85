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

#: The section of the reasons that the status page itself gives.
OWN = "What only the status page says"

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
    """The page: HTML of its parts, and what it says by section and reason.

    Attributes:
        sections: the headings below the first.
        reasons: by heading and reason, what its rows say, and for which conditions.
    """

    html: Markup = field(default_factory=Markup)
    sections: list[str] = field(default_factory=list)
    reasons: dict[tuple[str, str], list[tuple[frozenset[str], Help]]] = field(default_factory=dict)

    def help_for(self, section: str, condition: str, reason: str) -> Help | None:
        """Return what a section says of a reason, of a condition if its rows name any.

        A section that does not know the reason is the help itself; None if there is none.
        """
        rows = self.reasons.get((section, reason), self.reasons.get((OWN, reason), []))
        for conditions, found in rows:
            if condition in conditions:
                return found
        if rows:
            return rows[0][1]
        return Help(slug(section)) if section in self.sections else None


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
                guide.sections.append(text)
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
    """Make a table; each row gets the anchors of the reasons in its first two cells.

    An empty first cell repeats the one above it.
    """
    head, _, *body = [[cell.strip() for cell in row.strip()[1:-1].split(" | ")] for row in rows]
    section = guide.sections[-1] if guide.sections else ""
    titles = Markup("").join(Markup('<th scope="col">{}</th>').format(inline(c)) for c in head)
    made, first = [], ""
    for cells in body:
        first = cells[0] or first
        anchors = Markup("").join(_anchors(first, cells, section, guide))
        shown = Markup("").join(Markup("<td>{}</td>").format(inline(c)) for c in cells[1:])
        made.append(Markup("<tr><td>{}{}</td>{}</tr>").format(anchors, inline(cells[0]), shown))
    return Markup(
        '<div class="wide" role="region" aria-label="{0}" tabindex="0"><table><caption><span>{0}'
        "</span></caption><thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(section, titles, Markup("\n").join(made))


def _anchors(first: str, cells: list[str], section: str, guide: Guide) -> Iterator[Markup]:
    """Note what a row says of its reasons; yield an anchor for each."""
    conditions = frozenset(_WORD.findall(first))
    for reason in _WORD.findall(" ".join(cells[:2])):
        known = guide.reasons.setdefault((section, reason), [])
        anchor = "-".join((slug(section), *([str(len(known))] if known else []), reason))
        known.append((conditions, Help(anchor, plain(cells[-1]))))
        yield Markup('<span id="{}"></span>').format(anchor)


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
