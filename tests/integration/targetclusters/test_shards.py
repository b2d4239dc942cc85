"""What is on a real cluster when its TargetCluster goes from one shard to another."""

from tests.integration.targetclusters.stage import Stage


def test_the_next_shard_goes_on_with_the_inventory(stage: Stage) -> None:
    stage.driven.change(deletionPolicy="Delete")
    stage.converge()
    recorded = stage.recorded()
    stage.line.writes.clear()
    assert stage.driven.hand_over()["finalized"] is True
    assert stage.recorded() == recorded
    assert stage.line.writes == []
    stage.restart()  # another process, which knows what Kubernetes knows
    stage.driven.controller = "targetclusters-a"
    stage.own.remove("ConfigMap", "b", stage.namespace)
    stage.clock.now += 600
    stage.converge()
    assert set(stage.on_target()) == {"a", "c"}
    assert stage.finalize()
    assert stage.on_target() == {}
