"""Decides the spec of a Service's CloudStackLoadBalancer, and names what cannot be served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hooks import names
from hooks.http.bounded_json import Json
from hooks.services.facts import Facts, annotations, load_balancer_name, parts
from hooks.services.plan import fields
from hooks.services.plan.fields import Reader, Refusal, Unfit, shown
from hooks.services.plan.takeover import NOTHING_LEFT, left_behind, put_back

#: The most that the schema of CloudStackLoadBalancer takes.
MAX_PORTS = 256
MAX_SOURCE_RANGES = 256
MAX_REFUSALS = 64

EVERYBODY = ["0.0.0.0/0"]
_ALGORITHMS = {name: name for name in ("roundrobin", "leastconn", "source")}
_MODES = {"apply": "Apply", "plan": "Plan"}


@dataclass(frozen=True)
class Settings:
    """How the hook is configured.

    Attributes:
        default_class: whether Services without a class get a load balancer from us.
        former_cluster_name: the `--cluster-name` of the provider before us, which its fork writes
            into the names of rules.
    """

    default_class: bool = True
    former_cluster_name: str = "kubernetes"


def wants_load_balancer(facts: Facts, settings: Settings) -> bool:
    """Tell whether the Service is to have a load balancer from us.

    The setting decides only for Services that have none yet: changing it releases no address.
    """
    spec = parts(facts.service, "spec")
    if spec.get("type") != "LoadBalancer" or _is_disabled(facts.service):
        return False
    load_balancer_class = spec.get("loadBalancerClass")
    if load_balancer_class:
        return bool(load_balancer_class == names.LOAD_BALANCER_CLASS)
    return settings.default_class or facts.is_ours


def wanted_spec(facts: Facts, settings: Settings) -> Json:
    """Write the spec that the Service asks for.

    While something in the Service cannot be served, the spec stays as it is, and only says what:
    what was last valid goes on being kept.
    """
    reader = Reader()
    _refuse_another_provider(facts, reader)
    spec = _read_spec(facts.service, reader)
    if facts.load_balancer is not None and facts.has_load_balancer:
        standing = parts(facts.load_balancer, "spec")
        spec["adopt"] = standing.get("adopt") or NOTHING_LEFT
        if reader.refusals:
            spec = {**spec, **standing}
    else:
        spec["adopt"] = left_behind(facts, settings.former_cluster_name)
    spec["invalid"] = _written(reader.refusals)
    return spec


def _refuse_another_provider(facts: Facts, reader: Reader) -> None:
    """Refuse to go on beside another provider: each would undo what the other does."""
    if who := put_back(facts):
        reader.refuse(
            "metadata.finalizers",
            f"{names.SERVICE_FINALIZER} was put back by {who}: another cloud provider serves this "
            "Service as well; stop it, then take the finalizer off",
        )


def _is_disabled(service: Json) -> bool:
    given = annotations(service).get(names.ANNOTATION_DISABLED, "false")
    return fields.fit(lambda: fields.boolean(given), otherwise=False)


def _written(refusals: Sequence[Refusal]) -> list[Json]:
    """Write refusals as the schema has them; what is too many is counted."""
    listed = [
        {"field": refusal.field, "message": refusal.message} for refusal in refusals[:MAX_REFUSALS]
    ]
    if len(refusals) > MAX_REFUSALS:
        left = len(refusals) - MAX_REFUSALS + 1
        listed[-1] = {"field": "spec", "message": f"{left} more fields cannot be served"}
    return listed


def _read_spec(service: Json, reader: Reader) -> Json:
    """Read a Service field by field; what is refused is left out or has its default."""
    spec = parts(service, "spec")
    notes = annotations(service)
    _refuse_what_is_not_served(spec, notes, reader)

    def flag(key: str) -> bool:
        text = notes.get(key, "false")
        return reader.read(annotation(key), lambda: fields.boolean(text), otherwise=False)

    flag(names.ANNOTATION_DISABLED)
    mode = notes.get(names.ANNOTATION_MODE, "apply")
    selector = notes.get(names.ANNOTATION_NODE_SELECTOR, "")
    hostname = notes.get(names.ANNOTATION_HOSTNAME, "")
    return {
        "service": {"name": service["metadata"]["name"], "uid": service["metadata"]["uid"]},
        "loadBalancerName": load_balancer_name(service),
        "ports": _ports(spec, reader, proxy=flag(names.ANNOTATION_PROXY_PROTOCOL)),
        "algorithm": _algorithm(spec, notes, reader),
        "sourceRanges": _source_ranges(spec, notes, reader),
        "address": _address(spec, notes, reader),
        "keepAddress": flag(names.ANNOTATION_KEEP_IP),
        "hostname": reader.read(
            annotation(names.ANNOTATION_HOSTNAME),
            lambda: fields.dns_name(hostname) if hostname else "",
            otherwise="",
        ),
        "nodeSelector": reader.read(
            annotation(names.ANNOTATION_NODE_SELECTOR),
            lambda: fields.node_selector(selector),
            otherwise=dict[str, str](),
        ),
        "externalTrafficPolicy": "Cluster",
        "mode": reader.read(
            annotation(names.ANNOTATION_MODE),
            lambda: fields.choice(mode, _MODES),
            otherwise="Plan",
        ),
        "openFirewall": True,
    }


def annotation(key: str) -> str:
    """Name an annotation as a field's path does."""
    return f'metadata.annotations["{key}"]'


def _refuse_what_is_not_served(spec: Json, notes: Mapping[str, str], reader: Reader) -> None:
    """Refuse what a Service may ask for and no load balancer of ours does yet."""
    if spec.get("externalTrafficPolicy") == "Local":
        reader.refuse(
            "spec.externalTrafficPolicy",
            "'Local' is not served yet; write Cluster, or leave it out",
        )
    families = spec.get("ipFamilies") or ["IPv4"]
    if "IPv4" not in families:
        reader.refuse(
            "spec.ipFamilies",
            f"{shown(families)} has no IPv4, and CloudStack's load balancers serve IPv4 only",
        )
    if names.ANNOTATION_SHARED_ADDRESS in notes:
        reader.refuse(
            annotation(names.ANNOTATION_SHARED_ADDRESS),
            "one address for several Services is not served yet; take the annotation off",
        )


def _ports(spec: Json, reader: Reader, *, proxy: bool) -> list[Json]:
    """Read the ports; one that cannot be served is left out."""
    given = spec.get("ports") or []
    if len(given) > MAX_PORTS:
        reader.refuse("spec.ports", f"{len(given)} ports are too many; write at most {MAX_PORTS}")
    ports = []
    for index, port in enumerate(given[:MAX_PORTS]):
        protocol = port.get("protocol") or "TCP"
        field = f"spec.ports[{index}]"
        if protocol not in ("TCP", "UDP"):
            reader.refuse(
                f"{field}.protocol", f"{shown(protocol)} cannot be balanced; write TCP or UDP"
            )
        elif not port.get("nodePort"):
            reader.refuse(
                f"{field}.nodePort",
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
                    "proxyProtocol": proxy and protocol == "TCP",
                }
            )
    return ports


def _algorithm(spec: Json, notes: Mapping[str, str], reader: Reader) -> str:
    """Read the algorithm; session affinity needs the one that goes by the client's address."""
    sticky = spec.get("sessionAffinity") == "ClientIP"
    text = notes.get(names.ANNOTATION_ALGORITHM)
    if text is None:
        return "source" if sticky else "roundrobin"

    def parse() -> str:
        algorithm = fields.choice(text, _ALGORITHMS)
        if sticky and algorithm != "source":
            raise Unfit(
                f"{shown(text)} breaks spec.sessionAffinity ClientIP; write source, or take the "
                "session affinity off"
            )
        return algorithm

    return reader.read(annotation(names.ANNOTATION_ALGORITHM), parse, otherwise="roundrobin")


def _source_ranges(spec: Json, notes: Mapping[str, str], reader: Reader) -> list[str]:
    """Read who may connect, which is said in up to two places; nobody, where that is unclear."""
    places: list[tuple[str, Sequence[str]]] = []
    standard = notes.get(names.ANNOTATION_SOURCE_RANGES, "")
    if spec.get("loadBalancerSourceRanges"):
        places.append(("spec.loadBalancerSourceRanges", spec["loadBalancerSourceRanges"]))
    elif standard.strip():
        places.append((annotation(names.ANNOTATION_SOURCE_RANGES), standard.split(",")))
    if names.ANNOTATION_SOURCE_CIDRS in notes:
        ours = notes[names.ANNOTATION_SOURCE_CIDRS]
        places.append(
            (annotation(names.ANNOTATION_SOURCE_CIDRS), ours.split(",") if ours.strip() else [])
        )
    if not places:
        return EVERYBODY
    admitted = [_ranges(field, texts, reader) for field, texts in places]
    said = {frozenset(ranges) for ranges in admitted if ranges is not None}
    if len(said) > 1:
        reader.refuse(
            places[1][0],
            f"{shown(places[1][1])} is not what {places[0][0]} says; write one of them, or the "
            "same in both",
        )
    return admitted[0] or []


def _ranges(field: str, texts: Sequence[str], reader: Reader) -> list[str] | None:
    return reader.read(field, lambda: fields.cidrs(texts, most=MAX_SOURCE_RANGES), otherwise=None)


def _address(spec: Json, notes: Mapping[str, str], reader: Reader) -> str:
    """Read the wanted address; the annotation goes before the field that Kubernetes deprecates."""
    for field, text in (
        (annotation(names.ANNOTATION_ADDRESS), notes.get(names.ANNOTATION_ADDRESS)),
        ("spec.loadBalancerIP", spec.get("loadBalancerIP")),
    ):
        if text and text.strip():
            return reader.read(field, partial(fields.ipv4_address, text), otherwise="")
    return ""
