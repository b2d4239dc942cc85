"""Decides which VMs are added to the existing rules, and which are removed."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import inf

from hooks.http.texts import join_names, join_sentences
from hooks.kube.conditions import Condition
from hooks.loadbalancers.instances import Instance
from hooks.loadbalancers.plan.actions import Action, Assign, MembersTogether, Remove, StagePlan
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.fingerprint import is_asked_still, was_asked_with
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import (
    REASON_CLOUDSTACK_REFUSED,
    REASON_INSTANCES_GONE,
    REASON_NO_ENDPOINTS,
    REASON_NO_INSTANCES,
    REASON_NO_MEMBERS,
    REASON_NO_RUNNING_MEMBERS,
    REASON_NODES_RETURNING,
)

#: The reason for which the rules have the members that they should have, and no others.
ALL_ASSIGNED = "AllAssigned"
#: Seconds until the Nodes of members without an Instance are looked at again.
UNLISTED_LOOK = 30.0
#: How many nodes, and how many refusals, a condition names.
_NAMED_NODES = 5
_NAMED_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class MembersPlan(StagePlan):
    """The members stage: what to do, and how many members there are now.

    Attributes:
        assigned: wanted members that are in every rule.
        wanted: members that every rule should have, with the nodes on other networks, which it
            cannot have; None if that is not known yet.
        missing: which nodes cannot be members, or do not run, a text for each cause.
        due: seconds until a node may join that has to wait.
    """

    assigned: int = 0
    wanted: int | None = None
    missing: tuple[str, ...] = ()
    due: float = inf


@dataclass(frozen=True, slots=True)
class RecordedMembers:
    """What a status tells of the members of rules.

    Attributes:
        lists: the names of the members by VM id, by rule id; empty if it does not tell.
        alike: the ids of the rules that had the same members then, whoever these are.
    """

    lists: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    alike: frozenset[str] = frozenset()


#: A status that tells nothing of members.
NOTHING_RECORDED = RecordedMembers()


def plan_members(facts: Facts, rules: RulesPlan) -> MembersPlan:
    """Plan the members of the rules by difference: CloudStack refuses one that is a member already.

    Members are added before others are removed, so that no rule is without any in between. A node
    whose endpoints come and go is removed at once, and waits before it joins again.
    """
    wanted, waits = _wanted(facts), _waits(facts, rules)
    wanted_ids = frozenset(each.vm_id for each in wanted)
    joining = [each for each in wanted if _may_join(facts, each) and each.vm_id not in waits]
    assignments, removals = _changes(facts, rules, joining, wanted_ids)
    unread = facts.state.unread_members
    joins = tuple(each for each in assignments if not facts.refusal(each))
    leaves = tuple(each for each in removals if not facts.refusal(each))
    # In plan mode nothing changes, so the rules that exist count.
    counted = rules.existing if facts.request.spec.plan_only else rules.serving
    in_all = [facts.state.members_of(rule.id) for rule in counted if rule.id not in unread]
    is_known = bool(in_all) and (rules.is_complete or facts.request.spec.plan_only)
    assigned = wanted_ids.intersection(*in_all) if is_known else frozenset()
    complaints = facts.complaints((*assignments, *removals))
    waits = {vm_id: seconds for vm_id, seconds in waits.items() if vm_id not in assigned}
    missing = _missing(facts, wanted, waits)
    hidden = [f"{each.name}: {unread[each.id]}" for each in counted if each.id in unread]
    is_counted = _is_known(facts, wanted) and (bool(in_all) or not hidden)
    if complaints:
        condition = _refused(facts, wanted, assigned, (*missing, *complaints[:_NAMED_REFUSALS]))
    elif hidden:
        condition = _unread(hidden)
    else:
        found = _condition(facts, wanted, assigned, missing, waits)
        condition = _while_removing(_while_unlisted(found, facts), leaves)
    return MembersPlan(
        condition=condition,
        actions=(*_together(joins), *_together(leaves)),
        assigned=len(assigned),
        wanted=_count(facts, wanted) if is_counted else None,
        missing=missing,
        due=min((*waits.values(), *_looks_again(facts)), default=inf),
    )


def _together(changes: tuple[Assign, ...] | tuple[Remove, ...]) -> tuple[Action, ...]:
    """Return changes of several rules as one action, which makes them side by side."""
    return (MembersTogether(changes),) if len(changes) > 1 else changes


def _changes(
    facts: Facts, rules: RulesPlan, joining: Sequence[Instance], wanted_ids: Set[str]
) -> tuple[list[Assign], list[Remove]]:
    """Return who is added to each rule whose members are known, and who is removed."""
    assignments, removals = [], []
    for rule in (*rules.serving, *rules.future):
        if rule.id in facts.state.unread_members:
            continue
        current = facts.state.members_of(rule.id)
        if new := [each for each in joining if each.vm_id not in current]:
            ids = tuple(each.vm_id for each in new)
            assignments.append(Assign(rule.id, rule.name, ids, tuple(each.name for each in new)))
        # Without any Instance, nothing is known of the nodes, and no member is removed.
        leaving = current - wanted_ids - facts.state.unlisted.keys()
        if (old := tuple(sorted(leaving))) and facts.request.instances:
            removals.append(Remove(rule.id, rule.name, old, _names(facts, old)))
    return assignments, removals


def recorded_members(
    request: LoadBalancerRequest, known: Iterable[Mapping[str, str]] = ()
) -> RecordedMembers:
    """Return what the status tells of the rules' members; nothing where it leaves a doubt.

    Where all was right, all nodes that were wanted then were members, and nobody else: those that
    are wanted now, or some that are `known`, if the fingerprint is of them. A check that failed
    keeps the conditions of an earlier one, so that the fingerprint says nothing of the members.
    """
    recorded = request.recorded
    condition = recorded.condition("MembersReady")
    is_right = recorded.fingerprint and recorded.condition("Ready").status == "True"
    if not is_right or (condition.status, condition.reason) != ("True", ALL_ASSIGNED):
        return NOTHING_RECORDED
    alike = frozenset(rule.id for rule in recorded.rules if rule.id)
    found: Mapping[str, str] | None
    if not is_asked_still(recorded.fingerprint, request):
        asked = (each for each in known if was_asked_with(recorded.fingerprint, request, each))
        found = next(asked, None)
    elif any(each.is_missing for each in request.members):
        found = None
    else:
        found = {each.vm_id: each.name for each in request.members}
    return RecordedMembers({} if found is None else dict.fromkeys(alike, found), alike)


def _wanted(facts: Facts) -> tuple[Instance, ...]:
    """Return who should be a member: while no endpoint serves, who is one of any rule by now."""
    members = facts.request.members
    if not facts.request.lacks_endpoints:
        return members
    present = {vm for known in facts.state.members.values() for vm in known}
    return tuple(each for each in members if each.vm_id in present)


def _waits(facts: Facts, rules: RulesPlan) -> Mapping[str, float]:
    """Return for how many seconds nodes do not join, by VM id: none where no other node serves."""
    present = set().union(*(facts.state.members_of(each.id) for each in rules.serving))
    waits = {
        each.vm_id: facts.returning[each.vm_id]
        for each in facts.request.members
        if each.vm_id in facts.returning and each.vm_id not in present
    }
    others = [each for each in facts.request.members if each.vm_id not in waits]
    is_served = any(_may_join(facts, each) and not each.is_stopped for each in others)
    return waits if is_served else {}


def _count(facts: Facts, wanted: Sequence[Instance]) -> int:
    """Count the members that are wanted, with the nodes on other networks."""
    return len(wanted if facts.request.lacks_endpoints else facts.request.serving_nodes)


def _is_known(facts: Facts, wanted: Sequence[Instance]) -> bool:
    """Tell whether it is known who should be a member: not while that waits for an endpoint."""
    return bool(facts.request.instances and (wanted or not facts.request.lacks_endpoints))


def _may_join(facts: Facts, instance: Instance) -> bool:
    """Tell whether CloudStack has a node's VM: one that is gone fails a whole assignment."""
    vms = facts.state.vms
    return not instance.is_missing and (vms is None or instance.vm_id in vms)


def _names(facts: Facts, vm_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the VMs' nodes; CloudStack's name for a VM without a node."""
    names = {vm: name for members in facts.state.members.values() for vm, name in members.items()}
    names |= {each.vm_id: each.name for each in facts.request.instances}
    return tuple(names.get(vm_id) or vm_id for vm_id in vm_ids)


def _missing(facts: Facts, wanted: Sequence[Instance], waits: Collection[str]) -> tuple[str, ...]:
    """Name the nodes that are not to be members now, or do not run, a text for each cause.

    A stopped VM stays a member, as a node that is not Ready does (KEP-3458): it may be back soon.
    """
    network_id = facts.request.network_id
    causes = {
        "not on the members' network": [
            each.name for each in facts.request.serving_nodes if not each.is_on(network_id)
        ],
        "without a VM in CloudStack": [each.name for each in wanted if not _may_join(facts, each)],
        "with a stopped VM": [each.name for each in wanted if each.is_stopped],
        "waiting to join again, as their endpoints come and go": [
            each.name for each in wanted if each.vm_id in waits
        ],
    }
    return tuple(
        f"{cause}: {join_names(nodes, limit=_NAMED_NODES)}"
        for cause, nodes in causes.items()
        if nodes
    )


def _unread(hidden: Sequence[str]) -> Condition:
    """Say which rules' members CloudStack does not list, in its words: nothing is done there."""
    words = join_sentences(hidden, limit=_NAMED_REFUSALS)
    message = f"Members are unknown, and none is added or removed there: {words}"
    return Condition("MembersReady", "Unknown", REASON_CLOUDSTACK_REFUSED, message)


def _looks_again(facts: Facts) -> tuple[float, ...]:
    """Return when to look at Nodes again: nobody calls when one goes that has no Instance."""
    return (UNLISTED_LOOK,) if facts.state.unlisted else ()


def _while_unlisted(condition: Condition, facts: Facts) -> Condition:
    """Say that members stay whose Instances are gone, if all others are right."""
    unlisted = facts.state.unlisted
    if condition.reason != ALL_ASSIGNED or not unlisted:
        return condition
    names = join_names(sorted(unlisted.values()), limit=_NAMED_NODES)
    message = f"{condition.message}; members stay whose Nodes have lost their Instance: {names}"
    return replace(condition, reason=REASON_INSTANCES_GONE, message=message)


def _while_removing(condition: Condition, leaves: Sequence[Remove]) -> Condition:
    """Say that members are still to be removed, if nothing else is to be said."""
    if condition.reason != ALL_ASSIGNED or not leaves:
        return condition
    nodes = tuple(dict.fromkeys(name for each in leaves for name in each.nodes))
    message = f"{condition.message}; to be removed: {join_names(nodes, limit=_NAMED_NODES)}"
    return replace(condition, reason="RemovingMembers", message=message)


def _counted(
    facts: Facts, wanted: Sequence[Instance], assigned: Set[str], more: Iterable[str]
) -> str:
    return "; ".join((f"{len(assigned)} of {_count(facts, wanted)} members are assigned", *more))


def _refused(
    facts: Facts, wanted: Sequence[Instance], assigned: Set[str], more: Iterable[str]
) -> Condition:
    """Say what CloudStack refused."""
    message = _counted(facts, wanted, assigned, more)
    return Condition("MembersReady", "False", "MembersRefused", message)


def _condition(
    facts: Facts,
    wanted: Sequence[Instance],
    assigned: Set[str],
    missing: Sequence[str],
    waits: Collection[str],
) -> Condition:
    kind, count = "MembersReady", _count(facts, wanted)
    if not facts.request.instances:
        return Condition(kind, "False", REASON_NO_INSTANCES, "No CloudStackInstance is known yet")
    message = _counted(facts, wanted, assigned, missing)
    if facts.request.lacks_endpoints and facts.request.members:
        stay = f"members stay until one has: {count}" if count else "there is no member until then"
        message = f"No node that may serve has a ready endpoint of the Service; {stay}"
        return Condition(kind, "False", REASON_NO_ENDPOINTS, message)
    if not wanted:
        return Condition(
            kind, "False", REASON_NO_MEMBERS, "; ".join(("No node may serve", *missing))
        )
    expected = [each for each in wanted if _may_join(facts, each) and each.vm_id not in waits]
    if not assigned or any(each.vm_id not in assigned for each in expected):
        return Condition(kind, "False", "AssigningMembers", message)
    if facts.request.has_no_running_members:
        return Condition(kind, "False", REASON_NO_RUNNING_MEMBERS, f"None runs: {message}")
    if count > 2 * len(wanted):
        return Condition(kind, "False", "MembersElsewhere", message)
    reason = REASON_NODES_RETURNING if waits else ALL_ASSIGNED
    return Condition(kind, "True", reason, message)
