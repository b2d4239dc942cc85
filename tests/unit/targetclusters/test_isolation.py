"""A bad cluster never slows a good one, and no call waits for any."""

import heapq
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from hooks.targetclusters.hook import PROBES_AT_ONCE
from hooks.targetclusters.plan.schedule import MIN_POLL
from tests.controlplane.polling import until
from tests.targets import fake_cluster, servers
from tests.targets.driving import NOW, Driven, Operator, operating, target_cluster
from tests.targets.fake_cluster import FakeCluster
from tests.targets.objects import kubeconfig, secret
from tests.targets.own_cluster import OwnCluster

INTERVAL = 30.0
MINUTES = 10.0

_connected: list[tuple[int, object]] = []


def _note_connections(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        _connected.append((threading.get_ident(), arguments[1]))


@pytest.fixture(scope="module", autouse=True)
def _audited() -> Iterator[None]:
    """Note who connects where; Python keeps an audit hook for as long as it runs."""
    sys.addaudithook(_note_connections)
    yield
    _connected.clear()


class Fleet:
    """Many TargetClusters of one operator, called when their answers asked for it."""

    def __init__(self, own: OwnCluster, operator: Operator) -> None:
        self._own = own
        self._operator = operator
        self._numbers = count()
        self._calls: list[tuple[float, int, Driven]] = []
        self.clusters: dict[str, Driven] = {}
        self.called = 0

    def add(self, name: str, url: str) -> None:
        """Add a cluster, to be called at once."""
        self._own.put(secret(kubeconfig(url), name=name))
        spec = {"kubeconfigSecret": name, "healthChecks": {"timeout": "5m"}}
        driven = Driven(self._operator, target_cluster(name, **spec))  # type: ignore[arg-type]
        self.clusters[name] = driven
        heapq.heappush(self._calls, (NOW, next(self._numbers), driven))

    def run(self, seconds: float, *, awaited: set[str]) -> None:
        """Let time pass, call by call; a job of an awaited cluster takes no time at all.

        Those of the others take for ever: whatever they hold they hold all the time.
        """
        while self._calls[0][0] < NOW + seconds:
            due, _, driven = heapq.heappop(self._calls)
            self._operator.clock.now = max(self._operator.clock.now, due)
            wait = self._call(driven)
            if driven.cluster["metadata"]["name"] in awaited:
                wait = self._await_end(driven)
            heapq.heappush(self._calls, (due + wait, next(self._numbers), driven))

    def _await_end(self, driven: Driven) -> float:
        """Call until no job of the cluster runs; answer when to call next."""

        def ended() -> float:
            wait = self._call(driven)
            return 0.0 if wait == MIN_POLL else wait

        return until(ended, "a good cluster's probe ends", every=0.002)

    def _call(self, driven: Driven) -> float:
        self.called += 1
        return float(driven.call()["resyncAfterSeconds"])


@contextmanager
def bad_targets(holes: int, refusals: int) -> Iterator[list[str]]:
    """Give URLs of servers that never answer, and of ports that refuse."""
    with ExitStack() as stack:
        urls = [stack.enter_context(servers.serving(servers.black_hole)).url for _ in range(holes)]
        urls += [stack.enter_context(servers.refusing()) for _ in range(refusals)]
        yield urls


def test_good_clusters_are_probed_as_asked_whatever_the_bad_ones_do() -> None:
    own = OwnCluster()
    with (
        ExitStack() as stack,
        bad_targets(10, 10) as bad,
        operating(own) as operator,
    ):
        fleet = Fleet(own, operator)
        for number, url in enumerate(bad):
            fleet.add(f"bad-{number}", url)
        good: dict[str, FakeCluster] = {}
        for number in range(20):
            good[f"good-{number}"] = stack.enter_context(fake_cluster.running())
            fleet.add(f"good-{number}", good[f"good-{number}"].url)
        _connected.clear()
        fleet.run(MINUTES * 60, awaited=set(good))
        wanted = MINUTES * 60 / INTERVAL
        for name, cluster in good.items():
            assert wanted * 0.97 <= cluster.probes <= wanted * 1.03 + 1
            assert fleet.clusters[name].says("Ready") == "True Healthy"
        for number in range(10):
            assert fleet.clusters[f"bad-{number}"].says("Ready") == "Unknown NotProbed"
        for number in range(10, 20):
            assert fleet.clusters[f"bad-{number}"].says("Ready") == "False Unreachable"
        assert fleet.called > 20 * wanted
        assert _connected, "the audit hook notes connections"
        assert threading.get_ident() not in {thread for thread, _ in _connected}


def test_more_silent_clusters_than_threads_leave_the_answering_ones_alone() -> None:
    own = OwnCluster()
    with (
        fake_cluster.running() as cluster,
        servers.serving(servers.black_hole) as hole,
        operating(own) as operator,
    ):
        fleet = Fleet(own, operator)
        fleet.add("good", cluster.url)
        fleet.run(1, awaited={"good"})
        for number in range(100):
            fleet.add(f"bad-{number}", hole.url)
        fleet.run(MINUTES * 60, awaited={"good"})
        wanted = MINUTES * 60 / INTERVAL
        assert wanted * 0.95 <= cluster.probes <= wanted * 1.05 + 1
        assert fleet.clusters["good"].says("Ready") == "True Healthy"


def test_a_new_cluster_of_another_namespace_does_not_wait_for_dead_ones() -> None:
    own = OwnCluster()
    with (
        fake_cluster.running() as cluster,
        servers.serving(servers.black_hole) as hole,
        operating(own) as operator,
    ):
        add_dead(operator, own, hole.url, 150, timeout="5m")
        until(lambda: hole.connections >= PROBES_AT_ONCE // 2, "probes of the dead ones hang")
        new = put(operator, own, "new", cluster.url, namespace="other")
        new.probe()
        assert new.says("Ready") == "True Healthy"
        assert operator.clock.now < NOW + 2 * INTERVAL
        assert hole.connections == PROBES_AT_ONCE // 2


def test_a_new_cluster_does_not_wait_for_silent_ones_of_its_own_namespace() -> None:
    own = OwnCluster()
    with (
        fake_cluster.running() as cluster,
        servers.serving(servers.black_hole) as hole,
        operating(own) as operator,
    ):
        dead = add_dead(operator, own, hole.url, PROBES_AT_ONCE, timeout="1s")
        for each in dead:
            each.probe()
            each.change(healthChecks={"timeout": "5m"})
        before = hole.connections
        for each in dead:
            each.call()
        until(lambda: hole.connections >= before + PROBES_AT_ONCE // 2, "probes hang again")
        new = put(operator, own, "new", cluster.url)
        new.probe()
        assert new.says("Ready") == "True Healthy"
        assert hole.connections == before + PROBES_AT_ONCE // 2


def add_dead(
    operator: Operator, own: OwnCluster, url: str, number: int, *, timeout: str
) -> list[Driven]:
    """Add clusters that never answer, and call for each."""
    dead = [put(operator, own, f"dead-{n}", url, timeout=timeout) for n in range(number)]
    for each in dead:
        each.call()
    return dead


def put(
    operator: Operator,
    own: OwnCluster,
    name: str,
    url: str,
    *,
    namespace: str = "team",
    timeout: str = "5m",
) -> Driven:
    own.put(secret(kubeconfig(url), name=name, namespace=namespace))
    checks = {"timeout": timeout}
    cluster = target_cluster(name, namespace, kubeconfigSecret=name, healthChecks=checks)
    return Driven(operator, cluster)
