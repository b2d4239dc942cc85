"""The page says which trouble is there, and of a cluster without one that all is well."""

import html
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from hooks.http.deadline import Deadline
from hooks.status.hook import StatusHook
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube
from tests.status_stage import (
    NOW,
    TROUBLES,
    Json,
    everything,
    healthy,
    load_balancer,
    serving,
    well,
)


def served(objects: Iterable[Json]) -> StatusHook:
    kube = MemoryKube()
    for obj in objects:
        kube.store.put(obj)
    return StatusHook(dependencies(kube, clock=lambda: NOW))


def read(hook: StatusHook, path: str = "/") -> str:
    return hook.pages[path](Deadline(60)).text


def said(hook: StatusHook) -> Any:
    return json.loads(read(hook, "/status.json"))


def text_of(page: str) -> str:
    """Return what a person reads of the page's first section, what is wrong."""
    section = page.partition('<h2 id="troubles">')[2].partition("</section>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", section)).split())


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_told_among_what_is_well(name: str) -> None:
    staged = TROUBLES[name]()
    names = {obj["metadata"]["name"] for obj in staged.objects}
    others = [obj for obj in well() if obj["metadata"]["name"] not in names]
    hook = served([*others, *staged.objects])
    [trouble] = said(hook)["troubles"]["rows"]
    assert bool(trouble["helps"]) is (trouble["reason"] not in WITHOUT_ROW)
    text = text_of(read(hook)) + " " + " ".join(_commands(said(hook)))
    assert [each for each in staged.told if each not in text] == []


#: Reasons of the page alone; it links the whole section.
WITHOUT_ROW = {"BeingDeleted", "NodeDeletionHeld", "Serving"}


def _commands(content: Any) -> list[str]:
    return [row["command"] for row in content["plans"]["rows"]]


def test_where_all_is_well_nothing_is_told() -> None:
    hook = served(well())
    assert said(hook)["troubles"] == {"rows": [], "total": 0, "leftOut": 0}
    assert "nothing" in text_of(read(hook))
    for part in ("loadBalancers", "nodes", "targetClusters"):
        assert [row["state"] for row in said(hook)[part]["rows"]] == ["Ready"]


def test_all_troubles_at_once_are_told_the_worst_first() -> None:
    content = said(served(everything()))
    order = ["Not working", "Impaired", "Waiting", "Planned"]
    states = [row["state"] for row in content["troubles"]["rows"]]
    assert states == sorted(states, key=order.index)
    assert {"Not working", "Impaired", "Planned"} <= set(states)


def test_a_new_object_without_an_answer_is_no_trouble_yet() -> None:
    new = load_balancer("web")
    new["metadata"]["creationTimestamp"] = "2026-03-01T10:19:00Z"
    assert said(served([new]))["troubles"]["total"] == 0


def test_a_failing_load_balancer_in_plan_mode_fails() -> None:
    _, found = serving("web", plan=["associate any address with network n"])
    found["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "reason": "AddressNotFree", "message": "taken"},
        {"type": "ChangesPlanned", "status": "True", "reason": "PlanOnly", "message": "1 change"},
    ]
    [row] = said(served([found]))["troubles"]["rows"]
    assert (row["state"], row["reason"]) == ("Not working", "AddressNotFree")


def test_healing_is_shown_where_a_status_has_it() -> None:
    found = healthy("prod", healing={"phase": "Rebooting", "attempts": 2, "machines": [{}]})
    [row] = said(served([found]))["targetClusters"]["rows"]
    assert row["healing"] == "phase Rebooting; attempts 2"


def test_what_healing_sees_to_is_shown_pod_by_pod_and_node_by_node() -> None:
    pod: Json = {
        "kind": "PodNotReady",
        "object": "kube-system/ReplicaSet/coredns",
        "since": "2026-03-01T10:00:00Z",
        "attempts": 1,
        "lastTry": "2026-03-01T10:10:00Z",
        "repair": "DeletePod",
        "lastOutcome": "the pod is deleted",
    }
    node = {"kind": "NodeNotReady", "object": "worker-1", "attempts": 3, "givenUp": True}
    waiting = {"kind": "PodNotReady", "object": "kube-system/a", "waits": "2 of 3 pods are ill"}
    found = healthy("prod", healing={"open": 3, "faults": [pod, "x", node, waiting]})
    hook = served([found])
    rows = said(hook)["healing"]["rows"]
    assert [(each["object"], each["says"], each["givenUp"]) for each in rows] == [
        ("worker-1", "", True),
        ("kube-system/ReplicaSet/coredns", "the pod is deleted", False),
        ("kube-system/a", "2 of 3 pods are ill", False),
    ]
    section = read(hook).partition('<h2 id="healing">')[2].partition("</section>")[0]
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", section)).split())
    assert "kube-system/ReplicaSet/coredns PodNotReady" in text
    assert "DeletePod" in text
    assert "3, given up" in text
