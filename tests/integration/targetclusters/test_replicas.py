"""Two replicas that are called for one TargetCluster never write to its cluster at once."""

import threading

from hooks.targetclusters.round_lease import LEASE
from tests.controlplane.polling import PATIENCE, until
from tests.integration.targetclusters.stage import Stage, source
from tests.targets.driving import Driven, Operator
from tests.targets.proxy import Fate

OPERATORS = "operators"


def test_a_replica_waits_while_another_one_writes(stage: Stage) -> None:
    """The first replica's write hangs; the second one is called meanwhile, and waits."""
    settings = [{"pod_namespace": OPERATORS, "pod_name": name} for name in ("one", "two")]
    replicas = [Operator(stage.own, each, clock=stage.clock) for each in settings]
    one, two = (Driven(replica, stage.driven.cluster) for replica in replicas)
    stage.driven = one
    hangs, goes_on, holders = threading.Event(), threading.Event(), []

    def watch(_write: str) -> Fate:
        found = [obj for path, obj in stage.own.objects.items() if "/leases/" in path]
        holders.append([obj["spec"]["holderIdentity"].split("_")[0] for obj in found])
        hangs.set()
        assert goes_on.wait(PATIENCE)
        return "done"

    stage.line.on_write = watch
    try:
        one.settle(hangs.is_set, "the first replica writes")
        two.cluster, two.children = one.cluster, one.children
        leases = LEASE.path(OPERATORS)
        two.settle(lambda: any(leases in read for read in stage.own.reads), "the other one waits")
        assert stage.line.writes == []
        goes_on.set()
        stage.converge()
        assert set(stage.on_target()) == {"a", "b", "c"}
        two.cluster, two.children = one.cluster, one.children
        stage.own.put(source("a", stage.namespace, "blue"))
        stage.driven = two
        stage.converge()
        assert holders[0] == ["one"]
        assert ["two"] in holders
        assert {len(each) for each in holders} == {1}
        until(lambda: not any(leases in path for path in stage.own.objects), "none is left")
    finally:
        goes_on.set()
        for replica in replicas:
            replica.hook.close()
