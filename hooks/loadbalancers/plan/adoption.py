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
from hooks.loadbalancers.plan.ownership import NOBODYS, is_fork_name, is_former_name
from hooks.loadbalancers.plan.rules import own_rules
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
        here.state.forwards != (),
    )
    is_proven = any(here.state.members_of(each.id) for each in rules) and not _strangers(
        here, rules
    )
    return is_proven and not address.tags and not any(others)


def refuse_adoption(here: Facts, found: PublicIpAddress) -> Condition | None:
    """Return the condition that says why an address is not taken with its rules; None if it is.

    Rules that a provider named must have members that are nodes of this cluster, and no others.
    Without any member, only a name with the Service's UID counts, which no other Service has. The
    fork's names do not; a person may vouch for them by the annotation `takeover-from`. `here` are
    the facts on the address.
    """
    own = own_rules(here.owner, here.state.rules)
    named = [each for each in here.state.rules if _is_named_only(here, each)]
    others = [each for each in named if each not in own]
    if strangers := _strangers(here, others):
        message = (
            f"{found.ip_address} has rules of another Service, {_listed(others)}, with members "
            f"that are no nodes of this cluster: {join_names(strangers, limit=_NAMED)}"
        )
        return not_ready("AddressInUse", message)
    doubtful = [each for each in own if each in named and not here.owner.is_vouched_for(each)]
    strangers = _strangers(here, doubtful)
    is_shown = len(doubtful) < len(own) or any(
        here.state.members_of(each.id) or not is_fork_name(each.name) for each in doubtful
    )
    if is_shown and not strangers:
        return None
    why = (
        f"members that are no nodes of this cluster: {join_names(strangers, limit=_NAMED)}"
        if strangers
        else "no members, so nothing shows whose they are"
    )
    return not_ready("AdoptionUnproven", _advise(found, doubtful, why)) if doubtful else None


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


def _is_named_only(here: Facts, rule: LoadBalancerRule) -> bool:
    """Tell whether a provider named a rule, and no mark says whose it is."""
    return is_former_name(rule.name) and here.owner.whose(rule) in NOBODYS


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
