"""A TargetCluster goes from one shard of the operator to another, and two never share one."""

import time

import pytest

from hooks.http.bounded_json import Json
from hooks.targetclusters.round_lease import LEASE, lease_name
from tests.controlplane.polling import until
from tests.targets import fake_cluster, servers
from tests.targets.driving import Driven, operating
from tests.unit.targetclusters.watching import driven, own_cluster

FINALIZER = "metacontroller.io/compositecontroller-"
OTHER = f"{FINALIZER}targetclusters-b"


def with_finalizers(watched: Driven, *finalizers: str) -> None:
    metadata: Json = {**watched.cluster["metadata"], "finalizers": list(finalizers)}
    watched.cluster = {**watched.cluster, "metadata": metadata}


@pytest.mark.parametrize("policy", ["Orphan", "Delete"])
def test_one_that_goes_to_another_shard_is_left_as_it_is(policy: str) -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator, deletionPolicy=policy)
        watched.probe()
        inventory = {"metadata": {"name": "example-inventory", "namespace": "team"}, "data": {}}
        watched.children = [{"apiVersion": "v1", "kind": "ConfigMap", **inventory}]
        before, children, asked = watched.cluster, watched.children, cluster.asked.total()
        assert watched.hand_over()["finalized"] is True
        assert (watched.cluster, watched.children) == (before, children)
        assert cluster.asked.total() == asked
        assert operator.events[-1].reason == "ClusterReady"
        assert not [line for line in operator.metrics() if "example" in line]


def test_it_is_held_until_the_jobs_here_have_ended() -> None:
    with (
        servers.serving(servers.black_hole) as server,
        operating(own_cluster(server.url)) as operator,
    ):
        watched = driven(operator, healthChecks={"timeout": "2s"})
        watched.call()
        until(lambda: server.connections, "the probe runs")
        held = watched.hand_over()
        assert "finalized" not in held
        assert held["resyncAfterSeconds"] > 0
        until(lambda: watched.hand_over().get("finalized"), "the probe has ended")


def test_one_that_was_never_called_for_is_let_go_at_once() -> None:
    with operating(own_cluster("https://h")) as operator:
        assert driven(operator).hand_over()["finalized"] is True


def test_a_replica_without_a_round_holds_it_while_another_one_writes() -> None:
    """A replica that was never called for it either."""
    own = own_cluster("https://h")
    name = lease_name("team/example")
    lease = {"apiVersion": LEASE.api_version, "kind": LEASE.kind}
    metadata = {"name": name, "namespace": "operators", "uid": "u", "resourceVersion": "1"}
    spec = {"holderIdentity": "another-replica"}
    with operating(own, pod_namespace="operators", pod_name="one") as operator:
        watched = driven(operator)
        own.store.put({**lease, "metadata": metadata, "spec": spec})
        for _ in range(20):
            assert "finalized" not in watched.hand_over()
            time.sleep(0.01)
        assert LEASE.path("operators", name) in own.reads
        del own.objects[LEASE.path("operators", name)]
        until(lambda: watched.hand_over().get("finalized"), "the other's round has ended")
        assert LEASE.path("operators", name) not in own.objects


def test_one_that_comes_back_is_looked_after_again() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        watched.probe()
        watched.hand_over()
        probes = cluster.probes
        operator.clock.now += 31
        watched.settle(lambda: cluster.probes > probes, "it is probed again")


@pytest.mark.parametrize("mine", ["targetclusters", "targetclusters-a"])
def test_nothing_is_done_before_the_other_shard_has_let_it_go(mine: str) -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        watched.controller = mine
        watched.probe()
        probed = cluster.probes
        operator.clock.now += 300
        with_finalizers(watched, f"{FINALIZER}{mine}", OTHER)
        answer = watched.call()
        assert set(answer) == {"status", "children"}
        assert watched.says("Ready") == "Unknown AwaitingShard"
        assert watched.says("Reconciling") == "True AwaitingShard"
        assert watched.says("Reachable") == "True Answered"
        message = watched.condition("Ready")["message"]
        assert message == (
            "the controller targetclusters-b has not let it go; if that is gone for good, remove "
            f"its finalizer {OTHER}"
        )
        assert cluster.probes == probed
        with_finalizers(watched, f"{FINALIZER}{mine}")
        watched.settle(lambda: cluster.probes > probed, "it is probed again")
        assert watched.says("Ready") == "True Healthy"
        assert watched.says("Reconciling") == "False Observed"


@pytest.mark.parametrize(
    "finalizers",
    [
        pytest.param((f"{FINALIZER}targetclusters",), id="its-own"),
        pytest.param(("foregroundDeletion", "example.com/hold"), id="somebodys"),
        pytest.param((f"{FINALIZER}fleet-report",), id="another-controllers"),
        pytest.param((f"{FINALIZER}targetclustersets",), id="one-with-a-longer-name"),
        pytest.param(("metacontroller.io/decoratorcontroller-targetclusters-b",), id="decorators"),
    ],
)
def test_other_finalizers_hold_nothing_up(finalizers: tuple[str, ...]) -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        with_finalizers(watched, *finalizers)
        watched.probe()
        assert watched.says("Ready") == "True Healthy"


def test_a_caller_without_a_controller_waits_for_nobody() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        watched.controller = ""
        with_finalizers(watched, OTHER)
        watched.probe()
        assert watched.says("Ready") == "True Healthy"


def test_a_deletion_waits_for_no_other_shard() -> None:
    with operating(own_cluster("https://h")) as operator:
        watched = driven(operator)
        with_finalizers(watched, f"{FINALIZER}targetclusters", OTHER)
        assert watched.call(finalizing=True)["finalized"] is True
