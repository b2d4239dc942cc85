"""Which labels a node gets, and whether it may serve load balancers."""

import re
from collections.abc import Collection, Sequence

from hooks import names
from hooks.cloudstack.models.compute import VirtualMachine, Zone
from hooks.http.bounded_json import Json
from hooks.http.texts import join_names, quote
from hooks.kube import objects

_DROPPED = re.compile(r"[^A-Za-z0-9._-]")
_MAX_LENGTH = 63
#: How much of a zone's id tells it from others, and how much of its name is kept before that.
_ID_LENGTH, _NAME_LENGTH = 8, 54
#: What Go's strconv.ParseBool reads as false.
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
#: The first kubelet without the older labels.
_LEGACY_BEFORE = (1, 17)
_LEGACY = {
    names.LABEL_INSTANCE_TYPE: names.LABEL_INSTANCE_TYPE_LEGACY,
    names.LABEL_ZONE: names.LABEL_ZONE_LEGACY,
    names.LABEL_REGION: names.LABEL_REGION_LEGACY,
}


def clean_label_value(text: str) -> str:
    """Drop what a label's value cannot hold: `Small Instance (1 vCPU)` -> `SmallInstance1vCPU`.

    The existing provider drops the same characters, so a value stays equal on takeover. A value
    has at most 63 characters, and begins and ends with a letter or digit.
    """
    return _DROPPED.sub("", text).lstrip("._-")[:_MAX_LENGTH].rstrip("._-")


def is_label_value(text: str) -> bool:
    """Tell whether a label can hold a text as it is."""
    return clean_label_value(text) == text


def zone_label_value(vm: VirtualMachine, zones: Sequence[Zone]) -> str:
    """Return the value of a VM's zone; empty without a zone.

    A name that a label can hold is its value. Another one loses what it cannot hold, and gets a
    part of the zone's id if nothing is left, or what another zone's name leaves too. So a zone's
    value depends on all zones, and not on those that have VMs.

    Args:
        vm: of the zone.
        zones: all zones; none are needed where a label can hold the name of the VM's.
    """
    value = clean_label_value(vm.zone_name)
    alike = _zones_alike(vm, zones)
    if not vm.zone_id or value == vm.zone_name or (value and not alike):
        return value
    start = clean_label_value(value[:_NAME_LENGTH]) or "zone"
    return clean_label_value(f"{start}-{vm.zone_id[:_ID_LENGTH]}")


def explain_zone(vm: VirtualMachine, zones: Sequence[Zone]) -> str:
    """Say why a zone's value holds a part of its id; empty where it does not."""
    chosen, value = zone_label_value(vm, zones), clean_label_value(vm.zone_name)
    if chosen == value:
        return ""
    why = "has no character that a label can hold"
    if value:
        others = join_names([quote(zone.name) for zone in _zones_alike(vm, zones)], limit=5)
        why = f"reads {value!r} as a label, and so does {others}"
    return f"zone {quote(vm.zone_name)} {why}: this node's zone is {chosen!r}, with the zone's id"


def _zones_alike(vm: VirtualMachine, zones: Sequence[Zone]) -> list[Zone]:
    value = clean_label_value(vm.zone_name)
    return [z for z in zones if z.id != vm.zone_id and clean_label_value(z.name) == value]


def desired_labels(
    node: Json, vm: VirtualMachine, *, region: str, legacy: str, zones: Sequence[Zone] = ()
) -> dict[str, str]:
    """Return the labels that we set on a node, without those whose value would be empty.

    Args:
        node: the Node.
        vm: its VM.
        region: the configured region; where it is empty, the zone is used.
        legacy: `LEGACY_NODE_LABELS`: `true`, `false`, or `auto`: by kubelet's version.
        zones: as `zone_label_value` takes them.
    """
    present = objects.labels(node)
    zone = zone_label_value(vm, zones)
    labels = {
        names.LABEL_INSTANCE_TYPE: clean_label_value(vm.offering_name),
        names.LABEL_ZONE: zone,
        names.LABEL_REGION: clean_label_value(region) or zone,
    }
    everywhere = legacy == "true" or (legacy == "auto" and _is_legacy(node))
    for label, older in _LEGACY.items():
        if everywhere or (legacy == "auto" and older in present):
            labels[older] = labels[label]
    if names.LABEL_HOSTNAME not in present:
        labels[names.LABEL_HOSTNAME] = clean_label_value(vm.name)
    return {label: value for label, value in labels.items() if value}


def _is_legacy(node: Json) -> bool:
    info = objects.part(node, "status", "nodeInfo")
    version = re.match(r"v?(\d+)\.(\d+)", info.get("kubeletVersion") or "")
    return version is not None and (int(version[1]), int(version[2])) < _LEGACY_BEFORE


def serves_load_balancers(node: Json, termination_taints: Collection[str]) -> bool:
    """Tell whether a node belongs to the stable node set of KEP-3458.

    A node that is not Ready belongs to it: the load balancer's own health check takes it out.

    Args:
        node: the Node.
        termination_taints: keys of taints that announce a node's end.
    """
    excluded = objects.labels(node).get(names.LABEL_EXCLUDE_FROM_LOAD_BALANCERS)
    if objects.is_deleting(node) or (excluded is not None and excluded not in _FALSE):
        return False
    taints = objects.items(node, "spec", "taints")
    return all(taint.get("key") not in termination_taints for taint in taints)
