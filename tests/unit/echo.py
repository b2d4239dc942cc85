"""A small real hook, and an app that serves it to a test."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from werkzeug.test import TestResponse

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.server.app import create_app
from hooks.server.auth import Authenticator
from hooks.server.logs import JsonFormatter
from hooks.server.metrics import Metrics
from hooks.webhook.hook import Handler, Hook
from hooks.webhook.reconcile import CallResult
from hooks.webhook.requests import Metadata, View, convert

NODE: Json = {"object": {"metadata": {"name": "node-1", "uid": "u-1"}}}

#: What a hook of a test does with a request.
Deed = Callable[[Json, Deadline], CallResult]


class Clock:
    """Monotonic seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class CreateRule:
    port: int


@dataclass(frozen=True)
class AssignMember:
    name: str


class EchoObject(View, frozen=True):
    metadata: Metadata


class EchoRequest(View, frozen=True):
    object: EchoObject


class EchoHook(Hook):
    """A small real hook: checks its request, and does what the test wants."""

    def __init__(self) -> None:
        self.deed: Deed = lambda _request, _deadline: CallResult({"labels": {}})

    @property
    def routes(self) -> Mapping[str, Handler]:
        return {"/echo/sync": self.sync, "/echo/customize": self.customize}

    def sync(self, request: Json, deadline: Deadline) -> CallResult:
        return self.deed(request, deadline)

    def customize(self, request: Json, deadline: Deadline) -> CallResult:
        del deadline
        convert(request, EchoRequest)
        return CallResult({"attachments": []})


class Lines(logging.Handler):
    """Keeps the lines that the process would write."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@dataclass(frozen=True)
class Served:
    """An app with one hook, its client, its log, its metrics and its clock."""

    client: FlaskClient
    hook: EchoHook
    log: list[dict[str, Any]]
    registry: CollectorRegistry
    clock: Clock

    def post(self, body: object = NODE, path: str = "/echo/sync", **options: Any) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, data=data, **options)

    def line(self) -> dict[str, Any]:
        """Take the one line that was written."""
        assert len(self.log) == 1
        return self.log.pop()

    def raises(self, error: Exception) -> None:
        """Let the hook fail."""

        def deed(_request: Json, _deadline: Deadline) -> CallResult:
            raise error

        self.hook.deed = deed

    def answers(self, answer: CallResult) -> None:
        """Let the hook answer."""
        self.hook.deed = lambda _request, _deadline: answer


def serve(authenticator: Authenticator, log: list[dict[str, Any]]) -> Served:
    registry, hook, clock = CollectorRegistry(), EchoHook(), Clock()
    app = create_app(
        {"echo": hook},
        authenticator=authenticator,
        metrics=Metrics(registry),
        deadline_seconds=8.0,
        monotonic=clock,
    )
    return Served(app.test_client(), hook, log, registry, clock)
