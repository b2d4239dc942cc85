"""Turns the errors of libraries, which hold the request, into one-line errors without secrets."""

import ssl
from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidHeader
from urllib3.exceptions import ProxyError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from hooks.http.hide import hide
from hooks.http.sockets import NoRoom, NotConnected, TooLarge
from hooks.http.texts import one_line
from hooks.http.tls import BadTrust

#: Characters of an error: what a proxy or a library says in it may be of any length.
MAX_TEXT = 400
#: Characters in which secrets are looked for before the rest is cut off.
_MAX_SEARCHED = 64 * 1024

Failed = TypeVar("Failed", bound=Exception)
Wrong = Literal["", "address", "authorities", "name", "tls"]
#: OpenSSL's codes for a certificate whose authority is not among those that are trusted, and for
#: one of another host, mail or IP address.
_WRONG_BY_CODE: dict[int, Wrong] = {
    **dict.fromkeys((2, 18, 19, 20, 21), "authorities"),
    **dict.fromkeys((62, 63, 64), "name"),
}


class HttpError(Exception):
    """No usable answer came back; str() is fit for people and holds no secret.

    Attributes:
        sent: the server may have got the request; when false, it surely has not.
        transient: the same request may work in a moment.
        wrong: which setting may be: "address" if nothing can be sent with these settings,
            "authorities" if the server's certificate is signed by none that is trusted, "name" if
            it is another name's, "tls" if the server does not speak TLS as we do; else empty.
    """

    def __init__(
        self,
        message: str,
        *,
        sent: bool = True,
        transient: bool = False,
        wrong: Wrong = "",
    ) -> None:
        super().__init__(message)
        self.sent = sent
        self.transient = transient
        self.wrong = wrong


def failure(error: Exception, url: str, secrets: Iterable[str], *, sent: bool) -> HttpError:
    """Return the error to raise for a library's error, in one line without the secrets.

    The connection knows whether the request was sent; urllib3 raises ProxyError also for an answer
    that was lost.
    """
    try:
        host = urlsplit(url).hostname or "the server"
    except ValueError:
        host = "the server"
    known = filter(None, (_known(cause, host, sent=sent) for cause in _causes(error)))
    found = next(known, None) or _unknown(error, host, sent=sent)
    found.sent = sent
    # Hidden before it is cut: half a secret would not be found.
    found.args = (one_line(hide(str(found)[:_MAX_SEARCHED], secrets), MAX_TEXT),)
    return found


def without_frames(error: Failed) -> Failed:
    """Return an error without the frames that it went through, which hold answers."""
    error.__context__ = None
    return error.with_traceback(None)


def _unknown(error: Exception, host: str, *, sent: bool) -> HttpError:
    if not sent and isinstance(error, requests.RequestException) and isinstance(error, ValueError):
        return _not_sent(host, "it is not the address of a server")
    if isinstance(error, ValueError):  # of http.client, for chunks that are none
        return HttpError(f"the answer of {host} is not HTTP")
    return HttpError(f"the connection to {host} broke before the answer was whole", transient=True)


def _known(cause: BaseException, host: str, *, sent: bool) -> HttpError | None:
    match cause:
        case TooLarge():
            return HttpError(f"the answer of {host} {cause}")
        case NoRoom():
            return HttpError(f"the answer of {host} {cause}", transient=True)
        case ssl.SSLCertVerificationError(verify_code=code, verify_message=problem):
            message = f"the certificate of {host} is not trusted: {problem}"
            return HttpError(message, sent=False, wrong=_WRONG_BY_CODE.get(code, ""))
        case NotConnected() | ProxyError() if not sent:
            *_, why = _causes(cause)
            through = " through its proxy" if isinstance(cause, ProxyError) else ""
            message = f"no connection to {host}{through}: {why}"
            return HttpError(message, sent=False, transient=True)
        case TimeoutError() | Urllib3Timeout():
            return HttpError(f"{host} took too long to answer", transient=True)
        case ssl.SSLError():
            return HttpError(f"TLS with {host} failed: {cause.reason or cause}", wrong="tls")
        case InvalidHeader() | UnicodeEncodeError() if not sent:
            problem = "a header, such as the token's, has characters that HTTP cannot carry"
            return HttpError(f"cannot be sent to {host}: {problem}", sent=False)
        case BadTrust():
            return _not_sent(host, str(cause))
    return None


def _not_sent(host: str, why: str) -> HttpError:
    return HttpError(f"cannot be sent to {host}: {why}", sent=False, wrong="address")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it wraps, outermost first: libraries wrap several times."""
    yield error
    for each in (*error.args, getattr(error, "reason", None), error.__cause__):
        if isinstance(each, BaseException):
            yield from _causes(each)
