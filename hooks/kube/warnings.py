"""Reads the header `Warning`, in which an API server tells of what still works."""

import re

#: Characters of a header that are read, and how many warnings of one answer.
_MAX_HEADER = 16_384
MAX_WARNINGS = 5
#: Kubernetes writes `299 - "a text"`, several with commas between them (RFC 7234, 5.5).
_WARNING = re.compile(r'299 \S{1,253} "((?:[^"\\]|\\.)*)"', re.DOTALL)


def parse_warnings(header: str) -> tuple[str, ...]:
    """Return the texts of the first warnings, each once; none of what is not written so."""
    found = _WARNING.findall(header[:_MAX_HEADER])
    texts = dict.fromkeys(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) for text in found)
    return tuple(text for text in texts if text.strip())[:MAX_WARNINGS]
