"""Two replicas that are called for one TargetCluster never write to its cluster at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from hooks.targetclusters.access.kubeconfig_secrets import TARGET_CLUSTER
from hooks.targetclusters.round_lease import LEASE
from tests.controlplane.polling import PATIENCE, until
from tests.integration.targetclusters.stage import Stage, source
from tests.targets.driving import Driven, Operator
from tests.targets.proxy import Fate

OPERATORS = "operators"


@dataclass
class Replica(Driven):
    """A replica whose answers are written to the API server, as Metacontroller does."""

    stage: Stage = field(kw_only=True)

    def _call(self, *, finalizing: bool) -> Json:
        before = {child["metadata"]["name"]: child for child in self.children}
        response = super()._call(finalizing=finalizing)
        self.children = [self._write(child, before) for child in response["children"]]
        return response

    def _write(self, child: Json, before: dict[str, Json]) -> Json:
        """Write a ConfigMap unless it is as the request showed it; return it with its version."""
        shown = before.get(child["metadata"]["name"])
        if shown is None or shown["data"] != child["data"]:
            self.stage.own.put(child)
            shown = self.stage.own.objects[config_map_path(child)]
        return shown

    def see(self, other: Driven) -> None:
        """Know what another replica's calls show."""
        self.cluster, self.children = other.cluster, other.children


def config_map_path(obj: Json) -> str:
    metadata = obj["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/configmaps/{metadata['name']}"


def show(stage: Stage, cluster: Json) -> None:
    """Let the API server have this TargetCluster."""
    stage.own.objects[TARGET_CLUSTER.path(stage.namespace, "example")] = cluster


@contextmanager
def two_replicas(stage: Stage) -> Iterator[tuple[Replica, Replica]]:
    settings = [{"pod_namespace": OPERATORS, "pod_name": name} for name in ("one", "two")]
    operators = [Operator(stage.own, each, clock=stage.clock) for each in settings]
    show(stage, stage.driven.cluster)
    one, two = (Replica(each, stage.driven.cluster, stage=stage) for each in operators)
    try:
        yield one, two
    finally:
        for operator in operators:
            operator.hook.close()


def test_a_replica_waits_while_another_one_writes(stage: Stage) -> None:
    """The first replica's write hangs; the second one is called meanwhile, and waits."""
    hangs, goes_on, holders = threading.Event(), threading.Event(), []

    def watch(_write: str) -> Fate:
        found = [obj for path, obj in stage.own.objects.items() if "/leases/" in path]
        holders.append([obj["spec"]["holderIdentity"].split("_")[0] for obj in found])
        hangs.set()
        assert goes_on.wait(PATIENCE)
        return "done"

    stage.line.on_write = watch
    leases = LEASE.path(OPERATORS)
    with two_replicas(stage) as (one, two):
        try:
            stage.driven = one
            one.settle(hangs.is_set, "the first replica writes")
            two.see(one)
            two.settle(
                lambda: any(leases in read for read in stage.own.reads), "the other one waits"
            )
            assert stage.line.writes == []
        finally:
            goes_on.set()
        stage.converge()
        assert set(stage.on_target()) == {"a", "b", "c"}
        two.see(one)
        stage.own.put(source("a", stage.namespace, "blue"))
        stage.driven = two
        stage.converge()
        assert holders[0] == ["one"]
        assert ["two"] in holders
        assert {len(each) for each in holders} == {1}
        until(lambda: not any(leases in path for path in stage.own.objects), "none is left")


def test_a_round_that_waited_while_the_targetcluster_was_deleted_writes_nothing(
    stage: Stage,
) -> None:
    """Another replica deletes everything, while a round from before waits for the Lease."""
    stage.driven.change(deletionPolicy="Delete")
    hangs, goes_on = threading.Event(), threading.Event()

    def watch(write: str) -> Fate:
        if write.startswith("DELETE"):
            hangs.set()
            assert goes_on.wait(PATIENCE)
        return "done"

    leases, deletion = LEASE.path(OPERATORS), threading.Thread(target=stage.finalize)
    with two_replicas(stage) as (one, two):
        stage.driven = two
        stage.converge()
        one.see(two)
        stage.clock.now += 1
        deleted = {**two.cluster["metadata"], "deletionTimestamp": timestamp(stage.clock.now)}
        show(stage, {**two.cluster, "metadata": deleted})
        stage.line.on_write = watch
        try:
            deletion.start()
            until(hangs.is_set, "the second replica deletes")
            before, last = len(stage.own.reads), one.status["sync"]["lastTime"]
            one.settle(
                lambda: any(leases in read for read in stage.own.reads[before:]), "one waits"
            )
        finally:
            goes_on.set()
            deletion.join(PATIENCE)
        assert two.answers[-1]["finalized"] is True
        one.settle(lambda: one.status["sync"]["lastTime"] != last, "one's round has ended")
        assert stage.on_target() == {}
