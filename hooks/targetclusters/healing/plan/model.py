"""What healing knows: nodes, faults, and what has been done for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, get_args

from hooks.http.bounded_json import Json
from hooks.targetclusters.healing.plan.windows import ALWAYS_OPEN, Opening
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.request import IntOrPercent

#: The faults that are repaired.
FaultKind = Literal["NodeNotReady", "ClusterNotRunning", "ControlPlaneStopped", "PodNotReady"]
KINDS: frozenset[str] = frozenset(get_args(FaultKind))
#: What is done for them. StopStart is a stop, and a start once the VM is stopped.
CloudRepair = Literal["StartVM", "RebootVM", "StopStartVM", "StartCluster"]
Repair = CloudRepair | Literal["DeletePod"]
REPAIRS: frozenset[str] = frozenset((*get_args(CloudRepair), "DeletePod"))


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a target says of one of its nodes.

    Attributes:
        cordoned: it is unschedulable: somebody works on it.
        leaving: why somebody takes it out of service, by a taint; empty if nobody does.
        left_alone: it has the annotation with which a person forbids repairs.
        allowed: it has the annotation with which a person wants them.
        control_plane: it has the label of control plane nodes.
        addresses: its internal IP addresses.
        system_uuid: what its machine's firmware says; on KVM, the VM's id.
        zone: where it says to be; empty for nowhere.
        created, changed: when it was registered, and when Ready last changed, in epoch seconds of
            its own cluster; None if it does not say.
    """

    name: str
    uid: str
    is_ready: bool
    provider_id: str = ""
    cordoned: bool = False
    left_alone: bool = False
    control_plane: bool = False
    leaving: str = ""
    allowed: bool = False
    addresses: tuple[str, ...] = ()
    system_uuid: str = ""
    zone: str = ""
    created: float | None = None
    changed: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The VM of a node of the control plane, by the id of CloudStack."""

    node: str
    vm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IllPod:
    """A pod with which something is wrong, though its node is ready.

    Attributes:
        controller: kind and name of the one that makes another in its place; empty for none.
        why: what is wrong.
        since: since when, by what the pod itself says, in epoch seconds.
        why_not: why it is not to be deleted; empty where it is.
        is_ending: it is being deleted already.
    """

    namespace: str
    name: str
    uid: str
    node: str
    controller: str
    why: str
    since: float
    why_not: str = ""
    is_ending: bool = False


@dataclass(frozen=True, slots=True)
class PodsSeen:
    """The pods that are ill, of so many on nodes that are ready."""

    ill: tuple[IllPod, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of a cluster; None: not read, so nothing is known of such faults.

    Attributes:
        nodes: the cluster's nodes.
        cluster_state: the state of its CloudStack Kubernetes Service cluster.
        cluster_id: of that; empty where the spec names none.
        pods: the pods that are to be looked after; none where the spec asks for none.
        stopped: the VMs of the control plane that are stopped, while that is out of reach; none
            while it answers.
    """

    nodes: tuple[NodeState, ...] | None = None
    cluster_state: str | None = None
    cluster_id: str = ""
    pods: PodsSeen | None = None
    stopped: tuple[Machine, ...] | None = None

    @property
    def known(self) -> frozenset[FaultKind]:
        """Return the kinds of faults of which it is known whether they are there."""
        kinds: list[FaultKind] = []
        if self.nodes is not None:
            kinds.append("NodeNotReady")
        if self.cluster_state is not None:
            kinds.append("ClusterNotRunning")
        if self.pods is not None:
            kinds.append("PodNotReady")
        if self.stopped is not None:
            kinds.append("ControlPlaneStopped")
        return frozenset(kinds)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is there now.

    Attributes:
        object: the node's name, the cluster's id, or the pod's namespace and controller.
        why_not: why it is not to be repaired; empty where it is.
        control_plane: of two such faults, never both are repaired at once.
        created, changed: when the node was registered, and when Ready last changed, in epoch
            seconds of its own cluster; None if that is not known.
        allowed: a person wants the node to be repaired, though it was never seen Ready.
        mark: what known_nodes tells the node by; empty for no node.
    """

    kind: FaultKind
    object: str
    why_not: str = ""
    control_plane: bool = False
    created: float | None = None
    changed: float | None = None
    allowed: bool = False
    mark: str = ""

    @property
    def key(self) -> str:
        """Return what tells it from others."""
        return f"{self.kind}/{self.object}"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a fault, in epoch seconds.

    Attributes:
        kind, repair: may be of another version of the operator, and not known here.
        since: when it was seen first; None while it is not there.
        gone_since: since when it is not there; None while it is.
        seen_at: when it was last looked for, to a minute. After a gap, what lasted begins anew.
        held_until: until when it was not to be repaired; 0 for never.
        is_held: it was not to be repaired when it was last seen.
        changed: when its node's Ready last changed, by the clock of its own cluster.
        attempts: how many repairs were tried.
        tried_at: when the last one was begun; None before the first.
        next_try: when the next one is due at the earliest.
        repair: what was last tried; empty for nothing.
        vm: the id of the VM, the cluster, or the pod, on which that was tried.
        ended_at: when that was over; None while it is being tried.
        outcome: what became of it, in CloudStack's words where it refused.
        by: the process that tries right now; empty for none.
        owed_at: when a start of a VM is due that a stop of ours owes it; None for no such start.
        owed_vm: the id of that VM. What was last tried may have been tried on another one.
        owed_in: the cluster whose node that was, as far as is known.
        owed_by: the CloudStack account with which it was stopped.
        control_plane: it is of a node of the control plane, as far as is known.
        unknown: fields that another version has written.
    """

    kind: str
    object: str
    since: float | None = None
    gone_since: float | None = None
    seen_at: float | None = None
    held_until: float = 0.0
    is_held: bool = False
    changed: float | None = None
    attempts: int = 0
    tried_at: float | None = None
    next_try: float = 0.0
    repair: str = ""
    vm: str = ""
    ended_at: float | None = None
    outcome: str = ""
    by: str = ""
    owed_at: float | None = None
    owed_vm: str = ""
    owed_in: str = ""
    owed_by: str = ""
    control_plane: bool = False
    unknown: Json = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return what tells the fault from others."""
        return f"{self.kind}/{self.object}"

    @property
    def is_known(self) -> bool:
        """Tell whether this version knows such faults."""
        return self.kind in KINDS

    @property
    def is_owing(self) -> bool:
        """Tell whether a VM waits for a start that a stop of ours owes it."""
        return self.owed_at is not None and not self.by

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing is being done for it, and nothing is owed."""
        return not self.by and self.owed_at is None


@dataclass(frozen=True, slots=True)
class Journal:
    """All that is remembered of a cluster's faults.

    Attributes:
        records: by the faults' keys.
        again: the newest request of a person to begin again, in epoch seconds.
        started: when the cluster was first looked at; 0 for never.
        machines: the VMs of the control plane, when it was last read.
        place: where the kubeconfig led to then; empty for nowhere yet.
        cluster_uid: which cluster that was; empty if that is not known.
        known: the nodes that were seen Ready, as known_nodes writes them.
        unknown: fields that another version of the operator has written.
    """

    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    again: float = 0.0
    started: float = 0.0
    machines: tuple[Machine, ...] = ()
    place: str = ""
    known: str = ""
    cluster_uid: str = ""
    unknown: Json = field(default_factory=dict)

    @property
    def home(self) -> str:
        """Return which cluster it is about, and where that is."""
        return f"{self.place} {self.cluster_uid}"

    @property
    def is_quiet(self) -> bool:
        """Tell whether no fault is remembered that is to be looked for."""
        return all(each.is_settled and not each.is_known for each in self.records.values())

    @property
    def open(self) -> tuple[Record, ...]:
        """Return the faults of which a repair is being tried, by any process."""
        return tuple(each for each in self.records.values() if each.by)

    def with_record(self, record: Record) -> "Journal":
        """Return the journal with a record in place of the fault's former one."""
        return replace(self, records={**self.records, record.key: record})


@dataclass(frozen=True, slots=True)
class Policy:
    """What the spec says of healing, in seconds.

    Attributes:
        max_retry: how many attempts a fault gets.
        node_timeout: how long a node is not ready before it is repaired.
        startup_timeout: how long a new node has time to become ready.
        longest_gap: of two looks that are further apart, nothing is known of the time between.
        pod_timeout: how long a pod is ill before it is deleted.
        first, longest: the time between two attempts, at first and at most.
        unhealthy: how many nodes of a number may be unhealthy before nothing is repaired.
        max_concurrent: how many repairs may run at once.
    """

    max_retry: int
    node_timeout: float
    first: float
    longest: float
    unhealthy: IntOrPercent
    startup_timeout: float
    longest_gap: float
    max_concurrent: int = 1
    pod_timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A repair that was made, or tried.

    Attributes:
        verdict: what became of it, as hooks.cloudstack.operations has it.
        text: for people, with CloudStack's words where it refused.
    """

    kind: str
    object: str
    repair: str
    verdict: str
    text: str


@dataclass(frozen=True)
class HealingResult:
    """What one round of healing found and did.

    Attributes:
        started_at: epoch seconds, to the millisecond.
        seconds: how long it took.
        generation: the generation of the TargetCluster that it followed.
        failure: why nothing, or not everything, can be repaired.
        journal: what is remembered at the end; None if that is not known.
        faults: those that are there; of a kind that was not read, those that were last known. The
            journal has no record of those for which it has no room.
        waits: why nothing is done for a fault now, by key.
        planned: in mode Plan, what would be done, by key.
        given_up: the faults that had all their attempts, by key.
        cannot: those that no repair is there for, as long as nobody changes something; by key.
        breaker: why nothing is repaired, as too many nodes are unhealthy; else empty.
        pod_breaker: why no pod is deleted, as too many are ill; else empty.
        opening: whether a maintenance window is open.
        tried: the attempts.
        only_owed: the TargetCluster was being deleted, so only starts that are owed were made.
    """

    started_at: float
    seconds: float
    generation: int
    failure: Failure | None = None
    journal: Journal | None = None
    faults: tuple[str, ...] = ()
    waits: Mapping[str, str] = field(default_factory=dict)
    planned: Mapping[str, str] = field(default_factory=dict)
    given_up: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    breaker: str = ""
    pod_breaker: str = ""
    opening: Opening = ALWAYS_OPEN
    tried: tuple[Attempt, ...] = ()
    only_owed: bool = False

    @property
    def records(self) -> Mapping[str, Record]:
        """Return what is remembered of all faults, by key."""
        return self.journal.records if self.journal else {}

    @property
    def present(self) -> list[Record]:
        """Return what is remembered of the faults that are there."""
        return [self.records[key] for key in self.faults if key in self.records]
