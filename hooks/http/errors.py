"""What can go wrong with a request, and what the libraries' errors come to.

HttpError           no usable answer; str() is fit for people, and never secret
├── NotTrusted      the server's certificate is not trusted
└── BadAddress      nothing can be sent to such an address, or with such settings
"""

import ssl
from collections.abc import Iterator
from typing import TypeVar

import requests
from requests.exceptions import InvalidProxyURL, InvalidSchema
from urllib3.exceptions import ProxyError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from hooks.http.sockets import NotConnected, TooLarge
from hooks.http.tls import BadTrust

#: OpenSSL's codes for a certificate whose authority is not among those that are trusted.
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)

Cause = TypeVar("Cause", bound=BaseException)


class HttpError(Exception):
    """No usable answer came back.

    Attributes:
        sent: the server may have got the request; when false, it surely has not.
        transient: the same request may well work in a moment.
    """

    def __init__(self, message: str, *, sent: bool = True, transient: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.transient = transient


class NotTrusted(HttpError):
    """The server's certificate is not trusted.

    Attributes:
        unknown_authority: other authorities would help; not so for another name or an old date.
    """

    def __init__(self, message: str, *, unknown_authority: bool) -> None:
        super().__init__(message, sent=False)
        self.unknown_authority = unknown_authority


class BadAddress(HttpError):
    """Nothing can be sent to such an address, or with such settings."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


def failure(error: Exception, host: str) -> HttpError:
    """Return what a library's error comes to, without the request that it may hold."""
    causes = tuple(_causes(error))
    if large := _first(causes, TooLarge):
        return HttpError(f"the answer of {host} {large}")
    if untrusted := _first(causes, ssl.SSLCertVerificationError):
        why = f"the certificate of {host} is not trusted: {untrusted.verify_message}"
        return NotTrusted(why, unknown_authority=untrusted.verify_code in _UNKNOWN_AUTHORITY)
    if unconnected := _first(causes, NotConnected) or _first(causes, ProxyError):
        why = str(unconnected if isinstance(unconnected, NotConnected) else causes[-1])
        return HttpError(f"no connection to {host}: {why}", sent=False, transient=True)
    if _first(causes, TimeoutError) or _first(causes, Urllib3Timeout):
        return HttpError(f"{host} took too long to answer", transient=True)
    if broken := _first(causes, ssl.SSLError):
        return HttpError(f"TLS with {host} failed: {broken.reason or broken}")
    if isinstance(error, ValueError | BadTrust):
        return _unusable(error, host)
    return HttpError(f"the connection to {host} broke before the answer was whole", transient=True)


def _unusable(error: ValueError | BadTrust, host: str) -> HttpError:
    match error:
        case BadTrust():
            why = str(error)
        case InvalidProxyURL() | InvalidSchema():
            why = "its proxy must be an http or https URL"
        case requests.RequestException():
            why = "it is no address of a server"
        case _:  # of http.client, for a chunk that is none
            return HttpError(f"the answer of {host} is not HTTP")
    return BadAddress(f"cannot be sent to {host}: {why}")


def _first(causes: tuple[BaseException, ...], kind: type[Cause]) -> Cause | None:
    return next((cause for cause in causes if isinstance(cause, kind)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it wraps, outermost first: libraries wrap several times."""
    found = [error]
    for current in found:
        yield current
        behind = (*current.args, getattr(current, "reason", None), current.__cause__)
        found += [
            each
            for each in (*behind, current.__context__)
            if isinstance(each, BaseException) and not any(each is known for known in found)
        ]
