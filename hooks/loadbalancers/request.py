"""Reads a request into an Order: which fields are read, of which type, and what they mean."""

import ipaddress
from collections.abc import Iterable

from hooks.http.bounded_json import Json
from hooks.kube.events import Reference
from hooks.kube.times import epoch
from hooks.loadbalancers.plan.ranges import EVERYONE
from hooks.loadbalancers.plan.request import (
    Adopt,
    Instance,
    Invalid,
    LoadBalancerRequest,
    NetworkAttachment,
    Port,
    RecordedAddress,
    RecordedStatus,
    Spec,
)
from hooks.names import API_VERSION, CLOUDSTACK_GROUP, INSTANCE_KIND
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import Map, Required, Shape, check, composite_request

#: Outer key of the Instances in `related`.
INSTANCES = f"{INSTANCE_KIND}.{CLOUDSTACK_GROUP}/{API_VERSION}"

_SPEC: Shape = Required(
    {
        "service": Required({"name": Required(str), "uid": Required(str)}),
        "loadBalancerName": Required(str),
        "ports": [
            {
                "name": str,
                "protocol": Required(str),
                "publicPort": Required(int),
                "nodePort": Required(int),
                "proxyProtocol": bool,
            }
        ],
        "algorithm": str,
        "sourceRanges": [str],
        "address": str,
        "keepAddress": bool,
        "adopt": {"address": str, "associatedByController": bool, "names": [str]},
        "nodeSelector": Map(str),
        "externalTrafficPolicy": str,
        "mode": str,
        "openFirewall": bool,
        "invalid": [{"field": Required(str), "message": Required(str)}],
    }
)
_STATUS: Shape = {
    "address": {
        "ip": str,
        "id": str,
        "networkID": str,
        "associatedByController": bool,
        "chosenAt": str,
        "allocatedAt": str,
        "tries": int,
        "published": bool,
    },
    "networkID": str,
    "lastCheckTime": str,
    "nextCheckTime": str,
    "checkedFor": str,
    "repeatedDrift": {"what": str, "times": int},
    "conditions": [{"type": str, "status": str, "reason": str, "lastTransitionTime": str}],
}
_INSTANCE: Shape = {
    "spec": {"instanceID": str},
    "observed": {
        "networks": [{"id": Required(str), "default": bool}],
        "servesLoadBalancers": bool,
        "missing": {},
    },
}


def read(body: Json, *, now: float) -> LoadBalancerRequest:
    """Read a sync or finalize request.

    Args:
        body: the request.
        now: epoch seconds, taken for the time of a deletion that has none.

    Raises:
        BadRequest: naming the field that is missing or of another type.
    """
    request = composite_request(body, spec=_SPEC, status=_STATUS)
    parent = request["parent"]
    metadata = parent["metadata"]
    check(metadata, {"namespace": Required(str), "uid": Required(str)}, "parent.metadata")
    spec = _spec(parent["spec"])
    owners = metadata.get("ownerReferences") or ()
    deleting = request["finalizing"] or metadata.get("deletionTimestamp")
    return LoadBalancerRequest(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation"),
        owned=any(owner.get("uid") == spec.service_uid for owner in owners),
        deleted_at=(_time(metadata.get("deletionTimestamp")) or now) if deleting else None,
        spec=spec,
        recorded=_recorded(parent.get("status") or {}),
        instances=_instances(request["related"].get(INSTANCES, {})),
        reference=Reference.to(parent),
    )


def _spec(spec: Json) -> Spec:
    service = spec["service"]
    adopt = spec.get("adopt") or {}
    ranges = spec.get("sourceRanges")
    return Spec(
        service_name=service["name"],
        service_uid=service["uid"],
        load_balancer_name=spec["loadBalancerName"],
        ports=tuple(_port(index, port) for index, port in enumerate(spec.get("ports") or ())),
        algorithm=spec.get("algorithm") or "roundrobin",
        source_ranges=(EVERYONE,) if ranges is None else _ranges(ranges),
        address=spec.get("address") or "",
        keep_address=spec.get("keepAddress") or False,
        adopt=Adopt(
            address=adopt.get("address") or "",
            associated_by_controller=adopt.get("associatedByController") or False,
            names=frozenset(adopt.get("names") or ()),
        ),
        node_selector=_pairs(spec.get("nodeSelector")),
        plan_only=spec.get("mode") == "Plan",
        open_firewall=spec.get("openFirewall") is not False,
        invalid=(*_stated(spec.get("invalid") or ()), *_unserved(spec)),
    )


def _stated(invalid: Iterable[Json]) -> Iterable[Invalid]:
    return (Invalid(each["field"], each["message"]) for each in invalid)


def _unserved(spec: Json) -> Iterable[Invalid]:
    """Refuse what the schema admits and this version does not serve yet."""
    if spec.get("externalTrafficPolicy") == "Local":
        yield Invalid("spec.externalTrafficPolicy", "Local is not served yet; Cluster is")


def _port(index: int, port: Json) -> Port:
    if port["protocol"] not in ("TCP", "UDP"):
        raise BadRequest(f"parent.spec.ports[{index}].protocol", "must be TCP or UDP")
    return Port(
        name=port.get("name") or "",
        protocol=port["protocol"],
        public_port=port["publicPort"],
        node_port=port["nodePort"],
        proxy_protocol=port.get("proxyProtocol") or False,
    )


def _ranges(ranges: Iterable[str]) -> tuple[str, ...]:
    found = []
    for index, text in enumerate(ranges):
        try:
            found.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            field = f"parent.spec.sourceRanges[{index}]"
            raise BadRequest(field, "must be a CIDR such as 192.0.2.0/24") from None
    return tuple(dict.fromkeys(found))


def _recorded(status: Json) -> RecordedStatus:
    repeated_drift = status.get("repeatedDrift") or {}
    return RecordedStatus(
        address=_recorded_address(status.get("address") or {}),
        network_id=status.get("networkID") or "",
        last_check=_time(status.get("lastCheckTime")),
        next_check=_time(status.get("nextCheckTime")),
        fingerprint=status.get("checkedFor") or "",
        repeated_drift=(repeated_drift.get("what") or "", repeated_drift.get("times") or 0),
        conditions=tuple(status.get("conditions") or ()),
        status=status,
    )


def _recorded_address(address: Json) -> RecordedAddress | None:
    if not address.get("ip") and not address.get("chosenAt"):
        return None
    return RecordedAddress(
        ip=address.get("ip") or "",
        id=address.get("id") or "",
        network_id=address.get("networkID") or "",
        associated_by_controller=address.get("associatedByController") or False,
        chosen_at=_time(address.get("chosenAt")),
        allocated_at=_time(address.get("allocatedAt")),
        tries=address.get("tries") or 0,
        published=address.get("published") or False,
    )


def _instances(related: dict[str, Json]) -> tuple[Instance, ...]:
    found = []
    for name, instance in sorted(related.items()):
        check(instance, _INSTANCE, f"related[{INSTANCES!r}][{name!r}]")
        machine_id = (instance.get("spec") or {}).get("instanceID")
        if machine_id:
            found.append(_instance(name, machine_id, instance))
    return tuple(found)


def _instance(name: str, machine_id: str, instance: Json) -> Instance:
    observed = instance.get("observed") or {}
    return Instance(
        name=name,
        machine_id=machine_id,
        attachments=tuple(
            NetworkAttachment(network["id"], network.get("default") or False)
            for network in observed.get("networks") or ()
        ),
        serves=observed.get("servesLoadBalancers") or False,
        missing=observed.get("missing") is not None,
        labels=_pairs((instance.get("metadata") or {}).get("labels")),
    )


def _pairs(values: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((values or {}).items()))


def _time(text: str | None) -> float | None:
    """Read a time, in epoch seconds; None where there is none that can be read."""
    try:
        return epoch(text) if text else None
    except ValueError:
        return None
