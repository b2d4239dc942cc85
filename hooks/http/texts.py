"""Writes texts for people: shortened, quoted, on one line, and lists that end in a count."""

import re
import unicodedata
from collections.abc import Sequence

#: Stands where a character was that cannot be seen, or changes how those around it are shown.
MARK = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return a text with marks for what a terminal obeys or does not show, of the same length.

    That is control characters and the ends of lines, Unicode's format characters, which turn or
    join others, halves of characters, and what Unicode does not know.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _shown(each) for each in text)


def _shown(char: str) -> str:
    return " " if unicodedata.category(char) == "Zs" else MARK


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters, printable; a text that is cut ends in an ellipsis."""
    return printable(text if len(text) <= limit else f"{text[: limit - 1]}…")


def one_line(text: object, limit: int) -> str:
    """Return what another server wrote, printable, shortened, each white space one blank."""
    return shorten(" ".join(str(text or "")[: 4 * limit].split()), limit)


def quote(value: object, limit: int = 80) -> str:
    """Return a value in quotes, as a message repeats it, shortened."""
    return shorten(repr(value), limit)


def show_url(url: str, limit: int = 80) -> str:
    """Return a URL in quotes, shortened, without what may be secret or was meant as such.

    That is the login, the query, the fragment, and what stands in the place of a port.
    """
    shown = re.sub(r"^(\w+:/*)?.*@", r"\1***@", url, flags=re.DOTALL)
    shown = re.sub(r"([?#]).*", r"\1…", shown, flags=re.DOTALL)
    host = r"((?:\s*\w+:/+)?+(?:\[[^\]]*\])?+[^:/]*+):(?![0-9]{1,5}(?:[/?#]|$)).*"
    return quote(re.sub(f"^{host}", r"\1:***", shown, flags=re.DOTALL), limit)


def join_names(names: Sequence[str], *, limit: int, total: int = 0) -> str:
    """Return `n1, n2 and 3 more`: at most `limit` names.

    Args:
        names: in the order to show.
        limit: the most that are shown.
        total: how many there are, where `names` holds only the first.
    """
    more = max(total, len(names)) - len(names[:limit])
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def join_sentences(sentences: Sequence[str], *, limit: int) -> str:
    """Return `x is a; y is b; and 3 more`: at most `limit` sentences."""
    more = len(sentences) - limit
    return "; ".join((*sentences[:limit], *([f"and {more} more"] if more > 0 else ())))
