"""The real gunicorn process, from its settings to its end."""

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from hooks.wsgi import HOOKS
from simulator.server import Simulator
from tests import loopback
from tests.controlplane.polling import PATIENCE, until
from tests.controlplane.processes import ProcessEndedError
from tests.serving import LOOPBACK, PROJECT, Hooks, write_cloud_config
from tools import promtool
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
    assert simulator.control.counts() == {"listVirtualMachines": 1, "listAccounts": 1}
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
        until(hooks.is_ready, "the process ends")
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
        until(hooks.is_ready, "the process ends")
    assert any(line["problem"].startswith("BIND: ") for line in hooks.log())


def test_metrics_have_a_port_of_their_own_where_nothing_else_answers(hooks: Hooks) -> None:
    assert hooks.scrape().code == 200
    for path in ("/", "/healthz", "/readyz", "/nodes/sync"):
        assert hooks.scrape(path).code == 404
    assert hooks.scrape("/nodes/sync", "POST").code == 404
    assert hooks.get("/metrics").code == 404


@pytest.fixture
def served_metrics(tmp_path: Path, simulator: Simulator) -> str:
    """Return what is scraped of a process with all hooks that has answered some calls."""
    cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
    environ = {"HOOKS": ",".join(HOOKS), "CLOUD_CONFIG": str(cloud_config)}
    target_cluster = json.loads((PROJECT / TARGET_CLUSTER).read_text())
    with Hooks(tmp_path, environ) as hooks:
        assert hooks.post("/nodes/sync", NODE).code == 200
        assert hooks.post("/targetclusters/sync", target_cluster).code == 200
        return hooks.scrape().body.decode()


@pytest.mark.usefixtures("promtool_program")
def test_promtool_finds_the_metrics_right(served_metrics: str) -> None:
    assert promtool.run("check", "metrics", stdin=served_metrics) == ""
    assert "no help text" in promtool.run("check", "metrics", stdin="a 1\n")


def test_the_metrics_that_are_served_are_those_of_the_reference_page(served_metrics: str) -> None:
    ours = re.compile(r"# (HELP|TYPE) (?!process_|python_)(\S+) (.*)")
    words: dict[str, dict[str, str]] = {"HELP": {}, "TYPE": {}}
    for what, metric, text in ours.findall(served_metrics):
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
        [shown, *_] = re.findall(rf"^{metric}{{(.*)}} ", served_metrics, re.MULTILINE)
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
        posts = [pool.submit(hooks.post, "/nodes/sync", body) for _ in range(12)]
    # Who is refused is listened to for a while only, and a slow machine sends slowly.
    replies = [each.result() for each in posts if not isinstance(each.exception(), ConnectionError)]
    # One after the other: those that waited until their call was over are asked to come again.
    assert {reply.code for reply in replies} <= {400, 429}
    told = {reply.json["error"] for reply in replies if reply.code == 400}
    assert told == {"the body has more than 500000 values"}
    assert peak_bytes(hooks) < 300 * 2**20
    assert hooks.post("/nodes/sync", NODE).code == 200


def test_an_api_server_that_hangs_delays_no_answer_by_its_events(
    tmp_path: Path, simulator: Simulator
) -> None:
    ended = threading.Event()

    class Hanging(loopback.Handler):
        def answer(self) -> None:
            ended.wait(PATIENCE)

    cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
    with loopback.serving(Hanging) as url:
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(kubeconfig(url)))
        environ = {"CLOUD_CONFIG": str(cloud_config), "KUBECONFIG_FILE": str(file)}
        with Hooks(tmp_path, {**environ, "HOOK_DEADLINE": "1s", "LOG_LEVEL": "debug"}) as hooks:
            for number in range(4):
                unknown = deepcopy(NODE)
                unknown["object"]["metadata"].update(name=f"unknown-{number}", uid=f"uid-{number}")
                assert hooks.post("/nodes/sync", unknown).code == 200
            assert hooks.metric("hook_events_total", reason="NodeNotInitialised") == 4
            assert min(line["seconds"] for line in hooks.calls()) < 1.0
            os.kill(hooks.process.pid, signal.SIGTERM)
            until(lambda: not hooks.process.alive, "the process ends")
        ended.set()
    [left] = [line for line in hooks.log() if line["logger"] == "hooks.events"][-1:]
    assert (left["message"], left["count"]) == ("events not written before the stop", 4)


def test_events_reach_the_api_server_and_the_last_ones_at_the_stop(hooks: Hooks) -> None:
    unknown = deepcopy(NODE)
    unknown["object"]["metadata"].update(name="unknown", uid="uid")
    assert hooks.post("/nodes/sync", unknown).code == 200
    os.kill(hooks.process.pid, signal.SIGTERM)
    until(lambda: not hooks.process.alive, "the process ends")
    [event] = [
        each
        for path, each in hooks.api_server.store.objects.items()
        if path.startswith("/api/v1/namespaces/default/events/")
    ]
    assert (event["reason"], event["involvedObject"]["name"]) == ("NodeNotInitialised", "unknown")


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
