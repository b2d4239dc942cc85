"""With `kubernetesClusterID`, no VM is touched that is none of that cluster's, on whatever path."""

from simulator.building import make_cluster
from tests.integration.targetclusters_healing.life import Life, living
from tests.integration.targetclusters_healing.test_owed_starts import (
    HOUR,
    RETRIES,
    runs,
    stop_and_fail_to_start,
)

CONTROL_PLANE = {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}


def name_service(life: Life, *names: str) -> None:
    """Name a Kubernetes Service cluster that has some of the VMs."""
    world = life.farm.simulator.world
    vms = {vm.name: vm for vm in world.vms}
    cluster = make_cluster(world, "cks", vms["n-001"].account, next(iter(world.networks)))
    cluster.vms = [vms[name] for name in names]
    cluster.size, cluster.control_nodes, cluster.state = len(names), 0, "Running"
    life.change(cloudStack={"configSecret": "cloudstack", "kubernetesClusterID": cluster.id})


def test_a_control_plane_that_is_away_is_started_where_it_is_of_the_cluster() -> None:
    with living(nodes=5) as life:
        for name in ("n-001", "n-002"):
            life.farm.patients[name].unit = CONTROL_PLANE
        life.farm.api_server_on = ("n-001", "n-002")
        life.live(120)
        name_service(life, "n-002", "n-003")
        life.farm.vm("n-001", "Stopped")
        life.farm.vm("n-002", "Stopped")
        assert life.live(HOUR, until=lambda: life.farm.state("n-002") == "Running")
        life.live(HOUR)
        assert life.farm.repairs() == {"start n-002": 1}


def test_a_start_that_is_owed_waits_while_its_vm_is_none_of_the_cluster() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        name_service(life, "n-002", "n-003")
        life.farm.simulator.control.clear_faults()
        life.live(HOUR)
        assert not runs(life)
        life.change(cloudStack={"configSecret": "cloudstack"})
        assert life.live(HOUR, until=lambda: runs(life))


def test_the_right_to_start_the_cluster_is_asked_for_as_soon_as_it_is_named() -> None:
    with living(nodes=5) as life:
        user = next(each for each in life.farm.simulator.world.accounts if each.name == "user")
        user.denied = frozenset({"startKubernetesCluster"})
        life.live(60)
        assert life.driven.says("Healing") == "True Healthy"
        name_service(life, *life.farm.patients)
        life.live(120)
        assert life.driven.says("Healing") == "False MissingRights"
        assert "startKubernetesCluster" in life.driven.condition("Healing")["message"]
