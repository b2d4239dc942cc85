"""What a node's labels are to be, and which of them say that it may serve load balancers."""

import re
from collections.abc import Mapping

from hooks.cloudstack.models import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.names import (
    LABEL_EXCLUDE_FROM_LOAD_BALANCERS,
    LABEL_HOSTNAME,
    LABEL_INSTANCE_TYPE,
    LABEL_INSTANCE_TYPE_LEGACY,
    LABEL_REGION,
    LABEL_REGION_LEGACY,
    LABEL_ZONE,
    LABEL_ZONE_LEGACY,
    TAINT_TO_BE_DELETED,
)

_DROPPED = re.compile(r"[^A-Za-z0-9._-]")
_MAX_LENGTH = 63
#: What Go's strconv.ParseBool reads as false.
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
#: The first kubelet without the older labels.
_LEGACY_BEFORE = (1, 17)
_LEGACY = {
    LABEL_INSTANCE_TYPE: LABEL_INSTANCE_TYPE_LEGACY,
    LABEL_ZONE: LABEL_ZONE_LEGACY,
    LABEL_REGION: LABEL_REGION_LEGACY,
}


def clean_label_value(text: str) -> str:
    """Drop what a label's value cannot hold: `Small Instance (1 vCPU)` -> `SmallInstance1vCPU`.

    The existing provider drops the same characters, so a value stays equal on takeover. A
    value may be 63 long and must begin and end with a letter or digit.
    """
    return _DROPPED.sub("", text).lstrip("._-")[:_MAX_LENGTH].rstrip("._-")


def desired_labels(node: Json, vm: VirtualMachine, *, region: str, legacy: str) -> dict[str, str]:
    """Answer the labels that are ours on the node; a value that comes out empty is left out.

    Args:
        node: the Node.
        vm: its VM.
        region: the configured region; empty for the zone.
        legacy: `LEGACY_NODE_LABELS`: `true`, `false`, or `auto` for by kubelet's version.
    """
    present: Mapping[str, str] = node["metadata"].get("labels") or {}
    labels = {
        LABEL_INSTANCE_TYPE: clean_label_value(vm.offering_name),
        LABEL_ZONE: clean_label_value(vm.zone_name),
        LABEL_REGION: clean_label_value(region or vm.zone_name),
    }
    everywhere = legacy == "true" or (legacy == "auto" and _is_legacy(node))
    for label, older in _LEGACY.items():
        if everywhere or (legacy == "auto" and older in present):
            labels[older] = labels[label]
    if LABEL_HOSTNAME not in present:
        labels[LABEL_HOSTNAME] = clean_label_value(vm.name)
    return {label: value for label, value in labels.items() if value}


def _is_legacy(node: Json) -> bool:
    info = (node.get("status") or {}).get("nodeInfo") or {}
    version = re.match(r"v?(\d+)\.(\d+)", str(info.get("kubeletVersion") or ""))
    return version is not None and (int(version[1]), int(version[2])) < _LEGACY_BEFORE


def serves_load_balancers(node: Json) -> bool:
    """Tell whether the node belongs to the stable node set of KEP-3458.

    A node that is not Ready stays in: the load balancer's own health check takes it out.
    """
    metadata = node["metadata"]
    if metadata.get("deletionTimestamp"):
        return False
    excluded = (metadata.get("labels") or {}).get(LABEL_EXCLUDE_FROM_LOAD_BALANCERS)
    if excluded is not None and excluded not in _FALSE:
        return False
    taints = (node.get("spec") or {}).get("taints") or []
    return all(taint.get("key") != TAINT_TO_BE_DELETED for taint in taints)
