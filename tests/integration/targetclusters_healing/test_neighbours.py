"""Two TargetClusters about one cluster share what is tried on its VMs."""

import time

import pytest

from hooks.http.deadline import Deadline
from hooks.targetclusters.healing.plan import vm_attempts
from hooks.targetclusters.plan.schedule import MIN_POLL
from tests.controlplane.polling import PATIENCE
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import NAMESPACE, Life, living
from tests.integration.targetclusters_healing.test_members import name_service
from tests.integration.targetclusters_healing.test_owed_starts import tried_on
from tests.targets.driving import Driven, target_cluster

HOUR = 3600.0


def add_second(life: Life) -> Driven:
    """Add a TargetCluster about the same cluster, whose rounds end before the first is called."""
    cluster = target_cluster(
        name="second",
        namespace=NAMESPACE,
        autoHealing={"enabled": True},
        cloudStack={"configSecret": "cloudstack"},
        kubeconfigSecret="target",
        monitorInterval="60s",
    )
    second = Driven(life.driven.operator, cluster)
    life.own.store.put(second.cluster)

    def call() -> None:
        ends = time.monotonic() + PATIENCE
        while second.call()["resyncAfterSeconds"] == MIN_POLL:
            assert time.monotonic() < ends, second.status
            time.sleep(0.002)

    life.before = call
    return second


@pytest.mark.parametrize("step", [0.0, HOUR, -HOUR, 30 * 86400.0])
def test_attempts_on_a_vm_count_for_both_though_the_clock_is_set(step: float) -> None:
    with living(nodes=5) as life:
        add_second(life)
        life.live(60)
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(0.6 * HOUR)
        assert life.farm.attempts("n-001") == 3
        life.clock.ahead = step
        life.live(0.3 * HOUR)
        assert life.farm.attempts("n-001") == 3


def test_a_cluster_is_not_started_beside_a_repair_of_its_vm_nor_the_other_way_round() -> None:
    """Only one of the two TargetClusters names the Kubernetes Service cluster."""
    with living(nodes=5) as life:
        life.live(60)
        name_service(life, *life.farm.patients)
        now, kept = life.clock.now, tried_on(life)
        another = vm_attempts.held(kept.attempts, "another", "team", until=now + 0.5 * HOUR)
        kept.write(another, now, Deadline(5.0))
        [cluster] = life.farm.simulator.world.clusters
        cluster.state = "Alert"
        life.live(0.4 * HOUR)
        assert life.farm.sent("startKubernetesCluster") == 0
        life.farm.simulator.control.fault("startKubernetesCluster", "job-never-ends")
        assert life.live(HOUR, until=lambda: life.farm.sent("startKubernetesCluster") == 1)
        held, nows = tried_on(life).attempts, (life.clock.now,)
        assert "being repaired" in vm_attempts.why_busy(held, nows=nows)
        life.restart()


def test_it_is_told_how_often_a_vm_is_repaired_within_a_day() -> None:
    """Each time it is well for more than an hour, so that all attempts are forgotten."""
    with living(nodes=5) as life:
        life.live(60)
        for _ in range(5):
            life.farm.fall("n-001", Ill.HUNG)
            assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)
            life.live(1.5 * HOUR)
        assert life.farm.repairs() == {"reboot n-001": 5}
        told = [each.message for each in life.driven.operator.events if each.reason == "RepairMade"]
        assert ["within a day" in message for message in told] == [False] * 3 + [True] * 2
        assert "RebootVM: attempt 5 on it within a day: " in told[-1]
