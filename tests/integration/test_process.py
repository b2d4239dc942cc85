"""The real gunicorn process, from its settings to its end."""

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from hooks.wsgi import HOOKS
from simulator.server import Simulator
from tests import loopback
from tests.controlplane.polling import until
from tests.controlplane.processes import ProcessEndedError
from tests.serving import LOOPBACK, PROJECT, Hooks, raw_call, write_cloud_config
from tools.api_server import kubeconfig

TARGET_CLUSTER = "examples/10-cluster-watched/request.json"
NODE: dict[str, Any] = json.loads((PROJECT / "examples/01-node/request.json").read_text())


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def hooks(tmp_path: Path, simulator: Simulator) -> Iterator[Hooks]:
    cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
    with Hooks(tmp_path, {"CLOUD_CONFIG": str(cloud_config), "VM_CACHE_TTL": "0s"}) as hooks:
        yield hooks


def worker_pids(hooks: Hooks) -> list[str]:
    starts = [line["message"] for line in hooks.log() if "Booting worker" in line["message"]]
    return [start.rpartition(" ")[2] for start in starts]


def test_a_call_goes_from_the_settings_to_cloudstack_and_back(
    hooks: Hooks, simulator: Simulator
) -> None:
    reply = hooks.post("/nodes/sync", NODE)
    assert reply.code == 200
    assert reply.json["labels"]["topology.kubernetes.io/zone"] == "zone-1"
    assert simulator.control.counts() == {"listVirtualMachines": 1}
    labels = {"command": "listVirtualMachines"}
    assert hooks.metric("cloudstack_api_calls_total", outcome="ok", **labels) == 1
    assert hooks.metric("cloudstack_cache_requests_total", result="miss", **labels) == 1
    [line] = hooks.calls()
    assert (line["hook"], line["object"], line["outcome"]) == ("nodes", "node-1", "ok")


def test_every_bad_setting_is_named_in_one_boot_that_ends_with_2(tmp_path: Path) -> None:
    cloud_config = tmp_path / "cloud-config"
    cloud_config.write_text("[Global]\napi-url = nowhere\nsecret-key = SECRET-1\n")
    hooks = Hooks(
        tmp_path,
        {
            "HOOKS": "nodes,pods",
            "CLOUD_CONFIG": str(cloud_config),
            "HOOK_DEADLINE": "soon",
            "HOOKS_TOKEN_FILE": str(tmp_path / "no-such-file"),
            "KUBECONFIG_FILE": str(tmp_path),
            "BIND": "0.0.0.0:8080",
        },
    )
    hooks.process.start()
    with pytest.raises(ProcessEndedError, match="ended with 2"):
        until(hooks.is_ready, "the process ends", within=30)
    problems = [line["problem"].partition(": ")[0] for line in hooks.log()]
    assert problems == [
        "HOOK_DEADLINE",
        "CLOUD_CONFIG",
        "CLOUD_CONFIG",
        "HOOKS_TOKEN_FILE",
        "KUBECONFIG_FILE",
        "HOOKS",
    ]
    assert "SECRET-1" not in hooks.process.log.read_text()


def test_without_a_token_the_process_does_not_listen_beyond_loopback(tmp_path: Path) -> None:
    hooks = Hooks(tmp_path, {"HOOKS": "nodes", "BIND": "0.0.0.0:8080"})
    hooks.process.start()
    with pytest.raises(ProcessEndedError, match="ended with 2"):
        until(hooks.is_ready, "the process ends", within=30)
    assert any(line["problem"].startswith("BIND: ") for line in hooks.log())


def test_metrics_have_a_port_of_their_own_where_nothing_else_answers(hooks: Hooks) -> None:
    assert hooks.scrape().code == 200
    for path in ("/", "/healthz", "/readyz", "/nodes/sync"):
        assert hooks.scrape(path).code == 404
    assert hooks.scrape("/nodes/sync", "POST").code == 404
    assert hooks.get("/metrics").code == 404


def test_the_metrics_that_are_served_are_those_of_the_reference_page(
    tmp_path: Path, simulator: Simulator
) -> None:
    cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
    environ = {"HOOKS": ",".join(HOOKS), "CLOUD_CONFIG": str(cloud_config)}
    target_cluster = json.loads((PROJECT / TARGET_CLUSTER).read_text())
    with Hooks(tmp_path, environ) as hooks:
        assert hooks.post("/nodes/sync", NODE).code == 200
        assert hooks.post("/targetclusters/sync", target_cluster).code == 200
        served = hooks.scrape().body.decode()
    ours = re.compile(r"# (HELP|TYPE) (?!process_|python_)(\S+) (.*)")
    words: dict[str, dict[str, str]] = {"HELP": {}, "TYPE": {}}
    for what, metric, text in ours.findall(served):
        words[what][metric] = text
    page = (PROJECT / "docs/reference/metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", page, re.MULTILINE)
    assert {name: kind for name, kind, _, _ in rows} == words["TYPE"]
    assert {name: sentence for name, _, _, sentence in rows} == words["HELP"]
    labels = {name: set(re.findall(r"`(\w+)`", cell)) for name, _, cell, _ in rows}
    for metric in (
        "hook_calls_total",
        "cloudstack_api_calls_total",
        "target_cluster_health_status",
    ):
        [shown, *_] = re.findall(rf"^{metric}{{(.*)}} ", served, re.MULTILINE)
        assert set(re.findall(r'(\w+)="', shown)) == labels[metric]


def test_hooks_and_metrics_answer_before_and_after_a_hangup(hooks: Hooks) -> None:
    assert hooks.post("/nodes/sync", NODE).code == 200
    assert hooks.metric("hook_calls_total", hook="nodes", outcome="ok") == 1
    hooks.reload()
    assert hooks.scrape().code == 200
    assert hooks.post("/nodes/sync", NODE).code == 200
    assert hooks.metric("hook_calls_total", hook="nodes", outcome="ok") == 1
    assert len(set(worker_pids(hooks))) == 2


def test_a_hangup_with_settings_gone_bad_leaves_the_old_ones_at_work(
    hooks: Hooks, tmp_path: Path
) -> None:
    (tmp_path / "cloud-config").unlink()
    hooks.reload()
    assert hooks.post("/nodes/sync", NODE).code == 200
    messages = [line["message"] for line in hooks.log()]
    assert "the former settings stay in use" in messages
    assert hooks.metric("config_file_good", file="cloud-config") == 0


def test_a_changed_cloud_config_is_taken_up_without_a_restart(
    hooks: Hooks, simulator: Simulator, tmp_path: Path
) -> None:
    def node_codes() -> tuple[int, int]:
        code = hooks.post("/nodes/sync", NODE).code
        return code, len(other.control.calls("listVirtualMachines"))

    path = tmp_path / "cloud-config"
    with Simulator() as other:
        assert node_codes() == (200, 0)
        write_cloud_config(path, other)
        assert node_codes() == (200, 1)
        path.write_text("[Global]\napi-url = nowhere\n")
        assert node_codes() == (200, 2)
        assert hooks.metric("config_file_good", file="cloud-config") == 0
        write_cloud_config(path, simulator)
        assert node_codes() == (200, 2)
        assert hooks.metric("config_file_good", file="cloud-config") == 1
        assert len(simulator.control.calls("listVirtualMachines")) == 2
    assert len(worker_pids(hooks)) == 1


def test_a_token_is_rotated_without_a_restart(tmp_path: Path, simulator: Simulator) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("TOKEN-1\n")
    environ = {
        "CLOUD_CONFIG": str(write_cloud_config(tmp_path / "cloud-config", simulator)),
        "HOOKS_TOKEN_FILE": str(tokens),
    }
    with Hooks(tmp_path, environ) as hooks:

        def codes() -> list[int]:
            sent = [f"Bearer {token}" for token in ("TOKEN-1", "TOKEN-2")]
            headers = [{"Authorization": value} for value in sent]
            return [hooks.post("/nodes/sync", NODE, each).code for each in headers]

        assert hooks.post("/nodes/sync", NODE).code == 401
        assert codes() == [200, 401]
        tokens.write_text("TOKEN-1\nTOKEN-2\n")
        assert codes() == [200, 200]
        # Refused unread, the answer reaches a caller that is still sending.
        assert hooks.post("/nodes/sync", b" " * 20_000_000).code == 401
        tokens.write_text("TOKEN-2\n")
        assert codes() == [401, 200]
        assert hooks.get("/healthz").code == 200
        assert hooks.scrape().code == 200
        assert "TOKEN-" not in hooks.process.log.read_text()


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        pytest.param("POST", "/nodes/sync", b"<html>", 400, id="no JSON"),
        pytest.param("POST", "/nodes/sync", b"[" * 200_000, 400, id="200000 deep"),
        pytest.param("POST", "/nodes/sync", b'{"object": NaN}', 400, id="NaN"),
        pytest.param("POST", "/nodes/sync", b'{"object": "\\ud800"}', 400, id="lone surrogate"),
        pytest.param("POST", "/nodes/sync", b"{}", 400, id="no object"),
        pytest.param("POST", "/nodes/finalize", b"{}", 404, id="unknown path"),
        pytest.param("GET", "/nodes/sync", None, 405, id="GET"),
        pytest.param("POST", "/nodes/sync", b" " * 20_000_000, 413, id="20 MB"),
    ],
)
def test_what_is_no_call_is_refused_as_json_in_one_line(
    shared: Hooks, method: str, path: str, body: bytes | None, code: int
) -> None:
    before = len(shared.calls())
    reply = shared.call(method, path, body)
    assert reply.code == code
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["error"]
    lines = shared.calls()[before:]
    assert [line["code"] for line in lines] == [code]


def peak_bytes(hooks: Hooks) -> int:
    """Return the most memory that the newest worker has held, in bytes."""
    status = Path(f"/proc/{worker_pids(hooks)[-1]}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("value", [b"[]", b"{}", b'""', b'{"a":1}'], ids=bytes.decode)
def test_twelve_bodies_of_too_many_values_at_once_cost_little_memory(
    hooks: Hooks, value: bytes
) -> None:
    count = int(15.9 * 2**20) // (len(value) + 1)
    body = b'{"object":[' + b",".join([value] * count) + b"]}"
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: hooks.post("/nodes/sync", body), range(12)))
    assert {reply.code for reply in replies} == {400}
    assert {reply.json["error"] for reply in replies} == {"the body has more than 500000 values"}
    assert peak_bytes(hooks) < 300 * 2**20
    assert hooks.post("/nodes/sync", NODE).code == 200


def test_a_body_in_chunks_has_the_same_limit(shared: Hooks) -> None:
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    small = raw_call(shared.port, head + b"2\r\n{}\r\n0\r\n\r\n")
    assert small.startswith(b"HTTP/1.1 400")
    with socket.create_connection((LOOPBACK, shared.port), timeout=20) as connection:
        connection.sendall(head + chunk * 20 + b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_broken_chunks_are_no_bug_of_ours(shared: Hooks) -> None:
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw_call(shared.port, head + b"zz\r\n{}\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("head", "code"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00", 400, id="TLS where there is none"),
        pytest.param(b"GET / HTTP/x", 400, id="version"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost a", 400, id="header without a colon"),
        pytest.param(b"GET /healthz HTTP/1.1", 400, id="no host"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000, 431, id="long header"
        ),
        pytest.param(
            b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6",
            400,
            id="two lengths",
        ),
        pytest.param(
            b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: -1", 400, id="length"
        ),
    ],
)
def test_what_is_no_request_is_refused_in_our_words_logged_and_counted(
    shared: Hooks, head: bytes, code: int
) -> None:
    lines = len(shared.calls())
    counted = shared.metric("hook_calls_total", hook="", outcome="bad_request")
    answer = raw_call(shared.port, head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % code)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert [line["code"] for line in shared.calls()[lines:]] == [code]
    assert shared.metric("hook_calls_total", hook="", outcome="bad_request") == (counted or 0) + 1


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER"])
def test_a_header_does_not_pass_for_what_the_server_knows(shared: Hooks, name: str) -> None:
    head = f"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{name}: /zz\r\n\r\n"
    assert raw_call(shared.port, head.encode()).startswith(b"HTTP/1.1 200")


def test_requests_may_come_in_one_piece_and_byte_by_byte(shared: Hooks) -> None:
    body = json.dumps(NODE).encode()
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
    last = b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    whole = (head + b"\r\n" + body) * 2 + last
    assert raw_call(shared.port, whole).count(b"HTTP/1.1 200") == 3
    with socket.create_connection((LOOPBACK, shared.port), timeout=20) as connection:
        for byte in last:
            connection.sendall(bytes([byte]))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_caller_that_asks_before_it_sends_is_told_to_go_on(shared: Hooks) -> None:
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
    with socket.create_connection((LOOPBACK, shared.port), timeout=20) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_a_probe_by_head_has_no_body(shared: Hooks) -> None:
    head = b"HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = raw_call(shared.port, head)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


def test_answers_that_need_no_call_of_cloudstack_are_counted(shared: Hooks) -> None:
    def asked() -> list[float]:
        name, command = "cloudstack_cache_requests_total", "listVirtualMachines"
        return [shared.metric(name, command=command, result=each) or 0 for each in ("hit", "miss")]

    hits, misses = asked()
    for _ in range(3):
        assert shared.post("/nodes/sync", NODE).code == 200
    assert sum(asked()) == hits + misses + 3
    assert asked()[0] >= hits + 2


def test_a_kept_connection_goes_on_after_a_refusal(shared: Hooks) -> None:
    with shared.connection() as connection:
        codes = []
        for body in (b"x", json.dumps(NODE).encode(), b"{}", json.dumps(NODE).encode()):
            connection.request("POST", "/nodes/sync", body)
            response = connection.getresponse()
            response.read()
            codes.append(response.status)
    assert codes == [400, 200, 400, 200]


def test_callers_that_stall_do_not_hold_the_threads_for_ever(shared: Hooks) -> None:
    stalled = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
    with ExitStack() as stack:
        for _ in range(64):
            connection = socket.create_connection((LOOPBACK, shared.port), timeout=20)
            stack.enter_context(connection).sendall(stalled)
        assert shared.get("/healthz").code == 200


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    """Serve for tests that leave nothing behind."""
    folder = tmp_path_factory.mktemp("shared")
    with Simulator() as simulator:
        path = write_cloud_config(folder / "cloud-config", simulator)
        with Hooks(folder, {"CLOUD_CONFIG": str(path)}) as hooks:
            yield hooks


def test_an_api_server_that_hangs_delays_no_answer_by_its_events(
    tmp_path: Path, simulator: Simulator
) -> None:
    ended = threading.Event()

    class Hanging(loopback.Handler):
        def answer(self) -> None:
            ended.wait(20)

    cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
    with loopback.serving(Hanging) as url:
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(kubeconfig(url)))
        environ = {"CLOUD_CONFIG": str(cloud_config), "KUBECONFIG_FILE": str(file)}
        with Hooks(tmp_path, {**environ, "HOOK_DEADLINE": "1s"}) as hooks:
            for number in range(4):
                unknown = deepcopy(NODE)
                unknown["object"]["metadata"].update(name=f"unknown-{number}", uid=f"uid-{number}")
                assert hooks.post("/nodes/sync", unknown).code == 200
            assert hooks.metric("hook_events_total", reason="InstanceNotFound") == 4
            assert max(line["seconds"] for line in hooks.calls()) < 1.0
            os.kill(hooks.process.pid, signal.SIGTERM)
            until(lambda: not hooks.process.alive, "the process ends", within=10)
        ended.set()
    [left] = [line for line in hooks.log() if line["logger"] == "hooks.events"][-1:]
    assert (left["message"], left["count"]) == ("events not written before the stop", 4)


def test_events_reach_the_api_server_and_the_last_ones_at_the_stop(hooks: Hooks) -> None:
    unknown = deepcopy(NODE)
    unknown["object"]["metadata"].update(name="unknown", uid="uid")
    assert hooks.post("/nodes/sync", unknown).code == 200
    os.kill(hooks.process.pid, signal.SIGTERM)
    until(lambda: not hooks.process.alive, "the process ends", within=10)
    [event] = [
        each
        for path, each in hooks.api_server.store.objects.items()
        if path.startswith("/api/v1/namespaces/default/events/")
    ]
    assert (event["reason"], event["involvedObject"]["name"]) == ("InstanceNotFound", "unknown")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP], ids=["stop", "reload"])
def test_calls_under_way_are_answered(
    hooks: Hooks, simulator: Simulator, sign: signal.Signals
) -> None:
    calls = 16
    simulator.control.fault("listVirtualMachines", "slow", seconds=1.5, times=None)
    with ThreadPoolExecutor(calls) as pool:
        replies = [pool.submit(hooks.post, "/nodes/sync", NODE) for _ in range(calls)]
        until(lambda: hooks.metric("hook_calls_under_way") == calls, "the calls are under way")
        os.kill(hooks.process.pid, sign)
        assert [reply.result().code for reply in replies] == [200] * calls


def test_a_reload_under_load_loses_no_call(hooks: Hooks) -> None:
    codes: list[int] = []
    stop = threading.Event()

    def caller() -> None:
        with hooks.connection() as connection:
            while not stop.is_set():
                connection.request("POST", "/nodes/sync", json.dumps(NODE))
                response = connection.getresponse()
                response.read()
                codes.append(response.status)

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(caller) for _ in range(4)]
        until(lambda: len(codes) > 20, "calls are answered")
        hooks.reload()
        seen = len(codes)
        until(lambda: len(codes) > seen + 20, "calls are answered by the new worker")
        stop.set()
        for each in callers:
            each.result()
    assert set(codes) == {200}


def test_a_stopped_process_ends_with_0_and_frees_its_ports(hooks: Hooks) -> None:
    os.kill(hooks.process.pid, signal.SIGTERM)
    until(lambda: not hooks.process.alive, "the process ends")
    with pytest.raises(ProcessEndedError, match="ended with 0"):
        hooks.process.check()
    for port in (hooks.port, hooks.metrics_port):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, port))
