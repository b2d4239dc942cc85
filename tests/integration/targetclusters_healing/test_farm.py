"""The farm is what the tests of healing stand on: its nodes are as their VMs are."""

from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import living


def test_nodes_are_ready_as_their_vms_run() -> None:
    with living(nodes=3) as life:
        assert life.live(60, until=lambda: life.driven.says("Ready") == "True Healthy")
        assert life.driven.status["nodes"]["summary"] == "3/3"
        life.farm.vm("n-001", "Stopped")
        life.farm.fall("n-002", Ill.HUNG)
        assert life.live(120, until=lambda: life.driven.status["nodes"]["summary"] == "1/3")
        life.farm.vm("n-001", "Running")
        life.farm.recover("n-002")
        assert life.live(120, until=lambda: life.driven.status["nodes"]["summary"] == "3/3")
