"""Probes, scrapes and calls with a token beside 200 callers that send slowly, never or badly."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.server import Simulator
from tests.certificates import make_certificates
from tests.controlplane import ControlPlane
from tests.hostile.callers import KINDS, Callers
from tests.serving import PROJECT, Hooks, Reply, write_cloud_config

NODE = json.loads((PROJECT / "examples/01-node/request.json").read_text())
TOKEN = {"Authorization": "Bearer open-sesame"}
CALLERS = 200
#: Seconds that others are called for, beside each kind.
SECONDS = 4.0

HEAD = """\
| {0} hostile callers | /healthz | /readyz | /metrics | /nodes/sync |
|---|---|---|---|---|"""


def bench_callers(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure the p99 in milliseconds beside each kind of caller, at both ports, over TLS."""
    del plane
    yield HEAD.format(CALLERS)
    with _hooks(folder / "callers") as hooks:
        yield f"| none | {_p99s(hooks)} |"
        for name, kind in KINDS.items():
            for port, context in ((hooks.port, hooks.context), (hooks.metrics_port, None)):
                where = "hooks" if port == hooks.port else "metrics"
                with Callers(kind, port, CALLERS, context):
                    yield f"| {name}, {where} port | {_p99s(hooks)} |"


@contextmanager
def _hooks(folder: Path) -> Iterator[Hooks]:
    folder.mkdir()
    (folder / "token").write_text("open-sesame\n")
    made = make_certificates(folder / "certificates")
    with Simulator() as simulator:
        environ = {
            "CLOUD_CONFIG": str(write_cloud_config(folder / "cloud-config", simulator)),
            "HOOKS_TOKEN_FILE": str(folder / "token"),
            "TLS_CERT_FILE": str(made.server_cert),
            "TLS_KEY_FILE": str(made.server_key),
        }
        hooks = Hooks(folder, environ)
        hooks.context = ssl.create_default_context(cafile=made.authority)
        with hooks:
            yield hooks


def _p99s(hooks: Hooks) -> str:
    calls: dict[str, Callable[[], Reply]] = {
        "/healthz": lambda: hooks.get("/healthz"),
        "/readyz": lambda: hooks.get("/readyz"),
        "/metrics": hooks.scrape,
        "/nodes/sync": lambda: hooks.post("/nodes/sync", NODE, TOKEN),
    }
    took: dict[str, list[float]] = {path: [] for path in calls}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for path, call in calls.items():
            began = time.perf_counter()
            if call().code != 200:
                raise RuntimeError(f"{path} was not answered")
            took[path].append(time.perf_counter() - began)
    return " | ".join(
        f"{sorted(each)[len(each) * 99 // 100] * 1e3:.0f} ms" for each in took.values()
    )
