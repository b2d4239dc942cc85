"""Reads what a load balancer is planned from: the network, its address and what is on that."""

from contextlib import suppress
from dataclasses import replace

from hooks.cloudstack.errors import LIMIT_REACHED, CloudStackError, InvalidParameter
from hooks.cloudstack.models.account import ResourceLimit
from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, Member
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.kube.client import NotFound
from hooks.kube.objects import finalizers, is_deleting, part
from hooks.kube.services import service_path, still_wants
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.actions import Assign
from hooks.loadbalancers.plan.address import is_own, plan_address, select_address
from hooks.loadbalancers.plan.deletion import is_released, select_for_deletion
from hooks.loadbalancers.plan.facts import CallState, CloudState, Facts, LiveService
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_SERVICE_UID


def observe(request: LoadBalancerRequest, call: CallState, context: CallContext) -> Facts:
    """Read the facts. CloudStack is not read for an object that is left as it is.

    Raises:
        CloudStackError: something could not be read; a part is never used.
        KubeError: the Service must be read, and the API server does not answer.
    """
    client, deadline = context.cloud.client, context.deadline
    context.jobs.wait(context.uid, lambda job: client.wait_for(job, deadline), now=context.clock())
    facts = Facts(
        request=request,
        now=context.clock(),
        cluster_id=context.cluster_id(deadline),
        drift_resync=context.drift_resync,
        service=_live_service(request, context),
        call=call,
    )
    is_living = request.deleted_at is None
    is_left_alone = facts.is_wanted != is_living
    if is_left_alone:
        return facts
    facts = replace(
        facts,
        version=context.cloud.capabilities(deadline),
        network=_network(facts.request.network_id, context),
    )
    reader = _Reader(facts, context)
    facts = replace(facts, state=reader.state(), address_limit=reader.address_limit())
    may_choose = is_living and facts.network and not request.spec.invalid
    if may_choose and plan_address(facts).leaves_choice:
        facts = replace(facts, state=replace(facts.state, free=reader.free_addresses()))
    return facts


def _live_service(request: LoadBalancerRequest, context: CallContext) -> LiveService | None:
    """Read the Service if it matters: for a deletion, and for an object without an owner.

    Raises:
        KubeError: it matters, and the API server does not answer.
    """
    if request.is_owned and request.deleted_at is None:
        return None
    namespace_path = f"/api/v1/namespaces/{request.metadata.namespace}"
    path = service_path(request.metadata.namespace, request.spec.service.name)
    try:
        service = context.kube.get(path, deadline=context.deadline)
        # In a namespace that is being deleted, the Service may go after its load balancer.
        wants = still_wants(service, request.spec.service.uid) and not is_deleting(
            context.kube.get(namespace_path, deadline=context.deadline)
        )
    except NotFound:
        return LiveService(wants=False)
    version = part(service, "metadata").get("resourceVersion") or ""
    return LiveService(wants, version, finalizers(service))


def _network(network_id: str, context: CallContext) -> Network | None:
    """Read a network; None if there is none with this id that we may see."""
    if not network_id:
        return None
    try:
        return context.cloud.network(network_id, context.deadline)
    except InvalidParameter as error:
        if error.says_unknown(network_id):
            return None
        raise


class _Reader:
    """Reads what CloudStack has for one load balancer."""

    def __init__(self, facts: Facts, context: CallContext) -> None:
        self._facts = facts
        self._request = facts.request
        self._is_living = facts.request.deleted_at is None
        self._zone_id = facts.network.zone_id if facts.network else ""
        self._cloud = context.cloud
        self._client = context.cloud.client
        self._deadline = context.deadline

    def state(self) -> CloudState:
        """Read the addresses that may be this Service's, and what is on the one that counts."""
        request, is_living = self._request, self._is_living
        addresses = self._addresses()
        address = (select_address if is_living else select_for_deletion)(request, addresses)
        if address is None or (not is_living and is_released(request, address)):
            return CloudState(addresses)
        rules = self._client.list_all(LoadBalancerRule, self._deadline, public_ip_id=address.id)
        own = own_rules(request, rules) if is_living else ()
        return CloudState(
            addresses=addresses,
            rules=rules,
            members={rule.id: self._members(rule) for rule in own},
            firewall=self._firewall(address),
            machines=self._machines(),
        )

    def address_limit(self) -> ResourceLimit | None:
        """Read used and allowed addresses if CloudStack refused one more; None if unknown."""
        if any(each.code == LIMIT_REACHED for each in self._facts.call.refusals):
            with suppress(CloudStackError):
                return self._cloud.address_limit(self._deadline)
        return None

    def free_addresses(self) -> tuple[str, ...]:
        """Read free addresses of the network's zone."""
        where = {"zone_id": self._zone_id, "state": "Free", "for_virtual_network": True}
        free = self._client.first_page(PublicIpAddress, self._deadline, **where)
        return tuple(
            each.ip_address for each in free if each.for_virtual_network and not each.is_system
        )

    def _addresses(self) -> tuple[PublicIpAddress, ...]:
        """List addresses by their IPs and, unless the Service's own is among them, by our tag."""
        recorded, spec = self._request.recorded.address, self._request.spec
        is_choice_left = recorded and recorded.chosen_at is not None and not recorded.ip
        ips = {recorded.ip if recorded else spec.adopt.address: None}
        if self._is_living:
            ips[spec.address] = None
        found: dict[str, PublicIpAddress] = {}
        for ip in filter(None, ips):
            found |= self._list(ip_address=ip)
        if not self._is_living or not any(is_own(self._request, each) for each in found.values()):
            found |= self._list(tags={TAG_SERVICE_UID: spec.service.uid})
        if self._facts.network and is_choice_left:
            found |= self._list(associated_network_id=self._facts.network.id)
        return tuple(found.values())

    def _list(self, **where: object) -> dict[str, PublicIpAddress]:
        if self._zone_id:
            where["zone_id"] = self._zone_id
        listed = self._client.list_all(PublicIpAddress, self._deadline, **where)
        return {each.id: each for each in listed}

    def _members(self, rule: LoadBalancerRule) -> dict[str, str]:
        """List a rule's members; a rule that somebody deletes meanwhile has none."""
        try:
            members = self._client.list_all(Member, self._deadline, id=rule.id)
        except InvalidParameter as error:
            if error.says_unknown(rule.id):
                return {}
            raise
        return {each.virtual_machine_id: each.name for each in members}

    def _firewall(self, address: PublicIpAddress) -> tuple[FirewallRule, ...]:
        """List an address's firewall rules. CloudStack refuses that before it is allocated."""
        has_none = self._facts.network is not None and not self._facts.has_firewall
        if has_none or address.state != "Allocated":
            return ()
        return self._client.list_all(FirewallRule, self._deadline, ip_address_id=address.id)

    def _machines(self) -> frozenset[str] | None:
        """List the network's VMs if an assignment was refused: one that is gone fails all."""
        if not any(isinstance(each.action, Assign) for each in self._facts.call.refusals):
            return None
        return frozenset(
            machine.id
            for machine in self._cloud.snapshot(self._deadline).machines
            if machine.exists
            and any(nic.network_id == self._request.network_id for nic in machine.nics)
        )
