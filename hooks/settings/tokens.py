"""The bearer tokens that callers of the hooks send, read from a file."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

#: Two are enough to rotate a token; a longer list is most likely another file.
MAX_TOKENS = 2
_TOKEN = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True)
class Tokens:
    """The tokens that are accepted, as digests: of equal length, and fit to print."""

    digests: tuple[bytes, ...]

    def admit(self, token: str) -> bool:
        """Return whether it is one of them, in a time that depends on no similarity."""
        digest = _digest(token)
        # sum, not any: every token is compared, whichever matches.
        return sum(hmac.compare_digest(digest, known) for known in self.digests) > 0


def read_tokens(path: str) -> Tokens:
    """Read a token file: one or two lines, each a token of printable ASCII without spaces.

    Raises:
        ValueError: with the problem, without the content.
        OSError: it cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="ascii").split("\n")
    except UnicodeDecodeError:
        raise ValueError("holds other characters than printable ASCII") from None
    tokens = [line.strip() for line in lines if line.strip()]
    if not 1 <= len(tokens) <= MAX_TOKENS:
        raise ValueError(f"must hold one or two tokens, one a line; it holds {len(tokens)}")
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        raise ValueError("a token must be of printable ASCII characters, without spaces")
    return Tokens(tuple(_digest(token) for token in tokens))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
