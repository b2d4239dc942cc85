"""What `spec.autoHealing` says of how many repairs run at once, and when, on the real thing."""

from collections.abc import Iterator

import pytest

from simulator.server import Simulator
from tests.controlplane import Cluster, ControlPlane
from tests.controlplane.api import Object
from tests.e2e import targets
from tests.e2e.targetclusters import kubelets
from tests.e2e.targetclusters.healing import (
    NODES,
    QUICK,
    faults,
    make,
    most_at_once,
    put_keys,
    repairs,
    until_healed,
)
from tests.e2e.targetclusters.kubelets import Kubelets
from tests.e2e.targets import NAMESPACE, TargetPlatform

WORKERS = ("cks-node-1", "cks-node-2")
REBOOTED = {f"rebootVirtualMachine {name}": 1 for name in WORKERS}
#: A window a year, which is not now, and one that is always open.
CLOSED = {"schedule": "0 0 29 2 *", "duration": "1m"}
OPEN = {"schedule": "* * * * *", "duration": "1h"}


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TargetPlatform]:
    """Run the operator as in its pod: its namespace keeps what it has tried."""
    folder = tmp_path_factory.mktemp("operator")
    with targets.running(control_plane, folder, POD_NAMESPACE=NAMESPACE) as platform:
        yield platform


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("bounded") as running:
        yield running


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    with Simulator("kubernetes", job_delay=0.5) as simulator:
        yield simulator


@pytest.fixture
def nodes(cloud: Simulator, target: Cluster) -> Iterator[Kubelets]:
    with kubelets.running(Kubelets(cloud, target, NODES)) as running:
        yield running


@pytest.fixture
def healing(platform: TargetPlatform, cloud: Simulator, nodes: Kubelets) -> TargetPlatform:
    """Have the account's keys in the Secret `cloudstack`."""
    del nodes
    put_keys(platform, cloud)
    return platform


def is_planned(cluster: Object) -> bool:
    """Tell whether the repairs of both workers are due."""
    return {one["object"] for one in faults(cluster) if "planned" in one} == set(WORKERS)


@pytest.mark.parametrize("most", [1, 2])
def test_as_many_repairs_run_at_once_as_said(
    most: int, healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    """Both are due when repairs are allowed: until then, mode Plan says what would be done."""
    name = f"concurrent-{most}"
    make(healing, name, mode="Plan", maxConcurrent=most)
    for worker in WORKERS:
        nodes.hang(worker)
    healing.until(name, is_planned)
    assert not repairs(cloud)
    healing.change(name, autoHealing={**QUICK, "mode": "Repair", "maxConcurrent": most})
    until_healed(healing, name)
    assert repairs(cloud) == REBOOTED
    assert most_at_once(cloud) == most


def test_nothing_is_repaired_outside_of_the_windows(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "windows", maintenanceWindows=[CLOSED])
    nodes.hang("cks-node-1")
    cluster = healing.until_says("windows", "Healing", "True OutsideWindow")
    assert not repairs(cloud)
    assert [one["attempts"] for one in faults(cluster)] == [0]
    healing.change("windows", autoHealing={**QUICK, "maintenanceWindows": [CLOSED, OPEN]})
    until_healed(healing, "windows")
    assert repairs(cloud) == {"rebootVirtualMachine cks-node-1": 1}
