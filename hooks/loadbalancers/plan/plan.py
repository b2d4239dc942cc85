"""Decides what is done in CloudStack for one Service's load balancer, and what its status says.

Read these in order; each stage returns its condition and its actions:

1. nodes.py      which nodes may be members, and on which network
2. network.py    whether that network is served, and what enforces source ranges there
3. address.py    recorded, tagged, asked for, left by another provider, or chosen
4. rules.py      one for each port, changed in place if CloudStack can
5. members.py    added and removed by difference
6. firewall.py   opened for the rules that exist
7. drift.py      repairs are announced, counted, and stopped if something undoes them
8. status.py     what is answered, with schedule.py: when the next check is due
9. deletion.py   the same for a load balancer that is deleted

A stage plans only actions whose ids are known. The rest follows after CloudStack is read again.
"""

from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.plan import drift, network, status
from hooks.loadbalancers.plan.actions import Action, DeleteOrphan
from hooks.loadbalancers.plan.address import AddressPlan, plan_address
from hooks.loadbalancers.plan.deletion import plan_deletion
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import FirewallPlan, plan_firewall
from hooks.loadbalancers.plan.members import MembersPlan, plan_members
from hooks.loadbalancers.plan.rules import RulesPlan, plan_rules
from hooks.loadbalancers.plan.status import Stages
from hooks.loadbalancers.request import RepeatedDrift
from hooks.names import EVENT_ORPHANED
from hooks.webhook.contract import CompositeResponse, Plan


def plan(facts: Facts) -> Plan[Action]:
    """Return the load balancer's status now, and what to do before CloudStack is read again."""
    spec = facts.request.spec
    if facts.request.deleted_at is not None:
        return plan_deletion(facts)
    if not facts.is_wanted:
        return _delete_orphan(facts)
    if refusal := network.refusal(facts):
        return Plan(_not_served(facts, refusal))
    stages = plan_stages(facts)
    if spec.plan_only:
        return Plan(status.planned(facts, stages, (), RepeatedDrift()))
    actions = stages.members.actions if spec.invalid else stages.actions
    repeated = drift.count_drift(facts, actions)
    is_drift = drift.is_found_now(facts)
    if is_drift and repeated.times > drift.MAX_REPAIRS:
        return drift.contested(facts, actions, repeated)
    events = (drift.repaired(facts, actions),) if is_drift and actions else ()
    return Plan(status.planned(facts, stages, actions, repeated), actions, events)


def plan_stages(facts: Facts) -> Stages:
    """Plan the stages. Rules, members and firewall wait for the address, except in plan mode."""
    spec = facts.request.spec
    address = plan_address(facts)
    if spec.invalid and not address.is_ours:
        recorded = facts.request.recorded.address
        return _waiting(AddressPlan(address.condition, recorded=recorded))
    if not address.is_ours and not spec.plan_only:
        return _waiting(address)
    rules = plan_rules(facts, address.address_id)
    return Stages(
        address=address,
        rules=rules,
        members=plan_members(facts, rules),
        firewall=plan_firewall(facts, address.address_id, rules),
    )


def _waiting(address: AddressPlan) -> Stages:
    """Return stages in which everything waits for the address."""

    def condition(kind: str) -> Condition:
        return Condition(kind, "Unknown", "WaitingForAddress", "The address comes first")

    return Stages(
        address=address,
        rules=RulesPlan(condition("RulesReady")),
        members=MembersPlan(condition("MembersReady")),
        firewall=FirewallPlan(condition("FirewallReady")),
    )


def _not_served(facts: Facts, refusal: Condition) -> CompositeResponse:
    """Refuse the members' network. A load balancer that has its address keeps what is known."""
    recorded = facts.request.recorded.address
    if recorded and not recorded.is_choice:
        return status.stopped(facts, refusal.reason, refusal.message)
    stages = _waiting(AddressPlan(refusal, recorded=recorded))
    return status.planned(facts, stages, (), facts.request.recorded.repeated_drift)


def _delete_orphan(facts: Facts) -> Plan[Action]:
    """Delete an object without an owner whose Service is gone: nobody else would."""
    request = facts.request
    service = f"{request.namespace}/{request.spec.service.name}"
    message = f"Service {service} is gone and its load balancer has no owner: deleting it"
    response = status.unfinished(request, facts.now, message)
    event = Event(request.reference, EVENT_ORPHANED, message)
    return Plan(response, (DeleteOrphan(request.namespace, request.name, request.uid),), (event,))
