"""Decides which pods are ill, and which of a controller's is deleted, so that it makes another.

    a pod is ill if                                         since
    it crashes again and again: it waits for that, or its   it was made
    last run was shorter than podTimeout, as one before,
    and has just ended
    it is not ready                                         it was made, or stopped being ready
    it is being deleted, and past its grace                 its grace ended

One that was never ready may be meant so, as a standby is, or loads its image still: it is named,
and left alone. What ended as its node did is no crash.

Only pods on a node that is ready count. What is wrong with others is wrong with their node. One
that has finished, or is on no node, is not helped by a deletion. Neither is one that only a
finalizer holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hooks.targetclusters.healing.plan.model import Fault, IllPod, NodeState, PodsSeen, Record

#: Containers that crashed so often, and not only once, count.
MIN_RESTARTS = 2
NOT_READY = "it is not ready"
_LEFT_ALONE = "the pod, or its node, has an annotation that forbids repairs"
_CORDONED = "its node is cordoned"


@dataclass(frozen=True, slots=True)
class PodState:
    """What a target says of one of its pods, with times in epoch seconds.

    Attributes:
        node: on which it runs; empty for none.
        controller: kind and name of the one that makes another pod in its place, of those that we
            know to do so; empty for none.
        is_ready: it has the condition.
        is_finished: it will never run again.
        left_alone: it has the annotation with which a person forbids repairs.
        created: when it was made.
        turned: when it was last known to turn ready or not.
        backs_off: a container of it waits, as it crashed.
        crashed: when a container last crashed that did so often; None for never.
        ran: for how many seconds that container ran before.
        was_ready: it was ready at some time.
        grace_end: when its deletion should have been over; None if it is not being deleted.
        is_held: nothing but finalizers keeps it.
    """

    namespace: str
    name: str
    uid: str
    node: str
    controller: str
    is_ready: bool
    is_finished: bool
    left_alone: bool
    created: float
    turned: float
    backs_off: bool = False
    crashed: float | None = None
    ran: float = 0.0
    was_ready: bool = True
    grace_end: float | None = None
    is_held: bool = False


def judge_pods(
    pods: Iterable[PodState], nodes: Iterable[NodeState], timeout: float, now: float
) -> PodsSeen:
    """Return which pods are ill, and how many there are.

    Args:
        pods: of the namespaces that are looked after.
        nodes: all nodes of the cluster.
        timeout: podTimeout, in seconds.
        now: epoch seconds.
    """
    by_name = {node.name: node for node in nodes if node.is_ready}
    placed = [pod for pod in pods if pod.node in by_name and not pod.is_finished]
    placed.sort(key=lambda pod: (pod.namespace, pod.name))
    judged = (judge_pod(pod, by_name[pod.node], timeout, now) for pod in placed)
    return PodsSeen(tuple(each for each in judged if each is not None), len(placed))


def judge_pod(pod: PodState, node: NodeState, timeout: float, now: float) -> IllPod | None:
    """Return what is wrong with a pod on a node that is ready; None if nothing is."""
    if pod.grace_end is not None:
        if pod.is_held or now <= pod.grace_end:
            return None
        why, since = "it is being deleted, and past its grace", pod.grace_end
    elif pod.backs_off or _has_just_crashed(pod, node, timeout, now):
        why, since = "it crashes again and again", pod.created
    elif not pod.is_ready:
        why, since = NOT_READY, max(pod.created, pod.turned)
    else:
        return None
    is_left = pod.left_alone or node.left_alone
    why_not = _LEFT_ALONE if is_left else _CORDONED if node.cordoned else ""
    if not why_not and why == NOT_READY and not pod.was_ready:
        why_not = "it was never ready"
    return IllPod(
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        node=pod.node,
        controller=pod.controller,
        why=why,
        since=since,
        why_not=why_not,
        is_ending=pod.grace_end is not None,
    )


def _has_just_crashed(pod: PodState, node: NodeState, timeout: float, now: float) -> bool:
    """Tell whether a pod that runs for now has crashed twice within its time, not with its node."""
    if pod.crashed is None or not 0 <= now - pod.crashed < timeout:
        return False
    return pod.ran < timeout and (node.changed is None or pod.crashed > node.changed)


def find_pod_faults(seen: PodsSeen) -> list[Fault]:
    """Return a fault for each controller that has ill pods; a pod without one is nobody's to make.

    However a controller names its next pods, their attempts count together.
    """
    of: dict[str, list[IllPod]] = {}
    for pod in seen.ill:
        if pod.controller:
            of.setdefault(f"{pod.namespace}/{pod.controller}", []).append(pod)
    return [
        Fault("PodNotReady", name, "" if any(not each.why_not for each in ill) else ill[0].why_not)
        for name, ill in of.items()
    ]


def choose_pod(seen: PodsSeen, record: Record, timeout: float, now: float) -> IllPod | str:
    """Return the pod of a fault's controller that is ill the longest, or why none is deleted.

    By its own times it must be ill for podTimeout, too: of several pods that take turns, none is.
    """
    ill = [
        each
        for each in seen.ill
        if f"{each.namespace}/{each.controller}" == record.object and not each.why_not
    ]
    due = [each for each in ill if now - each.since >= timeout]
    if not due:
        return "none of its pods is ill for podTimeout"
    return min(due, key=lambda each: (each.since, each.name))
