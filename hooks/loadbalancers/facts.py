"""Reads what a load balancer is planned from: the network, its address and what is on that."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial

from hooks.cloudstack.errors import (
    LIMIT_REACHED,
    CloudStackError,
    Forbidden,
    InvalidParameter,
)
from hooks.cloudstack.models.account import ResourceLimit
from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl, PortForwardingRule
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.http.deadline import Deadline
from hooks.kube.services import load_balancer_name
from hooks.loadbalancers.certificates import read_asked, with_certificates
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.internal import read_balancers
from hooks.loadbalancers.live_service import read_service, tagged_namespace
from hooks.loadbalancers.members import read_members
from hooks.loadbalancers.networks import read_acl, read_items_of_vpc, read_network, sees_nodes
from hooks.loadbalancers.partial_lists import PartialLists, list_deadline
from hooks.loadbalancers.plan.actions import Assign, Release
from hooks.loadbalancers.plan.allocations import without_stale_tags
from hooks.loadbalancers.plan.claims import find_candidates, may_claim
from hooks.loadbalancers.plan.deletion import is_abandoned
from hooks.loadbalancers.plan.effects import with_address
from hooks.loadbalancers.plan.facts import CallState, CloudState, Facts
from hooks.loadbalancers.plan.kept_address import plan_address
from hooks.loadbalancers.plan.rules import own_rules, rules_with_members
from hooks.loadbalancers.plan.share_tags import user_key
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.policies import read_policies
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.loadbalancers.unlisted import read_unlisted
from hooks.names import TAG_SERVICE, TAG_SERVICE_UID, TAG_SHARE


def observe(request: LoadBalancerRequest, call_state: CallState, context: CallContext) -> Facts:
    """Read the facts. CloudStack is not read for an object that is left as it is.

    Nor is it asked for anything where a person lets go: it may refuse our keys, or be gone.

    Raises:
        CloudStackError: something could not be read; a part is never used.
        KubeError: the Service must be read, and the API server does not answer.
    """
    deadline = context.deadline
    facts = Facts(
        request=request,
        now=context.clock(),
        cluster_id=context.cluster_id(deadline),
        drift_resync=context.drift_resync,
        call_state=call_state,
        seal_key=context.cloud.seal_key,
        returning=context.returning,
    )
    if not request.lacks_namespace:
        facts = _with_service(facts, context)
    if is_abandoned(facts):
        return facts
    context.jobs.wait(context.uid, partial(_end, context), deadline, now=context.monotonic())
    if request.lacks_namespace:
        tagged = tagged_namespace(request, facts.cluster_id, context)
        request = replace(request, tagged_namespace=tagged)
        facts = _with_service(replace(facts, request=request), context)
    is_left_alone = facts.still_wants if request.is_deleting else facts.is_orphan
    is_left_alone = is_left_alone and not facts.acquiring.place
    return facts if is_left_alone else _with_cloud_state(facts, context)


def _end(context: CallContext, job: Job, deadline: Deadline) -> None:
    """Wait for a job of an earlier call; one that changed members tells what they are now."""
    context.cloud.client.wait_for(job, deadline)
    context.members.note_end(job.id)


def observe_again(facts: Facts, address_id: str, context: CallContext) -> Facts | None:
    """Read an address again, and what is on those that count: side by side, if these stay the same.

    Returns None if CloudStack does not show it: everything is to be read. Raises CloudStackError.
    """
    client, deadline = context.cloud.client, context.deadline
    with ThreadPoolExecutor(1, thread_name_prefix="reads") as pool:
        listing = pool.submit(client.list_all, PublicIpAddress, deadline, id=address_id)
        contents = _Reader(facts, context).with_contents(facts)
    listed = listing.result()
    if [each.id for each in listed] != [address_id]:
        return None
    found = replace(contents, state=with_address(contents.state, listed[0]))
    if _ids(find_candidates(found)) != _ids(find_candidates(facts)):
        return observe_contents(found, context)
    return replace(found, state=without_stale_tags(found))


def _ids(addresses: Iterable[PublicIpAddress]) -> set[str]:
    return {each.id for each in addresses}


def observe_contents(facts: Facts, context: CallContext) -> Facts:
    """Read again what is on the addresses that count. Raises CloudStackError."""
    found = _Reader(facts, context).with_contents(facts)
    return replace(found, state=without_stale_tags(found))


def _with_service(facts: Facts, context: CallContext) -> Facts:
    """Read the Service where it matters: for a deletion, and for an object without an owner.

    Raises KubeError.
    """
    request = facts.request
    if request.is_deleting or not request.is_owned:
        return replace(facts, service=read_service(request, context))
    return facts


def _with_cloud_state(facts: Facts, context: CallContext) -> Facts:
    """Read CloudStack: version, network, addresses, and what is on those that count."""
    request = facts.request
    facts = replace(
        facts,
        version=context.cloud.capabilities(context.deadline),
        network=read_network(request.network_id, context.cloud, context.deadline),
    )
    certificate = read_asked(facts, context)
    hides_network = request.is_deleting and facts.network is None
    is_known = hides_network and sees_nodes(request, context)
    facts = replace(facts, certificate=certificate, sees_nodes=is_known)
    reader, unread = _Reader(facts, context), facts.call_state.unread
    if request.spec.internal and not request.is_deleting:
        is_settled = request.recorded.has_claimed(internal=True)
        state = CloudState(() if is_settled else reader.addresses(), unread=unread)
        return _with_balancers(replace(facts, state=state), reader, context)
    facts = replace(facts, state=CloudState(reader.addresses(), unread=unread))
    if facts.service is None and may_claim(facts):
        facts = replace(facts, service=read_service(request, context))
    facts = replace(reader.with_contents(facts), address_limit=reader.address_limit())
    state = facts.state
    facts = replace(facts, state=without_stale_tags(facts))
    if facts.service is None and facts.state.addresses != state.addresses:
        facts = replace(facts, service=read_service(request, context))
    may_choose = not request.is_deleting and facts.network and not request.spec.invalid
    if may_choose and plan_address(facts).chooses:
        facts = replace(facts, state=replace(facts.state, free=reader.free_addresses()))
    return facts


def _with_balancers(facts: Facts, reader: "_Reader", context: CallContext) -> Facts:
    """Read internal load balancers, and the Service if it is about to get or lose an address."""
    facts = reader.with_contents(facts)
    ips = {each.public_ip_id for each in own_rules(facts.owner, facts.state.rules)}
    if facts.service is None and (len(ips) != 1 or facts.request.asks_another):
        facts = replace(facts, service=read_service(facts.request, context))
    return facts


class _Reader:
    """Reads what CloudStack has for one load balancer."""

    def __init__(self, facts: Facts, context: CallContext) -> None:
        self._facts = facts
        self._context = context
        self._request = facts.request
        self._zone_id = facts.network.zone_id if facts.network else ""
        self._cloud = context.cloud
        self._client = context.cloud.client
        self._remembered = context.members
        self._choices = context.choices
        self._deadline = context.deadline

    def with_contents(self, facts: Facts) -> Facts:
        """Read what is on the addresses that count, and the certificates of rules."""
        return with_certificates(self._with_contents(facts), self._context)

    def _with_contents(self, facts: Facts) -> Facts:
        """Read what is on the addresses that count, and a tier's ACL items beside that."""
        found = find_candidates(facts)
        tier = facts.tier
        is_in_vpc = tier is not None or any(each.vpc_id for each in facts.state.addresses)
        request, spec = self._request, self._request.spec
        matters = request.is_deleting or request.recorded.address or spec.plan_only or spec.internal
        lists = PartialLists(self._deadline, dict(facts.state.unread))
        if not (is_in_vpc and (found or matters)):
            return replace(facts, state=self._contents(facts, found, lists))
        has_own = any(facts.owner.whose(each) is Whose.OURS for each in found)
        is_last = request.is_deleting and not has_own
        with ThreadPoolExecutor(1, thread_name_prefix="items") as pool:
            nothing = (facts.network, None)
            reading = pool.submit(
                lists.read, "items", partial(self._items, facts, is_last), nothing
            )
            state = self._contents(facts, found, lists)
        network, items = reading.result()
        return replace(facts, network=network, state=replace(state, acl=items, unread=lists.unread))

    def _items(
        self, facts: Facts, is_last: bool, limit: Deadline
    ) -> tuple[Network | None, tuple[NetworkAcl, ...] | None]:
        """Read the items of the tier's list, and ours in others; return the tier with its list."""
        tier = facts.tier
        with ThreadPoolExecutor(1, thread_name_prefix="tagged") as pool:
            tagged = pool.submit(self._tagged_items, limit)
            network, listed = read_acl(tier, self._cloud, limit) if tier else (facts.network, ())
        items = {each.id: each for each in tagged.result()}
        if tier is not None and is_last:
            anywhere = read_items_of_vpc(tier.vpc_id, self._cloud, limit)
            items |= {each.id: each for each in anywhere}
        items |= {each.id: each for each in listed}
        return network, tuple(items.values())

    def _tagged_items(self, limit: Deadline) -> tuple[NetworkAcl, ...]:
        """List the ACL items with our UID or name: a tier's list may have been replaced.

        One that a call left without tags is looked for in all lists of the VPC, once a deletion is
        about to end.
        """
        service = self._request.spec.service
        tags = {TAG_SERVICE_UID: service.uid, TAG_SERVICE: service.name}
        return self._client.list_all(NetworkAcl, limit, tags=tags)

    def _contents(
        self, facts: Facts, found: Sequence[PublicIpAddress], lists: PartialLists
    ) -> CloudState:
        """Read what is on addresses: what needs nothing of the rest, side by side.

        Internal load balancers are on none of them. A part may stay unknown where an address is
        ours already, or none is to become ours.
        """
        internal = read_balancers(facts, self._context, lists)
        if not (found or internal):
            return replace(facts.state, rules=self._rules_by_name(facts), unread=lists.unread)
        whose = [facts.owner.whose(each) for each in found]
        may_change_hands = self._request.is_deleting or whose not in ([], [Whose.OURS])
        is_ours = self._request.is_deleting or Whose.OURS in whose
        read = partial(lists.read, is_needed=not is_ours)
        with ThreadPoolExecutor(2, thread_name_prefix="reads") as pool:
            firewall = pool.submit(read, "firewall", partial(self._firewall_on, found), ())
            on_these = found if may_change_hands else ()
            forwards = pool.submit(read, "forwards", partial(self._forwards_on, on_these), ())
            rules = [*(rule for each in found for rule in self._rules(each)), *internal]
        facts = replace(facts, state=replace(facts.state, rules=tuple(rules)))
        self._remembered.retain([rule.id for rule in rules])
        counting = () if self._request.is_deleting else rules_with_members(facts.owner, rules)
        # Before the members: these end that a rule is due.
        policies, unread_policies = read_policies(counting, facts, self._context)
        members, unread_members = read_members(counting, facts, self._context)
        listed = forwards.result()
        return replace(
            facts.state,
            policies=policies,
            unread_policies=unread_policies,
            members=members,
            unread_members=unread_members,
            unlisted=read_unlisted(members.values(), self._request, self._context),
            firewall=firewall.result(),
            forwards=listed or (),
            hides_forwards=listed is None,
            vms=lists.read("vms", self._vms, None),
            unread=lists.unread,
        )

    def _rules_by_name(self, facts: Facts) -> tuple[LoadBalancerRule, ...]:
        """List the rules with our names, for a deletion that finds no address of ours.

        They tell a person what stays. After a release of this call, none is left.
        """
        has_released = any(isinstance(each, Release) for each in facts.call_state.done)
        if not self._request.is_deleting or has_released:
            return ()
        name = load_balancer_name(self._request.spec.service.uid)
        return self._client.list_all(LoadBalancerRule, self._deadline, keyword=name)

    def address_limit(self) -> ResourceLimit | None:
        """Read used and allowed addresses if CloudStack refused one more; None if unknown."""
        if any(each.code == LIMIT_REACHED for each in self._facts.call_state.refusals):
            with suppress(CloudStackError):
                return self._cloud.address_limit(list_deadline(self._deadline))
        return None

    def free_addresses(self) -> tuple[str, ...]:
        """Return what this process chose lately, else some free addresses of the network's zone.

        The Service's UID, or the share, says which: the same page of them in every call, while
        others come and go.
        """
        recorded = self._request.recorded.address
        chosen = self._choices.of(self._request.chooser)
        if chosen and not (recorded and recorded.ip == chosen):
            return (chosen,)
        digest = hashlib.sha256(self._request.chooser.encode()).digest()
        position = int.from_bytes(digest[:4]) / 2**32
        found = self._cloud.free_addresses(self._zone_id, position, self._deadline)
        ips = tuple(each.ip_address for each in found)
        others = self._choices.of_others(self._request.chooser)
        return tuple(ip for ip in ips if ip not in others) or ips

    def addresses(self) -> tuple[PublicIpAddress, ...]:
        """List addresses by their IPs and, unless the status names one of ours, by our tags.

        Those of a share are always listed by tags: there may be two. So may there be while the
        Service changes to another address: one that is asked for no more nothing else shows.

        CloudStack lists what has any of the tags: our UID, or our name, which a Service of another
        UID, namespace or cluster may have as well.
        """
        recorded, spec = self._request.recorded.address, self._request.spec
        owner, change = self._facts.owner, self._request.recorded.change
        ips = {recorded.ip if recorded else spec.adopt.address: None}
        ips |= dict.fromkeys(sorted(self._request.recorded.changing))
        acquiring = self._facts.acquiring
        found = self._tagged() if spec.shared_address else dict[str, PublicIpAddress]()
        if not acquiring.is_chosen:
            ips[acquiring.address] = None
        else:
            found |= self._by_id(acquiring.address)
        if not self._request.is_deleting:
            ips[spec.address] = None
        known = {each.ip_address for each in found.values()}
        for ip in ips:
            if ip and ip not in known:
                found |= self._list(ip_address=ip)
        has_own = any(owner.whose(each) is Whose.OURS for each in found.values())
        has_claimed = has_own and self._request.recorded.claimed
        has_all = has_claimed and not (change or self._request.is_deleting)
        if not (spec.shared_address or has_all):
            found |= self._tagged()
        return tuple(found.values())

    def _tagged(self) -> dict[str, PublicIpAddress]:
        """List addresses by our tags: of the Service, of its part in a shared one, of its share."""
        service, share = self._request.spec.service, self._request.spec.shared_address
        tags = {TAG_SERVICE_UID: service.uid, TAG_SERVICE: service.name}
        tags[user_key(service.uid)] = service.name
        return self._list(tags=tags | ({TAG_SHARE: share} if share else {}))

    def _by_id(self, address_id: str) -> dict[str, PublicIpAddress]:
        """List an address by its id, which CloudStack may not know any more."""
        try:
            return self._list(id=address_id)
        except InvalidParameter as error:
            if error.says_unknown(address_id):
                return {}
            raise

    def _list(self, **where: object) -> dict[str, PublicIpAddress]:
        if self._zone_id:
            where["zone_id"] = self._zone_id
        listed = self._client.list_all(PublicIpAddress, self._deadline, **where)
        return {each.id: each for each in listed}

    def _rules(self, address: PublicIpAddress) -> tuple[LoadBalancerRule, ...]:
        return self._client.list_all(LoadBalancerRule, self._deadline, public_ip_id=address.id)

    def _forwards_on(
        self, addresses: Iterable[PublicIpAddress], limit: Deadline
    ) -> tuple[PortForwardingRule, ...] | None:
        """List the port forwarding rules of addresses, which are never ours.

        They keep an address from being claimed or released, and so does an account whose role may
        not list them, then None: others may have made some.
        """
        forwards: list[PortForwardingRule] = []
        for each in addresses:
            if each.state != "Allocated":
                continue
            try:
                where = {"ip_address_id": each.id}
                forwards += self._client.list_all(PortForwardingRule, limit, **where)
            except Forbidden:
                return None
        return tuple(forwards)

    def _firewall_on(
        self, addresses: Iterable[PublicIpAddress], limit: Deadline
    ) -> tuple[FirewallRule, ...]:
        return tuple(rule for each in addresses for rule in self._firewall(each, limit))

    def _firewall(self, address: PublicIpAddress, limit: Deadline) -> tuple[FirewallRule, ...]:
        """List an address's firewall rules. CloudStack refuses that before it is allocated."""
        has_none = self._facts.network is not None and not self._facts.has_firewall
        if has_none or address.state != "Allocated":
            return ()
        return self._client.list_all(FirewallRule, limit, ip_address_id=address.id)

    def _vms(self, limit: Deadline) -> frozenset[str] | None:
        """List the network's VMs if an assignment was refused: one that is gone fails all."""
        if not any(isinstance(each.action, Assign) for each in self._facts.call_state.refusals):
            return None
        return frozenset(
            vm.id
            for vm in self._cloud.snapshot(limit).vms
            if vm.exists and any(nic.network_id == self._request.network_id for nic in vm.nics)
        )
