"""Whoever sends slowly, never, or hangs up badly costs only himself."""

import json
import ssl
from collections.abc import Iterator

import pytest

from simulator.server import Simulator
from tests.certificates import make_certificates
from tests.hostile.callers import BOUND_SECONDS, KINDS, Callers, slowest
from tests.serving import PROJECT, Hooks, write_cloud_config

NODE = json.loads((PROJECT / "examples/01-node/request.json").read_text())
TOKEN = {"Authorization": "Bearer open-sesame"}
#: As many callers of each kind, at one port.
CALLERS = 200
#: Seconds that others are called for meanwhile.
WATCHED_SECONDS = 1.5


@pytest.fixture(scope="module", params=["http", "https"])
def hooks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hooks]:
    folder = tmp_path_factory.mktemp("hooks")
    (folder / "token").write_text("open-sesame\n")
    with Simulator() as simulator:
        environ = {
            "CLOUD_CONFIG": str(write_cloud_config(folder / "cloud-config", simulator)),
            "HOOKS_TOKEN_FILE": str(folder / "token"),
        }
        context = None
        if request.param == "https":
            made = make_certificates(folder / "certificates")
            environ |= {
                "TLS_CERT_FILE": str(made.server_cert),
                "TLS_KEY_FILE": str(made.server_key),
            }
            context = ssl.create_default_context(cafile=made.authority)
        served = Hooks(folder, environ)
        served.context = context
        with served:
            yield served


@pytest.mark.parametrize("port", ["hooks", "metrics"])
@pytest.mark.parametrize("kind", KINDS)
def test_others_are_answered_beside(hooks: Hooks, kind: str, port: str) -> None:
    def calls() -> None:
        assert hooks.get("/healthz").code == 200
        assert hooks.get("/readyz").code == 200
        assert hooks.scrape().code == 200
        assert hooks.post("/nodes/sync", NODE, TOKEN).code == 200

    number = hooks.port if port == "hooks" else hooks.metrics_port
    context = hooks.context if port == "hooks" else None
    with Callers(KINDS[kind], number, CALLERS, context):
        assert slowest(calls, seconds=WATCHED_SECONDS) < BOUND_SECONDS
