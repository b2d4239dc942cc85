"""Annotations of our prefix on a Node that do not exist are told, with the nearest that does."""

from typing import Any

import pytest

from hooks.names import (
    ANNOTATION_CONFIRM_DELETION,
    EVENT_UNKNOWN_ANNOTATION,
    NODE_ANNOTATION_PREFIX,
)
from hooks.nodes.plan.match import Foreign, Found, Malformed, Missing
from hooks.nodes.plan.plan import plan_node
from tests.unit.nodes.objects import VM_ID, make_facts, make_initialised_node, make_vm

NOTHING = "there is no such annotation, so it has no effect"


def told(match: Any, *words: str) -> list[str]:
    annotations = dict.fromkeys((NODE_ANNOTATION_PREFIX + word for word in words), "true")
    made = plan_node(make_facts(make_initialised_node(annotations=annotations), match))
    return [each.message for each in made.events if each.reason == EVENT_UNKNOWN_ANNOTATION]


@pytest.mark.parametrize(
    "match", [Found(make_vm()), Missing(VM_ID), Missing(None), Malformed("cloudstack:///x")]
)
@pytest.mark.parametrize("word", ["confirm-deletions", "Confirm-Deletion", "confirmdeletion"])
def test_the_nearest_annotation_is_named(match: Any, word: str) -> None:
    path = f'metadata.annotations["{NODE_ANNOTATION_PREFIX}{word}"]'
    assert told(match, word) == [f"{path}: {NOTHING}; is {ANNOTATION_CONFIRM_DELETION} meant?"]


def test_an_annotation_like_none_of_ours_is_told_without_a_guess() -> None:
    [message] = told(Found(make_vm()), "colour")
    assert message.endswith(NOTHING)


def test_what_exists_and_what_is_on_another_clouds_node_is_not_told() -> None:
    assert told(Found(make_vm()), "confirm-deletion") == []
    assert told(Foreign("aws:///i-1"), "colour") == []
