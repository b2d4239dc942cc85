"""What is read before a load balancer is planned: the network, its address and what is on it."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from hooks.cloudstack import Cloud
from hooks.cloudstack.commands.account import address_limit
from hooks.cloudstack.commands.firewall import list_firewall_rules
from hooks.cloudstack.commands.loadbalancing import (
    list_load_balancer_rule_instances,
    list_load_balancer_rules,
)
from hooks.cloudstack.commands.network import (
    PublicIpAddressFilter,
    list_free_public_ip_addresses,
    list_public_ip_addresses,
)
from hooks.cloudstack.errors import CloudStackError, InvalidParameter
from hooks.cloudstack.models import (
    Capabilities,
    FirewallRule,
    Member,
    Network,
    PublicIpAddress,
    ResourceLimit,
)
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, NotFound
from hooks.loadbalancers.plan import deletion
from hooks.loadbalancers.plan.actions import Assign
from hooks.loadbalancers.plan.address import LIMIT_REACHED, is_recorded, plan_address, select
from hooks.loadbalancers.plan.facts import CloudState, Facts, LoadBalancerRequest, Refusal, Settings
from hooks.loadbalancers.plan.members import network_of
from hooks.loadbalancers.plan.rules import ours
from hooks.loadbalancers.plan.service import LiveService, still_wants
from hooks.names import TAG_SERVICE_UID

#: States of machines that are as good as gone.
_GONE = frozenset({"Destroyed", "Expunging", "Error"})


class ClusterId:
    """Knows what marks this cluster's resources: the setting, else the UID of kube-system.

    Args:
        configured: the setting; empty where it is left out.
        kube: asked once.
    """

    def __init__(self, configured: str, kube: Kube) -> None:
        self._recorded = configured
        self._kube = kube
        self._lock = threading.Lock()

    def get(self, deadline: Deadline) -> str:
        """Return the id. Raises KubeError."""
        with self._lock:
            if not self._recorded:
                namespace = self._kube.get("/api/v1/namespaces/kube-system", deadline=deadline)
                self._recorded = str(namespace["metadata"]["uid"])
            return self._recorded


@dataclass(frozen=True)
class Sources:
    """Where facts are read, and what limits the reading.

    Attributes:
        drift_resync: seconds between two looks at what is as it should be.
        clock: epoch seconds.
    """

    cloud: Cloud
    kube: Kube
    deadline: Deadline
    cluster_id: ClusterId
    drift_resync: float
    clock: Callable[[], float]


@dataclass(frozen=True)
class AttemptState:
    """How a call has gone so far; see the fields of the same names in Facts."""

    first_look: bool = True
    repeated_drift: tuple[str, int] | None = None
    refusals: tuple[Refusal, ...] = ()


def observe(request: LoadBalancerRequest, attempt: AttemptState, sources: Sources) -> Facts:
    """Look at the world.

    Raises:
        CloudStackError: something could not be read; a part is never used.
        KubeError: the Service has to be read, and the API server does not answer.
    """
    deadline = sources.deadline
    facts = Facts(
        request=request,
        now=sources.clock(),
        settings=Settings(sources.cluster_id.get(deadline), sources.drift_resync),
        version=Capabilities(()),
        network=None,
        state=CloudState(),
        service=live_service(request, sources),
        first_look=attempt.first_look,
        repeated_drift=attempt.repeated_drift,
        refusals=attempt.refusals,
    )
    if facts.wanted != (request.deleted_at is None):
        return facts  # nothing is to be done in CloudStack
    network_id = network_of(request)
    facts = replace(
        facts,
        version=sources.cloud.capabilities(deadline),
        network=_network(network_id, sources),
    )
    facts = replace(facts, state=_seen(facts, sources), address_limit=_limit(facts, sources))
    return _with_choices(facts, network_id, sources)


def live_service(request: LoadBalancerRequest, sources: Sources) -> LiveService | None:
    """Read the Service where it matters: for a deletion, and for an object that nobody owns.

    Raises:
        KubeError: it matters, and cannot be told.
    """
    if request.owned and request.deleted_at is None:
        return None
    path = f"/api/v1/namespaces/{request.namespace}"
    service_path = f"{path}/services/{request.spec.service_name}"
    try:
        service = sources.kube.get(service_path, deadline=sources.deadline)
        wants = still_wants(service, request.spec.service_uid)
        wants = wants and not _is_going(sources.kube.get(path, deadline=sources.deadline))
    except NotFound:
        return LiveService(wants=False)
    metadata = service["metadata"]
    return LiveService(
        wants, metadata.get("resourceVersion") or "", tuple(metadata.get("finalizers") or ())
    )


def _is_going(namespace: Json) -> bool:
    """Tell whether a namespace is being deleted; its Service may go after its load balancer."""
    return bool(namespace["metadata"].get("deletionTimestamp"))


def _network(network_id: str, sources: Sources) -> Network | None:
    """Read a network; None where there is none of this id, or none that we may see."""
    if not network_id:
        return None
    try:
        return sources.cloud.network(network_id, sources.deadline)
    except InvalidParameter:
        return None


def _limit(facts: Facts, sources: Sources) -> ResourceLimit | None:
    """Ask how many addresses there may be, where one more was refused; None if that is not told."""
    if not any(each.code == LIMIT_REACHED for each in facts.refusals):
        return None
    with suppress(CloudStackError):
        return address_limit(sources.cloud.client, deadline=sources.deadline)
    return None


def _seen(facts: Facts, sources: Sources) -> CloudState:
    """Read the addresses that may be this Service's, and what is on the one that counts."""
    request, client, deadline = facts.request, sources.cloud.client, sources.deadline
    addresses = _addresses(facts, sources)
    if request.deleted_at is None:
        address = select(request, addresses)
    else:
        address = deletion.candidate(request, addresses)
    if address is None or (
        request.deleted_at is not None and deletion.releases_whole(request, address)
    ):
        return CloudState(addresses)
    rules = list_load_balancer_rules(client, deadline=deadline, public_ip_id=address.id)
    own = ours(request, rules) if request.deleted_at is None else ()
    members = {rule.id: _members(rule.id, sources) for rule in own}
    return CloudState(
        addresses=addresses,
        rules=rules,
        members=tuple(
            (rule_id, frozenset(each.virtual_machine_id for each in found))
            for rule_id, found in members.items()
        ),
        names=tuple(
            {
                each.virtual_machine_id: each.name for found in members.values() for each in found
            }.items()
        ),
        firewall=_firewall(facts, address, sources),
        machines=_machines(facts, sources),
    )


def _addresses(facts: Facts, sources: Sources) -> tuple[PublicIpAddress, ...]:
    """List addresses by their IPs and, unless the one we have is found so, by our tag."""
    request = facts.request
    recorded, spec = request.recorded.address, request.spec
    ips = [recorded.ip] if recorded else [spec.adopt.address]
    if request.deleted_at is None:
        ips.append(spec.address)
    found: dict[str, PublicIpAddress] = {}

    def look(where: PublicIpAddressFilter) -> None:
        if facts.network and facts.network.zone_id:
            where["zone_id"] = facts.network.zone_id
        client, deadline = sources.cloud.client, sources.deadline
        listed = list_public_ip_addresses(client, deadline=deadline, **where)
        found.update((each.id, each) for each in listed)

    for ip in dict.fromkeys(filter(None, ips)):
        look(PublicIpAddressFilter(ip_address=ip))
    if not _has_its_address(request, found.values()):
        look(PublicIpAddressFilter(tags={TAG_SERVICE_UID: spec.service_uid}))
    if facts.network and recorded and recorded.chosen_at is not None and not recorded.ip:
        look(PublicIpAddressFilter(associated_network_id=facts.network.id))
    return tuple(found.values())


def _has_its_address(request: LoadBalancerRequest, found: Iterable[PublicIpAddress]) -> bool:
    """Tell whether the Service's address was found, so that no other is looked for."""
    return request.deleted_at is None and any(is_recorded(request, each) for each in found)


def _members(rule_id: str, sources: Sources) -> tuple[Member, ...]:
    """List a rule's members; a rule that is gone meanwhile has none."""
    try:
        return list_load_balancer_rule_instances(
            sources.cloud.client, rule_id, deadline=sources.deadline
        )
    except InvalidParameter:
        return ()


def _firewall(facts: Facts, address: PublicIpAddress, sources: Sources) -> tuple[FirewallRule, ...]:
    """List an address's firewall rules; before it is allocated, CloudStack refuses to."""
    if facts.network is not None and not facts.network.has("Firewall"):
        return ()
    if address.state != "Allocated":
        return ()
    return list_firewall_rules(
        sources.cloud.client, deadline=sources.deadline, ip_address_id=address.id
    )


def _machines(facts: Facts, sources: Sources) -> frozenset[str] | None:
    """Ask which machines there are, where an assignment was refused: one that is gone fails all."""
    if not any(isinstance(each.action, Assign) for each in facts.refusals):
        return None
    network_id = network_of(facts.request)
    snapshot = sources.cloud.snapshot(sources.deadline)
    return frozenset(
        machine.id
        for machine in snapshot.machines
        if machine.state not in _GONE
        and _is_on(network_id, (nic.network_id for nic in machine.nics))
    )


def _is_on(network_id: str, networks: Iterable[str]) -> bool:
    return network_id in networks


def _with_choices(facts: Facts, network_id: str, sources: Sources) -> Facts:
    """Look for free addresses where the plan would have to leave the choice to CloudStack."""
    if (
        facts.network is None
        or facts.request.deleted_at is not None
        or facts.request.spec.plan_only
    ):
        return facts
    planned = plan_address(facts, network_id)
    any_will_do = planned.waiting and planned.recorded is not None and not planned.recorded.ip
    if facts.request.spec.invalid or not any_will_do:
        return facts
    free = list_free_public_ip_addresses(
        sources.cloud.client, deadline=sources.deadline, zone_id=facts.network.zone_id
    )
    usable = (each.ip_address for each in free if each.for_virtual_network and not each.is_system)
    return replace(facts, state=replace(facts.state, free=tuple(usable)))
