"""The Instance of a node: what CloudStack said of its VM, in a few hundred bytes.

It stands under `observed`, not `status`: Metacontroller puts a child's `status` back to what it was
in every update, whether or not the CRD has a status subresource (seen on 4.17.2).
"""

from hooks.cloudstack.models import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.kube.times import epoch, timestamp
from hooks.names import API_VERSION, CLOUDSTACK_GROUP, INSTANCE_KIND
from hooks.nodes.plan.lifecycle import AbsenceRecord
from hooks.nodes.plan.provider_id import format_provider_id

#: The key under which Metacontroller lists Instances among a node's attachments.
INSTANCE_KEY = f"{INSTANCE_KIND}.{CLOUDSTACK_GROUP}/{API_VERSION}"
#: `observed.state` of an Instance whose VM is missing; CloudStack has no such state.
MISSING = "Missing"


def instance_of(name: str, labels: dict[str, str], vm: VirtualMachine, *, serves: bool) -> Json:
    """Describe a VM that is there.

    Args:
        name: the node's name, and so the Instance's.
        labels: the node's labels, so that selectors work on the Instance.
        vm: what CloudStack said.
        serves: whether the node may serve load balancers.
    """
    return _instance(
        name,
        labels,
        spec={
            "nodeName": name,
            "providerID": format_provider_id(vm.id),
            "instanceID": vm.id,
        },
        observed={
            "state": vm.state,
            "offering": vm.offering_name,
            "zone": vm.zone_name,
            "zoneID": vm.zone_id,
            "networks": [
                {
                    "id": nic.network_id,
                    "default": nic.is_default,
                    "addresses": [ip for ip in (nic.ip_address, nic.ip6_address) if ip],
                }
                for nic in vm.nics
            ],
            "servesLoadBalancers": serves,
        },
    )


def instance_kept(name: str, labels: dict[str, str], before: Json, *, serves: bool) -> Json:
    """Repeat an Instance as it stands, since nothing new is known of the VM."""
    return _instance(
        name,
        labels,
        spec=before.get("spec") or {},
        observed={**(before.get("observed") or {}), "servesLoadBalancers": serves},
    )


def instance_missing(kept: Json, instance_id: str, absence: AbsenceRecord, *, ready: bool) -> Json:
    """Add to an Instance that its VM is missing; what was known of the VM stays.

    Args:
        kept: the Instance as it would be repeated.
        instance_id: the VM's id, as the node's provider id names it.
        absence: since when, and how often.
        ready: whether the node is Ready all the same.
    """
    return {
        **kept,
        "spec": {
            "nodeName": kept["metadata"]["name"],
            "providerID": format_provider_id(instance_id),
            "instanceID": instance_id,
        },
        "observed": {
            **kept["observed"],
            "state": MISSING,
            "missing": {
                "since": timestamp(absence.since),
                "snapshots": absence.snapshots,
                "lastSnapshot": timestamp(absence.last_snapshot),
                "nodeReady": ready,
            },
        },
    }


def recorded_absence(before: Json | None) -> AbsenceRecord | None:
    """Read from an Instance how long its VM has been missing; None where it is not."""
    missing = ((before or {}).get("observed") or {}).get("missing")
    if not missing:
        return None
    try:
        since, last = epoch(missing["since"]), epoch(missing["lastSnapshot"])
        return AbsenceRecord(since, int(missing["snapshots"]), last)
    except (KeyError, ValueError, TypeError):
        return None  # unreadable is as good as never seen: the count begins anew


def _instance(name: str, labels: dict[str, str], *, spec: Json, observed: Json) -> Json:
    return {
        "apiVersion": f"{CLOUDSTACK_GROUP}/{API_VERSION}",
        "kind": INSTANCE_KIND,
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "observed": observed,
    }
