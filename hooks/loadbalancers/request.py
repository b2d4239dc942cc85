"""What is read of a load balancer's request: itself, the Instances, and the EndpointSlices."""

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from hooks.cloudstack.models.loadbalancing import TLS
from hooks.http.bounded_json import Json
from hooks.kube.events import Reference
from hooks.kube.services import CLEANUP_NAMESPACE, load_balancer_name
from hooks.lazy import lazy
from hooks.loadbalancers.endpoints import ENDPOINT_SLICES, EndpointNodes, EndpointSlice
from hooks.loadbalancers.instances import INSTANCES, Instance
from hooks.loadbalancers.recorded import Acquiring, RecordedStatus
from hooks.names import (
    ANNOTATION_ABANDON,
    ANNOTATION_ACQUIRING,
    ANNOTATION_MODE,
    CLOUDSTACK_API,
)
from hooks.webhook.requests import (
    NamespacedMetadata,
    NonEmpty,
    NoObjects,
    Object,
    ObjectName,
    PortNumber,
    View,
    convert,
    exactly,
)


class Cidr(str):
    """A CIDR without host bits."""

    __slots__ = ()
    wanted = "a CIDR such as 192.0.2.0/24"

    @classmethod
    def read(cls, text: str) -> "Cidr":
        """Read a CIDR, with or without host bits. Raises ValueError."""
        if not isinstance(text, str):
            raise ValueError("not a string")
        return cls(ipaddress.ip_network(text, strict=False))


#: The source range that admits everyone.
EVERYONE = Cidr("0.0.0.0/0")


class ServiceName(View, frozen=True):
    """The Service that the load balancer is for; its namespace counts in kube-system alone."""

    name: ObjectName
    uid: NonEmpty
    namespace: str = ""


class Stickiness(View, frozen=True):
    """How a rule keeps a client on its member: a method of CloudStack, and its parameters."""

    method: Literal["LbCookie", "SourceBased"]
    parameters: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters as CloudStack's models have them: sorted pairs."""
        return tuple(sorted(self.parameters.items()))


class Port(View, frozen=True):
    """One port: where clients connect, where members listen, the Secret of its certificate."""

    protocol: Literal["TCP", "UDP"]
    public_port: PortNumber
    node_port: PortNumber
    name: str = ""
    proxy_protocol: bool = False
    stickiness: Stickiness | None = None
    certificate: str = ""

    @property
    def transport(self) -> str:
        """Return `tcp` or `udp`: what firewalls, and two rules of one port, go by."""
        return self.protocol.lower()

    @property
    def rule_protocol(self) -> str:
        """Return CloudStack's word: `tcp`, `udp`, `tcp-proxy` or `ssl`."""
        return TLS if self.certificate else "tcp-proxy" if self.proxy_protocol else self.transport


class Adopt(View, frozen=True):
    """What another provider may have left for this Service."""

    address: str = ""
    associated_by_controller: bool = False
    names: frozenset[str] = frozenset()


class Invalid(View, frozen=True):
    """Something that the Service asks for and cannot have."""

    field: NonEmpty
    message: NonEmpty


class Spec(View, frozen=True):
    """What the Service asks for.

    Attributes:
        load_balancer_name: counts in the fingerprint alone: the Service's UID names the rules.
        hostname: what the Service shows in the place of its addresses; empty for those.
        shared_address: the name of the share whose address it uses; empty for one of its own.
        internal: its address is one of the members' network, a VPC tier, rather than a public one.
    """

    service: ServiceName
    load_balancer_name: NonEmpty
    ports: tuple[Port, ...] = ()
    algorithm: str = "roundrobin"
    source_ranges: tuple[Cidr, ...] = (EVERYONE,)
    address: str = ""
    keep_address: bool = False
    adopt: Adopt = Adopt()
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    external_traffic_policy: str = "Cluster"
    mode: str = "Apply"
    takeover_from: str = ""
    network: str = ""
    shared_address: str = ""
    internal: bool = False
    hostname: str = ""
    invalid: tuple[Invalid, ...] = ()

    def __post_init__(self) -> None:
        """Drop repeated ranges."""
        ranges = tuple(dict.fromkeys(self.source_ranges))
        msgspec.structs.force_setattr(self, "source_ranges", ranges)

    @property
    def is_local(self) -> bool:
        """Tell whether only nodes with an endpoint are members."""
        return self.external_traffic_policy == "Local"

    @property
    def plan_only(self) -> bool:
        """Tell whether nothing is to be changed in CloudStack."""
        return self.mode == "Plan"

    def rule_name(self, port: Port) -> str:
        """Name the rule of a port as the existing CloudStack provider does, which knows no TLS."""
        known = "tcp-proxy" if port.proxy_protocol else port.transport
        return f"{load_balancer_name(self.service.uid)}-{known}-{port.public_port}"


class _LoadBalancer(Object, frozen=True, kw_only=True):
    kind: Literal["CloudStackLoadBalancer"] = "CloudStackLoadBalancer"
    api_version: Annotated[str, exactly(CLOUDSTACK_API)] = CLOUDSTACK_API
    metadata: NamespacedMetadata
    spec: Spec
    status: RecordedStatus = RecordedStatus()


class _Related(View, frozen=True, forbid_unknown_fields=True):
    instances: dict[str, Instance] = msgspec.field(name=INSTANCES, default_factory=dict)
    endpoint_slices: dict[str, EndpointSlice] = msgspec.field(
        name=ENDPOINT_SLICES, default_factory=dict
    )


class Request(View, frozen=True):
    """A request to sync, to finalize, or to choose the related objects."""

    parent: _LoadBalancer
    children: NoObjects = msgspec.field(default_factory=dict)
    related: _Related = _Related()
    finalizing: bool = False


@dataclass(frozen=True)
class LoadBalancerRequest:
    """A sync or finalize request: the load balancer, the Instances, and where endpoints are.

    Attributes:
        reference: the load balancer, for Events about it.
        is_deleting: the load balancer is being deleted.
        recorded: what is read of our own status.
        recorded_json: the same, whole and as it came.
        instances: those whose VM is known, by name.
        endpoints: the nodes with endpoints of the Service; None if every node may be a member.
        tagged_namespace: the Service's namespace by the tags of its address, if it was asked for.
        chosen_network_id: of the nodes' network that can balance; empty until that is looked up.
    """

    metadata: NamespacedMetadata
    reference: Reference
    is_deleting: bool
    spec: Spec
    recorded: RecordedStatus
    recorded_json: Json
    instances: tuple[Instance, ...]
    endpoints: EndpointNodes | None = None
    tagged_namespace: str = ""
    chosen_network_id: str = ""

    @property
    def is_owned(self) -> bool:
        """Tell whether the Service is among the owners, so that deleting it deletes this."""
        owners = self.metadata.owner_references
        return any(owner.uid == self.spec.service.uid for owner in owners)

    @property
    def service_namespace(self) -> str:
        """Return the Service's namespace: our own, unless the services hook made this to clean up.

        It does that in kube-system, where only it writes, for a Service that is deleted.
        """
        named = self.spec.service.namespace or self.tagged_namespace
        own = self.metadata.namespace
        return (own == CLEANUP_NAMESPACE and named) or own

    @property
    def lacks_namespace(self) -> bool:
        """Tell whether this cleans up in kube-system and names no namespace of its Service.

        Versions before this field made such objects.
        """
        is_cleanup = self.metadata.namespace == CLEANUP_NAMESPACE and not self.is_owned
        return is_cleanup and not self.spec.service.namespace

    @property
    def service(self) -> Reference:
        """Refer to the Service, whose Events people read."""
        service = self.spec.service
        return Reference("v1", "Service", service.name, service.uid, self.service_namespace)

    @property
    def secret(self) -> str:
        """Return the name of the Secret with the certificate; empty if no port asks for one."""
        return next((each.certificate for each in self.spec.ports if each.certificate), "")

    @property
    def mode(self) -> str:
        """Return the mode that counts for a deletion when the Service is gone, in lower case."""
        return (self.metadata.annotations.get(ANNOTATION_MODE) or self.spec.mode).strip().lower()

    @property
    def is_abandoned(self) -> bool:
        """Tell whether a person lets go of what is in CloudStack, by an annotation on this."""
        text = self.metadata.annotations.get(ANNOTATION_ABANDON, "")
        return text.strip().lower() == "true"

    @property
    def chooser(self) -> str:
        """Return who chooses an address: the share, so that its Services choose the same one."""
        share = self.spec.shared_address
        return f"{self.service_namespace}/{share}" if share else self.spec.service.uid

    def names_anew(self, ip: str) -> bool:
        """Tell whether the Service names an address that it had before it named it."""
        claimed = self.recorded.claimed
        return claimed is not None and not claimed.named and claimed.ip == self.spec.address == ip

    @property
    def asks_another(self) -> bool:
        """Tell whether the Service has an address and asks for another one."""
        claimed = self.recorded.claimed
        return claimed is not None and self.spec.address not in ("", claimed.ip)

    @lazy
    def acquiring(self) -> Acquiring:
        """Return the record that a call acquires an address; an empty one if there is none."""
        return Acquiring.read(self.metadata.annotations.get(ANNOTATION_ACQUIRING, ""))

    @lazy
    def candidates(self) -> tuple[Instance, ...]:
        """Return the nodes that may serve: in the stable node set, and matching the selector."""
        selector = self.spec.node_selector.items()
        return tuple(
            each
            for each in self.instances
            if each.observed.serves_load_balancers and selector <= each.metadata.labels.items()
        )

    @lazy
    def _with_endpoints(self) -> tuple[Instance, ...]:
        """Return the candidates with a ready endpoint, else with one that is ending; perhaps none.

        Somebody must be on the network, or it is as if there were no such endpoint.
        """
        endpoints = self.endpoints or EndpointNodes()
        for names in (endpoints.ready, endpoints.ending):
            nodes = tuple(each for each in self.candidates if each.name in names)
            if any(each.is_on(self.network_id) for each in nodes):
                return nodes
        return ()

    @property
    def lacks_endpoints(self) -> bool:
        """Tell whether members need an endpoint, and no node that could be one has any.

        Who is a member stays one then: control planes that lose their nodes call all endpoints
        unready, and the nodes go on serving.
        """
        return self.endpoints is not None and not self._with_endpoints

    @property
    def serving_nodes(self) -> tuple[Instance, ...]:
        """Return the nodes that should serve: those with an endpoint where that matters."""
        return self._with_endpoints or self.candidates

    @lazy
    def members(self) -> tuple[Instance, ...]:
        """Return the nodes that every rule should have: those that should serve, on the network."""
        return tuple(each for each in self.serving_nodes if each.is_on(self.network_id))

    def has_node_on(self, network_id: str) -> bool:
        """Tell whether a node of this cluster, serving or not, is seen to be on a network."""
        return any(each.is_on(network_id) for each in self.instances)

    @property
    def has_no_running_members(self) -> bool:
        """Tell whether there are members, and the VM of none of them runs."""
        return bool(self.members) and all(
            each.is_stopped or each.is_missing for each in self.members
        )

    @property
    def has_network(self) -> bool:
        """Tell whether the network is given: by the address that we have, or by the Service."""
        return bool(self._address_network or self.spec.network)

    @lazy
    def networks(self) -> tuple[str, ...]:
        """Return the ids of the nodes' networks, in the order in which one is chosen.

        Most nodes are on the first. Of several such, it is the default network of most nodes, then
        the one in use.
        """
        serving = [each for each in self.instances if each.observed.serves_load_balancers]
        nodes: Counter[str] = Counter()
        defaults: Counter[str] = Counter()
        for instance in self.candidates or serving or self.instances:
            networks = instance.observed.networks
            nodes.update({each.network_id for each in networks})
            defaults.update({each.network_id for each in networks if each.default})
        used = self.recorded.network_id

        def rank(network_id: str) -> tuple[int, int, bool, str]:
            return nodes[network_id], defaults[network_id], network_id == used, network_id

        return tuple(sorted(nodes, key=rank, reverse=True))

    @lazy
    def network_id(self) -> str:
        """Return the id of the members' network, empty if no node is on any.

        This is the network of the address that we have, else the one that the Service asks for,
        the one that can balance, the one in use, or the first of the nodes' networks.
        """
        used = self.recorded.network_id
        if given := self._address_network or self.spec.network or self.chosen_network_id:
            return given
        return used if used in self.networks else next(iter(self.networks), "")

    @property
    def _address_network(self) -> str:
        claimed = self.recorded.claimed
        return claimed.network_id if claimed else ""


def read(body: Json) -> LoadBalancerRequest:
    """Read a sync or finalize request.

    Raises:
        BadRequest: naming the field that is missing or of another type.
    """
    request = convert(body, Request)
    parent = request.parent
    metadata = parent.metadata
    instances, slices = request.related.instances.values(), request.related.endpoint_slices.values()
    return LoadBalancerRequest(
        metadata=metadata,
        reference=Reference.to(body["parent"]),
        is_deleting=bool(request.finalizing or metadata.deletion_timestamp),
        spec=parent.spec,
        recorded=parent.status,
        recorded_json=body["parent"].get("status") or {},
        instances=tuple(
            each for each in sorted(instances, key=lambda each: each.name) if each.vm_id
        ),
        endpoints=EndpointNodes.of(slices) if parent.spec.is_local else None,
    )
