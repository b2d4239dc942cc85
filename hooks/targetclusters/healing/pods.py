"""Reads the system pods of a target, and deletes one."""

import hashlib
import math
from collections.abc import Iterable, Iterator

from hooks.cloudstack.operations import Outcome, Verdict
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Conflict, Kube, KubeError, KubeRefused, NotFound
from hooks.kube.kinds import POD
from hooks.kube.objects import annotations, find_condition, is_deleting, is_true, items, part
from hooks.kube.patterns import MAX_NAME
from hooks.targetclusters.healing.nodes import is_left_alone, read_moment, read_name
from hooks.targetclusters.healing.plan.model import IllPod
from hooks.targetclusters.healing.plan.pods import MIN_RESTARTS, PodState

PAGE_SIZE = "50"
#: Pods that are read. Of more, none is deleted.
MAX_PODS = 5_000
#: Who makes another pod in the place of one that is deleted. A Job may count it as a failure, and a
#: Node's is a static pod, which its kubelet alone makes and ends.
_CONTROLLERS = ("ReplicaSet", "StatefulSet", "DaemonSet")
#: A UID has 36 characters; none is found by one that was cut.
_MAX_UID = 64
_DIGITS = 16
#: Seconds after a kubelet has taken a pod on in which it first says that the pod is not ready.
STARTING = 5.0


class TooManyPods(Exception):
    """The namespaces have more pods than are read."""


def list_pods(target: Kube, namespaces: Iterable[str], deadline: Deadline) -> tuple[PodState, ...]:
    """Return all pods of some namespaces. Raises KubeError, TooManyPods."""
    found: list[PodState] = []
    for namespace in namespaces:
        path = POD.path(namespace)
        for pod in target.list(path, deadline=deadline, params={"limit": PAGE_SIZE}):
            found.append(read_pod(namespace, pod))
            if len(found) > MAX_PODS:
                raise TooManyPods(f"the namespaces have more than {MAX_PODS} pods")
    return tuple(found)


def get_pod(target: Kube, namespace: str, name: str, deadline: Deadline) -> PodState | None:
    """Return a pod as it is now; None if there is none. Raises KubeError."""
    try:
        return read_pod(namespace, target.get(POD.path(namespace, name), deadline=deadline))
    except NotFound:
        return None


def delete_pod(target: Kube, pod: IllPod, deadline: Deadline) -> Outcome:
    """Delete this very pod, and return what became of that. Never raises.

    It gets its own grace. One whose grace is over gets a second more, so that its kubelet looks at
    it again. It is never taken off the API server before the kubelet has ended it: that would be a
    grace of zero.
    """
    options: Json = {"preconditions": {"uid": pod.uid}}
    if pod.is_ending:
        options["gracePeriodSeconds"] = 1
    try:
        target.delete(POD.path(pod.namespace, pod.name), deadline=deadline, options=options)
    except NotFound:
        return Outcome(Verdict.UNSENT, "it is gone already")
    except Conflict:
        return Outcome(Verdict.UNSENT, "another pod has its name by now")
    except KubeRefused as error:
        return Outcome(Verdict.FAILED, str(error))
    except KubeError as error:
        return Outcome(Verdict.UNKNOWN, str(error))
    return Outcome(Verdict.DONE)


def read_pod(namespace: str, pod: Json) -> PodState:
    """Read a pod, as a list of its namespace or its own path has it."""
    metadata, spec, status = part(pod, "metadata"), part(pod, "spec"), part(pod, "status")
    created = read_moment(metadata.get("creationTimestamp")) or 0.0
    turned = read_moment(find_condition(pod, "Ready").get("lastTransitionTime"))
    ends = read_moment(metadata.get("deletionTimestamp"))
    containers = list(_containers(status))
    crashes = [each for container in containers if (each := _crash(container)) is not None]
    crashed, ran = max(crashes, default=(None, 0.0))
    started = read_moment(status.get("startTime"))
    left_alone = is_left_alone(annotations(pod))
    return PodState(
        namespace=namespace,
        name=one_line(metadata.get("name"), MAX_NAME),
        uid=read_name(metadata.get("uid"))[:_MAX_UID],
        node=one_line(spec.get("nodeName") or "", MAX_NAME),
        controller=_controller(namespace, metadata),
        is_ready=is_true(pod, "Ready"),
        is_finished=status.get("phase") in ("Succeeded", "Failed"),
        left_alone=left_alone,
        created=created,
        turned=created if turned is None else turned,
        backs_off=any(_backs_off(container) for container in containers),
        crashed=crashed,
        ran=ran,
        was_ready=turned is None or started is None or turned > started + STARTING,
        grace_end=ends if ends is not None or not is_deleting(pod) else math.inf,
        is_held=metadata.get("deletionGracePeriodSeconds") == 0,
    )


def _controller(namespace: str, metadata: Json) -> str:
    """Return kind and name of who makes another pod; a long name as its digest."""
    for owner in items({"metadata": metadata}, "metadata", "ownerReferences"):
        if not isinstance(owner, dict) or owner.get("controller") is not True:
            continue
        is_known = owner.get("apiVersion") == "apps/v1" and owner.get("kind") in _CONTROLLERS
        name = f"{owner['kind']}/{read_name(owner.get('name'))}" if is_known else ""
        if len(f"{namespace}/{name}") <= MAX_NAME:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        return f"{owner['kind']}/{digest}"
    return ""


def _containers(status: Json) -> Iterator[Json]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in items({"status": status}, "status", field):
            if isinstance(container, dict):
                yield container


def _backs_off(container: Json) -> bool:
    return part(container, "state", "waiting").get("reason") == "CrashLoopBackOff"


def _crash(container: Json) -> tuple[float, float] | None:
    """Return when a container that restarted often last did so, and how long it had run; or None.

    What a kubelet finds ended after its machine has booted has the reason Unknown.
    """
    restarts = container.get("restartCount")
    if type(restarts) is not int or restarts < MIN_RESTARTS:
        return None
    last = part(container, "lastState", "terminated")
    began, ended = read_moment(last.get("startedAt")), read_moment(last.get("finishedAt"))
    if began is None or ended is None or last.get("reason") == "Unknown":
        return None
    return ended, ended - began
