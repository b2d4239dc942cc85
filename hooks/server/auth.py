"""Who may call the hooks: bearers of a token from a file, with a client certificate if asked."""

import re
from collections.abc import Mapping

from hooks.settings.reloading import OnReload, ReloadingFile
from hooks.settings.tokens import Tokens, read_tokens

_BEARER = re.compile(r"(?i)bearer +([!-~]+) *")


class Authenticator:
    """Decides who may call a hook.

    Args:
        tokens: the tokens that are let in; None lets everybody in (loopback only).
        client_certificates: whether the caller must have shown a certificate. Whether one that
            is shown is good has been decided when the connection was made.
    """

    def __init__(self, tokens: ReloadingFile[Tokens] | None, *, client_certificates: bool) -> None:
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


def reloading_tokens(path: str, first: Tokens, *, on_reload: OnReload) -> ReloadingFile[Tokens]:
    """Follow a token file, so that a rotated token counts at the next call."""
    return ReloadingFile(
        "tokens", (path,), lambda: read_tokens(path), first=first, on_reload=on_reload
    )
