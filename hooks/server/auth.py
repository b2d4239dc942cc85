"""Who may call the hooks: bearers of a token from a file, with a client certificate if asked."""

import re
from collections.abc import Mapping

from hooks.settings.reloading import ReloadingFile
from hooks.settings.tokens import Tokens

_BEARER = re.compile(r"(?i)bearer +([!-~]+) *")


class Authenticator:
    """Decides who may call a hook.

    Args:
        tokens: the tokens that are accepted; None accepts every caller (on loopback only).
        client_certificates: whether a caller must show a certificate. The TLS handshake has
            verified one that is shown.
    """

    def __init__(self, tokens: ReloadingFile[Tokens] | None, *, client_certificates: bool) -> None:
        self._tokens = tokens
        self._client_certificates = client_certificates

    def refusal(self, authorization: str, certificate: Mapping[str, object] | None) -> str | None:
        """Return why a caller is refused, or None.

        Args:
            authorization: the value of the header; empty if it is missing.
            certificate: the caller's, as the TLS connection describes it.
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
