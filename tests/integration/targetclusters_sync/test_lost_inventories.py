"""Inventories lost, edited or restored, and the process killed meanwhile: nothing is forgotten."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from hooks.kube.client import Kube
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import SyncReport
from tests.integration.targetclusters_sync.test_kills import bundle, contents, wish
from tests.integration.targetclusters_sync.worlds import World, manifest
from tests.kubes import Call, Killed, Watched

#: What is somebody else's on the target, each where an entry of an older inventory points to.
THEIRS = {"two": {"v": "theirs"}, "foreign": {"v": "theirs"}}


def lost(_: Inventory, __: Inventory) -> Inventory:
    """Somebody deleted the ConfigMaps."""
    return Inventory()


def older(former: Inventory, _: Inventory) -> Inventory:
    """Somebody restored them from a backup."""
    return former


def edited(_: Inventory, present: Inventory) -> Inventory:
    """Somebody wrote into them: other UIDs, no sources, and objects of others."""
    entries = [replace(entry, uid="of-another", source="") for entry in present.by_key.values()]
    some = next(iter(present.by_key.values()))
    return present.with_entries([*entries, replace(some, name="foreign", uid="x")])


def partly(_: Inventory, present: Inventory) -> Inventory:
    """Somebody took the half of the lines out."""
    entries = list(present.by_key.values())
    return present.with_entries(entries[::2])


def prepare(world: World) -> Inventory:
    """Sync, change, and let others take the place of what went; return the first inventory."""
    wish(world)
    world.settle()
    former = world.recorded
    world.source("bundle", bundle(one="2", four="2"), label="")
    world.settle()
    assert contents(world) == {"one": "2", "four": "2"}
    for name, data in THEIRS.items():
        body = manifest(name, data, namespace=world.namespace)
        world.target.api.resource("v1", "configmaps").create(body)
    # four leaves its source too, of which only the present inventory knows.
    world.source("bundle", bundle(one="3", five="3"), label="")
    return former


def check_others(world: World) -> None:
    for name, data in THEIRS.items():
        assert world.data(name) == data


def check_told(world: World, report: SyncReport) -> None:
    """Check that what is ours on the target is in the inventory, or is said to be in none."""
    assert world.ours() <= world.recorded.by_key.keys() | set(report.unlisted)


@dataclass(frozen=True)
class Loss:
    """What becomes of the inventory, and what is left of ours in the end."""

    of: Callable[[Inventory, Inventory], Inventory]
    left: frozenset[str]


LOSSES = [
    pytest.param(Loss(lost, frozenset({"one", "five", "four"})), id="lost"),
    pytest.param(Loss(older, frozenset({"one", "five", "four"})), id="older"),
    pytest.param(Loss(edited, frozenset({"one", "five"})), id="edited"),
    pytest.param(Loss(partly, frozenset({"one", "five", "four"})), id="partly"),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("loss", LOSSES)
def test_whenever_the_process_dies_nothing_of_others_goes_and_nothing_of_ours_is_forgotten(
    new_world: Callable[[], World], loss: Loss
) -> None:
    for number in itertools.count(1):
        world = new_world()
        former = prepare(world)
        killed = False
        try:
            for _ in range(3):
                world.round(kube=after_write(world, number))
        except Killed:
            killed = True
        world.record(loss.of(former, world.recorded))
        world.forget()
        report = world.settle()
        check_others(world)
        check_told(world, report)
        assert {key.name for key in world.ours()} - loss.left <= set()
        assert {"one", "five"} <= {key.name for key in world.ours()}
        if not killed:
            assert number > 2
            return


@pytest.mark.parametrize("loss", LOSSES)
def test_a_deletion_by_such_an_inventory_deletes_nothing_of_others_and_names_what_is_left(
    world: World, loss: Loss
) -> None:
    former = prepare(world)
    world.record(loss.of(former, world.recorded))
    world.forget()
    report = world.delete()
    while not report.complete:
        report = world.delete()
    check_others(world)
    assert {key.name for key in world.ours()} <= loss.left
    if loss.of is not lost:  # which is said for it is empty: plan.finalizing
        check_told(world, report)


def after_write(world: World, number: int) -> Kube:
    """Kill the process once a write of that number, from 1, is done."""
    kube = Watched(world.kube.kube)

    def before(_: Call) -> None:
        done = [call for call in kube.calls[:-1] if call.writes]
        if len(done) >= number:
            raise Killed

    kube.before = before
    return kube
