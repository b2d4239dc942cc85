"""Objects on a real target that were there before us."""

from typing import Any

import pytest

from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call, Watched


def make_foreign(world: World, **metadata: Any) -> None:
    body = manifest("app", {"whose": "theirs"}, namespace=world.namespace, **metadata)
    world.target.api.resource("v1", "configmaps").create(body)


def test_is_left_as_it_is_and_named(world: World) -> None:
    make_foreign(world)
    world.source("app", {"whose": "ours"})
    report = world.settle()
    assert result(report, "app").outcome == "conflict"
    assert result(report, "app").message == "existed before us; it is left alone"
    assert world.data("app") == {"whose": "theirs"}
    assert not report.synced
    world.kube.calls.clear()
    assert world.round().results == report.results
    assert world.kube.writes == []


def test_is_taken_over_where_the_policy_says_so(world: World) -> None:
    make_foreign(world, labels={"team": "x"})
    world.policy = {"conflictPolicy": "Overwrite"}
    world.source("app", {"whose": "ours"})
    report = world.settle()
    assert result(report, "app").outcome == "applied"
    assert result(report, "app").message == "existed before us and is taken over"
    assert world.data("app") == {"whose": "ours"}
    assert world.names() == {"app"}
    assert world.round().counts == {"unchanged": 1}


def test_is_applied_once_it_is_gone(world: World) -> None:
    make_foreign(world)
    world.source("app", {"whose": "ours"})
    world.settle()
    world.target.api.resource("v1", "configmaps").delete("app", world.namespace)
    assert world.round().synced
    assert world.data("app") == {"whose": "ours"}


@pytest.mark.parametrize("prune", [True, False])
def test_is_neither_pruned_nor_deleted(world: World, prune: bool) -> None:
    make_foreign(world)
    world.source("app", {"whose": "ours"})
    world.settle()
    if prune:
        world.unsource("app")
        message = "existed before us; it is left alone"
        assert result(world.settle(), "app").message == message
    assert world.delete().complete
    assert world.data("app") == {"whose": "theirs"}


def test_one_that_is_made_just_before_ours_is_not_written_to(world: World) -> None:
    world.source("app", {"whose": "ours"})
    world.round()

    def overtake(call: Call) -> None:
        if call.verb == "patch" and world.on_target("app") is None:
            make_foreign(world)

    report = world.round(kube=Watched(world.kube.kube, before=overtake))
    assert result(report, "app").outcome == "conflict"
    assert world.data("app") == {"whose": "theirs"}
