"""Makes one signed call and tells what came back: an answer, or which of our errors."""

import base64
import hashlib
import hmac
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import CloudStackError, Throttled, Unreachable, refusal
from hooks.cloudstack.library import CloudStack, CloudStackApiException
from hooks.cloudstack.session import time_limit
from hooks.http.texts import shorten

OK = 200
TOO_MANY_REQUESTS = 429
#: Seconds waited where CloudStack asks to be called less often without saying how much less,
#: and the least and the most that it is believed.
DEFAULT_RETRY_AFTER = 1.0
MIN_RETRY_AFTER = 0.1
MAX_RETRY_AFTER = 600.0
#: A signature is worth this many seconds, clock differences included.
EXPIRATION_SECONDS = 600
#: CloudStack's words are told up to this length.
MAX_TEXT = 1000

#: Commands whose answer is not in `<command>response`, nor in `<command>` as some are; lower case.
ODD_ENVELOPES = {
    "deleteLBStickinessPolicy": "deletelbstickinessrruleresponse",
    "updateNetworkACLItem": "createnetworkaclresponse",
}

Json = dict[str, Any]


class Wire:
    """Calls one CloudStack with one account's keys; used by many threads at once.

    Args:
        config: where and as whom.
        session: sends; shared by all calls.
        verify: the trusted certificate authorities: a path, or True for the usual ones.
        clock: epoch seconds, to read a Retry-After date by.
    """

    def __init__(
        self,
        config: CloudConfig,
        *,
        session: requests.Session,
        verify: str | bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._session = session
        self._verify = verify
        self._clock = clock

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> Json:
        """Call once, in at most `seconds`; return what is in the answer's envelope.

        Raises:
            CloudStackError: any but JobRunning.
        """
        answer = self._ask(command, params, seconds)
        # Raised here, outside of any handler: what the libraries raise holds the signed request,
        # and a chained exception would carry it into a log.
        if isinstance(answer, CloudStackError):
            raise answer
        if answer.status == TOO_MANY_REQUESTS:
            raise Throttled(command, _retry_after(answer, self._clock()))
        name, payload = _envelope(command, answer)
        code = payload.get("errorcode")
        if code == TOO_MANY_REQUESTS:
            raise Throttled(command, _retry_after(answer, self._clock()))
        if isinstance(code, int):
            raise refusal(command, code, self._told(payload))
        if answer.status != OK or name.lower() not in _envelope_names(command):
            raise _unexpected(command, answer, f"got {_shown(name)}")
        result = payload.get("jobresult")
        if isinstance(result, dict) and "errortext" in result:
            return payload | {"jobresult": result | {"errortext": self._told(result)}}
        return payload

    def _ask(
        self, command: str, params: Mapping[str, object], seconds: float
    ) -> "_Answer | CloudStackError":
        api = _Signer(
            endpoint=self._config.api_url,
            key=self._config.api_key,
            secret=self._config.secret_key,
            method="post",
            expiration=EXPIRATION_SECONDS,
            verify=None if self._config.ssl_no_verify else self._verify,
            dangerous_no_tls_verify=self._config.ssl_no_verify,
            session=self._session,
            headers={"User-Agent": "cloudstack-metacontroller"},
        )
        api.timeout = time_limit(seconds)  # type: ignore[assignment]  # handed on as it is
        try:
            text = getattr(api, command)(json=False, response="json", **params)
            return _Answer(text)
        except CloudStackApiException as error:
            response = error.response
            return _Answer(
                response.text,
                response.status_code,
                response.headers.get("Content-Type", ""),
                response.headers.get("Retry-After", ""),
            )
        except OSError as error:
            host = urlsplit(self._config.api_url).hostname or "the API"
            return _unreachable(command, error, host)

    def _told(self, payload: Json) -> str:
        """Return CloudStack's words, of a bearable length and without secrets."""
        text = str(payload.get("errortext") or "no reason given")
        for secret in filter(None, (self._config.secret_key, self._config.api_key)):
            text = text.replace(secret, "…")
        text = re.sub(r"(?i)\b(signature|api_?key|secret_?key)=[^&\s]+", r"\1=…", text)
        return shorten(text, MAX_TEXT)


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    status: int = 200
    content_type: str = ""
    retry_after: str = ""


class _Signer(CloudStack):
    """Signs as the server checks: Java's URLEncoder writes `~` as `%7E`, which cs leaves alone."""

    def _sign(self, data: dict[str, str]) -> None:
        query = "&".join(
            f"{name}={quote(value, safe='*').replace('~', '%7E')}"
            for name, value in sorted(data.items())
        )
        key = (self.secret or "").encode()
        digest = hmac.new(key, query.lower().encode(), hashlib.sha1).digest()
        data["signature"] = base64.b64encode(digest).decode()


def _unreachable(command: str, error: OSError, host: str) -> Unreachable:
    """Say what went wrong without the request that the error holds."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    tls = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    if isinstance(tls, ssl.SSLCertVerificationError):
        message = f"the certificate of {host} is not trusted: {tls.verify_message}"
        return Unreachable(command, message, sent=False)
    if tls is not None:
        return Unreachable(command, f"TLS with {host} failed: {tls}")
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        why = getattr(reason.__cause__, "strerror", None) or "no answer"
        message = f"no connection to {host}: {why}"
        return Unreachable(command, message, sent=False, transient=True)
    if isinstance(error, requests.Timeout):
        return Unreachable(command, f"{host} took too long to answer", transient=True)
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        message = f"the connection to {host} broke before the answer was whole"
        return Unreachable(command, message, transient=True)
    if isinstance(error, requests.RequestException):
        return Unreachable(command, f"cannot be sent to {host}: is api-url right?", sent=False)
    return Unreachable(command, f"cannot be sent to {host}: {error}", sent=False)


def _envelope(command: str, answer: _Answer) -> tuple[str, Json]:
    """Open the answer: a JSON object whose only key names what is inside."""
    if 300 <= answer.status < 400:
        raise Unreachable(
            command, f"redirected ({answer.status}), which is not followed: is api-url right?"
        )
    if not answer.text.strip():
        raise _unexpected(command, answer, "got nothing")
    try:
        envelope = json.loads(answer.text)
    except (ValueError, RecursionError):
        envelope = None
    if envelope is None:
        media_type = re.match(r"[\w.+-]{1,40}/[\w.+-]{1,40}", answer.content_type, re.ASCII)
        kind = media_type[0] if media_type else "something that is no JSON"
        raise _unexpected(command, answer, f"got {kind}")
    if not isinstance(envelope, dict) or len(envelope) != 1:
        raise _unexpected(command, answer, "got JSON of another form")
    [(name, payload)] = envelope.items()
    if not isinstance(payload, dict):
        raise _unexpected(command, answer, f"got {_shown(name)} without an object in it")
    return name, payload


def _shown(name: str) -> str:
    """Show a key that may be a command's; another server may say anything, our request too."""
    return repr(name) if re.fullmatch(r"[A-Za-z]{1,80}", name) else "another key"


def _envelope_names(command: str) -> tuple[str, ...]:
    """Name the envelopes that a command's answer may come in, in lower case."""
    usual = command.lower()
    return (f"{usual}response", usual, ODD_ENVELOPES.get(command, usual))


def _unexpected(command: str, answer: _Answer, got: str) -> Unreachable:
    """Say that the answer is none of CloudStack's; a gateway's 5xx may be gone the next time."""
    return Unreachable(
        command,
        f"JSON with the key '{command.lower()}response' was expected, {got} (HTTP {answer.status})",
        transient=answer.status >= 500,
    )


def _retry_after(answer: _Answer, now: float) -> float:
    """Read how long to wait, in seconds: CloudStack's `retry after 1234 ms`, or Retry-After."""
    seconds = DEFAULT_RETRY_AFTER
    header = answer.retry_after.strip()
    if found := re.search(r"retry after (\d{1,9}) ms", answer.text):
        seconds = int(found[1]) / 1000
    elif re.fullmatch(r"\d{1,9}", header, re.ASCII):
        seconds = float(header)
    elif (date := _date(header)) is not None:
        seconds = date - now
    return min(max(seconds, MIN_RETRY_AFTER), MAX_RETRY_AFTER)


def _date(header: str) -> float | None:
    """Read an HTTP date as epoch seconds, None where it is none."""
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
