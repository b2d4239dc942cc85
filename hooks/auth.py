"""Who may call the hooks: bearers of a token from a file, with a client certificate if asked."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hooks.watched import Told, Watched

#: Two tokens are enough to rotate one; a longer list is most likely another file.
MAX_TOKENS = 2
_TOKEN = re.compile(r"[!-~]{1,4096}")
_BEARER = re.compile(r"(?i)bearer +([!-~]+) *")


@dataclass(frozen=True)
class Tokens:
    """The tokens that are let in, kept as digests: equal lengths, and nothing to print."""

    digests: tuple[bytes, ...]

    def admit(self, token: str) -> bool:
        """Tell whether it is one of them, in a time that does not depend on how alike it is."""
        digest = _digest(token)
        # sum, not any: every token is compared, whichever matches.
        return sum(hmac.compare_digest(digest, known) for known in self.digests) > 0


def read_tokens(path: str) -> Tokens:
    """Read a token file: one or two lines, each a token of printable ASCII without spaces.

    Raises:
        ValueError: saying what is wrong with it, without its content.
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


class Guard:
    """Decides who may call a hook.

    Args:
        tokens: the tokens that are let in; None lets everybody in (loopback only).
        client_certificates: whether the caller must have shown a certificate. Whether one that
            is shown is good has been decided when the connection was made.
    """

    def __init__(self, tokens: Watched[Tokens] | None, *, client_certificates: bool) -> None:
        self._tokens = tokens
        self._client_certificates = client_certificates

    def refusal(self, authorization: str, certificate: Mapping[str, object] | None) -> str | None:
        """Say why a caller is turned away, or None.

        Args:
            authorization: the header's value; empty where there is none.
            certificate: what the TLS connection knows of the caller's.
        """
        if self._client_certificates and not certificate:
            return "a client certificate is needed"
        if self._tokens is None:
            return None
        bearer = _BEARER.fullmatch(authorization)
        if not bearer:
            return "a bearer token is needed: send the header Authorization: Bearer TOKEN"
        if not self._tokens.current().admit(bearer[1]):
            return "the bearer token is not one of those in HOOKS_TOKEN_FILE"
        return None


def watch_tokens(path: str, first: Tokens, *, told: Told) -> Watched[Tokens]:
    """Follow a token file, so that a rotated token counts at the next call."""
    return Watched("tokens", (path,), lambda: read_tokens(path), first=first, told=told)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
