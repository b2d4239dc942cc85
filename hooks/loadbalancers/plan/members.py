"""Which machines serve, on which network, and what that changes in the rules that stand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hooks.cloudstack.models import LoadBalancerRule
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.actions import Action, Assign, AssignTogether, Remove
from hooks.loadbalancers.plan.facts import Facts, Instance, LoadBalancerRequest


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is to serve.

    Attributes:
        wanted: the nodes whose machines may be members, on the network.
        joining: those of them that may be added: CloudStack has their machines.
        off_network: nodes that would serve, but have no card on the network.
        blind: there is no Instance at all, so nothing is known and nothing is removed.
    """

    wanted: tuple[Instance, ...]
    joining: tuple[Instance, ...]
    off_network: tuple[str, ...]
    blind: bool


@dataclass(frozen=True, slots=True)
class MembersPlan:
    """What to do for the members, and what is so now."""

    actions: tuple[Action, ...]
    condition: Condition
    assigned: int
    wanted: int
    problem: str = ""


def network_of(request: LoadBalancerRequest) -> str:
    """Choose the members' network: the one that most of the nodes are on; empty without any.

    Of several, the one that is the default network of most, then the one that is already used.
    """
    serving = [each for each in request.instances if each.serves]
    selected = [each for each in serving if _selected(request, each)]
    pool = selected or serving or request.instances
    recorded = request.recorded.address
    if recorded and not recorded.is_choice and recorded.network_id:
        return recorded.network_id
    on: Counter[str] = Counter()
    default: Counter[str] = Counter()
    for instance in pool:
        on.update({attachment.network_id for attachment in instance.attachments})
        default.update(
            {attachment.network_id for attachment in instance.attachments if attachment.default}
        )
    used = request.recorded.network_id
    return max(on, key=lambda each: (on[each], default[each], each == used, each), default="")


def membership(request: LoadBalancerRequest, network_id: str) -> Membership:
    """Find the nodes that may serve: stable node set, node selector, a card on the network."""
    serving = [each for each in request.instances if each.serves and _selected(request, each)]
    wanted = tuple(each for each in serving if each.on(network_id))
    return Membership(
        wanted=wanted,
        joining=tuple(each for each in wanted if not each.missing),
        off_network=tuple(each.name for each in serving if not each.on(network_id)),
        blind=not request.instances,
    )


def is_one_change(request: LoadBalancerRequest) -> bool:
    """Tell whether there is most likely one change to make, of one rule's members: all else stands.

    A guess, made before CloudStack is asked: it decides whom to wait for, not what is done.
    """
    all_else = ("AddressReady", "RulesReady", "FirewallReady")
    return (
        request.deleted_at is None
        and len(request.spec.ports) == 1
        and request.recorded.status.get("observedGeneration") == request.generation
        and all(request.recorded.condition(kind).get("status") == "True" for kind in all_else)
    )


def plan_members(
    facts: Facts, network_id: str, rules: Sequence[LoadBalancerRule], *, ports: int
) -> MembersPlan:
    """Bring the members of the rules that stand to those that are wanted, by difference.

    Args:
        facts: with the members of each rule.
        network_id: the rules' network.
        rules: ours, as they will stay.
        ports: how many rules are to stand in the end.
    """
    members = membership(facts.request, network_id)
    joining = _joinable(facts, members)
    assignments, removals = [], []
    for rule in rules:
        there = facts.state.members_of(rule.id)
        new = [each for each in joining if each.machine_id not in there]
        if new:
            ids = tuple(each.machine_id for each in new)
            assignments.append(Assign(rule.id, rule.name, ids, tuple(each.name for each in new)))
        gone = () if members.blind else _gone(there, members.wanted)
        if gone:
            removals.append(Remove(rule.id, rule.name, gone, _names(facts, gone)))
    problem = "; ".join(facts.complaints((*assignments, *removals))[:3])
    actions = _together(
        [each for each in assignments if not facts.refused(each)],
        [each for each in removals if not facts.refused(each)],
    )
    assigned = _assigned(facts, members, rules, ports)
    return MembersPlan(
        actions=actions,
        condition=_condition(members, joining, assigned, problem),
        assigned=len(assigned),
        wanted=len(members.wanted),
        problem=problem,
    )


def _selected(request: LoadBalancerRequest, instance: Instance) -> bool:
    labels = dict(instance.labels)
    return all(labels.get(key) == value for key, value in request.spec.node_selector)


def _joinable(facts: Facts, members: Membership) -> list[Instance]:
    """Leave out machines that CloudStack does not have: one of them fails a whole assignment."""
    there = facts.state.machines
    return [each for each in members.joining if there is None or each.machine_id in there]


def _gone(there: Iterable[str], wanted: Iterable[Instance]) -> tuple[str, ...]:
    return tuple(sorted(set(there) - {each.machine_id for each in wanted}))


def _names(facts: Facts, machine_ids: Iterable[str]) -> tuple[str, ...]:
    """Name machines by their nodes; those that no node is known of, as CloudStack does."""
    recorded = dict(facts.state.names) | {
        each.machine_id: each.name for each in facts.request.instances
    }
    return tuple(recorded.get(machine_id, machine_id) for machine_id in machine_ids)


def _together(assignments: Sequence[Assign], removals: Sequence[Remove]) -> tuple[Action, ...]:
    """Order the changes: first in, then out, so that no rule is without members in between."""
    together: tuple[Action, ...] = tuple(assignments)
    if len(assignments) > 1:
        together = (AssignTogether(tuple(assignments)),)
    return (*together, *removals)


def _assigned(
    facts: Facts, members: Membership, rules: Sequence[LoadBalancerRule], ports: int
) -> frozenset[str]:
    """Find the wanted members that are in every rule; a rule that is missing has none."""
    if len(rules) < ports or not rules:
        return frozenset()
    wanted = frozenset(each.machine_id for each in members.wanted)
    return wanted.intersection(*(facts.state.members_of(rule.id) for rule in rules))


def _condition(
    members: Membership, joining: Sequence[Instance], assigned: frozenset[str], problem: str
) -> Condition:
    kind = "MembersReady"
    if members.blind:
        return Condition(kind, "False", "NoInstances", "No CloudStackInstance is known yet")
    said = f"{len(assigned)} of {len(members.wanted)} members are assigned"
    absent = [each.name for each in members.wanted if each not in joining]
    said += _listed("not on the members' network", members.off_network)
    said += _listed("without a machine in CloudStack", absent)
    if problem:
        return Condition(kind, "False", "MembersRefused", f"{said}; {problem}")
    if not members.wanted:
        none = "No node may serve" + _listed("not on the members' network", members.off_network)
        return Condition(kind, "False", "NoMembers", none)
    if assigned.issuperset(each.machine_id for each in joining) and assigned:
        return Condition(kind, "True", "AllAssigned", said)
    return Condition(kind, "False", "AssigningMembers", said)


def _listed(what: str, nodes: Sequence[str]) -> str:
    """Name some nodes and count the others; nothing without any."""
    if not nodes:
        return ""
    more = f" and {len(nodes) - 5} more" if len(nodes) > 5 else ""
    return f"; {what}: {', '.join(nodes[:5])}{more}"
