"""What nodes cost whose deletion is held: one look at all nodes serves the calls for all."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier

import pytest

from hooks.kube.client import KubeError, KubeUnreachable
from hooks.names import ANNOTATION_CONFIRM_DELETION
from hooks.nodes import facts
from hooks.nodes.context import INSTANCES_PATH, PAUSE
from hooks.nodes.hook import NodesHook
from simulator.server import Simulator
from tests.integration.nodes.clocks import ProcessClocks
from tests.integration.nodes.fleets import Fleet


@dataclass
class Held:
    """Nodes whose deletion is due, and of which too many are missing; half of them have VMs.

    Attributes:
        missing: the names of those without.
    """

    simulator: Simulator
    fleet: Fleet
    hook: NodesHook
    clocks: ProcessClocks
    missing: list[str]

    def cost(self, *names: str) -> Counter[str]:
        """Call for nodes, and count what is asked: lists of Instances, Nodes, CloudStack."""
        before = len(self.fleet.kube.reads)
        self.simulator.control.clear_calls()
        for name in names:
            self.fleet.call_for(name, self.hook)
        reads = (
            "list" if path == INSTANCES_PATH else "get" for path in self.fleet.kube.reads[before:]
        )
        return Counter(reads) + Counter(self.simulator.control.counts())


@contextmanager
def held(count: int, observed: dict[str, str] | None = None) -> Iterator[Held]:
    """Prepare so many held nodes; their Instances say at first what is given."""
    clocks = ProcessClocks()
    with Simulator(world="large", vms=2 * count) as simulator, clocks.cloud(simulator) as cloud:
        fleet = Fleet(simulator, missing=count)
        missing = fleet.names[count:]
        if observed is not None:
            fleet.instances |= {
                name: {"metadata": {"name": name}, "observed": observed} for name in missing
            }
        hook = fleet.hook(cloud, clocks)
        for _ in range(3):
            fleet.call(hook)
            clocks.advance(20)
        fleet.kube.reads.clear()
        yield Held(simulator, fleet, hook, clocks, missing)


@pytest.mark.parametrize("count", [10, 20, 40])
def test_held_nodes_cost_two_reads_each_and_one_list(count: int) -> None:
    with held(count) as nodes:
        assert nodes.cost(*nodes.missing) == {"list": 1, "get": 2 * count, "listVirtualMachines": 1}
        assert set(nodes.fleet.kube.reasons()) == {"NodeDeletionHeld"}
        assert len(nodes.fleet.kube.events) == count


@pytest.mark.parametrize(
    ("observed", "why"),
    [
        pytest.param({}, "it never had this VM", id="never seen"),
        pytest.param(
            {"owner": "account d/o"}, "it has no VM of account d/o", id="of nobody listed"
        ),
    ],
)
def test_nodes_that_others_cannot_free_or_hold_cost_one_read_each(
    observed: dict[str, str], why: str
) -> None:
    with held(10, observed) as nodes:
        assert nodes.cost(*nodes.missing) == {"get": 10, "listVirtualMachines": 1}
        assert all(why in event.message for event in nodes.fleet.kube.events)


def test_a_confirmed_node_costs_one_read_and_one_question_by_id() -> None:
    with held(10) as nodes:
        node = nodes.missing[0]
        annotated = {ANNOTATION_CONFIRM_DELETION: "true"}
        nodes.fleet.kube.objects[f"{facts.NODES_PATH}/{node}"]["metadata"]["annotations"] = (
            annotated
        )
        assert nodes.cost(node) == {"get": 1, "listVirtualMachines": 2}
        assert nodes.fleet.deleted == [node]


def test_calls_at_once_share_one_survey() -> None:
    with held(16) as nodes:
        gate = Barrier(16)

        def call(name: str) -> None:
            gate.wait()
            nodes.fleet.call_for(name, nodes.hook)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(call, nodes.missing))
        assert Counter(nodes.fleet.kube.reads)[INSTANCES_PATH] == 1
        assert len(nodes.fleet.kube.events) == 16


def test_a_survey_that_fails_is_tried_once_for_all_calls_and_then_again() -> None:
    with held(10) as nodes:
        kube = nodes.fleet.kube
        kube.refused["list"] = KubeUnreachable("GET instances: timeout")
        for name in nodes.missing:
            with pytest.raises(KubeError):
                nodes.fleet.call_for(name, nodes.hook)
        assert kube.reads.count(INSTANCES_PATH) == 1
        assert kube.events == []
        del kube.refused["list"]
        nodes.clocks.advance(PAUSE)
        assert nodes.cost(*nodes.missing)["list"] == 1
        assert len(kube.events) == 10


def test_a_newer_list_of_vms_brings_a_new_survey() -> None:
    with held(10) as nodes:
        first, second, *_ = nodes.missing
        assert nodes.cost(first)["list"] == 1
        assert nodes.cost(second)["list"] == 0
        nodes.clocks.advance(15)
        assert nodes.cost(first)["list"] == 1
