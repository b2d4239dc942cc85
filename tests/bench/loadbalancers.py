"""Load balancers in the real server's time: few and many ports and Services, a node joining."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.controlplane import ControlPlane
from tests.controlplane.polling import until
from tests.e2e.cloud import Cloud
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, namespace, serves

MEMBERS = ("node-1", "node-2", "node-3", "node-4")
#: Joins when all load balancers stand.
LATE = "node-5"
LATE_MACHINE = "node-5.example.com"
MANY = 100
#: Seconds of quiet in which nothing may be called.
STEADY_SECONDS = 20
WITHIN = 600.0
#: Seconds of the existing external provider 1.2.0 and of its strongest fork 1.8.1, measured
#: elsewhere: on CloudStack 4.22 with 5 nodes.
ELSEWHERE = {
    "1 Service, 1 port": (5.4, 5.2),
    "1 Service, 10 ports": (28.5, 27.6),
    "10 Services, 1 port": (44.5, 42.2),
    "these 12 Services deleted": (76.0, 57.9),
}
HEAD = """\
| work | seconds | writes | reads | writes a Service | elsewhere: provider (fork), seconds |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Work:
    """What a piece of work cost.

    Attributes:
        services: how many Services it was about.
        calls: of CloudStack, by command.
    """

    name: str
    services: int
    seconds: float
    calls: dict[str, int]

    def row(self) -> str:
        """Write a line of the table."""
        reads = sum(n for command, n in self.calls.items() if command.startswith(("list", "query")))
        writes = sum(self.calls.values()) - reads
        each = writes / self.services
        others = ELSEWHERE.get(self.name)
        said = f"{others[0]} ({others[1]})" if others else ""
        return f"| {self.name} | {self.seconds:.1f} | {writes} | {reads} | {each:.1f} | {said} |"


def bench_load_balancers(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure how few and tens are made and deleted, line by line of a table."""
    with _site(plane, folder / "load-balancers") as made, namespace(made.cluster) as shop:
        made.simulator.control.settings(timing="real")
        yield from _table(_few(made, shop))


def bench_many_load_balancers(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure what becomes of a hundred that stand, line by line of a table.

    They are made before the simulator keeps the real server's time: that is no part of it.
    """
    with _site(plane, folder / "many-load-balancers") as made, namespace(made.cluster) as shop:
        _create(made, shop, f"{MANY} Services", [f"d{n}" for n in range(MANY)])
        made.await_quiet(3)
        made.simulator.control.settings(timing="real")
        yield from _table(_many(made, shop))


@contextmanager
def _site(plane: ControlPlane, folder: Path) -> Iterator[Site]:
    folder.mkdir()
    with site(plane, folder, MEMBERS, LOG_LEVEL="info", VM_CACHE_TTL="15s") as made:
        _lift_limit(made)
        yield made


def _lift_limit(made: Site) -> None:
    """Let the account have as many addresses as the zone has."""
    admin = Cloud.of(made.simulator, made.simulator.admin).api
    domain = made.cloud.list("listAccounts", "account")[0]["domainid"]
    admin.ok("updateResourceLimit", resourcetype=1, max=-1, account="user", domainid=domain)


def _table(works: Iterator[Work]) -> Iterator[str]:
    """Write a table as the work is done; below it, the calls by command."""
    yield HEAD
    done = []
    for work in works:
        done.append(work)
        yield work.row()
    yield ""
    for work in done:
        yield f"{work.name}: {dict(sorted(work.calls.items()))}"


def _few(made: Site, shop: Namespace) -> Iterator[Work]:
    ports = [{"name": f"p{n}", "port": 80 + n} for n in range(10)]
    yield _create(made, shop, "1 Service, 1 port", ["one"])
    yield _create(made, shop, "1 Service, 10 ports", ["ten"], ports=ports)
    yield _create(made, shop, "10 Services, 1 port", [f"b{n}" for n in range(10)])
    made.await_quiet()
    yield _measure(made, "these 12 Services deleted", 12, lambda: _delete_all(made, shop))
    yield _create(made, shop, "50 Services, 1 port", [f"c{n}" for n in range(50)])
    made.await_quiet()
    yield _measure(made, "these 50 Services deleted", 50, lambda: _delete_all(made, shop))


def _many(made: Site, shop: Namespace) -> Iterator[Work]:
    yield _measure(made, f"nothing, for {STEADY_SECONDS} s", MANY, _sleep)
    yield _measure(made, f"a node joins {MANY} load balancers", MANY, lambda: _join(made))
    made.await_quiet()
    yield _measure(made, f"{MANY} Services deleted", MANY, lambda: _delete_all(made, shop))


def _measure(made: Site, name: str, services: int, work: Callable[[], None]) -> Work:
    made.simulator.control.clear_calls()
    started = time.monotonic()
    work()
    seconds = time.monotonic() - started
    return Work(name, services, seconds, made.simulator.control.counts())


def _create(made: Site, shop: Namespace, name: str, services: list[str], **spec: Any) -> Work:
    def create() -> None:
        for service in services:
            shop.create(service, **spec)

        def ready() -> bool:
            found = {one["metadata"]["name"]: one for one in shop.services.list(shop.name)}
            return all(serves(found[service]) for service in services)

        until(ready, f"{name}: all serve", within=WITHIN, every=0.1)

    return _measure(made, name, len(services), create)


def _join(made: Site) -> None:
    made.join(LATE)

    def in_all() -> bool:
        return all(LATE_MACHINE in rule["members"] for rule in made.rules())

    until(in_all, f"{LATE} is a member everywhere", within=WITHIN, every=0.2)


def _delete_all(made: Site, shop: Namespace) -> None:
    for service in shop.services.list(shop.name):
        shop.services.delete(service["metadata"]["name"], shop.name)

    def gone() -> bool:
        return not (made.rules() or made.addresses() or shop.load_balancers.list(shop.name))

    until(gone, "all gone", within=WITHIN, every=0.2)


def _sleep() -> None:
    time.sleep(STEADY_SECONDS)
