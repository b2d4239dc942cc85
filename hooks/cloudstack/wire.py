"""Makes one signed call, and reads what comes back: an answer or an error."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import CloudStackError, Throttled, Unreachable, error_of
from hooks.http.answer_memory import Held
from hooks.http.backoff import clamp_retry_after, retry_after
from hooks.http.bounded_json import BadJson, Json
from hooks.http.errors import HttpError, without_frames
from hooks.http.hide import HIDDEN
from hooks.http.texts import one_line, shorten
from hooks.http.transport import HttpAnswer, Request, Transport

OK = 200
UNAUTHORIZED = 401
TOO_MANY_REQUESTS = 429
#: Seconds to wait where CloudStack asks to be called less often without saying how much less.
DEFAULT_RETRY_AFTER = 1.0
#: A signature is valid for this long, clock differences included.
EXPIRATION = timedelta(minutes=10)
#: CloudStack's words are passed on up to this length.
MAX_TEXT = 1000
#: Keys that only errors have, whatever their values.
ERROR_KEYS = frozenset({"errorcode", "cserrorcode", "errortext"})
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "cloudstack-metacontroller",
}

#: The settings of the cloud-config that help, by what is wrong.
ADVICE = {
    "address": "; are api-url, ca-file and proxy in the cloud-config right?",
    "authorities": "; ca-file in the cloud-config can name the authorities to trust",
    "name": "; is the host of api-url in the cloud-config the name that the certificate is for?",
    "tls": "; does the server speak TLS at the port of api-url in the cloud-config?",
}
#: Commands whose answer is not in `<command>response`, nor in `<command>` as some are; lower case.
ODD_ENVELOPES = {
    "deleteLBStickinessPolicy": "deletelbstickinessrruleresponse",
    "updateNetworkACLItem": "createnetworkaclresponse",
}


class Wire:
    """Calls one CloudStack with one account's keys; used by many threads at once.

    Args:
        config: where and as which account.
        transport: sends the requests.
    """

    def __init__(self, config: CloudConfig, transport: Transport) -> None:
        self._config = config
        self._transport = transport

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> Json:
        """Call once, in at most `seconds`; return what is in the answer's envelope.

        Raises:
            CloudStackError: any but JobRunning.
        """
        try:
            return self._send(command, params, seconds)
        except CloudStackError as error:
            failed = without_frames(error)
        raise failed

    def _send(self, command: str, params: Mapping[str, object], seconds: float) -> Json:
        answer = self._ask(command, params, seconds)
        if answer.status == TOO_MANY_REQUESTS:
            raise Throttled(command, _retry_after(answer))
        name, payload = _envelope(command, answer)
        code = payload.get("errorcode")
        if code == TOO_MANY_REQUESTS:
            raise Throttled(command, _retry_after(answer))
        if isinstance(code, int):
            advice = clock_advice(answer.date, time.time()) if code == UNAUTHORIZED else ""
            raise error_of(command, code, _error_text(payload), advice=advice)
        if not ERROR_KEYS.isdisjoint(payload):
            raise _unexpected(command, answer, "got an error without a whole number as its code")
        if answer.status != OK or name.lower() not in _envelope_names(command):
            raise _unexpected(command, answer, f"got {_shown(name)}")
        result = payload.get("jobresult")
        if isinstance(result, dict) and "errortext" in result:
            return {**payload, "jobresult": {**result, "errortext": _error_text(result)}}
        return payload

    def _ask(self, command: str, params: Mapping[str, object], seconds: float) -> HttpAnswer:
        config = self._config
        form = signed({**params, "command": command}, config.api_key, config.secret_key)
        secrets = (config.secret_key, config.api_key, form["signature"], *_key_lines(form))
        request = Request("POST", config.api_url, HEADERS, urlencode(form).encode(), secrets)
        try:
            return self._transport.send(request, seconds)
        except HttpError as error:
            message = f"{error}{ADVICE.get(error.wrong, '')}"
            raise Unreachable(
                command, message, sent=error.sent, transient=error.transient
            ) from error


def _key_lines(form: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a private key that is sent: an error may quote any of them."""
    lines = form.get("privatekey", "").splitlines()
    return (line for line in lines if line and not line.startswith("-----"))


def signed(params: Mapping[str, object], api_key: str, secret_key: str) -> dict[str, str]:
    """Return the form of a call, with its signature (version 3: it expires).

    The signature is an HMAC-SHA1 of the sorted, percent-encoded form in lower case. The server
    encodes as Java's URLEncoder: `*` stays as it is, `~` is `%7E` (observed on CloudStack 4.22).

    Args:
        params: command and parameters; a list is written as CloudStack reads it, None left out.
        api_key: the account's.
        secret_key: signs.
    """
    form = {
        "apiKey": api_key,
        "expires": (datetime.now(UTC) + EXPIRATION).strftime("%Y-%m-%dT%H:%M:%S%z"),
        "response": "json",
        "signatureVersion": "3",
        **dict(_written(params)),
    }
    return {**form, "signature": signature(form, secret_key)}


def signature(form: Mapping[str, str], secret_key: str) -> str:
    """Return the signature of a form's names and values, in base64."""
    query = "&".join(
        f"{name}={quote(value, safe='*').replace('~', '%7E')}"
        for name, value in sorted(form.items())
    )
    digest = hmac.new(secret_key.encode(), query.lower().encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _written(params: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield parameters as text: `true`, `a,b`, and `tags[0].key` for a list of objects."""
    for name, value in params.items():
        if isinstance(value, bool):
            yield name, str(value).lower()
        elif isinstance(value, list | tuple) and all(isinstance(row, dict) for row in value):
            for index, row in enumerate(value):
                yield from ((f"{name}[{index}].{key}", str(text)) for key, text in row.items())
        elif isinstance(value, list | tuple):
            yield name, ",".join(map(str, value))
        elif value is not None:
            yield name, str(value)


def _error_text(payload: Json) -> str:
    """Return CloudStack's words, at most MAX_TEXT characters, without signed requests in them."""
    text = one_line(payload.get("errortext") or "no reason given", 2 * MAX_TEXT)
    text = re.sub(r"(?i)\b(signature|api_?key|secret_?key)=[^&\s]+", rf"\1={HIDDEN}", text)
    return shorten(text, MAX_TEXT)


def _envelope(command: str, answer: HttpAnswer) -> tuple[str, Json]:
    """Open the answer: a JSON object whose only key names what is inside."""
    if 300 <= answer.status < 400:
        raise Unreachable(
            command, f"redirected ({answer.status}), which is not followed: is api-url right?"
        )
    if not answer.body.strip():
        raise _unexpected(command, answer, "got nothing")
    try:
        envelope = answer.json()
    except BadJson as error:
        raise _unexpected(command, answer, _media(answer.content_type, error)) from None
    if not isinstance(envelope, dict) or len(envelope) != 1:
        raise _unexpected(command, answer, "got JSON of another form")
    [(name, payload)] = envelope.items()
    if not isinstance(payload, dict):
        raise _unexpected(command, answer, f"got {_shown(name)} without an object in it")
    return name, envelope.holding(payload) if isinstance(envelope, Held) else payload


def _media(content_type: str, error: BadJson) -> str:
    """Say what came instead of JSON: another media type, or what is wrong with the JSON."""
    found = re.match(r"[\w.+-]{1,40}/[\w.+-]{1,40}", content_type, re.ASCII)
    if found and not found[0].endswith(("json", "javascript")):
        return f"got {found[0]}"
    return f"got something that {error}"


def _shown(name: str) -> str:
    """Show a key that may be a command's; another server may say anything, our request too."""
    return repr(name) if re.fullmatch(r"[A-Za-z]{1,80}", name) else "another key"


def _envelope_names(command: str) -> tuple[str, ...]:
    """Name the envelopes that a command's answer may come in, in lower case."""
    usual = command.lower()
    return (f"{usual}response", usual, ODD_ENVELOPES.get(command, usual))


def _unexpected(command: str, answer: HttpAnswer, got: str) -> Unreachable:
    """Say that the answer is not CloudStack's; a gateway's 5xx may be gone the next time."""
    return Unreachable(
        command,
        f"JSON with the key '{command.lower()}response' was expected, {got} (HTTP {answer.status})",
        transient=answer.status >= 500,
    )


def clock_advice(date: str, now: float) -> str:
    """Say what a 401 may come from: CloudStack gives no reason, also where a signature has expired.

    In whole minutes, so that the text stays the same from call to call.

    Args:
        date: the answer's header `Date`; empty without one.
        now: epoch seconds.
    """
    try:
        minutes = round((parsedate_to_datetime(date).timestamp() - now) / 60)
    except (ValueError, OverflowError):
        clocks = "its answer has no Date to compare the clocks by"
    else:
        side = "ahead of" if minutes > 0 else "behind"
        apart = f"its clock is {abs(minutes)} min {side} ours" if minutes else "the clocks agree"
        clocks = f"by the answer's Date {apart}"
    return (
        "either api-key and secret-key in the cloud-config are wrong or disabled, or the clocks "
        f"differ by more than {EXPIRATION.seconds // 60} min: {clocks}"
    )


def _retry_after(answer: HttpAnswer) -> float:
    """Read how long to wait, in seconds: CloudStack's `retry after 1234 ms`, or Retry-After."""
    if found := re.search(rb"retry after (\d{1,9}) ms", answer.body):
        return clamp_retry_after(int(found[1]) / 1000)
    return retry_after(answer.retry_after, time.time()) or DEFAULT_RETRY_AFTER
