"""A clock that is set, in the middle of anything, starts and stops nothing."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import CLOCK_SLACK, moment, timestamp
from hooks.targetclusters.clusters import FORGET_CLUSTER_AFTER, Clusters
from hooks.targetclusters.plan.actions import StartProbe
from hooks.targetclusters.plan.plan import plan_sync
from hooks.targetclusters.plan.schedule import EARLIEST
from hooks.targetclusters.plan.syncing import plan_syncing
from hooks.targetclusters.request import Interval, ResourceSync, Spec
from tests.controlplane.polling import until
from tests.targets import fake_cluster, servers
from tests.targets.driving import Clock, Driven, Operator, operating, target_cluster
from tests.targets.fake_cluster import FakeCluster
from tests.targets.objects import kubeconfig
from tests.unit.targetclusters.test_clusters import running_round
from tests.unit.targetclusters.views import (
    NOW,
    checks,
    children,
    counted,
    facts,
    finished,
    inventory,
    report,
    round_,
    with_status,
)
from tests.unit.targetclusters.watching import driven, own_cluster, put_kubeconfig, record

HOUR, YEAR = 3600.0, 365 * 86400.0
STEPS = [HOUR, -HOUR, YEAR, -YEAR]
INTERVAL = 30.0
SYNCING = Spec("target", sync=ResourceSync(enabled=True), monitor_interval=Interval(INTERVAL))
WATCHING = msgspec.structs.replace(SYNCING, sync=ResourceSync())
FAILED = round_(inventory("a"), report(inventory("a"), complete=False, error="timeout"))


@pytest.fixture
def failing() -> Iterator[tuple[FakeCluster, Operator, Driven]]:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        yield cluster, operator, driven(operator, failureThreshold=3)


@pytest.mark.parametrize("step", STEPS)
def test_a_round_that_runs_is_neither_stopped_nor_doubled(step: float) -> None:
    clock = Clock()
    clusters = Clusters(record, clock.monotonic)
    watched = clusters.get(target_cluster())
    with running_round(watched, "sync") as round_:
        clock.ahead = step
        assert clusters.all() == [watched]
        assert clusters.get(target_cluster()) is watched
        assert not watched.sync.start(lambda _: None, 600.0, "quick")  # type: ignore[arg-type, return-value]
        round_.answered.set()
        until(lambda: watched.sync.state().running_since is None, "the round ends", every=0.005)
        assert round_.was_stopped is False
    clock.now += FORGET_CLUSTER_AFTER + 1
    assert clusters.all() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_step_forgets_no_cluster(
    failing: tuple[FakeCluster, Operator, Driven], step: float
) -> None:
    _, operator, watched = failing
    watched.probe()
    before = operator.metrics()
    operator.clock.ahead += step
    assert operator.metrics() == before
    operator.clock.now += FORGET_CLUSTER_AFTER + 1
    assert operator.metrics() != before


@pytest.mark.parametrize("step", [0.0, *STEPS])
@pytest.mark.parametrize("since", [5.0, 31.0])
def test_a_probe_is_due_by_the_time_that_has_passed(step: float, since: float) -> None:
    latest = finished(facts().probe.latest)
    status = {"probe": {"lastTime": moment(NOW - 5), "observedGeneration": 1, "checks": []}}
    plan = plan_sync(
        facts(
            cluster=with_status(status),
            spec=WATCHING,
            probe=latest,
            now=NOW + step,
            monotonic=NOW - 5 + since,
        )
    )
    assert [type(action) for action in plan.actions] == ([StartProbe] if since > INTERVAL else [])
    if since < INTERVAL:
        wait = plan.response["resyncAfterSeconds"]
        assert INTERVAL * EARLIEST - since <= wait <= INTERVAL - since


@pytest.mark.parametrize("ahead", [CLOCK_SLACK + 1, HOUR, YEAR])
def test_a_recorded_time_that_is_ahead_stops_no_checks_after_a_restart(ahead: float) -> None:
    status = {"probe": {"lastTime": moment(NOW + ahead), "observedGeneration": 1, "checks": []}}
    plan = plan_sync(facts(cluster=with_status(status), probe=finished(None)))
    assert StartProbe("slow") in plan.actions


def test_another_replicas_clock_may_be_a_little_ahead() -> None:
    status = {"probe": {"lastTime": moment(NOW + 1), "observedGeneration": 1, "checks": []}}
    plan = plan_sync(facts(cluster=with_status(status), spec=WATCHING, probe=finished(None)))
    assert plan.actions == ()


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_round_is_counted_once_and_tried_again_in_time(step: float) -> None:
    given = facts(
        cluster=with_status(counted(FAILED, attempts=1)),
        config_maps=children(inventory("a")),
        spec=SYNCING,
        sync=finished(FAILED),
    )
    for passed, is_due in ((0.0, False), (9.0, True)):
        # It took a second, and the first retry is five seconds after its end.
        later = replace(given, now=NOW - 10 + step + passed, monotonic=NOW - 7 + passed)
        decision = plan_syncing(later, checks())
        assert decision.sync["attempts"] == 1
        assert (decision.start is not None) is is_due
        assert decision.wait is not None
        assert decision.wait < 10


@pytest.mark.parametrize("step", STEPS)
def test_one_probe_that_failed_is_one_failure(
    failing: tuple[FakeCluster, Operator, Driven], step: float
) -> None:
    cluster, operator, watched = failing
    watched.probe()
    cluster.readyz = (500, "[-]etcd failed: reason")
    watched.probe()
    operator.clock.ahead += step
    for _ in range(5):
        watched.call()
    assert watched.condition("Reachable")["message"].startswith("1 of 3 probes failed: ")
    before = operator.clock.now
    watched.probe()
    assert watched.condition("Reachable")["message"].startswith("2 of 3 probes failed: ")
    assert operator.clock.now - before <= INTERVAL + 1


@pytest.mark.parametrize("step", STEPS)
def test_a_step_orphans_nothing_and_the_timeout_still_ends(step: float) -> None:
    with servers.refusing() as url, operating(own_cluster(url)) as operator:
        watched = driven(
            operator, deletionPolicy="Delete", finalizeTimeout="10m", resourceSyncPolicy={}
        )
        put_kubeconfig(operator, kubeconfig(url, user={"token": "a-token"}))
        deleted = timestamp(operator.clock())
        metadata: Json = {**watched.cluster["metadata"], "deletionTimestamp": deleted}
        status = {"sync": {"objects": 3}}
        watched.cluster = {**watched.cluster, "metadata": metadata, "status": status}
        for _ in range(3):
            assert not watched.call(finalizing=True)["finalized"]
            operator.clock.ahead += step
        operator.clock.now += 598
        assert not watched.call(finalizing=True)["finalized"]
        operator.clock.now += 2
        assert watched.call(finalizing=True)["finalized"]
        assert operator.events[-1].reason == "ResourcesOrphaned"


def test_a_deletion_long_ago_orphans_nothing_after_a_restart() -> None:
    with servers.refusing() as url, operating(own_cluster(url)) as operator:
        watched = driven(operator, deletionPolicy="Delete", finalizeTimeout="10m")
        deleted = timestamp(operator.clock() - YEAR)
        metadata: Json = {**watched.cluster["metadata"], "deletionTimestamp": deleted}
        watched.cluster = {
            **watched.cluster,
            "metadata": metadata,
            "status": {"sync": {"objects": 3}},
        }
        assert not watched.call(finalizing=True)["finalized"]
        operator.clock.now += 600
        assert watched.call(finalizing=True)["finalized"]
