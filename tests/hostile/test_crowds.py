"""As many callers as there are places, each with the worst request that is read at all."""

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from hooks.server.connection import IDLE_SECONDS, RECEIVE_SECONDS
from simulator.server import Simulator
from tests.controlplane.polling import PATIENCE
from tests.hostile.callers import LOOPBACK, request
from tests.hostile.test_bodies import peak_memory
from tests.serving import PROJECT, Hooks, write_cloud_config

NODE = json.loads((PROJECT / "examples/01-node/request.json").read_text())
TOKEN = {"Authorization": "Bearer open-sesame"}
#: A head that was read once: 60 KB, of 10,000 headers.
LARGE_HEAD = request("/healthz", *("ab:" for _ in range(10_000)))
#: The largest that is read now.
GOOD_HEAD = request("/healthz", *(f"X-{n}: {'x' * 300}" for n in range(90)))
CALLERS = 900


@contextmanager
def serving(folder: Path) -> Iterator[Hooks]:
    (folder / "token").write_text("open-sesame\n")
    with Simulator() as simulator:
        environ = {
            "CLOUD_CONFIG": str(write_cloud_config(folder / "cloud-config", simulator)),
            "HOOKS_TOKEN_FILE": str(folder / "token"),
        }
        with Hooks(folder, environ) as served:
            yield served


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    with serving(tmp_path) as served:
        yield served


@contextmanager
def crowd(port: int, begin: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Connect so many callers, each of which sends this at once; who is dropped is not missed."""
    with ExitStack() as stack:
        callers = []
        for _ in range(count):
            caller = socket.create_connection((LOOPBACK, port), timeout=PATIENCE)
            callers.append(stack.enter_context(caller))
            with suppress(ConnectionError):
                caller.sendall(begin)
        yield callers


def cpu_seconds(hooks: Hooks) -> float:
    """Return the CPU time that gunicorn's processes have used."""
    ticks = 0
    for pid in (hooks.process.pid, worker_of(hooks)):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def worker_of(hooks: Hooks) -> int:
    pid = hooks.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


@pytest.mark.parametrize("head", [LARGE_HEAD, GOOD_HEAD], ids=["too large", "large"])
@pytest.mark.parametrize("port", ["hooks", "metrics"])
def test_nine_hundred_large_heads_cost_little_memory_and_time(
    hooks: Hooks, head: bytes, port: str
) -> None:
    number = hooks.port if port == "hooks" else hooks.metrics_port
    before = cpu_seconds(hooks)
    for _ in range(CALLERS):
        assert hooks.get("/healthz").code == 200
    small = cpu_seconds(hooks) - before
    with crowd(number, head, CALLERS) as callers:
        assert hooks.get("/healthz").code == 200
        for caller in callers:
            with suppress(ConnectionError):
                caller.recv(1)
    assert cpu_seconds(hooks) - before - small < 10 * small
    assert peak_memory(hooks) < 200 * 2**20


def test_strangers_that_stay_do_not_shut_out_who_has_the_token(hooks: Hooks) -> None:
    with hooks.connection() as kept:
        for _ in range(2):
            kept.request("POST", "/nodes/sync", json.dumps(NODE), TOKEN)
            assert kept.getresponse().read()
        served = kept.sock
        with crowd(hooks.port, request("/healthz"), 1100):
            for _ in range(10):
                assert hooks.post("/nodes/sync", NODE, TOKEN).code == 200
            kept.request("POST", "/nodes/sync", json.dumps(NODE), TOKEN)
            assert kept.getresponse().read()
            assert kept.sock is served
            assert hooks.scrape().code == 200
    assert hooks.metric("hook_connections_dropped_total", cause="connections")
    [line] = [line for line in hooks.log() if line["message"] == "connection dropped for others"][
        :1
    ]
    assert (line["cause"], line["port"]) == ("connections", hooks.port)


def test_a_stranger_that_stays_idle_is_hung_up_on_soon(hooks: Hooks) -> None:
    with crowd(hooks.port, request("/healthz"), 1) as [caller]:
        started = time.monotonic()
        while caller.recv(4096):
            pass
        assert 2 < time.monotonic() - started < IDLE_SECONDS / 2


@pytest.mark.parametrize("soft", [1024, 256])
def test_few_open_files_are_enough(tmp_path: Path, soft: int) -> None:
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        hooks = stack.enter_context(serving(tmp_path))
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        stack.enter_context(crowd(hooks.metrics_port, request("/metrics"), 1020))
        assert hooks.get("/healthz").code == 200
        assert hooks.post("/nodes/sync", NODE, TOKEN).code == 200


def test_the_last_open_file_is_taken_from_a_stranger(tmp_path: Path) -> None:
    with serving(tmp_path) as hooks:
        worker = worker_of(hooks)
        used = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        with crowd(hooks.port, request("/healthz"), 100):
            assert hooks.get("/healthz").code == 200
        assert hooks.metric("hook_connections_dropped_total", cause="files")
        assert "files" in [line.get("cause") for line in hooks.log()]


def test_a_stop_waits_for_no_half_request(hooks: Hooks) -> None:
    with crowd(hooks.port, request("/nodes/sync", end=False), 100):
        started = time.monotonic()
        hooks.process.stop()
        assert time.monotonic() - started < RECEIVE_SECONDS - 1
