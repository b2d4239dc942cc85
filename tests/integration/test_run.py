"""`make run` as a person uses it."""

import http.client
import json
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.controlplane.polling import PATIENCE, until
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process, ProcessEndedError
from tests.serving import LOOPBACK, PROJECT


class Listener:
    """Listens where an API server could be, and counts connections."""

    def __init__(self) -> None:
        self.visitors = 0
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visitors += 1
            visitor.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def launcher(folder: Path, environ: dict[str, str]) -> Process:
    ports = {
        name: str(free_port())
        for name in ("PORT", "METRICS_PORT", "SIMULATOR_PORT", "API_SERVER_PORT")
    }
    command = [sys.executable, "-m", "tools.run"]
    environment = {"PYTHONPATH": str(PROJECT), **ports, **environ}
    return Process("make run", command, folder / "run.log", environment)


def printed(process: Process) -> list[str]:
    """Return the commands that were printed, once there are some."""
    process.check()
    lines = [line.strip() for line in process.log.read_text().splitlines()]
    return [line for line in lines if line.startswith("curl ")]


def carry_out(command: str) -> tuple[int, bytes]:
    """Do what a printed curl command does."""
    words = shlex.split(command)
    url = urlsplit(next(word for word in words if word.startswith("http://")))
    headers = dict(
        words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H"
    )
    body = None
    if "--data" in words:
        body = (PROJECT / words[words.index("--data") + 1].removeprefix("@")).read_bytes()
    connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
    try:
        connection.request("POST" if body else "GET", url.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.fixture
def kubeconfig(tmp_path: Path, listener: Listener) -> Path:
    """Write a kubeconfig to the place that kubectl reads."""
    path = tmp_path / ".kube" / "config"
    path.parent.mkdir()
    config = {
        "clusters": [{"name": "a", "cluster": {"server": f"http://{LOOPBACK}:{listener.port}"}}],
        "users": [{"name": "a", "user": {}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path.write_text(json.dumps(config))
    return path


def initialise_node(run: Process) -> None:
    """Post the example's node as it is once it has its labels: the next step writes to it."""
    port = int(run.environment["PORT"])
    request = json.loads((PROJECT / "examples/01-node/request.json").read_text())
    code, answer = post_node(port, request)
    assert code == 200
    metadata = request["object"]["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), **answer["labels"]}
    post_node(port, request)


def post_node(port: int, request: dict[str, Any]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    try:
        connection.request("POST", "/nodes/sync", json.dumps(request))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def get_node(port: int) -> Any:
    """Read the example's node from the API server in memory."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    try:
        connection.request("GET", "/api/v1/nodes/node-1")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_the_printed_commands_work(tmp_path: Path) -> None:
    run = launcher(tmp_path, {})
    run.start()
    try:
        commands = until(lambda: printed(run), "commands are printed")
        assert any("examples/01-node/request.json" in command for command in commands)
        for command in commands:
            code, answer = carry_out(command)
            assert code == 200, command
            if "/nodes/sync" in command:
                assert json.loads(answer)["attachments"][0]["kind"] == "CloudStackInstance"
        lines = [line.split() for line in run.log.read_text().splitlines()]
        places = {" ".join(words[:2]): words[2] for words in lines if len(words) > 2}
        code, page = carry_out(f"curl {places['status page']}")
        assert (code, page[:15]) == (200, b"<!doctype html>")
        assert b"node-1" in page
        code, state = carry_out(f"curl {places['its state']}")
        assert code == 200
        assert json.loads(state)["virtualmachines"]
    finally:
        run.stop()


def test_no_ambient_api_server_is_called(
    tmp_path: Path, listener: Listener, kubeconfig: Path
) -> None:
    environ = {
        "HOME": str(tmp_path),
        "KUBECONFIG": str(kubeconfig),
        "KUBERNETES_SERVICE_HOST": LOOPBACK,
        "KUBERNETES_SERVICE_PORT": str(listener.port),
    }
    run = launcher(tmp_path, environ)
    run.start()
    try:
        until(lambda: printed(run), "commands are printed")
        initialise_node(run)
        assert listener.visitors == 0
        written = get_node(int(run.environment["API_SERVER_PORT"]))
        assert written["spec"]["providerID"].startswith("external-cloudstack://")
    finally:
        run.stop()


def test_an_api_server_that_is_named_is_called(
    tmp_path: Path, listener: Listener, kubeconfig: Path
) -> None:
    run = launcher(tmp_path, {"KUBECONFIG_FILE": str(kubeconfig)})
    run.start()
    try:
        until(lambda: printed(run), "commands are printed")
        initialise_node(run)
        assert listener.visitors > 0
        written = get_node(int(run.environment["API_SERVER_PORT"]))
        assert "providerID" not in written["spec"]
    finally:
        run.stop()


def test_interrupted_it_ends_with_0_and_everything_it_started_is_gone(tmp_path: Path) -> None:
    run = launcher(tmp_path, {})
    run.start()
    until(lambda: printed(run), "commands are printed")
    os.kill(run.pid, signal.SIGINT)
    until(lambda: not run.alive, "it ends")
    with pytest.raises(ProcessEndedError, match="ended with 0"):
        run.check()
    for name in ("PORT", "METRICS_PORT", "SIMULATOR_PORT", "API_SERVER_PORT"):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, int(run.environment[name])))


def test_taken_and_bad_ports_are_all_named(tmp_path: Path, listener: Listener) -> None:
    taken = str(listener.port)
    run = launcher(tmp_path, {"PORT": taken, "METRICS_PORT": "http"})
    run.start()
    with pytest.raises(ProcessEndedError, match="ended with 2"):
        until(lambda: printed(run), "it ends")
    lines = run.log.read_text().splitlines()
    assert [line.split(" is ")[0] for line in lines] == [f"PORT: {taken}", "METRICS_PORT: 'http'"]


def test_a_bad_setting_of_the_hooks_ends_it_too(tmp_path: Path) -> None:
    run = launcher(tmp_path, {"LOG_LEVEL": "loud"})
    run.start()
    with pytest.raises(ProcessEndedError, match="ended with 2"):
        until(lambda: printed(run), "it ends")
    assert "LOG_LEVEL: 'loud'" in run.log.read_text()
