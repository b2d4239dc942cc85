"""Decides what is done in CloudStack for one Service's load balancer, and what its status says.

One look at the world makes one plan, in this order:

1. network     where the members are; what cannot be served is said, and nothing is done
2. address     found again by status or tag, taken over, brought, or chosen (address.py)
3. rules       one a port, changed in place where CloudStack can (rules.py)
4. members     added and removed by difference (members.py)
5. firewall    opened for the rules that stand (firewall.py)

A stage plans only what it knows all ids for; the rest follows when the world has been looked at
again. A deletion goes through deletion.py. Nothing here asks, waits, or knows the time.
"""

from dataclasses import dataclass, replace

from hooks.cloudstack.models import LoadBalancerRule, NewLoadBalancerRule
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.plan import network, status
from hooks.loadbalancers.plan.actions import Action, DeleteSelf
from hooks.loadbalancers.plan.address import AddressPlan, plan_address
from hooks.loadbalancers.plan.deletion import teardown
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.firewall import FirewallPlan, plan_firewall
from hooks.loadbalancers.plan.members import MembersPlan, network_of, plan_members
from hooks.loadbalancers.plan.rules import RulesPlan, plan_rules
from hooks.loadbalancers.plan.status import Stages
from hooks.loadbalancers.plan.waits import CONTESTED, is_early
from hooks.names import EVENT_CONTESTED, EVENT_ORPHANED, EVENT_REPAIRED
from hooks.webhook.contract import CompositeResponse, Plan

#: Drift checks in a row that may find the same things undone before we stop redoing them.
MAX_REPAIRS = 3
#: Changes that an Event names; the others are counted.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Work:
    """The stages, and the actions that can be done now."""

    stages: Stages
    actions: tuple[Action, ...]


def plan(facts: Facts) -> Plan[Action]:
    """Answer one look at a load balancer: its status now, and what to do before the next look."""
    if facts.request.deleted_at is not None:
        return teardown(facts)
    if not facts.wanted:
        return _orphaned(facts)
    asked = fingerprint(facts.request)
    network_id = network_of(facts.request)
    if refusal := network.refusal(facts.network, network_id):
        return Plan(_no_network(facts, network_id, asked, refusal))
    work = _work(facts, network_id)
    if facts.request.spec.plan_only:
        return Plan(status.answer(facts, work.stages, asked, ("", 0)))
    drifted = facts.first_look and status.was_converged(facts.request, asked)
    repeated_drift = (
        _repeated_drift(facts, work)
        if drifted
        else facts.repeated_drift or facts.request.recorded.repeated_drift
    )
    if drifted and repeated_drift[1] > MAX_REPAIRS:
        return _contested(facts, asked, work, repeated_drift)
    response = status.answer(facts, work.stages, asked, repeated_drift)
    return Plan(response, work.actions, _repairs(facts, work) if drifted else ())


def _no_network(facts: Facts, network_id: str, asked: str, refusal: Condition) -> CompositeResponse:
    """Say that nothing can be done on the members' network; what is known of before stays."""
    recorded = facts.request.recorded.address
    if recorded and not recorded.is_choice:
        why = Condition("Ready", "False", refusal.reason, refusal.message)
        return status.stopped(facts.request, asked, facts.now, why)
    stages = _held_up(network_id, AddressPlan(refusal, recorded=recorded))
    return status.answer(facts, stages, asked, facts.request.recorded.repeated_drift)


def _work(facts: Facts, network_id: str) -> _Work:
    """Go through the stages."""
    address = plan_address(facts, network_id)
    if facts.request.spec.invalid:
        return _members_only(facts, network_id, address)
    if facts.request.spec.plan_only:
        return _shown(facts, network_id, address)
    if not address.ours:
        return _Work(_held_up(network_id, address), address.actions)
    return _served(facts, network_id, address)


def _served(facts: Facts, network_id: str, address: AddressPlan) -> _Work:
    """Plan rules, members and firewall of an address that is ours."""
    address_id = address.candidate.id if address.candidate else ""
    rules = _rules(facts, address_id, network_id)
    ports = len([each for each in rules.ports if each.rule or each.create])
    members = plan_members(facts, network_id, rules.standing, ports=ports)
    firewall = _firewall(facts, address_id, rules, rules.standing)
    actions = (*address.actions, *rules.actions, *members.actions, *firewall.actions)
    stages = Stages(
        network_id=network_id,
        address=address,
        rules=rules,
        members=members,
        conditions=(address.condition, rules.condition, members.condition, firewall.condition),
        working=bool(actions),
    )
    return _Work(stages, actions)


def _rules(facts: Facts, address_id: str, network_id: str) -> RulesPlan:
    assert facts.network is not None  # noqa: S101 - for the type checker; see _work
    by = network.enforcement(facts.request.spec, facts.network, facts.version)
    return plan_rules(facts, address_id, network_id, by)


def _firewall(
    facts: Facts, address_id: str, rules: RulesPlan, standing: tuple[LoadBalancerRule, ...]
) -> FirewallPlan:
    """Plan the firewall once all rules stand, so that contiguous ports make one firewall rule."""
    kind = "FirewallReady"
    if facts.network is None or not facts.network.has("Firewall"):
        said = "The network has no firewall; the rules let in the source ranges"
        return FirewallPlan((), Condition(kind, "True", "NoFirewall", said))
    if not facts.request.spec.open_firewall:
        closed = plan_firewall(facts, address_id, ())
        said = "The Service leaves the firewall to people"
        ready = Condition(kind, "True", "NotManaged", said)
        return FirewallPlan(closed.actions, closed.condition if closed.actions else ready)
    if not rules.complete and not facts.request.spec.plan_only:
        return FirewallPlan((), Condition(kind, "False", "WaitingForRules", "The rules come first"))
    return plan_firewall(facts, address_id, standing)


def _held_up(network_id: str, address: AddressPlan) -> Stages:
    """Say that everything waits for the address."""
    waiting = tuple(
        Condition(kind, "Unknown", "WaitingForAddress", "The address comes first")
        for kind in ("RulesReady", "MembersReady", "FirewallReady")
    )
    return Stages(
        network_id=network_id,
        address=address,
        rules=None,
        members=None,
        conditions=(address.condition, *waiting),
        working=address.waiting or bool(address.actions),
    )


def _members_only(facts: Facts, network_id: str, address: AddressPlan) -> _Work:
    """Keep the members of what stands right, and nothing else: the Service cannot work as it is."""
    if not address.ours:
        recorded = facts.request.recorded.address
        return _Work(_held_up(network_id, AddressPlan(address.condition, recorded=recorded)), ())
    work = _served(facts, network_id, address)
    members = work.stages.members
    actions = members.actions if members and not facts.request.spec.plan_only else ()
    return _Work(replace(work.stages, working=bool(actions)), actions)


def _shown(facts: Facts, network_id: str, address: AddressPlan) -> _Work:
    """List what would be done, to the end: ids that are not known yet are left out."""
    address_id = address.candidate.id if address.candidate else ""
    rules = _rules(facts, address_id, network_id)
    new = [_to_be(each.wanted) for each in rules.ports if each.create]
    standing = (*rules.standing, *new)
    members = plan_members(facts, network_id, standing, ports=len(standing))
    firewall = _firewall(facts, address_id, rules, standing)
    actions = (*address.actions, *rules.actions, *members.actions, *firewall.actions)
    now = plan_members(facts, network_id, rules.standing, ports=len(rules.ports))
    stages = Stages(
        network_id=network_id,
        address=address,
        rules=rules,
        members=MembersPlan((), members.condition, now.assigned, now.wanted),
        conditions=(address.condition, rules.condition, now.condition, firewall.condition),
        changes=tuple(dict.fromkeys(status.cut(str(action)) for action in actions)),
    )
    return _Work(stages, ())


def _to_be(rule: NewLoadBalancerRule) -> LoadBalancerRule:
    return LoadBalancerRule(
        id="",
        name=rule.name,
        public_ip_id=rule.public_ip_id,
        public_port=rule.public_port,
        private_port=rule.private_port,
        protocol=rule.protocol,
    )


def _repeated_drift(facts: Facts, work: _Work) -> tuple[str, int]:
    """Count how often in a row drift checks found the same things undone.

    What is right at an early check may yet be repeatedDrift: that it is right later counts.
    """
    what, times = facts.request.recorded.repeated_drift
    if not work.actions:
        return (what, times) if is_early(facts) else ("", 0)
    found = status.signature(str(action) for action in work.actions)
    return found, times + 1 if found == what else 1


def _repairs(facts: Facts, work: _Work) -> tuple[Event, ...]:
    """Tell people what had changed behind our back."""
    if not work.actions:
        return ()
    said = f"Repaired what had changed in CloudStack: {_named(work.actions)}"
    return (Event(facts.request.service, EVENT_REPAIRED, said),)


def _contested(
    facts: Facts, asked: str, work: _Work, repeated_drift: tuple[str, int]
) -> Plan[Action]:
    """Stop a quarrel: something changes back what we change, again and again."""
    said = (
        f"Something undoes this load balancer, {repeated_drift[1]} times in a row: "
        f"{_named(work.actions)}. "
        "Is another cloud provider running? Nothing is changed for an hour"
    )
    why = Condition("Ready", "False", "Contested", said)
    response = status.stopped(facts.request, asked, facts.now, why, waits=CONTESTED)
    response["status"]["repeatedDrift"] = {"what": repeated_drift[0], "times": repeated_drift[1]}
    event = Event(facts.request.service, EVENT_CONTESTED, said, type="Warning")
    return Plan(response, events=(event,))


def _orphaned(facts: Facts) -> Plan[Action]:
    """Delete an object that nobody owns and whose Service is gone: nobody else would."""
    request = facts.request
    service = f"{request.namespace}/{request.spec.service_name}"
    said = f"Service {service} is gone and nothing owns its load balancer: deleting it"
    response = status.unfinished(request, facts.now, None, said)
    event = Event(request.reference, EVENT_ORPHANED, said)
    return Plan(response, (DeleteSelf(request.namespace, request.name, request.uid),), (event,))


def _named(actions: tuple[Action, ...]) -> str:
    said = "; ".join(str(action) for action in actions[:_NAMED])
    more = len(actions) - _NAMED
    return f"{said}; and {more} more" if more > 0 else said
