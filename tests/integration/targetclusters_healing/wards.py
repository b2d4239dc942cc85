"""The system pods of a farm: they fall ill, and their controllers make others in their place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from itertools import count

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp

NAMESPACE = "kube-system"


class Sick(Enum):
    """What is wrong with a pod."""

    CRASHING = "a container crashes, and waits"
    UNREADY = "it runs, and is not ready"
    STUCK = "it is being deleted, and its kubelet does not end it"


@dataclass
class Bed:
    """A pod.

    Attributes:
        owner: kind and name of its controller; empty for none.
        cures: how many deletions until the controller's pods are well; None for never.
        more: fields of its metadata besides.
    """

    name: str
    owner: str
    node: str
    made: float
    sick: Sick | None = None
    fell: float = 0.0
    cures: int | None = 1
    more: Json = field(default_factory=dict)


class Ward:
    """The pods of kube-system.

    Attributes:
        deletions: name and options of each pod that was deleted.
        may_delete: whether the operator may do so.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.beds: dict[str, Bed] = {}
        self.deletions: list[tuple[str, Json]] = []
        self.may_delete = True
        self._numbers = count(1)

    def admit(self, owner: str, node: str, name: str = "") -> Bed:
        """Make a pod that is well."""
        name = name or f"{owner.rpartition('/')[2] or 'alone'}-{next(self._numbers)}"
        bed = self.beds[name] = Bed(name, owner, node, self.clock())
        return bed

    def fall(self, bed: Bed, sick: Sick, *, cures: int | None = 1) -> None:
        """Let a pod fall ill."""
        bed.sick, bed.fell, bed.cures = sick, self.clock(), cures

    def delete(self, name: str, options: Json) -> int:
        """Delete a pod, as a server and a kubelet do; return the code of the answer."""
        bed = self.beds.get(name)
        if bed is None:
            return 404
        if options["preconditions"]["uid"] != f"uid-of-{name}":
            return 409
        self.deletions.append((name, options))
        left = None if bed.cures is None else bed.cures - 1
        if bed.sick is Sick.STUCK and left != 0:
            bed.cures = left
            return 200
        del self.beds[name]
        successor = self.admit(bed.owner, bed.node)
        if left != 0 and bed.sick is not None:
            self.fall(successor, bed.sick, cures=left)
        return 200

    def pods(self) -> list[Json]:
        """Write all pods, as a list has them."""
        return [self._pod(bed) for bed in list(self.beds.values())]  # one may be deleted meanwhile

    def _pod(self, bed: Bed) -> Json:
        kind, _, name = bed.owner.rpartition("/")
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True}
        turned = bed.fell if bed.sick is Sick.UNREADY else bed.made
        is_ready = bed.sick is None or bed.sick is Sick.STUCK
        metadata = {
            "name": bed.name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{bed.name}",
            "creationTimestamp": timestamp(bed.made),
            "ownerReferences": [owner] if bed.owner else [],
            **bed.more,
        }
        if bed.sick is Sick.STUCK:
            metadata["deletionTimestamp"] = timestamp(bed.fell + 30)
            metadata["deletionGracePeriodSeconds"] = 30
        ready = {"type": "Ready", "status": str(is_ready), "lastTransitionTime": timestamp(turned)}
        container: Json = {"restartCount": 0, "state": {"running": {}}}
        if bed.sick is Sick.CRASHING:
            ended = self.clock()
            crash = {"startedAt": timestamp(ended - 5), "finishedAt": timestamp(ended)}
            waiting = {"reason": "CrashLoopBackOff"}
            container = {
                "restartCount": 7,
                "state": {"waiting": waiting},
                "lastState": {"terminated": crash},
            }
        return {
            "metadata": metadata,
            "spec": {"nodeName": bed.node},
            "status": {
                "phase": "Running",
                "conditions": [ready],
                "containerStatuses": [container],
            },
        }
