"""What drift checks of many load balancers cost the server while nothing changes."""

import time
from collections.abc import Iterator
from pathlib import Path

from simulator.server import Simulator
from tests.bench.loadbalancers import NAMES, create_services, open_site
from tests.bench.work import kind_of, measure
from tests.controlplane import ControlPlane
from tests.e2e.watching import namespace

COUNTS = (50, 200)
#: Seconds between two drift checks here and by default, and those in which all are checked.
RESYNC, USUAL, WATCHED = 60, 300, 72


def bench_drift_checks(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure the server's time for drift checks, line by line of a table."""
    yield (
        f"| load balancers | checks in {WATCHED} s, DRIFT_RESYNC {RESYNC} s | reads | seconds in "
        f"reads | of the server's time, DRIFT_RESYNC {USUAL} s |\n|---|---|---|---|---|"
    )
    for count in COUNTS:
        yield _row(plane, folder / f"drift-{count}", count)


def _row(plane: ControlPlane, folder: Path, count: int) -> str:
    with (
        Simulator("large", vms=6) as simulator,
        open_site(
            plane, folder, NAMES[:5], simulator, DRIFT_RESYNC=f"{RESYNC}s", VM_CACHE_TTL="10m"
        ) as made,
        namespace(made.cluster) as shop,
    ):
        create_services(made, shop, f"{count} Services", [f"e{n}" for n in range(count)])
        simulator.control.settings(timing="real")
        work = measure(simulator.control, "drift checks", lambda: time.sleep(WATCHED))
    reads = [call for call in work.calls if kind_of(call["command"]) == "reads"]
    checks = sum(call["command"] == "listLoadBalancerRules" for call in reads)
    seconds = sum(call["seconds"] for call in reads)
    share = seconds / work.seconds * RESYNC / USUAL
    return f"| {count} | {checks} | {len(reads)} | {seconds:.1f} | {100 * share:.1f} % |"
