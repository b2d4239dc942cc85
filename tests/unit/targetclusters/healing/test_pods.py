"""Which pods are ill, how long, and which one is deleted."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.operations import Verdict
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.kube.times import timestamp
from hooks.targetclusters.healing.plan import bounds
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    IllPod,
    NodeState,
    PodsSeen,
    Policy,
    Record,
)
from hooks.targetclusters.healing.plan.pods import PodState, choose_pod, find_pod_faults, judge_pods
from hooks.targetclusters.healing.pods import delete_pod, read_pod
from hooks.targetclusters.request import IntOrPercent
from tests.memory_kube import MemoryKube

NOW = 1_800_000_000.0
MINUTE = 60.0
TIMEOUT = 10 * MINUTE
NODE = NodeState("n-1", "uid", is_ready=True)
WELL = PodState(
    namespace="kube-system",
    name="dns-1",
    uid="uid-of-dns-1",
    node="n-1",
    controller="ReplicaSet/dns",
    is_ready=True,
    is_finished=False,
    left_alone=False,
    created=NOW - 60 * MINUTE,
    turned=NOW - 50 * MINUTE,
)


def ill(*pods: PodState, node: NodeState = NODE) -> tuple[IllPod, ...]:
    return judge_pods(pods, [node], TIMEOUT, NOW).ill


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        pytest.param({}, None, id="well"),
        pytest.param({"is_ready": False}, 50, id="not ready"),
        pytest.param({"is_ready": False, "turned": 0.0}, 60, id="never ready"),
        pytest.param({"backs_off": True}, 60, id="crashed, and waits"),
        pytest.param({"crashed": NOW - 9 * MINUTE}, 60, id="crashed, and runs for now"),
        pytest.param({"crashed": NOW - 11 * MINUTE}, None, id="crashed long ago"),
        pytest.param({"crashed": NOW + MINUTE}, None, id="crashed in the future"),
        pytest.param(
            {"crashed": NOW - MINUTE, "ran": 3600.0}, None, id="crashed after it ran for long"
        ),
        pytest.param({"grace_end": NOW - MINUTE}, 1, id="past its grace"),
        pytest.param({"grace_end": NOW + MINUTE, "is_ready": False}, None, id="within its grace"),
        pytest.param({"grace_end": NOW - MINUTE, "is_held": True}, None, id="held by finalizers"),
        pytest.param({"is_ready": False, "is_finished": True}, None, id="finished"),
        pytest.param({"is_ready": False, "node": ""}, None, id="on no node"),
        pytest.param({"is_ready": False, "node": "n-2"}, None, id="on a node that is not known"),
    ],
)
def test_a_pod_is_ill_by_what_it_says_itself(changes: dict[str, Any], since: float | None) -> None:
    found = ill(replace(WELL, **changes))
    assert [(NOW - each.since) / MINUTE for each in found] == ([] if since is None else [since])


def test_what_ended_as_its_node_did_is_no_crash() -> None:
    crashed = replace(WELL, crashed=NOW - 5 * MINUTE)
    assert not ill(crashed, node=replace(NODE, changed=NOW - 4 * MINUTE))
    assert ill(crashed, node=replace(NODE, changed=NOW - 6 * MINUTE))


def test_a_pod_that_was_never_ready_is_named_and_left_alone() -> None:
    [standby] = ill(replace(WELL, is_ready=False, was_ready=False))
    assert standby.why_not == "it was never ready"
    [looping] = ill(replace(WELL, backs_off=True, was_ready=False))
    assert looping.why_not == ""


def test_a_pod_of_a_node_that_is_not_ready_is_not_ill() -> None:
    sick = replace(WELL, is_ready=False)
    assert judge_pods([sick], [replace(NODE, is_ready=False)], TIMEOUT, NOW) == PodsSeen()


@pytest.mark.parametrize(
    ("pod", "node"),
    [
        pytest.param({"left_alone": True}, {}, id="the pod is to be left alone"),
        pytest.param({}, {"left_alone": True}, id="the node is"),
        pytest.param({}, {"cordoned": True}, id="somebody works on the node"),
    ],
)
def test_a_pod_that_is_to_be_left_alone_is(pod: dict[str, Any], node: dict[str, Any]) -> None:
    sick = replace(WELL, is_ready=False, **pod)
    seen = judge_pods([sick], [replace(NODE, **node)], TIMEOUT, NOW)
    [fault] = find_pod_faults(seen)
    assert fault.why_not
    record = Record("PodNotReady", fault.object)
    assert isinstance(choose_pod(seen, record, TIMEOUT, NOW), str)
    other = replace(WELL, name="dns-2", uid="2", node="n-2", is_ready=False)
    both = judge_pods([sick, other], [replace(NODE, **node), NodeState("n-2", "", True)], 1.0, NOW)
    if not pod:
        chosen = choose_pod(both, record, TIMEOUT, NOW)
        assert isinstance(chosen, IllPod)
        assert chosen.name == "dns-2"


def test_pods_of_one_controller_are_one_fault_and_those_without_are_none() -> None:
    pods = [replace(WELL, name=f"dns-{number}", is_ready=False) for number in range(3)]
    alone = replace(WELL, name="alone", controller="", is_ready=False)
    [fault] = find_pod_faults(judge_pods([*pods, alone], [NODE], TIMEOUT, NOW))
    assert fault.key == "PodNotReady/kube-system/ReplicaSet/dns"


def test_pods_that_take_turns_are_not_deleted() -> None:
    sick = replace(WELL, is_ready=False, turned=NOW - 9 * MINUTE)
    record = Record("PodNotReady", "kube-system/ReplicaSet/dns")
    seen = judge_pods([sick], [NODE], TIMEOUT, NOW)
    assert isinstance(choose_pod(seen, record, TIMEOUT, NOW), str)
    assert isinstance(choose_pod(seen, record, TIMEOUT, NOW + MINUTE), IllPod)


@pytest.mark.parametrize(("sick", "says"), [(2, ""), (3, "3 of 5 pods are ill")])
def test_pods_have_a_breaker_of_their_own(sick: int, says: str) -> None:
    policy = Policy(3, 300.0, 300.0, 1800.0, IntOrPercent("40%"), 1200.0, 600.0)
    pods = [replace(WELL, name=f"p-{each}", is_ready=each >= sick) for each in range(5)]
    evidence = Evidence((NODE,), pods=judge_pods(pods, [NODE], TIMEOUT, NOW))
    assert bounds.pod_breaker(evidence, policy).startswith(says)
    assert bool(bounds.pod_breaker(evidence, policy)) == bool(says)
    assert bounds.breaker(evidence, policy) == ""


def pod(**parts: Json) -> Json:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "dns", "controller": True}
    metadata = {
        "name": "dns-1",
        "uid": "u",
        "ownerReferences": [owner],
        **parts.pop("metadata", {}),
    }
    return {"metadata": metadata, "spec": {"nodeName": "n-1"}, **parts}


@pytest.mark.parametrize(
    ("owner", "controller"),
    [
        pytest.param({}, "ReplicaSet/dns", id="a ReplicaSet"),
        pytest.param({"kind": "StatefulSet"}, "StatefulSet/dns", id="a StatefulSet"),
        pytest.param({"kind": "DaemonSet"}, "DaemonSet/dns", id="a DaemonSet"),
        pytest.param({"kind": "Job", "apiVersion": "batch/v1"}, "", id="a Job"),
        pytest.param({"kind": "Node", "apiVersion": "v1"}, "", id="static: its kubelet's"),
        pytest.param({"apiVersion": "example.com/v1"}, "", id="another one's ReplicaSet"),
        pytest.param({"controller": False}, "", id="an owner that does not control it"),
    ],
)
def test_only_who_makes_another_pod_is_a_controller(owner: Json, controller: str) -> None:
    whole = pod()
    whole["metadata"]["ownerReferences"][0] |= owner
    assert read_pod("kube-system", whole).controller == controller


def test_a_long_name_is_kept_short() -> None:
    whole = pod()
    whole["metadata"]["ownerReferences"][0]["name"] = "x" * 253
    assert len(f"kube-system/{read_pod('kube-system', whole).controller}") <= 253


def crashed(restarts: int, **state: Json) -> Json:
    run = {"startedAt": timestamp(NOW - 60), "finishedAt": timestamp(NOW), "reason": "Error"}
    ended = {"terminated": run}
    return {"restartCount": restarts, "lastState": ended, "state": state}


@pytest.mark.parametrize(
    ("container", "backs_off", "crashes"),
    [
        pytest.param(crashed(1, running={}), False, False, id="once"),
        pytest.param(crashed(2, running={}), False, True, id="twice, and it runs"),
        pytest.param(crashed(9, waiting={"reason": "CrashLoopBackOff"}), True, True, id="waits"),
        pytest.param({"state": {"waiting": {"reason": "ImagePull"}}}, False, False, id="no image"),
    ],
)
@pytest.mark.parametrize("field", ["containerStatuses", "initContainerStatuses"])
def test_crashes_are_read_of_all_containers(
    field: str, container: Json, backs_off: bool, crashes: bool
) -> None:
    found = read_pod("kube-system", pod(status={field: [{"restartCount": 0}, container]}))
    assert (found.backs_off, found.crashed == NOW) == (backs_off, crashes)


@pytest.mark.parametrize("value", [None, 5, "soon", "2026-01-01T00:00:00", {}, []])
def test_times_that_are_none_are_read_and_delete_nothing(value: Any) -> None:
    metadata = {"creationTimestamp": value, "deletionTimestamp": value or 5}
    found = read_pod("kube-system", pod(metadata=metadata))
    assert ill(replace(found, node="n-1")) == ()


def going(kube: MemoryKube, pod_: IllPod) -> Verdict:
    return delete_pod(kube, pod_, Deadline(5)).verdict


class Broken(MemoryKube):
    """Answers no deletion."""

    def call(self, request: Any) -> Json:
        raise KubeUnreachable(f"no answer from {request.path}")


def test_a_pod_that_is_gone_costs_no_attempt_and_one_without_an_answer_does() -> None:
    [sick] = ill(replace(WELL, is_ready=False))
    assert going(MemoryKube(), sick) == Verdict.UNSENT
    assert going(Broken(), sick) == Verdict.UNKNOWN
