"""Gives what a request asks for a short text, the same in every process and every release."""

import hashlib
import json
from collections.abc import Collection, Mapping

from hooks.http.bounded_json import Json
from hooks.loadbalancers.request import EVERYONE, LoadBalancerRequest, Port

#: Raise it when a listed field or a default changes its meaning. The fingerprint of an earlier
#: version is replaced at the load balancer's next check: an upgrade does not check all at once.
VERSION = 1

#: A JSON value by name, and the default at which it is left out.
Fields = Mapping[str, tuple[object, object]]


def fingerprint(request: LoadBalancerRequest) -> str:
    """Return a short text that changes when the spec, the members or the deletion does."""
    return _fingerprint(request, VERSION)


def is_asked_still(recorded: str, request: LoadBalancerRequest) -> bool:
    """Tell whether a recorded fingerprint, of this version or an earlier one, is a request's."""
    return any(recorded == _fingerprint(request, each) for each in range(VERSION, -1, -1))


def was_asked_with(recorded: str, request: LoadBalancerRequest, vm_ids: Collection[str]) -> bool:
    """Tell whether a recorded fingerprint would be a request's if its members were these VMs.

    CloudStack has all of them then, and one of them runs at least.
    """
    members = {
        "members": (sorted(vm_ids), []),
        "missing": ([], []),
        "lacksEndpoints": (False, False),
        "noneRuns": (False, False),
    }
    fields = {**asked_for(request), **members}
    return any(recorded == digest(fields, each) for each in range(VERSION, -1, -1))


def answer_identity(status: Json) -> str:
    """Return what tells a status from those that other work answers; empty if nothing does.

    While work goes on there is no fingerprint. Then address and rules tell it, as they are so far.
    """
    if recorded := status.get("checkedFor"):
        return str(recorded)
    known: Fields = {name: (status.get(name), None) for name in ("address", "rules")}
    return digest(known) if _used(known) else ""


def _fingerprint(request: LoadBalancerRequest, version: int) -> str:
    prefix = "deleting:" if request.is_deleting else ""
    return prefix + digest(asked_for(request), version)


def asked_for(request: LoadBalancerRequest) -> Fields:
    """List what matters of a request.

    A field that a release adds belongs here with a default that means "as before", so that the
    load balancers that don't use it keep their fingerprint.
    """
    spec = request.spec
    network_id, members = request.network_id, request.members
    off_network = [each.name for each in request.serving_nodes if not each.is_on(network_id)]
    return {
        "serviceName": (spec.service.name, ""),
        "serviceUID": (spec.service.uid, ""),
        "serviceNamespace": (request.service_namespace, request.metadata.namespace),
        "loadBalancerName": (spec.load_balancer_name, ""),
        "ports": ([_port(port) for port in spec.ports], []),
        "algorithm": (spec.algorithm, "roundrobin"),
        "sourceRanges": (list(spec.source_ranges), [EVERYONE]),
        "address": (spec.address, ""),
        "keepAddress": (spec.keep_address, False),
        "adoptAddress": (spec.adopt.address, ""),
        "adoptAssociatedByController": (spec.adopt.associated_by_controller, False),
        "adoptNames": (sorted(spec.adopt.names), []),
        "nodeSelector": (spec.node_selector, {}),
        "planOnly": (spec.plan_only, False),
        "takeoverFrom": (spec.takeover_from, ""),
        "sharedAddress": (spec.shared_address, ""),
        "internal": (spec.internal, False),
        "heldMode": (request.mode, spec.mode.lower()),
        "abandon": (request.is_abandoned, False),
        "invalid": ([[each.field, each.message] for each in spec.invalid], []),
        "networkID": (network_id, ""),
        "members": (sorted(each.vm_id for each in members), []),
        "missing": (sorted(each.vm_id for each in members if each.is_missing), []),
        "offNetwork": (sorted(off_network), []),
        "noInstances": (not request.instances, False),
        "externalTrafficPolicy": (spec.external_traffic_policy, "Cluster"),
        "lacksEndpoints": (request.lacks_endpoints, False),
        "noneRuns": (request.has_no_running_members, False),
    }


def digest(fields: Fields, version: int = VERSION) -> str:
    """Hash the fields that are not at their default; their order does not matter."""
    text = json.dumps([version, _used(fields)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _used(fields: Fields) -> Json:
    return {name: value for name, (value, default) in fields.items() if value != default}


def _port(port: Port) -> Json:
    """List what the plan uses of a port; its name is for people."""
    sticky = port.stickiness
    return _used(
        {
            "protocol": (port.protocol, "TCP"),
            "publicPort": (port.public_port, 0),
            "nodePort": (port.node_port, 0),
            "proxyProtocol": (port.proxy_protocol, False),
            "certificate": (port.certificate, ""),
            "stickiness": ([sticky.method, sticky.pairs] if sticky else None, None),
        }
    )
