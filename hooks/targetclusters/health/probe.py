"""Looks at a cluster: whether it is ready, its version, its nodes, its system pods."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeError, KubeRefused, KubeUnreachable
from hooks.kube.quantities import Sum
from hooks.targetclusters.health.judge import NAMED, Count, Fault, Nodes, Stop

#: Nodes and pods asked for at once, and the bytes that they may take: 80 KiB each.
PAGE_SIZE = "50"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_MESSAGE = 400
_FAILED_CHECK = "[-]"

T = TypeVar("T")


class Target(Kube, Protocol):
    """A cluster's API server, of which plain text can be read too."""

    def read_text(self, path: str, *, deadline: Deadline) -> tuple[int, str]:
        """Read plain text such as `/readyz`; answer HTTP code and text. Raises KubeUnreachable."""


@dataclass(frozen=True)
class Look:
    """What one look at a cluster found; as the fields of the same names of health.Probe."""

    stop: Stop | None = None
    answered: bool = False
    version: str | None = None
    nodes: Nodes | Fault | None = None
    pods: Count | Fault | None = None


def look(target: Target, *, pod_namespaces: Sequence[str], deadline: Deadline) -> Look:
    """Read what there is to know of a cluster, one request after the other; never raises.

    What a request more could not read is a Fault in its place: a cluster with so many nodes
    that they cannot be listed in time is still reachable.

    Args:
        target: its API server.
        pod_namespaces: the namespaces whose pods are counted.
        deadline: of all requests together.
    """
    stop = _ready(target, deadline)
    if stop is not None:
        return Look(stop, answered=stop.stage == "unauthorized" or stop.fault.reason == "NotReady")
    try:
        version = tidy(target.get("/version", deadline=deadline).get("gitVersion"), 64)
    except KubeError as error:
        return Look(_stopped(error), answered=isinstance(error, KubeRefused))
    nodes = _or_fault(lambda: _nodes(target, deadline))
    pods = _or_fault(lambda: _pods(target, pod_namespaces, deadline))
    for read in (nodes, pods):
        if isinstance(read, Stop):
            return Look(read, answered=True, version=version)
    return Look(
        None,
        answered=True,
        version=version,
        nodes=nodes if not isinstance(nodes, Stop) else None,
        pods=pods if not isinstance(pods, Stop) else None,
    )


def tidy(text: object, limit: int = _MESSAGE) -> str:
    """Make text of a cluster fit for a status: printable, without half characters, not too long."""
    return "".join(c if c.isprintable() else " " for c in str(text or "")[:limit])


def _ready(target: Target, deadline: Deadline) -> Stop | None:
    """Ask `/readyz`; answer why the cluster is not ready.

    A cluster that hides it (403) or is older than it (404, before 1.16) is asked for the rest.
    """
    try:
        code, text = target.read_text("/readyz", deadline=deadline)
    except KubeUnreachable as error:
        return _stopped(error)
    if code == 401:
        return _stopped(KubeRefused("GET /readyz", code, "Unauthorized"))
    if code in (200, 403, 404):
        return None
    failed = [
        tidy(line.removeprefix(_FAILED_CHECK), 80)
        for line in text[:16384].splitlines()
        if line.startswith(_FAILED_CHECK)
    ]
    what = ", ".join(failed[:NAMED]) or tidy(text.strip(), 80)
    return Stop("contact", Fault("NotReady", f"/readyz answers {code}: {what}"))


def _stopped(error: KubeError) -> Stop:
    if isinstance(error, KubeRefused) and error.code == 401:
        message = "the cluster does not accept the kubeconfig's credentials (401)"
        return Stop("unauthorized", Fault("Unauthorized", message))
    return Stop("contact", Fault("Unreachable", tidy(error)))


def _or_fault(read: Callable[[], T]) -> T | Fault | Stop:
    """Read, or answer what came in between; a late 401 ends the probe as an early one does."""
    try:
        return read()
    except KubeRefused as error:
        if error.code == 401:
            return _stopped(error)
        return Fault("Forbidden" if error.code == 403 else "Refused", tidy(error))
    except KubeError as error:
        return Fault("NotRead", tidy(error))


def _nodes(target: Target, deadline: Deadline) -> Nodes:
    capacity, allocatable = Sum(), Sum()
    counter = _Counter()
    for node in target.list("/api/v1/nodes", deadline=deadline, params={"limit": PAGE_SIZE}):
        status = _mapping(node.get("status"))
        capacity.add(status.get("capacity"))
        allocatable.add(status.get("allocatable"))
        counter.add(_name(node), ready=_is_ready(status))
    return Nodes(counter.count(), capacity.written(), allocatable.written())


def _pods(target: Target, namespaces: Sequence[str], deadline: Deadline) -> Count:
    counter = _Counter()
    for namespace in namespaces:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
        for pod in target.list(path, deadline=deadline, params={"limit": PAGE_SIZE}):
            if not _is_over(pod):
                ready = _is_ready(_mapping(pod.get("status")))
                counter.add(f"{namespace}/{_name(pod)}", ready=ready)
    return counter.count()


def _is_over(pod: Json) -> bool:
    """Tell whether a pod has done its work, or has been evicted or deleted: others replace it."""
    status = _mapping(pod.get("status"))
    deleted = _mapping(pod.get("metadata")).get("deletionTimestamp")
    return bool(deleted) or status.get("phase") == "Succeeded" or status.get("reason") == "Evicted"


class _Counter:
    """Counts, and keeps the names of the first that are not ready."""

    def __init__(self) -> None:
        self._ready = 0
        self._total = 0
        self._not_ready: list[str] = []

    def add(self, name: str, *, ready: bool) -> None:
        self._total += 1
        if ready:
            self._ready += 1
        elif len(self._not_ready) < NAMED:
            self._not_ready.append(name)

    def count(self) -> Count:
        return Count(self._ready, self._total, tuple(self._not_ready))


def _is_ready(status: Json) -> bool:
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in _mappings(status.get("conditions"))
    )


def _name(obj: Json) -> str:
    return tidy(_mapping(obj.get("metadata")).get("name"), 253)


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> Iterable[Json]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
