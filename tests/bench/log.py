"""What the log at `info` costs while nothing changes, and while nothing works."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from hooks.http.bounded_json import Json
from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.serving import PROJECT, Hooks, write_cloud_config

NODE = json.loads((PROJECT / "examples/01-node/request.json").read_text())
SERVED = PROJECT / "tests/golden/services/03-serves"
OBJECTS = 1000
#: Seconds between two calls about one object.
PERIOD = 60.0
ROUNDS = 1

HEAD = """\
| 1,000 objects, each called once a minute | lines | bytes | MB a day |
|---|---|---|---|"""


def bench_log(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Count the bytes of the log, from the second round of calls on."""
    del plane
    yield HEAD
    place = folder / "log"
    place.mkdir()
    with Simulator() as simulator:
        config = str(write_cloud_config(place / "cloud-config", simulator))
        for level in ("info", "debug"):
            yield f"| at `{level}`, nothing to do | {_cost(place, config, level, settled())} |"
        simulator.control.fault("listVirtualMachines", code=530, text="down", times=None)
        yield f"| at `info`, CloudStack fails | {_cost(place, config, 'info', NODE)} |"


def settled() -> Json:
    """Return a request whose Service already shows what is answered."""
    request, response = (
        json.loads((SERVED / f"{name}.json").read_text()) for name in ("request", "response")
    )
    return {**request, "object": {**request["object"], "status": response["status"]}}


def _cost(folder: Path, config: str, level: str, request: Json) -> str:
    environ = {"CLOUD_CONFIG": config, "LOG_LEVEL": level, "HOOKS": "nodes,services"}
    path = "/nodes/sync" if request is NODE else "/services/sync"
    log, start = folder / "hooks.log", 0
    with Hooks(folder, environ) as hooks:
        for number in range(ROUNDS + 1):
            if number == 1:
                start = log.stat().st_size  # what each object's first call says
            began = time.monotonic()
            for index in range(OBJECTS):
                hooks.post(path, _named(request, index))
            time.sleep(max(0.0, PERIOD - (time.monotonic() - began)))
        hooks.post(path, _named(request, 0))  # writes the summary that is due
    written = log.read_bytes()[start:]
    day = len(written) / (ROUNDS * PERIOD) * 86400 / 1e6
    return f"{written.count(10)} | {len(written)} | {day:.1f}"


def _named(request: Json, index: int) -> Json:
    """Return the request with an object of another name."""
    obj = request["object"]
    metadata = {**obj["metadata"], "name": f"{obj['metadata']['name']}-{index}"}
    return {**request, "object": {**obj, "metadata": metadata}}
