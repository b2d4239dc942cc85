"""Control plane nodes keep their quorum, and the Kubernetes Service goes before its VMs."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.targetclusters.healing.plan import decide
from hooks.targetclusters.healing.plan.control_plane import why_no_quorum
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    Machine,
    Record,
)
from tests.unit.targetclusters.healing.looks import (
    MINUTE,
    NOW,
    POLICY,
    down,
    due,
    node,
    opened,
    seen,
    tried,
    watched,
)


@pytest.mark.parametrize("state", ["Running", "Starting", "Stopping", "Error", "gone"])
def test_a_control_plane_that_is_not_stopped_is_left_alone(state: str) -> None:
    assert decide.choose_repair(Record("ControlPlaneStopped", "a"), state) is None
    assert decide.choose_repair(Record("ControlPlaneStopped", "a"), "Stopped") == "StartVM"


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ("Running", ["ControlPlaneStopped/a"]),
        ("Alert", ["ClusterNotRunning/c"]),
        ("Stopped", ["ClusterNotRunning/c"]),
    ],
)
def test_the_kubernetes_service_goes_before_its_vms(service: str | None, found: list[str]) -> None:
    evidence = Evidence(None, service, "c", stopped=(Machine("a", "vm-a"),))
    assert [fault.key for fault in decide.find_faults(evidence)] == found


@pytest.mark.parametrize("service", [None, "Starting", "Stopping", "Upgrading"])
def test_what_the_kubernetes_service_may_be_working_on_is_left_alone(service: str | None) -> None:
    evidence = Evidence(None, service, "c", stopped=(Machine("a", "vm-a"),))
    [fault] = decide.find_faults(evidence)
    assert (fault.kind, bool(fault.why_not)) == ("ControlPlaneStopped", True)
    [fault] = decide.find_faults(replace(evidence, cluster_state=None, cluster_id=""))
    assert fault.why_not == ""


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("Running", ""),
        ("Alert", "to be started first"),
        ("Stopped", "the Kubernetes Service cluster is Stopped"),
        ("Scaling", "the Kubernetes Service cluster is Scaling"),
        ("Upgrading", "is Upgrading"),
        ("Destroying", "is Destroying"),
        ("Whatever", "is Whatever"),
        (None, "is not known"),
    ],
)
def test_nodes_wait_while_the_kubernetes_service_works(state: str | None, why: str) -> None:
    evidence = replace(down("a"), cluster_id="c", cluster_state=state)
    journal, faults = seen(evidence), decide.find_faults(evidence)
    found = decide.due_repairs(journal, faults, POLICY, now=NOW + 5 * MINUTE)
    assert why in found.waits.get("NodeNotReady/a", "")
    assert [each.kind for each in found.records if each.object == "a"] == ["NodeNotReady"] * (
        not why
    )


def test_nodes_do_not_wait_for_ever_for_a_start_that_is_not_made() -> None:
    alert = replace(down("a"), cluster_id="c", cluster_state="Alert")
    journal = watched(alert, seen(alert), start=NOW, end=NOW + 40 * MINUTE)
    assert due(alert, journal, at=NOW + 34 * MINUTE) == ["c"]
    assert due(alert, journal, at=NOW + 35 * MINUTE) == ["c", "a"]


def test_nodes_wait_after_their_cluster_was_started() -> None:
    alert = replace(down("a"), cluster_id="c", cluster_state="Alert")
    journal, now = seen(alert), NOW + 5 * MINUTE
    cluster = journal.records["ClusterNotRunning/c"]
    begun = decide.begin(cluster, "StartCluster", POLICY, now=now)
    journal = journal.with_record(decide.with_outcome(begun, "done", POLICY, sent=True, now=now))
    running = replace(alert, cluster_state="Running")
    journal = seen(running, journal, at=now + MINUTE)
    assert due(running, journal, at=now + 5 * MINUTE - 1) == []
    assert due(running, journal, at=now + 5 * MINUTE) == ["a"]


def test_a_control_plane_node_waits_for_one_that_is_ready_already_while_its_repair_runs() -> None:
    evidence, policy = down("a", "b", control_plane=True), replace(POLICY, max_concurrent=5)
    journal = opened(seen(evidence), "a", at=NOW)
    recovered = down("b", control_plane=True)
    journal = seen(recovered, journal, at=NOW + MINUTE)
    assert due(recovered, journal, at=NOW + 3600, policy=policy) == []


def test_never_two_control_plane_nodes_at_once() -> None:
    evidence = down("a", "b", control_plane=True)
    journal, now = seen(evidence), NOW + 5 * MINUTE
    assert due(evidence, journal, at=now) == ["a", "b"]
    journal = tried(journal, "a", at=now)
    assert due(evidence, journal, at=now + MINUTE) == []
    journal = seen(down("b", control_plane=True), journal, at=now + MINUTE)
    assert due(down("b", control_plane=True), journal, at=now + MINUTE) == ["b"]


@pytest.mark.parametrize(
    ("members", "others", "is_made"),
    [
        (1, 0, True),
        (2, 0, True),
        (2, 1, False),
        (3, 0, True),
        (3, 1, False),
        (4, 1, False),
        (5, 1, True),
        (5, 2, False),
        (7, 2, True),
        (7, 3, False),
    ],
)
@pytest.mark.parametrize(
    "why", [{}, {"cordoned": True}, {"created": NOW}, {"leaving": "a taint"}, {"left_alone": True}]
)
def test_nothing_is_taken_away_from_a_quorum(
    members: int, others: int, is_made: bool, why: dict[str, Any]
) -> None:
    """Whatever the reason why the others are not ready."""
    ill = [node(f"ill-{number}", control_plane=True, **why) for number in range(others)]
    well = [
        node(f"well-{number}", ready=True, control_plane=True)
        for number in range(members - others - 1)
    ]
    workers = [node(f"worker-{number}") for number in range(9)]
    nodes = (node("a", control_plane=True), *ill, *well, *workers)
    record = Record("NodeNotReady", "a")
    for repair in ("RebootVM", "StopStartVM"):
        assert (why_no_quorum(record, repair, nodes) == "") == is_made
    assert why_no_quorum(record, "StartVM", nodes) == ""
    assert why_no_quorum(Record("NodeNotReady", "worker-0"), "RebootVM", nodes) == ""
