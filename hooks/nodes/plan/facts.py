"""The facts that a plan of a node is made from."""

from dataclasses import dataclass

from hooks.cloudstack.models.compute import Zone
from hooks.http.bounded_json import Json
from hooks.names import TERMINATION_TAINTS
from hooks.nodes.plan.absence import (
    AbsenceRecord,
    SeenAbsence,
    extend_absence,
    read_absence,
)
from hooks.nodes.plan.guard import Survey
from hooks.nodes.plan.match import Match


@dataclass(frozen=True)
class Facts:
    """What is known of a node and its VM, and what is configured for all nodes.

    Attributes:
        cached: the Node in Metacontroller's cache: its own write will carry this version.
        node: the newest Node; newer than `cached` after a write of ours.
        instance: the node's Instance; None where there is none.
        match: the node's VM.
        taken_at: when the snapshot of all VMs was taken, in epoch seconds.
        region: the configured region; empty for the zone.
        legacy_labels: `auto`, `true` or `false`: the labels of kubelets up to 1.16.
        missing_grace: seconds that a VM must be missing before its node is deleted.
        termination_taints: keys of taints that announce a node's end.
        guard_hold: seconds for which many vanished nodes are kept.
        seen: how long this process has seen the VM missing; None where it is not.
        survey: what is looked up before a deletion; None where none is due.
        is_gone: CloudStack was asked for the VM by its id and has none; the last thing looked up.
        is_recorded_vm_listed: the snapshot has the VM that the Instance names.
        rivals: other Nodes that claim the same VM.
        zones: all zones, where a label cannot hold the name of the VM's; else none.
    """

    cached: Json
    node: Json
    instance: Json | None
    match: Match
    taken_at: float
    region: str
    legacy_labels: str
    missing_grace: float
    guard_hold: float
    termination_taints: tuple[str, ...] = TERMINATION_TAINTS
    seen: SeenAbsence | None = None
    survey: Survey | None = None
    is_gone: bool = False
    is_recorded_vm_listed: bool = False
    rivals: tuple[Json, ...] = ()
    zones: tuple[Zone, ...] = ()

    @property
    def name(self) -> str:
        """Return the node's name."""
        return str(self.node["metadata"]["name"])

    @property
    def absence(self) -> AbsenceRecord:
        """Return the record that the VM is missing, with this snapshot counted."""
        return extend_absence(read_absence(self.instance), self.taken_at)
