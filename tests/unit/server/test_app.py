import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hooks import VERSION
from hooks.cloudstack.errors import JobRunning, Throttled, Unreachable, error_of
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, KubeUnreachable
from hooks.server.app import MAX_BODY_BYTES, create_app
from hooks.server.auth import Authenticator
from hooks.server.environ import PEER_CERTIFICATE, STARTED
from hooks.server.metrics import Metrics
from hooks.settings.reloading import ReloadingFile
from hooks.settings.tokens import read_tokens
from hooks.webhook.contract import BadRequest
from hooks.webhook.hook import Handler
from hooks.webhook.reconcile import CallResult
from tests.unit.echo import NODE, AssignMember, CreateRule, EchoHook, Lines, Served, serve

SERVICE: Json = {"parent": {"metadata": {"namespace": "default", "name": "web"}}}


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    handler = Lines()
    logger = logging.getLogger("hooks.calls")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def served(log: list[dict[str, Any]]) -> Served:
    return serve(Authenticator(None, client_certificates=False), log)


@pytest.fixture
def guarded(tmp_path: Path, log: list[dict[str, Any]]) -> Served:
    path = tmp_path / "tokens"
    path.write_text("TOKEN-1\n")
    tokens = ReloadingFile("tokens", (str(path),), lambda: read_tokens(str(path)))
    return serve(Authenticator(tokens, client_certificates=False), log)


def test_a_hooks_answer_is_the_response(served: Served) -> None:
    served.answers(CallResult({"labels": {"zone": "zone-ä"}, "resyncAfterSeconds": 1.5}))
    response = served.post()
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert json.loads(response.data) == {"labels": {"zone": "zone-ä"}, "resyncAfterSeconds": 1.5}


def test_the_hook_gets_the_body_and_the_time_it_may_take(served: Served) -> None:
    seen: list[object] = []

    def deed(request: Json, deadline: Deadline) -> CallResult:
        served.clock.now += 3.0
        seen.extend([request, deadline.remaining()])
        return CallResult({})

    served.hook.deed = deed
    served.post()
    assert seen == [NODE, 5.0]


def test_the_time_in_which_a_call_waits_for_a_thread_is_its_own(
    served: Served, log: list[dict[str, Any]]
) -> None:
    seen: list[float] = []

    def deed(_request: Json, deadline: Deadline) -> CallResult:
        seen.append(deadline.remaining())
        return CallResult({}, (CreateRule(80),))

    served.hook.deed = deed
    served.clock.now += 100.0
    for waited in (3.0, 9.0):
        served.post(environ_overrides={STARTED: served.clock.now - waited})
    assert seen == [5.0, 0.0]
    assert [line["seconds"] for line in log] == [3.0, 9.0]


def test_a_call_is_one_line(served: Served) -> None:
    actions = (CreateRule(80), AssignMember("a"), AssignMember("b"), CreateRule(443))

    def deed(_request: Json, _deadline: Deadline) -> CallResult:
        served.clock.now += 0.25
        return CallResult({}, actions)

    served.hook.deed = deed
    served.post()
    line = served.line()
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "hooks.calls",
        "message": "call answered",
        "method": "POST",
        "path": "/echo/sync",
        "hook": "echo",
        "object": "node-1",
        "seconds": 0.25,
        "outcome": "ok",
        "code": 200,
        "actions": ["CreateRule", "AssignMember x2", "CreateRule"],
    }


def test_a_namespaced_parent_is_named_with_its_namespace(served: Served) -> None:
    served.answers(CallResult({}, (CreateRule(80),)))
    served.post(SERVICE)
    assert served.line()["object"] == "default/web"


def test_a_call_is_counted_and_timed(served: Served) -> None:
    served.post()
    value = served.registry.get_sample_value
    labels = {"hook": "echo", "call": "sync"}
    assert value("hook_calls_total", {**labels, "outcome": "ok"}) == 1
    assert value("hook_call_duration_seconds_count", labels) == 1


def test_a_call_counts_as_under_way_until_it_is_answered(served: Served) -> None:
    def under_way() -> float | None:
        labels = {"hook": "echo", "call": "sync"}
        return served.registry.get_sample_value("hook_calls_under_way", labels)

    seen: list[float | None] = []

    def deed(_request: Json, _deadline: Deadline) -> CallResult:
        seen.append(under_way())
        raise ZeroDivisionError

    served.hook.deed = deed
    served.post()
    assert [*seen, under_way()] == [1, 0]


def test_an_error_that_the_answer_tells_of_is_logged_as_a_warning(served: Served) -> None:
    error = Unreachable("listZones", "no connection")
    served.answers(CallResult({"resyncAfterSeconds": 30}, (CreateRule(80),), error))
    response = served.post()
    assert (response.status_code, response.json) == (200, {"resyncAfterSeconds": 30})
    line = served.line()
    assert line["level"] == "warn"
    assert line["outcome"] == "error"
    assert line["error"] == "listZones: no connection"
    assert line["actions"] == ["CreateRule"]


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("listZones", "no connection"),
        JobRunning("createLoadBalancerRule", "j-1"),
        error_of("listZones", 531, "not yours"),
        KubeUnreachable("GET /api/v1/nodes/a: no connection"),
        Conflict("PATCH /api/v1/nodes/a", 409, "changed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failing_cloud_or_api_server_is_429_and_says_when_to_come_again(
    served: Served, error: Exception
) -> None:
    served.raises(error)
    response = served.post()
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert response.json == {"error": str(error)}
    line = served.line()
    assert (line["level"], line["outcome"], line["code"]) == ("warn", "retry", 429)
    assert line["error"] == str(error)


def test_each_object_waits_longer_and_longer_until_it_succeeds(served: Served) -> None:
    def waits(body: Json, path: str = "/echo/sync") -> list[str]:
        return [served.post(body, path).headers["Retry-After"] for _ in range(3)]

    other = {"object": {"metadata": {"name": "node-2"}}}
    served.raises(Unreachable("listZones", "no connection"))
    assert waits(NODE) == ["1", "2", "4"]
    assert waits(other) == ["1", "2", "4"]
    served.answers(CallResult({}))
    served.post(NODE)
    served.raises(Unreachable("listZones", "no connection"))
    assert waits(NODE) == ["1", "2", "4"]
    assert waits(other) == ["8", "16", "32"]


@pytest.mark.parametrize(
    "error",
    [
        lambda asked: Throttled("listZones", asked),
        lambda asked: KubeUnreachable("GET /x: slow down (429)", code=429, retry_after=asked),
    ],
    ids=["CloudStack", "API server"],
)
@pytest.mark.parametrize(("asked", "answered"), [(0.2, "1"), (7.2, "8"), (900.0, "900")])
def test_a_servers_own_wish_to_wait_is_kept(
    served: Served, error: Callable[[float], Exception], asked: float, answered: str
) -> None:
    served.raises(error(asked))
    assert served.post().headers["Retry-After"] == answered


def test_a_bug_is_500_with_a_trace_id_and_the_trace_in_the_log_only(served: Served) -> None:
    served.raises(ZeroDivisionError("apiKey=KEY-1&signature=SIG-1"))
    response = served.post()
    assert response.status_code == 500
    body = json.loads(response.data)
    assert body == {"error": "internal error, see the log", "traceId": body["traceId"]}
    line = served.line()
    assert line["traceId"] == body["traceId"]
    assert len(body["traceId"]) == 16
    assert (line["level"], line["outcome"], line["object"]) == ("error", "bug", "node-1")
    assert "ZeroDivisionError" in line["trace"]
    assert "KEY-1" not in json.dumps(line)
    assert "SIG-1" not in json.dumps(line)


@pytest.mark.parametrize(
    "response",
    [
        pytest.param({"resyncAfterSeconds": float("nan")}, id="NaN"),
        pytest.param({"labels": {"a": object()}}, id="no JSON"),
    ],
)
def test_an_answer_that_is_no_json_is_a_bug(served: Served, response: Any) -> None:
    served.answers(CallResult(response))
    assert served.post().status_code == 500
    assert served.line()["outcome"] == "bug"


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        pytest.param(b"", "", "the body is not JSON", id="empty"),
        pytest.param(b"<html>", "", "the body is not JSON", id="HTML"),
        pytest.param(b"[]", "", "the body must be a JSON object", id="list"),
        pytest.param(b'{"a": NaN}', "", "the body is not JSON", id="NaN"),
        pytest.param(b'{"a": "\\ud800"}', "a", "lone surrogate", id="lone surrogate"),
        pytest.param(b'{"a":' * 200_000, "", "nested deeper", id="200000 deep"),
        pytest.param(b"{}", "object", "is missing", id="no object"),
        pytest.param(b'{"object": 1}', "object", "must be an object, is a number", id="number"),
        pytest.param(b'{"object": {"metadata": 1}}', "object.metadata", "must be", id="metadata"),
        pytest.param(
            b'{"object": {"metadata": {"name": ["a"]}}}', "object.metadata.name", "", id="name"
        ),
    ],
)
def test_a_body_that_is_no_hook_request_is_400_and_names_the_field(
    served: Served, body: bytes, field: str, problem: str
) -> None:
    response = served.post(body, "/echo/customize")
    assert response.status_code == 400
    answer = json.loads(response.data)
    assert answer["field"] == field
    assert problem in answer["error"]
    line = served.line()
    assert (line["level"], line["outcome"], line["code"]) == ("warn", "bad_request", 400)
    assert line["error"] == answer["error"]


def test_a_bad_request_does_not_make_the_object_wait(served: Served) -> None:
    served.raises(BadRequest("object.spec", "must be an object"))
    served.post()
    served.raises(Unreachable("listZones", "no connection"))
    assert served.post().headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "code", "outcome"),
    [
        ("POST", "/nodes/sync", 404, "not_found"),
        ("POST", "/", 405, "method_not_allowed"),
        ("POST", "/echo/sync/", 404, "not_found"),
        ("GET", "/metrics", 404, "not_found"),
        ("GET", "/echo/sync", 405, "method_not_allowed"),
        ("OPTIONS", "/echo/sync", 405, "method_not_allowed"),
        ("PUT", "/echo/sync", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_other_paths_and_methods_are_json_and_one_line_each(
    served: Served, method: str, path: str, code: int, outcome: str
) -> None:
    response = served.client.open(path, method=method, data=b"{}")
    assert response.status_code == code
    assert json.loads(response.data).keys() == {"error"}
    line = served.line()
    assert (line["outcome"], line["code"], line["path"]) == (outcome, code, path)
    labels = {"hook": "", "call": "", "outcome": outcome}
    assert served.registry.get_sample_value("hook_calls_total", labels) == 1


def test_the_root_lists_the_hooks_and_says_where_to_read_on(served: Served) -> None:
    response = served.client.get("/")
    assert response.status_code == 200
    assert json.loads(response.data) == {
        "name": "cloudstack-metacontroller",
        "version": VERSION,
        "hooks": {"echo": ["/echo/customize", "/echo/sync"]},
        "documentation": "docs/README.md in the source of this version",
    }


def test_a_method_that_is_not_allowed_names_the_one_that_is(served: Served) -> None:
    assert served.client.get("/echo/sync").headers["Allow"] == "POST"


def test_a_body_over_the_limit_is_413_and_one_at_the_limit_is_read(served: Served) -> None:
    frame = len(b'{"a": ""}')
    assert served.post(b'{"a": "%s"}' % (b"x" * (MAX_BODY_BYTES - frame))).status_code == 200
    response = served.post(b'{"a": "%s"}' % (b"x" * (MAX_BODY_BYTES - frame + 1)))
    assert response.status_code == 413
    assert served.line()["outcome"] == "too_large"


@pytest.mark.parametrize("header", [None, "Bearer wrong", "TOKEN-1"])
def test_without_the_token_nothing_is_looked_at_or_told(
    guarded: Served, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/echo/sync", "/unknown"):
        response = guarded.client.post(path, data=b"x" * (MAX_BODY_BYTES + 1), headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        line = guarded.line()
        assert (line["outcome"], line["code"]) == ("unauthorized", 401)
        assert "TOKEN-1" not in json.dumps(line)


def test_the_order_of_refusals_is_401_413_400(guarded: Served) -> None:
    too_large_and_no_json = b"x" * (MAX_BODY_BYTES + 1)
    token = {"Authorization": "Bearer TOKEN-1"}
    bare = guarded.client.post("/echo/sync", data=too_large_and_no_json)
    large = guarded.client.post("/echo/sync", data=too_large_and_no_json, headers=token)
    small = guarded.client.post("/echo/sync", data=b"x", headers=token)
    good = guarded.client.post("/echo/sync", data=b"{}", headers=token)
    assert [answer.status_code for answer in (bare, large, small, good)] == [401, 413, 400, 200]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_token_and_leave_no_line(guarded: Served, path: str) -> None:
    response = guarded.client.get(path)
    assert (response.status_code, response.json) == (200, {"status": "ok"})
    assert guarded.log == []


def test_a_client_certificate_is_looked_for_on_the_connection(log: list[dict[str, Any]]) -> None:
    served = serve(Authenticator(None, client_certificates=True), log)

    def code(environ: dict[str, object], path: str = "/echo/sync") -> int:
        if path == "/healthz":
            return served.client.get(path, environ_overrides=environ).status_code
        return served.client.post(path, data=b"{}", environ_overrides=environ).status_code

    assert code({}) == 401
    assert code({PEER_CERTIFICATE: None}) == 401
    assert code({PEER_CERTIFICATE: {"subject": ()}}) == 200
    assert code({}, "/healthz") == 200


class AnywhereHook(EchoHook):
    """A hook whose path is not its own."""

    @property
    def routes(self) -> Mapping[str, Handler]:
        return {"/nodes/sync": self.sync}


def test_a_hook_whose_path_is_not_its_own_is_noticed_at_the_start() -> None:
    with pytest.raises(ValueError, match="does not begin with /echo/"):
        create_app(
            {"echo": AnywhereHook()},
            authenticator=Authenticator(None, client_certificates=False),
            metrics=Metrics(CollectorRegistry()),
            deadline_seconds=8.0,
        )
