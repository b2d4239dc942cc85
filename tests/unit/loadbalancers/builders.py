"""Makes what plans are made from, with defaults that a test need not repeat."""

from collections.abc import Sequence
from typing import Any

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, NewLoadBalancerRule
from hooks.cloudstack.models.network import Network, NetworkService, PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.loadbalancers.endpoints import ENDPOINT_SLICES
from hooks.loadbalancers.instances import INSTANCES
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import Associate, CreateRule
from hooks.loadbalancers.plan.facts import CallState, CloudState, Facts, LiveService
from hooks.loadbalancers.plan.ownership import Owner
from hooks.loadbalancers.plan.port_rules import PortRule, RulesPlan
from hooks.loadbalancers.plan.seals import seal
from hooks.loadbalancers.recorded import Acquiring
from hooks.loadbalancers.request import LoadBalancerRequest, read
from hooks.names import ANNOTATION_ACQUIRING

NOW = 1_800_000_000.0
NET = "net-1"
UID = "0c7a4d52-96a3-4b8e-8f5d-3e1b6a9c2d07"
NAME = "a0c7a4d5296a34b8e8f5d3e1b6a9c2d0"
IP = "198.51.100.7"
EVERYONE = ("0.0.0.0/0",)
CLUSTER_ID = "c-1"
SEAL_KEY = b"key"
DRIFT_RESYNC = 300.0
NETWORK = Network(
    id=NET,
    name="net-1",
    type="Isolated",
    zone_id="zone-1",
    services=(NetworkService("Lb"), NetworkService("Firewall")),
)
VERSION = Capabilities((4, 22, 0, 0))
#: The Service of a load balancer that may claim something.
LIVE = LiveService(still_wants=True, is_confirmed=True)


def port(public: int, node: int = 0, protocol: str = "TCP", *, proxy: bool = False) -> Json:
    return {
        "protocol": protocol,
        "publicPort": public,
        "nodePort": node or 30000 + public % 2000,
        "proxyProtocol": proxy,
    }


def instance(name: str, *networks: str, **status: Any) -> Json:
    """Describe a node's machine, on the network unless others are named, first one default."""
    return {
        "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
        "kind": "CloudStackInstance",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"instanceID": f"vm-{name}"},
        "observed": {
            "networks": [
                {"id": network, "default": index == 0}
                for index, network in enumerate(networks or (NET,))
            ],
            "servesLoadBalancers": True,
            **status,
        },
    }


NODES = {name: instance(name) for name in ("n1", "n2", "n3")}


def endpoint(node: str | None, **conditions: bool | None) -> Json:
    """Describe an endpoint on a node."""
    placed: Json = {"nodeName": node} if node else {}
    return {"addresses": ["10.244.0.7"], "conditions": conditions, **placed}


READY: dict[str, bool | None] = {"ready": True, "serving": True, "terminating": False}
ENDING: dict[str, bool | None] = {"ready": False, "serving": True, "terminating": True}
UNREADY: dict[str, bool | None] = {"ready": False, "serving": False, "terminating": False}


def endpoint_slice(*endpoints: Json, address_type: str = "IPv4", **fields: Any) -> Json:
    """Describe an EndpointSlice of the Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-x7k2p", "namespace": "default"},
        "addressType": address_type,
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        **fields,
    }


def body(
    *,
    status: Json | None = None,
    nodes: dict[str, Json] | None = None,
    metadata: Json | None = None,
    slices: Sequence[Json] | None = None,
    **spec: Any,
) -> Json:
    """Write a request as Metacontroller does."""
    related = {INSTANCES: NODES if nodes is None else nodes}
    if slices is not None:
        named = {f"default/web-{number}": each for number, each in enumerate(slices)}
        related[ENDPOINT_SLICES] = named
    return {
        "parent": {
            "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
            "kind": "CloudStackLoadBalancer",
            "metadata": {
                "name": NAME,
                "namespace": "default",
                "uid": "lb-1",
                "generation": 1,
                "ownerReferences": [{"kind": "Service", "name": "web", "uid": UID}],
                **(metadata or {}),
            },
            "spec": {
                "service": {"name": "web", "uid": UID},
                "loadBalancerName": NAME,
                "ports": [port(80)],
                **spec,
            },
            **({"status": status} if status is not None else {}),
        },
        "children": {},
        "related": related,
        "finalizing": False,
    }


def request(**asked: Any) -> LoadBalancerRequest:
    return read(body(**asked))


def recorded(ip: str = IP, **address: Any) -> Json:
    """Write the status of a load balancer that has its address."""
    return {
        "address": {
            "ip": ip,
            "id": f"id-{ip}",
            "networkID": NET,
            "associatedByController": True,
            "allocatedAt": "2027-01-15T08:00:00Z",
            **address,
        },
        "networkID": NET,
    }


def chosen(ip: str = IP, *, tries: int = 0, at: str = "2027-01-15T07:59:50Z") -> Json:
    """Write the status of a load balancer whose address is chosen."""
    return {"address": {"ip": ip, "chosenAt": at, "tries": tries}}


def record(ip: str = IP, since: float = NOW - 10, *, uid: str = UID) -> Acquiring:
    """Make the record of a call for the Service `default/web` that acquires an address."""
    return seal(Owner(CLUSTER_ID, "default", "web", uid).mark, SEAL_KEY, ip, since)


def acquiring(ip: str = IP, since: float = NOW - 10, *, text: str | None = None) -> Json:
    """Write the metadata of a load balancer for which a call acquires an address."""
    text = record(ip, since).text if text is None else text
    return {"annotations": {ANNOTATION_ACQUIRING: text}}


def associate(asked: LoadBalancerRequest, ip: str = IP) -> Associate:
    """Return what acquires an address; its record does not count when two are compared."""
    return Associate(ip, NET, tags.address_tags(facts(asked), by_controller=True))


def our_tags(asked: LoadBalancerRequest, **change: str) -> tuple[Tag, ...]:
    marks = {**dict(facts(asked).owner.mark), **change}
    return tuple(Tag(key, value) for key, value in marks.items())


def address_tags(asked: LoadBalancerRequest, *, by_controller: bool = True) -> tuple[Tag, ...]:
    marks = tags.address_tags(facts(asked), by_controller=by_controller)
    return tuple(Tag(key, value) for key, value in marks)


def address(ip: str = IP, *, tags: tuple[Tag, ...] = (), **fields: Any) -> PublicIpAddress:
    values: dict[str, Any] = {
        "id": f"id-{ip}",
        "ip_address": ip,
        "state": "Allocated",
        "zone_id": "zone-1",
        "network_id": NET,
        "allocated_at": NOW,
        "tags": tags,
        **fields,
    }
    return PublicIpAddress(**values)


def our_address(
    asked: LoadBalancerRequest, *, by_controller: bool = True, **fields: Any
) -> PublicIpAddress:
    return address(tags=address_tags(asked, by_controller=by_controller), **fields)


def rule(public: int, name: str = "", *, tags: tuple[Tag, ...] = (), **fields: Any) -> Any:
    """Make a rule; ours by its name unless another is given."""
    protocol = fields.get("protocol", "tcp")
    values: dict[str, Any] = {
        "id": f"rule-{protocol}-{public}",
        "name": name or f"{NAME}-{protocol}-{public}",
        "public_ip_id": f"id-{IP}",
        "public_port": public,
        "private_port": 30000 + public % 2000,
        "protocol": protocol,
        "algorithm": "roundrobin",
        "state": "Active",
        "network_id": NET,
        "cidrs": EVERYONE,
        "tags": tags,
        **fields,
    }
    return LoadBalancerRule(**values)


def rules_plan(*rules: LoadBalancerRule, missing: int = 0) -> RulesPlan:
    """Make the stage of rules that serve, and of some that are still to be created."""
    wanted = NewLoadBalancerRule(NAME, f"id-{IP}", NET, 1, 1)
    ports = [PortRule(wanted, each) for each in rules]
    ports += [PortRule(wanted, actions=(CreateRule(wanted),)) for _ in range(missing)]
    condition = Condition("RulesReady", "True", "RulesStand")
    return RulesPlan(condition, ports=tuple(ports), serving=rules)


def firewall_rule(
    start: int, end: int = 0, *, tags: tuple[Tag, ...] = (), cidrs: tuple[str, ...] = EVERYONE
) -> FirewallRule:
    """Make a firewall rule."""
    last = end or start
    return FirewallRule(
        id=f"firewall-{start}-{last}-{'+'.join(cidrs)}",
        protocol="tcp",
        public_ip_id=f"id-{IP}",
        start_port=start,
        end_port=last,
        cidrs=cidrs,
        state="Active",
        tags=tags,
    )


def portless(protocol: str, **fields: Any) -> FirewallRule:
    """Make a firewall rule for all ports, or for all protocols if it is `all`."""
    values: dict[str, Any] = {"cidrs": EVERYONE, "state": "Active", **fields}
    name = f"firewall-{protocol}-{'+'.join(values['cidrs'])}"
    return FirewallRule(name, protocol, f"id-{IP}", **values)


def facts(asked: LoadBalancerRequest, *, state: CloudState | None = None, **fields: Any) -> Facts:
    """Make facts; fields of CallState may be given as well."""
    names = {"first_actions", "done", "refusals"} & fields.keys()
    call = {name: fields.pop(name) for name in names}
    values: dict[str, Any] = {
        "request": asked,
        "now": NOW,
        "cluster_id": CLUSTER_ID,
        "drift_resync": DRIFT_RESYNC,
        "version": VERSION,
        "network": NETWORK,
        "state": state or CloudState(),
        "call_state": CallState(**call),
        "service": LIVE,
        "seal_key": SEAL_KEY,
        **fields,
    }
    return Facts(**values)


def right_facts(ports: int, ranges: int, nth: int = 0) -> Facts:
    """Make what CloudStack shows of a load balancer that is as its Service asks, the nth such."""
    cidrs = tuple(f"{10 + nth}.{n // 128}.{n % 128 * 2}.0/24" for n in range(ranges))
    asked = request(
        status=recorded(),
        ports=[port(1000 + 2 * n) for n in range(ports)],
        sourceRanges=list(cidrs),
    )
    marks = our_tags(asked)
    rules = tuple(
        rule(port.public_port, private_port=port.node_port, tags=marks, cidrs=cidrs)
        for port in asked.spec.ports
    )
    state = CloudState(
        addresses=(our_address(asked),),
        rules=rules,
        members={each.id: {f"vm-{name}": name for name in NODES} for each in rules},
        firewall=tuple(firewall_rule(each.public_port, tags=marks, cidrs=cidrs) for each in rules),
    )
    return facts(asked, state=state)


def texts(actions: Any) -> list[str]:
    """Return the descriptions of actions."""
    return [str(action) for action in actions]
