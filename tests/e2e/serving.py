"""Runs the hooks under gunicorn as the image does, on loopback, for an API server and a cloud."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from simulator.server import Simulator
from tests.controlplane import polling
from tests.controlplane.cluster import Cluster
from tests.controlplane.manifests import Hooks
from tests.controlplane.processes import Process, free_port

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Service:
    """The hooks' process; it may be killed, and started again in place."""

    process: Process
    hooks: Hooks

    def start(self) -> None:
        """Start the process, and wait until it is ready to be called."""
        self.process.start()
        self.wait()

    def wait(self) -> None:
        """Wait until the hooks are ready to be called."""
        polling.until(self._ready, f"{self.hooks.url}/readyz answers ok", within=30)

    def _ready(self) -> bool:
        self.process.check()
        try:
            return requests.get(f"{self.hooks.url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False


@contextmanager
def serving(
    hooks: Sequence[str], cluster: Cluster, folder: Path, cloud: Path | None = None, **settings: str
) -> Iterator[Service]:
    """Run hooks that write to a cluster; stop them at the end.

    Args:
        hooks: which.
        cluster: whose administrator they are.
        folder: where their log goes.
        cloud: the cloud-config, for hooks that need one.
        settings: other variables of their environment.
    """
    port = free_port()
    environment = {
        "HOOKS": ",".join(hooks),
        "BIND": f"127.0.0.1:{port}",
        "METRICS_BIND": "127.0.0.1",
        "METRICS_PORT": str(free_port()),
        "KUBECONFIG_FILE": str(cluster.kubeconfig),
        "CLOUD_CONFIG": str(cloud or ""),
        "PYTHONPATH": str(PROJECT),
        "NO_PROXY": "*",
        **settings,
    }
    configuration = PROJECT / "gunicorn.conf.py"
    command = [sys.executable, "-m", "gunicorn", "--config", str(configuration)]
    service = Service(
        Process("hooks", command, folder / "hooks.log", environment),
        Hooks(f"http://127.0.0.1:{port}"),
    )
    try:
        service.start()
        yield service
        service.process.check()
    finally:
        service.process.stop()


def cloud_config(simulator: Simulator, folder: Path, **others: str) -> Path:
    """Write the cloud-config of a simulated CloudStack's ordinary user."""
    said = {
        "api-url": simulator.url,
        "api-key": simulator.user.api_key,
        "secret-key": simulator.user.secret_key,
        **{key.replace("_", "-"): value for key, value in others.items()},
    }
    path = folder / "cloud-config"
    path.touch(mode=0o600)
    path.write_text("[Global]\n" + "".join(f"{key} = {value}\n" for key, value in said.items()))
    return path
