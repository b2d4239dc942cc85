"""Answers HTTP: each path calls a hook, and each outcome has a status.

200  the answer of the hook
400  the body is no hook request (`field` names the place), or the rest no HTTP
401  the token is missing or wrong, or there is no client certificate
404, 405   unknown path, another method than POST; of pages for people, than GET
413, 417, 431, 501   a body over MAX_BODY_BYTES, another expectation than 100-continue, too large a
     head, an unknown transfer encoding
429  CloudStack or the API server failed, and no status can say so; Retry-After grows. Or no memory
     became free for the body in time, or it had no turn; Retry-After is RETRY_SECONDS
500  a bug; the answer has a trace id, the log has the trace
"""

import json
import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from hooks import VERSION
from hooks.cloudstack.errors import CloudStackError
from hooks.http.backoff import Backoff
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.fair_share import PROCESS, FairShare
from hooks.http.texts import shorten
from hooks.kube.client import KubeError
from hooks.kube.objects import part
from hooks.server.auth import Authenticator
from hooks.server.call_log import CallLog, changes_object
from hooks.server.environ import HOST, PEER_CERTIFICATE, REFUSAL, STARTED
from hooks.server.metrics import Metrics
from hooks.server.rates import Rate
from hooks.webhook.contract import BadRequest
from hooks.webhook.hook import Handler, Hook, Page
from hooks.webhook.reconcile import CallResult
from hooks.webhook.requests import parse_body

#: The largest body; Metacontroller sends an object, its children and its related objects.
MAX_BODY_BYTES = 16 * 1024 * 1024
#: A body over this size, in bytes, is parsed while no other one is, in the order of arrival.
LARGE_BODY = 256 * 1024
#: Lines about refused callers: at once, and then a second.
REFUSAL_LINES = (60, 5)
#: What a caller waits whose body found no memory, in seconds.
RETRY_SECONDS = "5"
#: Characters of a path or method in the log.
_LOGGED = 200
_log = logging.getLogger("hooks.calls")
#: Where probes ask, without credentials.
HEALTH_PATHS = ("/healthz", "/readyz")
#: Names of this machine, with or without a port. A website that a person visits can have its own
#: name lead to 127.0.0.1, and then reads in the person's browser whatever answers there.
_OWN_NAMES = re.compile(r"(?i)(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")


@dataclass(frozen=True)
class HttpOutcome:
    """How a call ended: the answer, and what the log and the metrics call it.

    It holds texts of errors: an error holds the frames that it went through, and their bodies.
    """

    name: str
    code: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    logged: Mapping[str, object] = field(default_factory=dict)
    changed: bool = False
    bug: Exception | None = None
    content_type: str = "application/json"


def create_app(
    hooks: Mapping[str, Hook],
    *,
    authenticator: Authenticator,
    metrics: Metrics,
    deadline_seconds: float,
    monotonic: Monotonic = time.monotonic,
) -> flask.Flask:
    """Make the app that serves the hooks.

    Args:
        hooks: by name, which begins the paths of each.
        authenticator: admits callers.
        metrics: counts calls.
        deadline_seconds: how long a call may take.
        monotonic: monotonic seconds.
    """
    app = flask.Flask("hooks", static_folder=None)
    app.url_map.merge_slashes = False
    for path in HEALTH_PATHS:
        app.add_url_rule(path, path, lambda: {"status": "ok"}, provide_automatic_options=False)
    pages = {path for hook in hooks.values() for path in hook.pages}
    if "/" not in pages:
        about = _about(hooks)
        app.add_url_rule("/", "/", lambda: about, provide_automatic_options=False)
    runner = _CallRunner(metrics, deadline_seconds, monotonic)
    for name, hook in hooks.items():
        for path, handler in hook.routes.items():
            view = runner.view(name, path, handler)
            app.add_url_rule(path, path, view, methods=["POST"], provide_automatic_options=False)
        for path, page in hook.pages.items():
            shown = runner.page(name, page)
            app.add_url_rule(path, path, shown, provide_automatic_options=False)
    app.before_request(lambda: _admit(authenticator, pages))
    app.register_error_handler(HTTPException, runner.refuse)
    return app


def _about(hooks: Mapping[str, Hook]) -> dict[str, object]:
    """Say what answers here, to people who look."""
    return {
        "name": "cloudstack-metacontroller",
        "version": VERSION,
        "hooks": {name: sorted(hook.routes) for name, hook in hooks.items()},
        "documentation": "docs/README.md in the source of this version",
    }


class _CallRunner:
    """Runs handlers; answers, logs and counts how each call ended."""

    def __init__(self, metrics: Metrics, deadline_seconds: float, monotonic: Monotonic) -> None:
        self._metrics = metrics
        self._deadline_seconds = deadline_seconds
        self._monotonic = monotonic
        self._backoff = Backoff()
        self._large_bodies = FairShare(1, monotonic=monotonic)
        self._refusal_lines = Rate(*REFUSAL_LINES, monotonic)
        self._call_log = CallLog(monotonic)

    def view(self, hook: str, path: str, handler: Handler) -> Callable[[], ResponseReturnValue]:
        """Make the function that Flask calls for a path."""
        if not path.startswith(f"/{hook}/"):
            raise ValueError(f"hook {hook}: its path {path} does not begin with /{hook}/")
        call = path.removeprefix(f"/{hook}/")

        def answer() -> ResponseReturnValue:
            now = self._monotonic()
            # The time in which the call waited for memory and for a thread is its own.
            started = flask.request.environ.get(STARTED, now)
            deadline = Deadline(self._deadline_seconds - (now - started), clock=self._monotonic)
            about = ""
            try:
                with self._metrics.under_way(hook, call):
                    text = _read_body()
                    self._metrics.hook_request(hook, call, len(text))
                    body = parse_in_turn(text, self._large_bodies, deadline)
                    del text
                    about = _object_name(body)
                    outcome = _answered(handler(body, deadline), body)
                self._backoff.succeeded(f"{path} {about}")
            except Exception as error:  # noqa: BLE001 - every error has an outcome
                outcome = self._failed(error, f"{path} {about}")
            seconds = self._monotonic() - started
            self._count(outcome, hook, call, seconds)
            self._log(outcome, hook, {"object": about, "seconds": round(seconds, 4)})
            return _response(outcome)

        return answer

    def page(self, hook: str, page: Page) -> Callable[[], ResponseReturnValue]:
        """Make the function that Flask calls for a page."""

        def answer() -> ResponseReturnValue:
            started = self._monotonic()
            try:
                with self._metrics.under_way(hook, "page"):
                    made = page(Deadline(self._deadline_seconds, clock=self._monotonic))
                kind = made.content_type
                outcome = HttpOutcome("ok", 200, made.text, made.headers, content_type=kind)
            except Exception as error:  # noqa: BLE001 - every error has an outcome
                outcome = self._failed(error, flask.request.path)
            seconds = self._monotonic() - started
            self._count(outcome, hook, "page", seconds)
            self._log(outcome, hook, {"seconds": round(seconds, 4)})
            return _response(outcome)

        return answer

    def refuse(self, error: HTTPException) -> ResponseReturnValue:
        """Answer a call that never reached a hook."""
        outcome = self._failed(getattr(error, "original_exception", None) or error, "")
        self._count(outcome, "", "", 0.0)
        unlogged = self._refusal_lines.take()
        if unlogged is not None or outcome.bug is not None:
            self._log(outcome, "", {"unlogged": unlogged} if unlogged else {})
        return _response(outcome)

    def _count(self, outcome: HttpOutcome, hook: str, call: str, seconds: float) -> None:
        """Count a call, and write the line that sums up the last minute if it is due."""
        self._metrics.hook_call(hook, call, outcome.name, seconds)
        name, changed = outcome.name, outcome.changed
        if summary := self._call_log.count(hook, name, seconds, changed=changed):
            _log.info("calls of the last minute", extra=summary)

    def _log(self, outcome: HttpOutcome, hook: str, fields: Mapping[str, object]) -> None:
        """Write the call's own line in the log."""
        request, error = flask.request, str(outcome.logged.get("error", ""))
        about = f"{request.path} {fields['object']}" if fields.get("object") else ""
        level = self._call_log.level(outcome.name, about, changed=outcome.changed, error=error)
        shown = {"method": shorten(request.method, _LOGGED), "path": shorten(request.path, _LOGGED)}
        extra: dict[str, object] = {**shown, **({"hook": hook} if hook else {}), **fields}
        extra |= {"outcome": outcome.name, "code": outcome.code, **outcome.logged}
        _log.log(level, "call answered", extra=extra, exc_info=outcome.bug)

    def _failed(self, error: Exception, key: str) -> HttpOutcome:
        """Return how a call ended that raised an error."""
        match error:
            case HTTPException():
                return _refused(error)
            case BadRequest():
                text = _write({"error": str(error), "field": error.field})
                return HttpOutcome("bad_request", 400, text, logged={"error": str(error)})
            case CloudStackError() | KubeError():
                wait = max(self._backoff.failed(key), error.retry_after)
                headers = {"Retry-After": str(math.ceil(wait))}
                text = _write({"error": str(error)})
                return HttpOutcome("retry", 429, text, headers, {"error": str(error)})
            case _:
                trace_id = secrets.token_hex(8)
                text = _write({"error": "internal error, see the log", "traceId": trace_id})
                logged = {"error": type(error).__name__, "traceId": trace_id}
                return HttpOutcome("bug", 500, text, logged=logged, bug=error)


def _admit(authenticator: Authenticator, pages: Collection[str]) -> None:
    """Refuse callers without credentials; probes need none.

    Where nobody needs any, a page is only for who names this machine.
    """
    environ = flask.request.environ
    if REFUSAL in environ:
        status, reason = environ[REFUSAL]
        flask.abort(status, f"the request cannot be read: {reason}")
    if flask.request.path in HEALTH_PATHS:
        return
    certificate = environ.get(PEER_CERTIFICATE)
    refusal = authenticator.refusal(flask.request.headers.get("Authorization", ""), certificate)
    if refusal:
        flask.abort(401, refusal)
    is_open = authenticator.refusal("", None) is None
    if is_open and flask.request.path in pages and not _OWN_NAMES.fullmatch(environ.get(HOST, "")):
        flask.abort(400, "without a token, a page answers only under localhost, 127.0.0.1 or [::1]")


def _read_body() -> bytes:
    """Return the body. The worker has received it whole, unless its length is too large."""
    if (flask.request.content_length or 0) > MAX_BODY_BYTES:
        flask.abort(413)
    return flask.request.stream.read()


def parse_in_turn(text: bytes, turns: FairShare, deadline: Deadline) -> Json:
    """Parse a body; a large one waits for its turn, within the time of its call.

    Raises:
        BadRequest: it is no request.
        HTTPException: 429, others had their turns until the deadline.
    """
    if len(text) <= LARGE_BODY:
        return parse_body(text)
    if not turns.take(PROCESS, 1, deadline):
        flask.abort(429, "it had no turn to be parsed in time, try again later")
    try:
        return parse_body(text)
    finally:
        turns.give_back(PROCESS, 1)


def _object_name(body: Json) -> str:
    """Return the name of the object that a call is about; empty if the body has none."""
    metadata = part(body, "object", "metadata") or part(body, "parent", "metadata")
    parts = (metadata.get("namespace"), metadata.get("name"))
    return "/".join(each[:253] for each in parts if isinstance(each, str) and each)


def _answered(answer: CallResult, body: Json) -> HttpOutcome:
    text = _write(answer.response)
    # A run of the same kind of action is logged as one.
    runs = (
        (name, len(list(run))) for name, run in groupby(type(a).__name__ for a in answer.actions)
    )
    actions = [name if count == 1 else f"{name} x{count}" for name, count in runs]
    obj = part(body, "object") or part(body, "parent")
    changed = not answer.routine and (bool(actions) or changes_object(obj, answer.response))
    logged: dict[str, object] = {"actions": actions}
    if answer.error is None:
        return HttpOutcome("ok", 200, text, logged=logged, changed=changed)
    logged["error"] = str(answer.error)
    return HttpOutcome("error", 200, text, logged=logged, changed=changed)


def _refused(error: HTTPException) -> HttpOutcome:
    code = error.code or 500
    known = {
        401: ("unauthorized", error.description),
        404: ("not_found", "no hook of this process answers here"),
        405: ("method_not_allowed", "hooks are called with POST, / and probes with GET"),
        413: ("too_large", f"the body is larger than {MAX_BODY_BYTES} bytes"),
        429: ("retry", error.description),
    }
    name, reason = known.get(code, ("bad_request", error.description or error.name))
    if REFUSAL in flask.request.environ:
        reason = error.description
    headers = {key: value for key, value in error.get_headers() if key == "Allow"}
    if code == 429:
        headers["Retry-After"] = RETRY_SECONDS
    if code == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return HttpOutcome(name, code, _write({"error": reason}), headers, {"error": reason})


def _response(outcome: HttpOutcome) -> flask.Response:
    return flask.Response(
        outcome.text, outcome.code, outcome.headers, content_type=outcome.content_type
    )


def _write(body: Mapping[str, object]) -> str:
    return json.dumps(body, allow_nan=False) + "\n"
