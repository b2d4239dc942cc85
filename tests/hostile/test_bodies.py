"""Bodies that are small to send and large once parsed are refused before they are parsed."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.serving import Hooks, write_cloud_config

#: The most that a hook accepts is 16 MiB.
LENGTH = int(15.9 * 2**20)
BODIES = {
    "lists": b'{"parent":[' + b"[]," * (LENGTH // 3) + b"[]]}",
    "objects": b'{"parent":[' + b"{}," * (LENGTH // 3) + b"{}]}",
    "numbers": b'{"parent":[' + b"1," * (LENGTH // 2) + b"1]}",
    "texts": b'{"parent":[' + b'"",' * (LENGTH // 3) + b'""]}',
    "brackets": b"[" * LENGTH,
}
#: As many values as are admitted: each body is parsed.
ADMITTED = {
    "annotations": (b'{"object":{"metadata":{"annotations":{', b'"k%d":"v"', b"}}}}", 490_000),
    "lists of objects": (b'{"object":{"x":[', b'{"a":%d}', b"]}}", 240_000),
    "keys": (b'{"object":{"x":{', b'"%x":{}', b"}}}", 240_000),
}
AT_ONCE = 12
MEMORY = 300 * 2**20
ADMITTED_MEMORY = 400 * 2**20


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    with Simulator() as simulator:
        config = write_cloud_config(tmp_path / "cloud-config", simulator)
        with Hooks(tmp_path, {"CLOUD_CONFIG": str(config)}) as served:
            yield served


def peak_memory(hooks: Hooks) -> int:
    """Return the most bytes that any of gunicorn's processes has had in memory."""
    pid = hooks.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    peaks = []
    for each in (pid, *children):
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{each}/status").read_text(), re.M)
        assert found
        peaks.append(int(found[1]) * 1024)
    return max(peaks)


#: What a refused body is answered, or 0.
REFUSED = {0, 400, 413, 429, 503}


def code_of(hooks: Hooks, body: bytes) -> int:
    """Post a body; return the status, 0 where it was refused and cut while it was being sent.

    Who is refused is listened to for a while only, and a slow machine sends slowly.
    """
    try:
        return hooks.post("/nodes/sync", body).code
    except ConnectionError:
        return 0


@pytest.mark.parametrize("kind", BODIES)
def test_twelve_at_once_are_refused_within_the_memory_of_a_pod(hooks: Hooks, kind: str) -> None:
    def post(_: int) -> int:
        return code_of(hooks, BODIES[kind])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(post, range(AT_ONCE)))
    assert {0} != set(codes) <= REFUSED
    assert peak_memory(hooks) < MEMORY
    assert hooks.get("/healthz").code == 200


@pytest.mark.parametrize("kind", ADMITTED)
def test_large_bodies_that_are_parsed_take_turns(hooks: Hooks, kind: str) -> None:
    begin, item, end, count = ADMITTED[kind]
    body = begin + b",".join(item % n for n in range(count)) + end

    def post(_: int) -> int:
        return code_of(hooks, body)

    def probe() -> None:
        assert hooks.get("/healthz").code == 200

    with ThreadPoolExecutor(AT_ONCE) as pool:
        probes = 0
        posted = [pool.submit(post, n) for n in range(AT_ONCE)]
        while not all(each.done() for each in posted):
            probe()
            probes += 1
    assert probes > 2 * AT_ONCE
    assert {0} != {each.result() for each in posted} <= REFUSED
    assert peak_memory(hooks) < ADMITTED_MEMORY
