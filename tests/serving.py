"""The hooks as a real gunicorn process, started as the image starts it."""

import http.client
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from simulator.server import Simulator
from tests.controlplane.polling import PATIENCE, until
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process
from tools.api_server import ApiServer
from tools.api_server import kubeconfig as kubeconfig_of

PROJECT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


class Hooks:
    """One gunicorn process on loopback; `environ` is added to what it needs at least.

    Attributes:
        api_server: what it writes to, unless `environ` names another.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.port, self.metrics_port, api_port = free_port(), free_port(), free_port()
        kubeconfig = folder / "hooks.kubeconfig"
        kubeconfig.write_text(json.dumps(kubeconfig_of(f"http://{LOOPBACK}:{api_port}")))
        self.api_server = ApiServer(port=api_port)
        self.environ = {
            "BIND": f"{LOOPBACK}:{self.port}",
            "METRICS_BIND": LOOPBACK,
            "METRICS_PORT": str(self.metrics_port),
            "HOOKS": "nodes",
            "KUBECONFIG_FILE": str(kubeconfig),
            "KUBERNETES_SERVICE_HOST": "",
            **environ,
        }
        command = [sys.executable, "-m", "gunicorn", "--chdir", str(PROJECT)]
        command += ["--config", str(PROJECT / "gunicorn.conf.py")]
        self.process = Process("hooks", command, folder / "hooks.log", self.environ)
        self.context: ssl.SSLContext | None = None

    def __enter__(self) -> "Hooks":
        self.api_server.__enter__()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()
        self.api_server.__exit__(None, None, None)

    def start(self) -> None:
        """Start the process, and wait until it is ready."""
        self.process.start()
        until(self.is_ready, "the hooks are ready")

    def is_ready(self) -> bool:
        """Return whether the hooks answer; raise if the process has ended."""
        self.process.check()
        try:
            return self.get("/readyz").code == 200
        except OSError:
            return False

    def get(self, path: str) -> Reply:
        """GET a path of the hooks' port."""
        return self.call("GET", path)

    def post(
        self,
        path: str,
        body: object,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> Reply:
        """POST to the hooks' port; what is not bytes is written as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call("POST", path, data, headers, timeout)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> Reply:
        """Make one call on a connection of its own."""
        with self.connection(timeout) as connection:
            connection.request(method, path, body, dict(headers or {}))
            return _reply(connection)

    @contextmanager
    def connection(self, timeout: float = PATIENCE) -> Iterator[http.client.HTTPConnection]:
        """Open a connection to the hooks, with TLS where a context is set."""
        if self.context is None:
            connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection(
                LOOPBACK, self.port, timeout=timeout, context=self.context
            )
        try:
            yield connection
        finally:
            connection.close()

    def scrape(self, path: str = "/metrics", method: str = "GET") -> Reply:
        """Call the metrics port, which speaks plain HTTP."""
        connection = http.client.HTTPConnection(LOOPBACK, self.metrics_port, timeout=PATIENCE)
        try:
            connection.request(method, path)
            return _reply(connection)
        finally:
            connection.close()

    def metric(self, name: str, /, **labels: str) -> float | None:
        """Read one sample of /metrics; None where it is not there."""
        for family in text_string_to_metric_families(self.scrape().body.decode()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def reload(self) -> None:
        """Send SIGHUP, and wait until the new worker serves and the old one is gone."""
        workers = self.count_lines("Booting worker")
        exits = self.count_lines("Worker exiting")
        os.kill(self.process.pid, signal.SIGHUP)
        until(
            lambda: (
                self.count_lines("Booting worker") > workers
                and self.count_lines("Worker exiting") > exits
            ),
            "another worker serves",
        )
        until(self.is_ready, "the hooks are ready again")

    def log(self) -> list[dict[str, Any]]:
        """Read every line of the log; each must be JSON."""
        return [json.loads(line) for line in self.process.log.read_text().splitlines()]

    def calls(self) -> list[dict[str, Any]]:
        """Read the lines of calls; those that changed nothing are at `debug`."""
        return [line for line in self.log() if line["message"] == "call answered"]

    def count_lines(self, start: str) -> int:
        """Count the lines whose message starts so."""
        return sum(line["message"].startswith(start) for line in self.log())


def raw_call(port: int, data: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the connection ends."""
    answer = b""
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as connection:
        connection.sendall(data)
        with suppress(OSError):  # who refuses may have hung up by now
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
    return answer


def write_cloud_config(path: Path, simulator: Simulator, **more: str) -> Path:
    """Write a cloud-config for a simulator's ordinary user."""
    lines = [
        "[Global]",
        f"api-url = {simulator.url}",
        f"api-key = {simulator.user.api_key}",
        f"secret-key = {simulator.user.secret_key}",
        *(f"{name.replace('_', '-')} = {value}" for name, value in more.items()),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _reply(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    return Reply(response.status, dict(response.getheaders()), response.read())
