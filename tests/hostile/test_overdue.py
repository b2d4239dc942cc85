"""Callers that take too long are hung up on, or told to try again, whatever they wait for."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from hooks.server.connection import RECEIVE_SECONDS, SEND_SECONDS
from hooks.settings.config import Config
from hooks.wsgi import HELD_PART
from tests.controlplane.polling import PATIENCE, SLACK, until
from tests.hostile.callers import LOOPBACK, request
from tests.hostile.test_crowds import NODE, TOKEN, serving
from tests.serving import Hooks

#: Seconds that a body waits for memory at most.
HELD_SECONDS = Config().hook_deadline * HELD_PART
#: Bodies that stop half-way, each when it has 8 MiB of the memory for bodies: eight take all of
#: it, and one may pass it.
STOPPING = 9
STOPPING_BODY = request(
    "/nodes/sync",
    f"Authorization: {TOKEN['Authorization']}",
    "Content-Length: 16000000",
    method="POST",
) + b" " * (4 * 2**20 + 1)
BODY = json.dumps(NODE | {"pad": "x" * 1_000_000}).encode()


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    with serving(tmp_path) as served:
        yield served


def connected(port: int, seconds: float) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=seconds)


def stop_half_way(hooks: Hooks) -> float:
    """Send the half of a head; return after how many seconds the server hangs up."""
    started = time.monotonic()
    with connected(hooks.port, RECEIVE_SECONDS + PATIENCE) as caller:
        caller.sendall(request("/nodes/sync", end=False))
        assert caller.recv(65536) == b""
    return time.monotonic() - started


def never_read(hooks: Hooks) -> float:
    """Ask for more than fits between us, and read nothing; return as `stop_half_way`."""
    started = time.monotonic()
    with connected(hooks.metrics_port, 0.5) as caller, suppress(ConnectionError):
        while time.monotonic() < started + SEND_SECONDS + PATIENCE:
            with suppress(TimeoutError):
                caller.sendall(request("/metrics") * 100)
    return time.monotonic() - started


def wait_for_memory(hooks: Hooks) -> float:
    """Post a body while others that stop half-way have the memory; return as `stop_half_way`."""
    over = Event()

    def stop() -> None:
        while not over.is_set():
            with suppress(OSError), connected(hooks.port, PATIENCE) as caller:
                caller.sendall(STOPPING_BODY)
                while not over.is_set() and caller.recv(65536):
                    pass

    def post() -> float:
        started = time.monotonic()
        answered = hooks.post("/nodes/sync", BODY, TOKEN)
        if answered.code == 200:
            return 0.0
        assert answered.code == 429
        assert "no memory became free for it in time" in answered.body.decode()
        assert answered.headers["Retry-After"]
        return time.monotonic() - started

    with ThreadPoolExecutor(STOPPING) as pool:
        for _ in range(STOPPING):
            pool.submit(stop)
        try:
            return until(post, "a body waits for memory too long")
        finally:
            over.set()


def test_who_takes_too_long_is_hung_up_on_or_told_to_try_again(hooks: Hooks) -> None:
    bounds = {
        stop_half_way: RECEIVE_SECONDS,
        never_read: SEND_SECONDS,
        wait_for_memory: HELD_SECONDS,
    }
    with ThreadPoolExecutor(len(bounds)) as pool:
        taken = {act: pool.submit(act, hooks) for act in bounds}
    for act, bound in bounds.items():
        assert bound - 1 < taken[act].result() < bound + SLACK, act.__name__
    assert hooks.post("/nodes/sync", NODE, TOKEN).code == 200
