"""Decides the spec of a Service's CloudStackLoadBalancer, and names what cannot be served."""

from functools import partial

from hooks import names
from hooks.http.bounded_json import Json
from hooks.http.texts import quote
from hooks.kube.objects import annotations, items, part
from hooks.kube.services import load_balancer_name
from hooks.services.plan import values
from hooks.services.plan.certificate import read_certificate
from hooks.services.plan.facts import Facts
from hooks.services.plan.internal import (
    has_internal,
    read_internal,
    refuse_before_takeover,
    refuse_change,
)
from hooks.services.plan.named_ports import proxied_ports
from hooks.services.plan.source_ranges import read_source_ranges, still_admitted
from hooks.services.plan.stickiness import read_stickiness
from hooks.services.plan.takeover import NOTHING_TO_ADOPT, find_adoptable, find_other_provider
from hooks.services.plan.unknown import unknown_annotations
from hooks.services.plan.values import MAX_PORTS, InvalidValue, Reader, annotation_path

#: The most that the schema of CloudStackLoadBalancer takes; MAX_PORTS and MAX_LABELS too.
MAX_INVALID = 64

_ALGORITHMS = {name: name for name in ("roundrobin", "leastconn", "source")}
_mode = partial(values.choice, choices={"apply": "Apply", "plan": "Plan"})
_KEEP_IP = annotation_path(names.ANNOTATION_KEEP_IP)


def wanted_spec(facts: Facts) -> Json:
    """Return the spec that the Service asks for.

    While something in the Service cannot be served, the spec of its load balancer stays as it is
    and only names that: what was valid last is kept up, as far as the Service still asks for it.
    """
    reader = Reader(annotations(facts.service))
    if other := find_other_provider(facts):
        # Two providers would undo each other's work.
        reader.refuse(
            "metadata.finalizers",
            f"{names.SERVICE_FINALIZER} was added again by {other}: another cloud provider serves "
            "this Service too; stop it, then remove the finalizer",
        )
    spec = _read_spec(facts.service, reader)
    for key, message in unknown_annotations(reader.annotations):
        reader.ignore(annotation_path(key), message)
    _note_network(facts, spec, reader)
    refuse_change(facts.live_load_balancer, spec, reader)
    if facts.default_network:
        spec.setdefault("network", facts.default_network)
    present = part(facts.live_load_balancer, "spec")
    if present:
        spec["adopt"] = present.get("adopt") or NOTHING_TO_ADOPT
    else:
        spec["adopt"] = find_adoptable(facts, facts.former_cluster_name)
    if spec.get("internal"):
        refuse_before_takeover(facts.service, facts.live_load_balancer, spec["adopt"], reader)
    if present and reader.invalid:
        spec = _frozen(present, spec, facts.service, reader)
        _keep_kind(facts.live_load_balancer, spec)
    spec["invalid"] = reader.invalid[:MAX_INVALID]
    if len(reader.invalid) > MAX_INVALID:
        more = len(reader.invalid) - MAX_INVALID + 1
        spec["invalid"][-1] = {"field": "spec", "message": f"{more} more fields cannot be served"}
    spec.pop("ignored", None)
    return spec | ({"ignored": reader.ignored} if reader.ignored else {})


def cleanup_spec(facts: Facts) -> Json:
    """Return the spec of a load balancer that only cleans up: it takes over and makes nothing.

    Whoever may edit a Service may also write our finalizer and the signs of a former provider. So
    only what carries our mark with the Service's UID is taken down. While the Service may want a
    load balancer, from us or from another provider, the invalid field keeps this one from
    making anything.
    """
    spec = wanted_spec(facts) | {"adopt": NOTHING_TO_ADOPT, "address": ""}
    spec["externalTrafficPolicy"] = "Cluster"  # it has no members
    spec.pop("takeoverFrom", None)
    message = f"{names.CLEANUP_FINALIZER} lets this load balancer only clean up"
    spec["invalid"] = [{"field": "metadata.finalizers", "message": message}]
    return spec


def _read_spec(service: Json, reader: Reader) -> Json:
    """Read a Service field by field; what is invalid is left out or has its default."""
    spec = part(service, "spec")
    _refuse_unserved(spec, reader)
    reader.flag(names.ANNOTATION_DISABLED)
    reader.flag(names.ANNOTATION_ABANDON)
    keep = reader.annotations.get(names.ANNOTATION_KEEP_IP, "false")
    mode = reader.annotations.get(names.ANNOTATION_MODE, "apply")
    network = reader.annotation(names.ANNOTATION_NETWORK, values.resource_id, default="")
    former = reader.annotation(names.ANNOTATION_TAKEOVER_FROM, values.cluster_id, default="")
    share = _shared_address(reader, former)
    return {
        "service": {"name": service["metadata"]["name"], "uid": service["metadata"]["uid"]},
        "loadBalancerName": load_balancer_name(service["metadata"]["uid"]),
        "ports": _ports(spec, reader),
        "algorithm": _algorithm(spec, reader),
        "sourceRanges": read_source_ranges(spec, reader),
        "address": _address(spec, reader),
        "keepAddress": reader.read(_KEEP_IP, keep, values.boolean, otherwise=True),
        "hostname": reader.annotation(names.ANNOTATION_HOSTNAME, values.dns_name, default=""),
        "nodeSelector": reader.annotation(
            names.ANNOTATION_NODE_SELECTOR, values.node_selector, default=dict[str, str]()
        ),
        "externalTrafficPolicy": spec.get("externalTrafficPolicy") or "Cluster",
        "mode": reader.read(annotation_path(names.ANNOTATION_MODE), mode, _mode, otherwise="Plan"),
        **({"takeoverFrom": former} if former else {}),
        **({"network": network} if network else {}),
        **({"sharedAddress": share} if share else {}),
        **({"internal": True} if read_internal(spec, reader) else {}),
    }


def _shared_address(reader: Reader, former: str) -> str:
    """Read the name of a share; an address of another cluster is not shared by taking it over."""
    share = reader.annotation(names.ANNOTATION_SHARED_ADDRESS, values.share_name, default="")
    if share and former:
        reader.refuse(
            annotation_path(names.ANNOTATION_TAKEOVER_FROM),
            f"a shared address is not taken over from cluster {quote(former)}; remove this "
            f"annotation, or {names.ANNOTATION_SHARED_ADDRESS}",
        )
    return share


def _note_network(facts: Facts, spec: Json, reader: Reader) -> None:
    """Note that an address keeps its network, where the Service names another."""
    present = part(facts.live_load_balancer, "status", "address").get("networkID")
    asked = spec.get("network")
    if present and asked and asked != present:
        problem = f"the address is in network {present}, which cannot change on a live Service"
        reader.ignore(annotation_path(names.ANNOTATION_NETWORK), problem)


def _refuse_unserved(spec: Json, reader: Reader) -> None:
    """Refuse what a Service may ask for and no load balancer of ours does yet."""
    families = spec.get("ipFamilies") or ["IPv4"]
    if "IPv4" not in families:
        reader.refuse(
            "spec.ipFamilies",
            f"{quote(families)} has no IPv4, and CloudStack's load balancers serve IPv4 only",
        )


def _ports(spec: Json, reader: Reader) -> list[Json]:
    """Read the ports, without those that cannot be served."""
    given = items(spec, "ports")
    if len(given) > MAX_PORTS:
        reader.refuse("spec.ports", f"{len(given)} ports are too many; write at most {MAX_PORTS}")
    proxied = reader.annotation(
        names.ANNOTATION_PROXY_PROTOCOL,
        partial(proxied_ports, ports=given),
        default=frozenset[int](),
    )
    policies = read_stickiness(spec, reader)
    secrets = read_certificate(given, proxied, reader)
    ports = []
    for index, port in enumerate(given[:MAX_PORTS]):
        protocol = port.get("protocol") or "TCP"
        if protocol not in ("TCP", "UDP"):
            reader.refuse(
                f"spec.ports[{index}].protocol",
                f"{quote(protocol)} cannot be balanced; write TCP or UDP",
            )
        elif not port.get("nodePort"):
            reader.refuse(
                f"spec.ports[{index}].nodePort",
                f"port {port['port']} has no node port for the load balancer to send to; leave "
                "spec.allocateLoadBalancerNodePorts out, or write a nodePort",
            )
        else:
            ports.append(
                {
                    "name": port.get("name") or "",
                    "protocol": protocol,
                    "publicPort": port["port"],
                    "nodePort": port["nodePort"],
                    "proxyProtocol": index in proxied,
                    **({"stickiness": policies[index]} if index in policies else {}),
                    **({"certificate": secrets[index]} if index in secrets else {}),
                }
            )
    return ports


def _frozen(present: Json, asked: Json, service: Json, reader: Reader) -> Json:
    """Return the present spec, without what the Service no longer asks for.

    Source ranges and ports only become fewer. A takeover that the Service no longer names ends: it
    is about what belongs to others. Plan mode and `keep-ip` take back what we may do, so both hold
    at once, and end with the next valid Service.
    """
    spec = {
        **present,
        "adopt": asked["adopt"],
        "sourceRanges": still_admitted(present, asked["sourceRanges"]),
        "ports": _still_served(present, service),
    }
    if spec.get("takeoverFrom") != asked.get("takeoverFrom"):
        spec.pop("takeoverFrom", None)
    refused = {each["field"] for each in reader.invalid}
    if asked["mode"] == "Plan" and annotation_path(names.ANNOTATION_MODE) not in refused:
        spec["mode"] = "Plan"
    # Nobody can tell what a misspelt keep-ip means: it is read as true, and the address stays.
    spec["keepAddress"] = asked["keepAddress"] or present.get("keepAddress", True)
    return spec


def _keep_kind(present: Json, spec: Json) -> None:
    """Ask for the kind of address that there is, whatever the present spec asked for since."""
    internal = has_internal(present)
    if internal is not None:
        spec.pop("internal", None)
        spec |= {"internal": True} if internal else {}


def _still_served(present: Json, service: Json) -> list[Json]:
    """Return the ports of a load balancer's spec that the Service still has.

    They lead to its node ports of now: one that it gave back may be another Service's.
    """
    node_ports = {
        (each["port"], each.get("protocol") or "TCP"): each.get("nodePort")
        for each in items(service, "spec", "ports")
    }
    return [
        {**port, "nodePort": node_port}
        for port in items(present, "ports")
        if (node_port := node_ports.get((port["publicPort"], port["protocol"])))
    ]


def _algorithm(spec: Json, reader: Reader) -> str:
    """Read the algorithm; session affinity needs the one that goes by the client's address."""
    sticky = spec.get("sessionAffinity") == "ClientIP"

    def parse(text: str) -> str:
        algorithm = values.choice(text, _ALGORITHMS)
        if sticky and algorithm != "source":
            raise InvalidValue(
                f"{quote(text)} breaks spec.sessionAffinity ClientIP; write source, or remove the "
                "session affinity"
            )
        return algorithm

    default = "source" if sticky else "roundrobin"
    return reader.annotation(names.ANNOTATION_ALGORITHM, parse, default=default)


def _address(spec: Json, reader: Reader) -> str:
    """Read the wanted address; the annotation precedes the field, which Kubernetes deprecates."""
    if reader.annotations.get(names.ANNOTATION_ADDRESS, "").strip():
        return reader.annotation(names.ANNOTATION_ADDRESS, values.ipv4_address, default="")
    text = (spec.get("loadBalancerIP") or "").strip()
    return (
        reader.read("spec.loadBalancerIP", text, values.ipv4_address, otherwise="") if text else ""
    )
