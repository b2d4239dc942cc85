"""What one call works with, and what this process has seen of missing VMs."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hooks.cloudstack import Cloud
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.nodes.plan.absence import SeenAbsence
from hooks.settings.config import Config

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
    clock: Callable[[], float]
