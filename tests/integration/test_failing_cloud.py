"""A CloudStack that fails: the answer names the error, in time, and no secret is anywhere."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooks.cloudstack.cache import FAILURE_TTL
from simulator.server import Simulator
from tests.controlplane.polling import SLACK
from tests.serving import PROJECT, Hooks, write_cloud_config

NODE: dict[str, Any] = json.loads((PROJECT / "examples/01-node/request.json").read_text())
DEADLINE = 1.0


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Hooks]:
    """Serve with the shortest deadline and the longest log, and search for secrets at the end."""
    folder = tmp_path_factory.mktemp("failing")
    environ = {
        "CLOUD_CONFIG": str(write_cloud_config(folder / "cloud-config", simulator)),
        "HOOK_DEADLINE": f"{DEADLINE:g}s",
        "VM_CACHE_TTL": "0s",
        "LOG_LEVEL": "debug",
    }
    with Hooks(folder, environ) as hooks:
        yield hooks
        shown = hooks.process.log.read_text() + hooks.scrape().body.decode()
    assert_nothing_secret(shown, simulator)


def assert_nothing_secret(text: str, simulator: Simulator) -> None:
    user = simulator.user
    assert user.api_key not in text
    assert user.secret_key not in text
    assert "signature=" not in text.lower().replace("signature=***", "")


FAULTS = [
    pytest.param({"kind": "error", "code": code, "text": "from CloudStack"}, id=str(code))
    for code in (401, 431, 432, 530, 531, 533, 537)
] + [pytest.param({"kind": kind}, id=kind) for kind in ("timeout", "html", "empty", "throttled")]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_answer_says_so_in_time(
    hooks: Hooks, simulator: Simulator, fault: dict[str, Any]
) -> None:
    simulator.control.fault("listVirtualMachines", times=None, **fault)
    try:
        time.sleep(FAILURE_TTL + 0.1)  # the failure before this one is answered so long
        started = time.monotonic()
        reply = hooks.post("/nodes/sync", NODE)
        assert time.monotonic() - started < DEADLINE + SLACK
    finally:
        simulator.control.clear_faults()
    assert reply.code == 429
    assert int(reply.headers["Retry-After"]) >= 1
    assert reply.json["error"].startswith("listVirtualMachines: ")
    assert ("from CloudStack" in reply.json["error"]) == ("text" in fault)
    assert_nothing_secret(reply.body.decode(), simulator)


def test_a_cloudstack_that_does_not_listen_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    simulator = Simulator()
    environ = {"CLOUD_CONFIG": str(write_cloud_config(tmp_path / "cloud-config", simulator))}
    simulator.close()
    with Hooks(tmp_path, {**environ, "LOG_LEVEL": "debug"}) as hooks:
        reply = hooks.post("/nodes/sync", NODE)
        assert reply.code == 429
        assert "127.0.0.1" in reply.json["error"]
        assert_nothing_secret(reply.body.decode(), simulator)
        assert hooks.get("/readyz").code == 200
        assert_nothing_secret(hooks.process.log.read_text(), simulator)
