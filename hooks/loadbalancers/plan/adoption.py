"""Decides whether what a former provider left is this cluster's: by the VMs behind its rules.

Names prove nothing. A copy of a cluster has Services with the same names and UIDs, and so the same
names of rules. But its nodes are other VMs.
"""

from collections.abc import Iterable, Sequence

from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.claims import not_ready
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import former_firewall
from hooks.loadbalancers.plan.former_names import is_fork_name, is_former_name
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.plan.share_tags import describe
from hooks.loadbalancers.plan.whose import NOBODYS
from hooks.names import ANNOTATION_ADDRESS, ANNOTATION_TAKEOVER_FROM

#: How many rules and members a condition names.
_NAMED = 5


def is_left_by_provider(here: Facts, address: PublicIpAddress) -> bool:
    """Tell whether everything shows that another provider allocated an address for this Service.

    It has no tags, rules by this Service's former names whose members are all nodes of this
    cluster, and nothing of anybody else. `here` are the facts on the address.
    """
    rules = own_rules(here.owner, here.state.rules)
    others = (
        len(here.state.rules) - len(rules),
        len(here.state.firewall) - len(former_firewall(here, rules)),
        here.state.other_forwards,
    )
    is_proven = any(here.state.members_of(each.id) for each in rules) and not _strangers(
        here, rules
    )
    return is_proven and not address.tags and not any(others)


def refuse_adoption(here: Facts, found: PublicIpAddress) -> Condition | None:
    """Return the condition that says why an address is not taken with its rules; None if it is.

    `here` are the facts on the address, which has no mark.
    """
    return _refuse_others(here, found) or _refuse_unproven(here, found)


def _refuse_others(here: Facts, found: PublicIpAddress) -> Condition | None:
    """Refuse an address that serves another Service, by marks of rules or by a provider's names.

    Former providers let Services of one cluster share an address: beside rules of this Service,
    those of others do not matter as long as their members are nodes of this cluster.
    """
    own = own_rules(here.owner, here.state.rules)
    others = [each for each in here.state.rules if each not in own]
    for rule in others:
        if here.owner.has_another_mark(rule):
            return _in_use(found, f"rules of {describe(rule.tags)}")
    named = [each for each in others if is_former_name(each.name)]
    if strangers := _strangers(here, named):
        return _in_use(found, f"rules {_listed(named)} with {_describe_strangers(strangers)}")
    if named and not own:
        return _in_use(found, f"rules {_listed(named)} of another Service; delete what is left")
    return None


def _refuse_unproven(here: Facts, found: PublicIpAddress) -> Condition | None:
    """Refuse rules that merely have this Service's names.

    They must have members that are nodes of this cluster, and no others. Without any member, only
    a name with the Service's UID counts, which no other Service has. The fork's names do not; a
    person may vouch for them by the annotation `takeover-from`.
    """
    own = own_rules(here.owner, here.state.rules)
    doubtful = [
        each
        for each in own
        if here.owner.whose(each) in NOBODYS and not here.owner.is_vouched_for(each)
    ]
    is_shown = len(doubtful) < len(own) or any(
        here.state.members_of(each.id) or not is_fork_name(each.name) for each in doubtful
    )
    if strangers := _strangers(here, doubtful):
        why = _describe_strangers(strangers)
    elif doubtful and not is_shown:
        why = "no members, so nothing shows whose they are"
    else:
        return None
    return not_ready("AdoptionUnproven", _advise(found, doubtful, why))


def _in_use(found: PublicIpAddress, what: str) -> Condition:
    return not_ready("AddressInUse", f"{found.ip_address} has {what}")


def _describe_strangers(names: Sequence[str]) -> str:
    return f"members that are no nodes of this cluster: {join_names(names, limit=_NAMED)}"


def _advise(found: PublicIpAddress, doubtful: Sequence[LoadBalancerRule], why: str) -> str:
    """Say why rules are not adopted, and what a person can do."""
    remedy = "remove these VMs from the rules in CloudStack, or delete the rules"
    if any(is_fork_name(each.name) for each in doubtful):
        remedy = f"name their cluster, as the rules do, in annotation {ANNOTATION_TAKEOVER_FROM}"
    return (
        f"Rules {_listed(doubtful)} on {found.ip_address} are named as this Service's, and have "
        f"{why}. Nothing is taken over. If another cluster serves there, ask for another address "
        f"with annotation {ANNOTATION_ADDRESS}. If none does, {remedy}"
    )


def _strangers(here: Facts, rules: Iterable[LoadBalancerRule]) -> tuple[str, ...]:
    """Return the names of members that are no nodes of this cluster, sorted."""
    nodes = {each.vm_id for each in here.request.instances}
    found = {
        vm_id: name or vm_id
        for rule in rules
        for vm_id, name in here.state.members.get(rule.id, {}).items()
        if vm_id not in nodes
    }
    return tuple(sorted(found.values()))


def _listed(rules: Sequence[LoadBalancerRule]) -> str:
    return join_names(sorted(each.name for each in rules), limit=_NAMED)
