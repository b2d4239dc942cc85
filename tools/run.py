"""`make run`: the hooks, a simulated CloudStack and an API server in memory, until Ctrl-C.

PORT, METRICS_PORT, SIMULATOR_PORT and API_SERVER_PORT move the servers; every other setting of the
hooks is passed on, such as LOG_LEVEL or HOOKS_TOKEN_FILE. The API server in memory holds the
objects of the examples; KUBECONFIG_FILE names another one to use instead.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hooks.settings import parsing
from hooks.wsgi import HOOKS
from simulator.server import Simulator
from tools.api_server import ApiServer, kubeconfig

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
#: Variables that lead to an API server or a gunicorn configuration by accident.
AMBIENT = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "GUNICORN_CMD_ARGS", "WEB_CONCURRENCY")
#: In the order of the fields of Ports.
DEFAULT_PORTS = {
    "PORT": 8080,
    "METRICS_PORT": 8383,
    "SIMULATOR_PORT": 8090,
    "API_SERVER_PORT": 8091,
}
#: Seconds for the hooks to begin answering, and to end.
START_SECONDS = 30.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Ports:
    """Where the servers listen."""

    hooks: int
    metrics: int
    simulator: int
    api_server: int


def main(environ: Mapping[str, str]) -> int:
    """Run until a signal; return 0 after one, 2 for bad or taken ports, else gunicorn's code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        ports = read_ports(environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory(prefix="cloudstack-metacontroller-") as folder,
        Simulator(port=ports.simulator) as simulator,
        ApiServer(example_objects(), port=ports.api_server) as api_server,
    ):
        environment = hooks_environment(environ, ports)
        environment |= connect(Path(folder), simulator, api_server)
        if named := environ.get("KUBECONFIG_FILE"):
            environment["KUBECONFIG_FILE"] = named
        greeting = welcome(environment, ports, named or f"{api_server.url}  (in memory)")
        return serve(environment, ports.hooks, greeting, stop)


def read_ports(environ: Mapping[str, str]) -> Ports:
    """Read the ports, and check that they are free.

    Raises:
        ValueError: naming every port that is no port or is taken, a line each.
    """
    problems = []
    ports: dict[str, int] = {}
    for variable, default in DEFAULT_PORTS.items():
        text = environ.get(variable) or str(default)
        try:
            port = parsing.port(text)
        except ValueError as error:
            problems.append(f"{variable}: {text!r} {error}")
            continue
        if port in ports.values():
            problems.append(f"{variable}: {port} is used twice; choose another")
        elif not is_free(port):
            problems.append(f"{variable}: {port} is taken on this machine; set {variable}=…")
        else:
            ports[variable] = port
    if problems:
        raise ValueError("\n".join(problems))
    return Ports(*ports.values())


def is_free(port: int) -> bool:
    """Return whether a server could listen on a port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def example_objects() -> Iterator[dict[str, Any]]:
    """Yield the objects of the examples' requests, and the namespaces of a cluster."""
    namespaces = {"default", "kube-system"}
    for file in sorted(PROJECT.glob("examples/*/request.json")):
        request = json.loads(file.read_text(encoding="utf-8"))
        obj = request.get("object") or request["parent"]
        namespaces |= {obj["metadata"].get("namespace", "default")}
        yield obj
    for name in sorted(namespaces):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def hooks_environment(environ: Mapping[str, str], ports: Ports) -> dict[str, str]:
    """Make the hooks' environment: every hook there is, on loopback."""
    mine = {name: value for name, value in environ.items() if name not in AMBIENT}
    return {
        "HOOKS": ",".join(HOOKS),
        "OPERATOR_NAME": "cloudstack-metacontroller",
        **mine,
        "BIND": f"{LOOPBACK}:{ports.hooks}",
        "METRICS_BIND": LOOPBACK,
        "METRICS_PORT": str(ports.metrics),
        "NO_PROXY": "*",
    }


def connect(folder: Path, simulator: Simulator, api_server: ApiServer) -> dict[str, str]:
    """Write the files that lead the hooks to both servers; return the settings that name them."""
    cloud_config, kubeconfig_file = folder / "cloud-config", folder / "kubeconfig"
    cloud_config.touch(mode=0o600)
    cloud_config.write_text(
        f"[Global]\napi-url = {simulator.url}\napi-key = {simulator.user.api_key}\n"
        f"secret-key = {simulator.user.secret_key}\n",
        encoding="utf-8",
    )
    kubeconfig_file.write_text(json.dumps(kubeconfig(api_server.url)), encoding="utf-8")
    return {"CLOUD_CONFIG": str(cloud_config), "KUBECONFIG_FILE": str(kubeconfig_file)}


def serve(environment: Mapping[str, str], port: int, greeting: str, stop: threading.Event) -> int:
    """Run gunicorn until it ends or a signal comes; its log is on stderr."""
    # A session of its own: Ctrl-C reaches us alone, and gunicorn ends in order.
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn"], cwd=PROJECT, env=environment, start_new_session=True
    )
    try:
        if answers(port, gunicorn, stop):
            print(greeting, flush=True)
        while gunicorn.poll() is None and not stop.wait(0.2):
            pass
        return 0 if stop.is_set() else gunicorn.returncode or 1
    finally:
        end(gunicorn)


def answers(port: int, gunicorn: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    """Wait until the hooks are ready; false if gunicorn ended or a signal came before."""
    deadline = time.monotonic() + START_SECONDS
    while gunicorn.poll() is None and time.monotonic() < deadline and not stop.wait(0.1):
        # Whatever answers is ready: with certificates it refuses plain HTTP.
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            connection.getresponse().read()
        except OSError:
            continue
        except http.client.HTTPException:
            return True
        else:
            return True
        finally:
            connection.close()
    return False


def end(gunicorn: subprocess.Popen[bytes]) -> None:
    """End gunicorn, after its calls are answered."""
    if gunicorn.poll() is None:
        gunicorn.terminate()
        try:
            gunicorn.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            gunicorn.kill()
            gunicorn.wait()


def welcome(environment: Mapping[str, str], ports: Ports, api_server: str) -> str:
    """Return the addresses of the servers, and commands to try."""
    scheme = "https" if environment.get("TLS_CERT_FILE") else "http"
    hooks = f"{scheme}://{LOOPBACK}:{ports.hooks}"
    lines = [
        "",
        f"hooks        {hooks}  ({environment['HOOKS']})",
        *([f"status page  {hooks}/"] if "status" in environment["HOOKS"].split(",") else []),
        f"metrics      http://{LOOPBACK}:{ports.metrics}/metrics",
        f"CloudStack   http://{LOOPBACK}:{ports.simulator}/client/api  (simulated)",
        f"  its state  http://{LOOPBACK}:{ports.simulator}/simulator/state",
        f"API server   {api_server}",
        "",
        "Try, in another terminal (Ctrl-C here ends everything):",
        "",
        *(f"  {line}" for line in curls(environment, hooks)),
        f"  curl -sS http://{LOOPBACK}:{ports.metrics}/metrics",
        "",
    ]
    return "\n".join(lines)


def curls(environment: Mapping[str, str], hooks: str) -> list[str]:
    """Make a command for each example whose request one of the hooks answers."""
    options = "-sS -H 'Content-Type: application/json'"
    if environment.get("HOOKS_TOKEN_FILE"):
        token_file = environment["HOOKS_TOKEN_FILE"]
        options += f' -H "Authorization: Bearer $(head -n 1 {token_file})"'
    if environment.get("TLS_CERT_FILE"):
        options += " --insecure"
    commands = []
    for request in sorted(PROJECT.glob("examples/*/request.json")):
        path = sync_path(request)
        if path.split("/")[1] in environment["HOOKS"].split(","):
            data = request.relative_to(PROJECT)
            commands.append(f"curl {options} --data @{data} {hooks}{path}")
    return commands


def sync_path(request: Path) -> str:
    """Return the path of the hook, which a request's controller names."""
    controller = json.loads(request.read_text(encoding="utf-8"))["controller"]
    path: str = urlsplit(controller["spec"]["hooks"]["sync"]["webhook"]["url"]).path
    return path


if __name__ == "__main__":
    sys.exit(main(os.environ))
