"""Reads what the network ACL list of a VPC tier has: the Service's items, and those of others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from hooks.cloudstack.models.firewall import ALL_PORTS, TRANSPORTS, NetworkAcl
from hooks.cloudstack.models.network import Network
from hooks.lazy import lazy
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import GOING
from hooks.loadbalancers.plan.ranges import covers
from hooks.loadbalancers.plan.seals import has_sealed_item, is_item_reason
from hooks.loadbalancers.plan.share_tags import is_tag_of_ours
from hooks.loadbalancers.request import EVERYONE

#: The list that denies everything, belongs to no VPC, and takes no items.
DEFAULT_DENY = "default_deny"


@dataclass(frozen=True)
class TierList:
    """The list that a tier has, as it was read.

    Attributes:
        own, others: its items, by number: the Service's, and the rest.
        elsewhere: the Service's items in lists that the tier does not have any more.
        is_asked: whether the router asks the list for the Service's clients: it surely does for
            those of internal load balancers, which come from elsewhere.
    """

    network: Network
    own: tuple[NetworkAcl, ...]
    others: tuple[NetworkAcl, ...]
    elsewhere: tuple[NetworkAcl, ...]
    is_asked: bool = False

    @classmethod
    def of(cls, facts: Facts, network: Network) -> "TierList":
        """Return the list of the members' network."""
        own = own_items(facts)
        ids = {each.id for each in own}
        listed = _by_number(facts.state.acl or ())
        here = [each for each in listed if each.acl_id == network.acl_id]
        return cls(
            network,
            tuple(each for each in here if each.id in ids),
            tuple(each for each in here if each.id not in ids),
            tuple(each for each in own if each.acl_id != network.acl_id),
            facts.request.spec.internal,
        )

    @lazy
    def denying(self) -> tuple[NetworkAcl, ...]:
        """Return the items by which others deny something."""
        return tuple(each for each in self.others if each.denies and each.state not in GOING)

    @lazy
    def ends(self) -> Mapping[str, float]:
        """Return the number of the first item that denies a transport to everybody, or infinity."""
        found = dict.fromkeys(TRANSPORTS, inf)
        for each in reversed(self.denying):
            if covers(each.cidrs, (EVERYONE,)):
                found |= dict.fromkeys(_whole_transports(each), each.number or 0)
        return found

    @lazy
    def admitting(self) -> tuple[NetworkAcl, ...]:
        """Return the items of people that admit clients before any denies something.

        Those of another Service go with it.
        """
        first = min((each.number or 0 for each in self.denying), default=inf)
        return tuple(each for each in self.allowing if (each.number or 0) < first)

    @lazy
    def allowing(self) -> tuple[NetworkAcl, ...]:
        """Return the items by which people admit clients.

        One that a call is making for another Service may not be tagged yet: its reason says so.
        """
        return tuple(
            each
            for each in self.others
            if each.allows
            and each.state not in GOING
            and not any(map(is_tag_of_ours, each.tags))
            and not is_item_reason(each.reason)
        )

    @property
    def why_closed(self) -> str:
        """Return why it lets nobody in and takes no items; empty if it does."""
        tier = self.network
        is_default = tier.acl_name == DEFAULT_DENY and not any(map(_is_particular, self.others))
        if tier.acl_id and not is_default:
            return ""
        what = "list default_deny" if tier.acl_id else "lack of a network ACL list"
        until = (
            "no client from elsewhere connects"
            if self.is_asked
            else "only a router that does not ask the list lets clients in, as CloudStack's own "
            "(cloudstack#9054)"
        )
        return (
            f"The {what} of tier {tier.name} lets nobody in, and takes no items. Make a list "
            f"(createNetworkACLList name=… vpcid={tier.vpc_id}) and give it to the tier "
            f"(replaceNetworkACLList aclid=… networkid={tier.id}). Until then {until}"
        )


def own_items(facts: Facts) -> tuple[NetworkAcl, ...]:
    """Return the items that are ours, by number: by their marks, or as a seal proves.

    One that CloudStack is deleting is there no more.
    """
    return tuple(
        each
        for each in _by_number(facts.state.acl or ())
        if each.state not in GOING and facts.owner.has_acl_item(each, sealed=is_sealed(facts, each))
    )


def is_sealed(facts: Facts, item: NetworkAcl) -> bool:
    """Tell whether an item is ours as it is, by its reason."""
    return has_sealed_item(facts.owner.marks, facts.seal_key, item)


def _whole_transports(item: NetworkAcl) -> list[str]:
    """Return the transports for which an item is about every port."""
    last = ALL_PORTS[1]
    return [each.protocol for each in item.opened if each.start_port <= 1 and each.end_port == last]


def _is_particular(item: NetworkAcl) -> bool:
    """Tell whether an item is none as the default list's two are: it shows a list of a person's."""
    return item.allows or item.protocol != "all"


def _by_number(items: Iterable[NetworkAcl]) -> list[NetworkAcl]:
    return sorted(items, key=lambda each: (each.number or 0, each.id))
