"""The inventory covers what is on a real cluster at every moment, whenever the operator dies."""

from itertools import count
from time import sleep

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hooks.kube.times import timestamp
from hooks.targetclusters.sync.plan.inventory import Inventory
from tests.controlplane import Cluster
from tests.integration.targetclusters.stage import Stage, source, staged
from tests.targets.driving import NOW
from tests.targets.proxy import Fate

WALKS = count()


def test_what_is_labelled_reaches_the_cluster_recorded_first(stage: Stage) -> None:
    stage.converge()
    assert set(stage.on_target()) == {"a", "b", "c"}
    assert stage.uncovered == []
    sync = stage.driven.status["sync"]
    assert (sync["objects"], sync["failed"], sync["attempts"]) == (3, 0, 0)
    assert [child["metadata"]["name"] for child in stage.driven.children] == ["example-inventory"]


def test_a_round_that_finds_everything_right_writes_nothing(stage: Stage) -> None:
    stage.converge()
    stage.line.writes.clear()
    stage.clock.now += 600
    before = stage.driven.status["sync"]["lastTime"]
    stage.driven.settle(
        lambda: bool(stage.driven.status["sync"]["lastTime"] != before), "another round ends"
    )
    assert stage.driven.status["sync"]["unchanged"] == 3
    assert stage.line.writes == []


def test_a_changed_source_counts_with_the_next_probe(stage: Stage) -> None:
    stage.converge()
    stage.own.put(source("a", stage.namespace, "blue"))
    stage.own.remove("ConfigMap", "b", stage.namespace)
    stage.driven.probe()
    stage.converge()
    assert set(stage.on_target()) == {"a", "c"}
    assert stage.on_target()["a"]["data"] == {"colour": "blue"}
    assert stage.clock.now < NOW + 60  # the regular round comes after 300 s


def test_a_cluster_rebuilt_behind_its_address_is_noticed_before_anything_is_written(
    stage: Stage,
) -> None:
    stage.converge()
    known = stage.driven.probe()["clusterUID"]
    set_aside: list[list[str]] = []

    def watch(write: str) -> Fate:
        inventory = Inventory.from_config_maps(stage.driven.children)
        set_aside.append([str(one.cluster) for one in inventory.set_aside])
        return stage.watch(write)

    stage.line.on_write, stage.line.uid = watch, "of-the-new-one"
    stage.own.put(source("a", stage.namespace, "blue"))
    assert stage.driven.probe()["clusterUID"] == known, "this probe asks which cluster it is"
    stage.converge()
    assert stage.on_target()["a"]["data"] == {"colour": "blue"}
    assert stage.driven.says("ClusterChanged") == "True ObjectsLeft"
    assert set_aside
    assert all(clusters == [known] for clusters in set_aside)


def test_an_inventory_that_the_api_server_refuses_is_said_in_its_words(stage: Stage) -> None:
    """Metacontroller writes the status, and says in an Event what became of the children."""
    said = 'Sync error: configmaps "example-inventory" is forbidden: exceeded quota: maps'
    metadata = {"name": "example.1", "namespace": stage.namespace}
    event = {"kind": "Event", "metadata": metadata, "reason": "SyncError", "message": said}
    driven = stage.driven

    def told() -> bool:
        driven.children = []
        stage.own.put({**event, "lastTimestamp": timestamp(stage.clock.now)})
        return driven.says("ResourcesSynced") == "False NotRecorded" and (
            said in driven.condition("ResourcesSynced")["message"]
        )

    driven.settle(told, "the refusal is told")
    assert stage.on_target() == {}
    driven.settle(lambda: driven.says("ResourcesSynced") == "True Synced", "it is written again")


def change_sources(stage: Stage) -> None:
    """Change one source, delete one, add one."""
    stage.own.put(source("a", stage.namespace, "blue"))
    stage.own.remove("ConfigMap", "b", stage.namespace)
    stage.own.put(source("d", stage.namespace))


#: One more than there are writes in what the matrix goes through: its last row has no death.
WRITES = 9


@pytest.mark.parametrize("fate", ["lost", "done unanswered"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_the_operator_may_die_at_any_write(stage: Stage, number: int, fate: Fate) -> None:
    writes = 0

    def watch(write: str) -> Fate:
        nonlocal writes
        writes += 1
        stage.watch(write)
        return fate if writes == number else "done"

    def died_or_synced() -> bool:
        synced = stage.driven.answers[-1]["resyncAfterSeconds"] > 5
        return stage.line.dead.is_set() or synced

    stage.line.on_write = watch
    stage.driven.settle(died_or_synced, "the first sources are synced")
    if not stage.line.dead.is_set():
        change_sources(stage)
        stage.driven.probe()
        stage.driven.settle(died_or_synced, "the changed sources are synced")
    assert stage.line.dead.is_set() or number == WRITES, "the matrix has a row too many"
    assert not stage.line.dead.is_set() or number < WRITES, "the matrix lacks rows"
    assert {(stage.namespace, name) for name in stage.on_target()} <= stage.recorded()
    stage.restart()
    stage.line.on_write = stage.watch
    stage.converge()
    assert set(stage.on_target()) == stage.sources()
    assert stage.uncovered == []


#: What may become of a call, and what may happen between two.
STEPS = st.lists(
    st.sampled_from(
        [
            *["answer"] * 3,
            "answer lost",
            "status lost",
            "inventory lost",
            "stale request",
            "restart",
            "change",
        ]
    ),
    min_size=8,
    max_size=24,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_no_order_of_losses_uncovers_anything(target: Cluster, steps: list[str]) -> None:
    with staged(target, f"walk-{next(WALKS)}") as stage:
        driven = stage.driven
        before = (driven.cluster, driven.children)
        for step in steps:
            now = (driven.cluster, driven.children)
            match step:
                case "restart":
                    stage.restart()
                case "change":
                    change_one_source(stage)
                case "answer lost":
                    driven.call()
                    driven.cluster, driven.children = now
                case "status lost":  # Metacontroller dies after it has written the children
                    driven.call()
                    driven.cluster, _ = now
                case "inventory lost":  # or before, or their API server refuses them
                    driven.call()
                    _, driven.children = now
                case "stale request":
                    # What Metacontroller makes of the answer is refused as a conflict.
                    driven.cluster, driven.children = before
                    driven.call()
                    driven.cluster, driven.children = now
                case _:
                    driven.call()
            before = now
            sleep(0.02)  # the jobs get somewhere
            stage.clock.now += 1.1
            assert {(stage.namespace, name) for name in stage.on_target()} <= stage.recorded()
        stage.converge()
        assert set(stage.on_target()) == stage.sources()
        assert stage.uncovered == []


def change_one_source(stage: Stage) -> None:
    """Delete a source that is there, else create it again, changed."""
    if "a" in stage.sources():
        stage.own.remove("ConfigMap", "a", stage.namespace)
    else:
        stage.own.put(source("a", stage.namespace, f"colour-{stage.clock.now}"))
