"""Decides whose something in CloudStack is. No other module does.

What we make is marked by four tags: cluster, namespace, name and UID of its Service. CloudStack
lists what has any of several tags, so all four are compared here, after the answer. What a Service,
a status or a CloudStackLoadBalancer says proves nothing by itself. An address that several Services
share has tags of its own; see share_tags.py.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from hooks import names
from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl
from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer, LoadBalancerRule
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Resource
from hooks.kube.services import load_balancer_name
from hooks.loadbalancers.plan.former_names import (
    fork_prefix,
    former_prefixes,
    has_prefix,
    is_former,
)
from hooks.loadbalancers.plan.share_tags import SHARE_KEYS, Share, share_of, user_key
from hooks.loadbalancers.plan.takeover_tag import Takeover
from hooks.loadbalancers.plan.wanted_address import Wanted
from hooks.loadbalancers.plan.whose import NOBODYS, Whose
from hooks.loadbalancers.recorded import RecordedAddress
from hooks.loadbalancers.request import LoadBalancerRequest

#: Tags as (key, value) pairs, and the kinds of resources that have them.
Tags = tuple[tuple[str, str], ...]
TaggedKind = Literal["address", "rule", "firewall rule", "ACL item"]
#: Transport and public port: two rules of one address cannot have both in common.
PortKey = tuple[str, int]

#: Keys of the mark.
MARK_KEYS = (names.TAG_CLUSTER, names.TAG_NAMESPACE, names.TAG_SERVICE, names.TAG_SERVICE_UID)
#: Keys of our tags on addresses. Rules and firewall rules have all of them except the origin.
ADDRESS_KEYS = (*MARK_KEYS, names.TAG_ORIGIN)


@dataclass(frozen=True, slots=True)
class Own:
    """Something in CloudStack that is proven ours. Only this module makes it.

    What deletes or retags takes one, so nothing can be deleted that was not compared here.
    """

    kind: TaggedKind
    id: str
    name: str


class NotOurs(Exception):
    """Something was about to be deleted or retagged that is not proven ours."""


@dataclass(frozen=True)
class Owner:
    """A Service, as the mark of its resources names it.

    Attributes:
        takeover_from: the id of the cluster to take over from; empty for none.
        share: the name of the shared address that it asks for; empty for one of its own.
        former_prefixes: what names begin with that other providers gave to rules of this Service;
            transport and port follow, or the port alone.
        still_wants: the Service was read from the API server in this call, has this UID, and wants
            a load balancer.
        is_last: the load balancer is deleted, and in this call the API server had no Service of
            this name, under any UID, that wants one.
        takeovers: those by this Service that have begun, as tags of addresses say.
        earlier: the UIDs of Services of this name, now gone, that used a share of this one before.
        sealed: the ids of internal load balancers whose names are sealed as ours.
    """

    cluster: str
    namespace: str
    service: str
    uid: str
    takeover_from: str = ""
    share: str = ""
    former_prefixes: frozenset[str] = frozenset()
    still_wants: bool = False
    is_last: bool = False
    takeovers: tuple[Takeover, ...] = ()
    earlier: frozenset[str] = frozenset()
    sealed: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, request: LoadBalancerRequest, cluster_id: str, *, still_wants: bool, is_last: bool
    ) -> "Owner":
        """Return the owner of a load balancer's resources.

        Former names count only in a form that names this very Service.
        """
        service, namespace = request.spec.service, request.service_namespace
        return cls(
            cluster=cluster_id,
            namespace=namespace,
            service=service.name,
            uid=service.uid,
            takeover_from=request.spec.takeover_from,
            share=request.spec.shared_address,
            former_prefixes=former_prefixes(namespace, service, request.spec.adopt.names),
            still_wants=still_wants,
            is_last=is_last,
        )

    def with_history(self, addresses: Collection[PublicIpAddress]) -> "Owner":
        """Return this with what tags of addresses show: takeovers by us, and earlier users."""
        found = (takeover_on(each) for each in addresses if self.has_name_of(each))
        by_us = tuple(each for each in found if each and each.by == (self.cluster, self.uid))
        used = filter(self.has_share, addresses) if self.is_sole else ()
        earlier = frozenset(uid for each in used for uid in self.earlier_users(each))
        return replace(self, takeovers=by_us, earlier=earlier)

    @property
    def mark(self) -> Tags:
        """Return the four tags."""
        values = (self.cluster, self.namespace, self.service, self.uid)
        return tuple(zip(MARK_KEYS, values, strict=True))

    @property
    def marks(self) -> tuple[Tags, ...]:
        """Return the mark, and those that earlier users of our share gave to what is theirs."""
        return tuple(replace(self, uid=uid).mark for uid in (self.uid, *sorted(self.earlier)))

    def address_mark(self, address: Resource | None = None) -> Tags:
        """Return the mark of an address, or of a new one: of its share if it is shared."""
        name = share_of(address.tags if address else (), self.share)
        if not name:
            return self.mark
        values = (self.cluster, self.namespace, name, self.service)
        return tuple(zip((*SHARE_KEYS, user_key(self.uid)), values, strict=True))

    def whose(self, resource: Resource) -> Whose:
        """Compare a resource's mark with ours."""
        if share := Share.read(resource.tags):
            return share.whose(self.cluster, self.namespace, self.share, self.uid)
        ours = dict(self.mark)
        found = {tag.key: tag.value for tag in resource.tags if tag.key in ours}
        cluster, uid = found.get(names.TAG_CLUSTER), found.get(names.TAG_SERVICE_UID)
        has_our_name = self.has_name_of(resource)
        if not found:
            return Whose.UNMARKED
        if found == ours:
            return Whose.OURS
        if has_our_name and self._is_taken_over(cluster, uid):
            return Whose.FROM_TAKEOVER
        if cluster not in (None, self.cluster):
            return Whose.FOREIGN_CLUSTER
        if has_our_name and cluster:
            return Whose.INHERITED
        is_other = any(value != ours[key] for key, value in found.items())
        return Whose.OTHER if is_other else Whose.PARTLY

    def may_take(self, resource: Resource) -> bool:
        """Tell whether a resource becomes ours by giving it our mark in the place of its own.

        Nobody else wants what a Service of our name left, or began to take over before it went.
        """
        whose = self.whose(resource)
        is_begun = whose is not Whose.OURS and self._has_begun_with(resource)
        is_left = whose is Whose.INHERITED and self.is_sole
        return is_begun or whose is Whose.FROM_TAKEOVER or is_left

    @property
    def is_sole(self) -> bool:
        """Tell whether no other Service of our name wants what one of this name left."""
        return self.still_wants or self.is_last

    def has_name_of(self, resource: Resource) -> bool:
        """Tell whether a resource is marked for a Service of our namespace and name."""
        found = value(resource, names.TAG_NAMESPACE), value(resource, names.TAG_SERVICE)
        return found == (self.namespace, self.service)

    def takeover_of(self, address: PublicIpAddress) -> Takeover:
        """Return what we record before we take an address over: whose it was before."""
        source = _cluster_and_uid(address)
        if before := takeover_on(address):
            source = (source[0] or before.source[0], source[1] or before.source[1])
        return Takeover((self.cluster, self.uid), source)

    def takes_over(self, address: PublicIpAddress) -> bool:
        """Tell whether we have begun to take an address over, and not given it our mark yet."""
        takeover = takeover_on(address)
        is_by_us = takeover is not None and takeover in self.takeovers
        return is_by_us and self.whose(address) is not Whose.OURS and self.may_take(address)

    def is_source_of(self, address: PublicIpAddress) -> bool:
        """Tell whether an address lost our mark to another Service that has not given it its own.

        A takeover that came to no end leaves it so.
        """
        takeover = takeover_on(address)
        return (
            takeover is not None
            and takeover.source == (self.cluster, self.uid)
            and takeover.half == _cluster_and_uid(address)
            and self.has_name_of(address)
        )

    def has_another_mark(self, resource: Resource) -> bool:
        """Tell whether a resource has a mark that differs from ours, rather than lacks a part."""
        if Share.read(resource.tags):
            return self.whose(resource) in (Whose.FOREIGN_CLUSTER, Whose.OTHER)
        ours = dict(self.mark)
        return any(ours.get(tag.key, tag.value) != tag.value for tag in resource.tags)

    def is_vouched_for(self, rule: LoadBalancerRule) -> bool:
        """Tell whether a person named the fork's cluster of a rule as the one to take over from."""
        prefix = fork_prefix(self.takeover_from, self.namespace, self.service)
        return bool(self.takeover_from) and rule.name.startswith(prefix)

    def may_restore(
        self, recorded: RecordedAddress | None, address: PublicIpAddress, rules: Iterable[Resource]
    ) -> bool:
        """Tell whether an address is ours though somebody removed tags from it.

        The status records this allocation, and CloudStack shows a trace that only we leave: the
        mark on the address but for the name, or our whole mark on a rule. A copy of the cluster has
        the UID too, and who writes load balancers in another namespace knows it. Restored tags
        never include an origin that would release the address. An address that a takeover left
        half done has its origin.
        """
        if self.is_source_of(address):
            return True
        present = {(tag.key, tag.value) for tag in address.tags}
        lacking = set(self.address_mark(address)) - present
        return (
            recorded is not None
            and recorded.is_of(address)
            and not self.has_another_mark(address)
            and (
                {key for key, _ in lacking} <= {names.TAG_SERVICE, names.TAG_SHARE}
                or any(self.whose(rule) is Whose.OURS for rule in rules)
            )
        )

    def has_rule(self, rule: LoadBalancerRule) -> bool:
        """Tell whether a rule on an address of ours is ours.

        One without our tags counts by its whole name: CloudStack's names are not unique. An
        internal load balancer is on no address of ours: it has our whole mark, or our seal.
        """
        if isinstance(rule, InternalLoadBalancer):
            return self.whose(rule) in (Whose.OURS, *(NOBODYS if rule.id in self.sealed else ()))
        if self.whose(rule) in NOBODYS:
            return self.is_former(rule) or has_prefix(load_balancer_name(self.uid), rule.name)
        return self._has(rule)

    def is_former(self, rule: LoadBalancerRule) -> bool:
        """Tell whether another provider gave a rule its name, for a port that may be gone."""
        return any(is_former(each, rule.name) for each in self.former_prefixes)

    def has_mark(self, rule: FirewallRule) -> bool:
        """Tell whether a firewall rule on an address of ours is ours by its mark alone."""
        return self._has(rule)

    def has_firewall_rule(self, rule: FirewallRule, ports: Collection[PortKey]) -> bool:
        """Tell whether a firewall rule on an address of ours is ours.

        An untagged one counts if it opens only these ports: those of rules that another provider
        left, or, on an address that we acquired, of our rules: a call of ours may have ended before
        it was tagged.
        """
        is_bare = not rule.tags or self.whose(rule) is Whose.PARTLY
        return self._has(rule) or (is_bare and rule.opens_only(ports))

    def has_acl_item(self, item: NetworkAcl, *, sealed: bool) -> bool:
        """Tell whether an ACL item, which is on no address, is ours: by its mark or by its seal.

        It is taken only with an address of its Service, from an earlier user of our share, or if no
        Service of our name is left. A call that takes one removes the UID before it writes ours.
        """
        whose, uid = self.whose(item), value(item, names.TAG_SERVICE_UID)
        is_left = self.is_last or uid in self.earlier
        may_take = bool(self.takeovers) or (is_left and whose is Whose.INHERITED)
        is_half = whose is Whose.INHERITED and not uid
        is_bare = sealed and (is_half or whose in NOBODYS)
        return whose is Whose.OURS or (may_take and self.may_take(item)) or is_bare

    def has_address(self, address: Resource) -> bool:
        """Tell whether an address has our whole mark, or is our share's and nobody uses it."""
        share, whose = Share.read(address.tags), self.whose(address)
        return whose is Whose.OURS or (whose is Whose.SHARED and not (share and share.users))

    def other_users(self, address: Resource) -> tuple[str, ...]:
        """Name the other Services that use a shared address, but one of our name that is gone."""
        share = Share.read(address.tags)
        gone = (self.uid, *(self.earlier_users(address) if self.is_sole else ()))
        users = share.users.items() if share else ()
        return tuple(sorted(name for uid, name in users if uid not in gone))

    def earlier_users(self, address: Resource) -> tuple[str, ...]:
        """Return the UIDs of Services of our name under which a shared address was used before."""
        share = Share.read(address.tags)
        users = share.users.items() if share and self.has_address(address) else ()
        return tuple(uid for uid, name in users if name == self.service and uid != self.uid)

    def has_share(self, address: Resource) -> bool:
        """Tell whether an address is of the share that the Service asks for, and may be used."""
        is_asked_for = value(address, names.TAG_SHARE) == self.share != ""
        return is_asked_for and self.whose(address) in (Whose.OURS, Whose.SHARED)

    def own_address(self, address: PublicIpAddress, *, alone: bool = False) -> Own:
        """Return our title to an address with our whole mark, or our part in it. Raises NotOurs.

        `alone` asks for a title that no other Service shares.
        """
        is_ours = self.has_address(address) and not (alone and self.other_users(address))
        return _title("address", address.id, address.ip_address, is_ours=is_ours)

    def own_restorable(
        self, recorded: RecordedAddress | None, address: PublicIpAddress, rules: Iterable[Resource]
    ) -> Own:
        """Return our title to an address that lost some of our tags. Raises NotOurs."""
        is_ours = self.may_restore(recorded, address, rules)
        return _title("address", address.id, address.ip_address, is_ours=is_ours)

    def own_rule(self, rule: LoadBalancerRule) -> Own:
        """Return our title to a rule. Raises NotOurs."""
        return _title("rule", rule.id, rule.name, is_ours=self.has_rule(rule))

    def own_firewall_rule(self, rule: FirewallRule, name: str, ports: Collection[PortKey]) -> Own:
        """Return our title to a firewall rule. Raises NotOurs."""
        return _title("firewall rule", rule.id, name, is_ours=self.has_firewall_rule(rule, ports))

    def own_acl_item(self, item: NetworkAcl, name: str, *, sealed: bool) -> Own:
        """Return our title to an ACL item. Raises NotOurs."""
        return _title("ACL item", item.id, name, is_ours=self.has_acl_item(item, sealed=sealed))

    def taken(self, kind: TaggedKind, resource: Resource, name: str) -> Own:
        """Return our title to something that we may take. Raises NotOurs."""
        return _title(kind, resource.id, name, is_ours=self.may_take(resource))

    def _has(self, resource: Resource) -> bool:
        return self.whose(resource) is Whose.OURS or self.may_take(resource)

    def _has_begun_with(self, resource: Resource) -> bool:
        """Tell whether a resource has the mark that a takeover of ours replaces, or half of it."""
        mark = _cluster_and_uid(resource)
        is_replaced = any(mark in (each.source, each.half) for each in self.takeovers)
        return is_replaced and self.has_name_of(resource)

    def _is_taken_over(self, cluster: str | None, uid: str | None) -> bool:
        """Tell whether a mark is that of the other cluster, or one that we began to replace."""
        if self.takeover_from in ("", self.cluster):
            return False
        return cluster == self.takeover_from or (cluster is None and uid is None)


def associated(
    address: PublicIpAddress, rules: Collection[LoadBalancerRule], wanted: Wanted
) -> Own:
    """Return our title to an address that this very call has associated, before it is tagged.

    Raises NotOurs if it is not what was asked for, or somebody uses it: the answer may be wrong.
    The address, with these rules, is as CloudStack lists it after the answer.
    """
    is_here = (address.vpc_id, address.network_id) == wanted.place
    is_asked_for = wanted.ip in ("", address.ip_address) and is_here
    is_new = address.allocated_at is None or address.allocated_at >= wanted.since
    is_unused = not (address.tags or rules or address.is_static_nat or address.is_source_nat)
    is_ours = is_asked_for and is_new and is_unused
    return _title("address", address.id, address.ip_address, is_ours=is_ours)


def port_key(rule: LoadBalancerRule) -> PortKey:
    """Return a rule's transport and public port."""
    return ("udp" if rule.protocol == "udp" else "tcp", rule.public_port)


def takeover_on(address: PublicIpAddress) -> Takeover | None:
    """Return the takeover that has begun on an address; None if none has."""
    return Takeover.read(value(address, names.TAG_TAKEOVER))


def value(resource: Resource, key: str) -> str:
    """Return a tag's value, empty if there is none."""
    return next((tag.value for tag in resource.tags if tag.key == key), "")


def is_by_controller(address: PublicIpAddress) -> bool:
    """Tell whether we acquired an address of ours, so that it is released with the Service."""
    return value(address, names.TAG_ORIGIN) == names.TAG_ORIGIN_CONTROLLER


def _cluster_and_uid(resource: Resource) -> tuple[str | None, str | None]:
    cluster, uid = value(resource, names.TAG_CLUSTER), value(resource, names.TAG_SERVICE_UID)
    return cluster or None, uid or None


def _title(kind: TaggedKind, resource_id: str, name: str, *, is_ours: bool) -> Own:
    if not is_ours:
        raise NotOurs(f"{kind} {name} ({resource_id})")
    return Own(kind, resource_id, name)
