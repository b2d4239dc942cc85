"""From an API server that has nothing to a cluster that works, by what the guides say."""

from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.deploy import installed
from tests.deploy.pods import moved
from tests.e2e.waves import names_of, register_all, until_all_initialised
from tools.manifests import PROVIDER


def test_one_file_and_a_secret_initialise_a_cluster_of_tainted_nodes(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    manifests = moved(PROVIDER.read_text())
    names = names_of(10)
    with Simulator(world="large", vms=10) as simulator:
        installed.apply(cluster, manifests)
        cluster.start_controllers()
        installed.give_cloud_config(cluster, simulator, tmp_path)
        with installed.running(cluster, manifests, simulator, tmp_path) as platform:
            register_all(platform, names)
            until_all_initialised(platform, names, within=60)
