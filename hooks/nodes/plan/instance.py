"""The Instance of a node: what CloudStack knows of its VM, in a few hundred bytes.

It is written under `observed`, not `status`: Metacontroller resets a child's `status` to what it
was in every update, whether or not the CRD has a status subresource (seen on 4.17.2).
"""

from hooks import names
from hooks.cloudstack.models.compute import Nic, VirtualMachine
from hooks.cloudstack.node_vms import format_provider_id
from hooks.http.bounded_json import Json
from hooks.http.texts import shorten
from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.objects import items, labels, part
from hooks.kube.times import timestamp
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.labels import serves_load_balancers

#: Characters of an id or a state, and of a name, that are shown; CloudStack has no longer ones.
_MAX_WORD = 64
_MAX_NAME = 255
#: Networks that are shown of a VM; it cannot have more.
_MAX_NETWORKS = 64

#: Condition: CloudStack has the VM of the node.
VM_FOUND = "VMFound"
#: Condition: no other Node claims the same VM, or this one is the one that keeps it.
SOLE_NODE = "SoleNode"
_KEPT = f"only the annotation {names.ANNOTATION_CONFIRM_DELETION}=true deletes its node"


def present_instance(facts: Facts, vm: VirtualMachine, desired_labels: dict[str, str]) -> Json:
    """Describe a VM that CloudStack has; selectors work on the Instance by the node's labels."""
    observed = _observed(facts, vm, Condition(SOLE_NODE, "True", "SoleNode"))
    return _instance(facts, _spec(facts, vm.id), observed, desired_labels)


def rivals_instance(facts: Facts, vm: VirtualMachine, message: str) -> Json:
    """Describe a VM that another Node keeps: this node serves no load balancer for it."""
    observed = _observed(facts, vm, Condition(SOLE_NODE, "False", "ClaimedTwice", message))
    return _instance(facts, _spec(facts, vm.id), observed, may_serve=False)


def kept_instance(facts: Facts) -> list[Json]:
    """Repeat the Instance, if there is one, where nothing new is known of the VM."""
    before = facts.instance
    return [_instance(facts, part(before, "spec"), part(before, "observed"))] if before else []


def malformed_instance(facts: Facts, message: str) -> Json:
    """Repeat what is known of a VM that the provider id does not name.

    Without such a VM, the node serves no load balancer.
    """
    before = facts.instance or {}
    condition = Condition(VM_FOUND, "False", names.EVENT_PROVIDER_ID_MALFORMED, message)
    observed = {**part(before, "observed"), "conditions": _conditions(facts, condition)}
    spec = part(before, "spec") or {"nodeName": facts.name}
    return _instance(facts, spec, observed, may_serve=bool(owner_of(before)))


def missing_instance(facts: Facts, vm_id: str, *, ready: bool, rebuilt: bool) -> Json:
    """Repeat the Instance with a record that its VM is missing.

    Args:
        facts: with the absence.
        vm_id: the VM's id, as the node's provider id names it.
        ready: whether the node is Ready all the same.
        rebuilt: whether a living VM has the node's name.
    """
    absence, known = facts.absence, of_vm(facts.instance, vm_id)
    is_known = bool(owner_of(known))
    reason = "Replaced" if rebuilt else "Missing" if is_known else "NeverSeen"
    message = f"CloudStack has no VM {vm_id}" + ("" if is_known else f", and never had it: {_KEPT}")
    observed = {
        **part(known or {}, "observed"),
        "state": "Missing",  # CloudStack has no such state
        "missing": {
            "since": timestamp(absence.since),
            "snapshots": absence.snapshots,
            "lastSnapshot": timestamp(absence.last_snapshot),
            "nodeReady": ready,
        },
        "conditions": _conditions(facts, Condition(VM_FOUND, "False", reason, message)),
    }
    return _instance(facts, _spec(facts, vm_id), observed)


def _observed(facts: Facts, vm: VirtualMachine, sole: Condition) -> Json:
    nics = sorted(vm.nics, key=lambda nic: not nic.is_default)
    addresses = [ip for nic in nics for ip in _addresses(nic)]
    found = Condition(VM_FOUND, "True", "Found", f"CloudStack has VM {vm.name} ({vm.id})")
    return {
        "state": shorten(vm.state, _MAX_WORD),
        **({"address": addresses[0]} if addresses else {}),
        "owner": vm.owner,
        "offering": shorten(vm.offering_name, _MAX_NAME),
        "zone": shorten(vm.zone_name, _MAX_NAME),
        "zoneID": shorten(vm.zone_id, _MAX_WORD),
        "networks": [
            {
                "id": shorten(nic.network_id, _MAX_WORD),
                "default": nic.is_default,
                "addresses": _addresses(nic),
            }
            for nic in vm.nics[:_MAX_NETWORKS]
        ],
        "conditions": _conditions(facts, found, sole),
    }


def _addresses(nic: Nic) -> list[str]:
    return [ip for ip in (nic.ip_address, nic.ip6_address) if ip]


def _conditions(facts: Facts, *conditions: Condition) -> list[Json]:
    before = items(facts.instance or {}, "observed", "conditions")
    previous = [
        each for each in before if isinstance(each, dict) and isinstance(each.get("type"), str)
    ]
    return merge_conditions(previous, conditions, now=facts.taken_at, generation=None)


def of_vm(instance: Json | None, vm_id: str) -> Json | None:
    """Return a node's Instance; None if what it observed is another VM's."""
    recorded = str(part(instance or {}, "spec").get("instanceID") or "")
    return instance if recorded.lower() in ("", vm_id.lower()) else None


def owner_of(instance: Json | None) -> str:
    """Return whose a node's VM was when it was last seen; empty where it never was."""
    return str(part(instance or {}, "observed").get("owner") or "")


def _spec(facts: Facts, vm_id: str) -> Json:
    return {
        "nodeName": facts.name,
        "providerID": format_provider_id(vm_id),
        "instanceID": vm_id,
    }


def _instance(
    facts: Facts,
    spec: Json,
    observed: Json,
    desired_labels: dict[str, str] | None = None,
    *,
    may_serve: bool = True,
) -> Json:
    serves = serves_load_balancers(facts.node, facts.termination_taints)
    return {
        "apiVersion": names.CLOUDSTACK_API,
        "kind": names.INSTANCE_KIND,
        "metadata": {
            "name": facts.name,
            "labels": {**labels(facts.cached), **(desired_labels or {})},
        },
        "spec": spec,
        "observed": {**observed, "servesLoadBalancers": may_serve and serves},
    }
