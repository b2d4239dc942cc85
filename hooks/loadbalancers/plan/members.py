"""Decides which VMs are added to the existing rules, and which are removed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.actions import Action, Assign, AssignTogether, Remove
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.nodes import Membership, membership
from hooks.loadbalancers.plan.rules import RulesPlan
from hooks.loadbalancers.request import Instance, LoadBalancerRequest

#: How many nodes, and how many refusals, a condition names.
_NAMED_NODES = 5
_NAMED_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class MembersPlan:
    """The members stage: what to do, and how many members there are now.

    Attributes:
        assigned: wanted members that are in every rule.
        wanted: members that every rule should have; None if that is not known yet.
    """

    condition: Condition
    actions: tuple[Action, ...] = ()
    assigned: int = 0
    wanted: int | None = None


def is_one_change(request: LoadBalancerRequest) -> bool:
    """Guess whether at most one thing changes: the members of one rule.

    Made before CloudStack is asked. It only decides how the network is locked.
    """
    others = ("AddressReady", "RulesReady", "FirewallReady")
    return (
        request.deleted_at is None
        and len(request.spec.ports) == 1
        and request.status.get("observedGeneration") == request.generation
        and all(request.recorded.condition(kind).status == "True" for kind in others)
    )


def plan_members(facts: Facts, rules: RulesPlan) -> MembersPlan:
    """Plan the members of the rules by difference: CloudStack refuses one that is a member already.

    Members are added before others are removed, so that no rule is without any in between.
    """
    members = membership(facts.request, facts.network_id)
    joining = _joinable(facts, members)
    wanted = {each.machine_id for each in members.wanted}
    assignments, removals = [], []
    for rule in (*rules.serving, *rules.future):
        current = facts.state.members_of(rule.id)
        if new := [each for each in joining if each.machine_id not in current]:
            ids = tuple(each.machine_id for each in new)
            assignments.append(Assign(rule.id, rule.name, ids, tuple(each.name for each in new)))
        if (old := tuple(sorted(current - wanted))) and not members.blind:
            removals.append(Remove(rule.id, rule.name, old, _names(facts, old)))
    complaints = facts.complaints((*assignments, *removals))
    assigned = _assigned(facts, rules, wanted)
    return MembersPlan(
        condition=_condition(members, joining, assigned, complaints),
        actions=(*_together(facts, assignments), *facts.not_refused(removals)),
        assigned=len(assigned),
        wanted=len(members.wanted),
    )


def _joinable(facts: Facts, members: Membership) -> list[Instance]:
    """Leave out VMs that CloudStack does not have: one of them fails a whole assignment."""
    machines = facts.state.machines
    return [each for each in members.joining if machines is None or each.machine_id in machines]


def _names(facts: Facts, machine_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the VMs' nodes; CloudStack's name for a VM without a node."""
    names = dict(facts.state.names)
    names |= {each.machine_id: each.name for each in facts.request.instances}
    return tuple(names.get(machine_id, machine_id) for machine_id in machine_ids)


def _together(facts: Facts, assignments: Iterable[Assign]) -> tuple[Assign | AssignTogether, ...]:
    allowed = tuple(each for each in assignments if not facts.refusal(each))
    return (AssignTogether(allowed),) if len(allowed) > 1 else allowed


def _assigned(facts: Facts, rules: RulesPlan, wanted: Iterable[str]) -> frozenset[str]:
    """Return the wanted members that are in every rule; none if a rule is still to be created."""
    if not rules.is_complete or not rules.serving:
        return frozenset()
    return frozenset(wanted).intersection(
        *(facts.state.members_of(rule.id) for rule in rules.serving)
    )


def _condition(
    members: Membership,
    joining: Sequence[Instance],
    assigned: frozenset[str],
    complaints: Sequence[str],
) -> Condition:
    kind = "MembersReady"
    if members.blind:
        return Condition(kind, "False", "NoInstances", "No CloudStackInstance is known yet")
    off_network = _listed("not on the members' network", members.off_network)
    absent = [each.name for each in members.wanted if each not in joining]
    message = (
        f"{len(assigned)} of {len(members.wanted)} members are assigned"
        f"{off_network}{_listed('without a VM in CloudStack', absent)}"
    )
    if complaints:
        refusals = "; ".join(complaints[:_NAMED_REFUSALS])
        return Condition(kind, "False", "MembersRefused", f"{message}; {refusals}")
    if not members.wanted:
        return Condition(kind, "False", "NoMembers", f"No node may serve{off_network}")
    if assigned and assigned.issuperset(each.machine_id for each in joining):
        return Condition(kind, "True", "AllAssigned", message)
    return Condition(kind, "False", "AssigningMembers", message)


def _listed(label: str, nodes: Sequence[str]) -> str:
    return f"; {label}: {join_names(nodes, limit=_NAMED_NODES)}" if nodes else ""
