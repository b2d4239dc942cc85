"""What one call works with, and what this process has seen of missing VMs and of nodes."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from hooks.cloudstack import Cloud
from hooks.http.deadline import Deadline, Monotonic
from hooks.kube.client import Kube, KubeError
from hooks.kube.objects import part
from hooks.names import CLOUDSTACK_API
from hooks.nodes.plan.absence import SeenAbsence
from hooks.settings.config import Config

_log = logging.getLogger("hooks.nodes")

#: Where the API server lists Instances.
INSTANCES_PATH = f"/apis/{CLOUDSTACK_API}/cloudstackinstances"
#: Seconds that reading the list of Instances may take, and before a failed one is read again.
READ_SECONDS = 2.0
PAUSE = 5.0
#: Seconds that a list is used for a node that it does not have.
NEW_NODE_TTL = 1.0
#: Nodes that are remembered.
REMEMBERED = 10_000


class Absences:
    """The missing VMs, by the names of their nodes; losing this costs only time."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, SeenAbsence] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, node: str, subject: tuple[str, str, float], taken: float) -> SeenAbsence:
        """Count a snapshot that lacks a node's VM; another subject is counted from the start.

        Args:
            node: the node's name.
            subject: as SeenAbsence has it. Another replica that found the VM has removed the
                record; the next one has another time.
            taken: when the snapshot was taken, in monotonic seconds.
        """
        with self._lock:
            before = self._seen.pop(node, None)
            is_same = before is not None and before.subject == subject
            seen = (
                before.extend(taken) if before and is_same else SeenAbsence(subject, taken, taken)
            )
            self._seen[node] = seen
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return seen

    def forget(self, node: str) -> None:
        """Forget a node whose VM is not missing."""
        with self._lock:
            self._seen.pop(node, None)


class NodesByVM:
    """Which nodes claim a VM, by the list of Instances: read by one call for all others.

    Args:
        ttl: seconds that a list is used.
        monotonic: monotonic seconds.
    """

    def __init__(self, ttl: float, monotonic: Monotonic) -> None:
        self._ttl = ttl
        self._monotonic = monotonic
        self._nodes: dict[str, list[str]] = {}
        self._read_at = -inf
        self._reading = threading.Lock()

    def rivals_of(self, node: str, vm_id: str, context: "CallContext") -> tuple[str, ...]:
        """Return the names of the other nodes whose Instances name a node's VM.

        A list without the node itself is too old after NEW_NODE_TTL. The former list counts while
        another call reads one, and where none can be read: what is answered without the API server
        stays answered. At first that is none.
        """
        known = self._nodes.get(vm_id.lower(), ())
        ttl = self._ttl if node in known else min(self._ttl, NEW_NODE_TTL)
        if self._monotonic() - self._read_at >= ttl and self._reading.acquire(blocking=False):
            try:
                self._nodes = _read_nodes_by_vm(context)
                self._read_at = self._monotonic()
            except KubeError as error:
                self._read_at = self._monotonic() + PAUSE
                _log.warning("Instances not read", extra={"error": str(error)})
            finally:
                self._reading.release()
        return tuple(each for each in self._nodes.get(vm_id.lower(), ()) if each != node)


def _read_nodes_by_vm(context: "CallContext") -> dict[str, list[str]]:
    nodes: dict[str, list[str]] = {}
    deadline = context.deadline.at_most(READ_SECONDS)
    for instance in context.kube.list(INSTANCES_PATH, deadline=deadline):
        vm_id = str(part(instance, "spec").get("instanceID", "")).lower()
        nodes.setdefault(vm_id, []).append(str(part(instance, "metadata").get("name", "")))
    return nodes


@dataclass(frozen=True)
class CallContext:
    """What one call reads from and writes to, and until when.

    Attributes:
        clock: as Dependencies has it.
    """

    cloud: Cloud
    kube: Kube
    deadline: Deadline
    config: Config
    absences: Absences
    nodes_by_vm: NodesByVM
    clock: Callable[[], float]
