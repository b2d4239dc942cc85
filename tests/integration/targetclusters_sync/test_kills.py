"""The process killed between any two calls: the inventory covers the target, and work goes on."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hooks.kube.client import Kube
from hooks.names import ANNOTATION_REPLACE
from tests.integration.targetclusters_sync.worlds import World, manifest
from tests.kubes import Killed, Watched


def bundle(**values: str) -> dict[str, str]:
    """Write ConfigMaps, each with one value, as the manifests of a source."""
    return {name: json.dumps(manifest(name, {"v": value})) for name, value in values.items()}


def wish(world: World) -> None:
    world.policy["sources"] = [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]
    world.source("bundle", bundle(one="1", two="1", three="1"), label="")


def change(world: World) -> None:
    """Prepare a new, a changed, a deleted and an edited object, and one of somebody else."""
    wish(world)
    world.settle()
    world.source("bundle", bundle(one="2", two="1", four="2", foreign="2"), label="")
    configmaps = world.target.api.resource("v1", "configmaps")
    configmaps.create(manifest("foreign", {"v": "theirs"}, namespace=world.namespace))
    configmaps.patch("two", {"data": {"v": "edited"}}, world.namespace)


def move(world: World) -> None:
    """Send everything to another namespace."""
    wish(world)
    world.settle()
    world.policy["targetNamespace"] = f"{world.namespace}-else"


def take_over(world: World) -> None:
    """Let kubectl make an object of the same name first, with a field that no source has."""
    wish(world)
    world.policy["conflictPolicy"] = "Overwrite"
    body = manifest("one", {"v": "theirs", "old": "theirs"}, namespace=world.namespace)
    path = f"/api/v1/namespaces/{world.namespace}/configmaps"
    client_side = {"fieldManager": "kubectl-client-side-apply"}
    world.target.api.call("POST", path, body, params=client_side)


def replace_one(world: World) -> None:
    """Change an object that the target does not let change."""
    wish(world)
    marked = {"annotations": {ANNOTATION_REPLACE: "true"}}
    for value in ("0", "1"):
        body = {**manifest("one", {"v": value}, **marked), "immutable": True}
        world.source("bundle", {**bundle(two="1", three="1"), "one": json.dumps(body)}, label="")
        if value == "0":
            world.settle()


def apply_object(world: World) -> None:
    wish(world)
    world.settle()


def check_wished(world: World) -> None:
    assert contents(world) == {"one": "1", "two": "1", "three": "1"}


def check_taken(world: World) -> None:
    check_wished(world)
    assert world.data("one") == {"v": "1"}


def check_changed(world: World) -> None:
    # three stays: foreign, which its source wants too, is not on the target.
    assert contents(world) == {"one": "2", "two": "1", "three": "1", "four": "2"}
    assert world.data("foreign") == {"v": "theirs"}


def check_moved(world: World) -> None:
    check_wished(world)
    assert {key.namespace for key in world.ours()} == {f"{world.namespace}-else"}


def check_gone(world: World) -> None:
    assert contents(world) == {}
    assert world.recorded.by_key == {}


def contents(world: World) -> dict[str, str]:
    """Return the value of each of our objects on the target."""
    configmaps = world.target.api.resource("v1", "configmaps")
    return {key.name: configmaps.get(key.name, key.namespace)["data"]["v"] for key in world.ours()}


def sync(world: World, kube: Kube) -> bool:
    return world.round(kube=kube).complete


def delete(world: World, kube: Kube) -> bool:
    return world.delete(kube=kube).complete


@dataclass(frozen=True)
class Scenario:
    """What is prepared, what is then done in steps until one answers True, what must hold."""

    prepare: Callable[[World], None]
    step: Callable[[World, Kube], bool]
    check: Callable[[World], None]


def check_covered(world: World) -> None:
    """Check that everything of ours on the target is in the inventory."""
    assert world.ours() <= world.recorded.by_key.keys()


def run(world: World, scenario: Scenario, kube: Kube) -> None:
    """Do steps in one process."""
    world.forget()
    for _ in range(5):
        done = scenario.step(world, kube)
        check_covered(world)
        if done:
            return
    raise AssertionError("not done after 5 rounds")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(Scenario(wish, sync, check_wished), id="first"),
        pytest.param(Scenario(change, sync, check_changed), id="change"),
        pytest.param(Scenario(move, sync, check_moved), id="move"),
        pytest.param(Scenario(take_over, sync, check_taken), id="take-over"),
        pytest.param(Scenario(replace_one, sync, check_wished), id="replace"),
        pytest.param(Scenario(apply_object, delete, check_gone), id="delete"),
    ],
)
def test_killed_before_any_call_nothing_is_lost_and_the_end_is_the_same(
    new_world: Callable[[], World], scenario: Scenario
) -> None:
    for number in itertools.count(1):
        world = new_world()
        scenario.prepare(world)
        killed = False
        try:
            run(world, scenario, Watched(world.kube.kube, kill_before=number))
        except Killed:
            killed = True
        check_covered(world)
        run(world, scenario, world.kube)
        scenario.check(world)
        if not killed:
            assert number >= 7
            return


def test_an_inventory_that_was_answered_and_never_written_costs_a_round_and_no_object(
    world: World,
) -> None:
    apply_object(world)
    recorded = world.recorded
    world.source("bundle", bundle(one="1", five="1"), label="")
    for _ in range(3):
        world.round()
        world.record(recorded)
        check_covered(world)
    assert contents(world) == {"one": "1", "two": "1", "three": "1"}
    world.settle()
    assert contents(world) == {"one": "1", "five": "1"}
