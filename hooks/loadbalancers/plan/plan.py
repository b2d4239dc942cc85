"""Decides what is done in CloudStack for one Service's load balancer, and what its status says.

Read these in order; each stage returns its condition and its actions:

1. address.py    recorded, tagged, shared, asked for, left by another provider, or chosen
                  (claims.py: which; sharing.py: of several Services; adoption.py: whether what a
                  former provider left is ours; kept_address.py: what becomes of one that is ours;
                  change.py: another one takes its place, with public_change.py and
                  internal_change.py; internal.py: one of the tier itself)
2. rules.py      one for each port, changed in place if CloudStack can (enforcement.py: what admits
                  the sources; stickiness.py: which policies rules have; certificates.py:
                  which certificates; port_rules.py: what becomes of each port)
3. members.py    added and removed by difference
4. firewall.py   opened for the rules that exist; on a VPC tier acl.py, items of its list
                  (tier_list.py), and internal_acl.py for internal load balancers (unread.py: what
                  waits while CloudStack does not list these)
5. schedule.py   when the next check is due, and how often the same drift was found
6. status.py     what is answered (publication.py: which address the Service may show)
7. deletion.py   the same for a load balancer that is deleted (takedown.py: of one address;
                  leftovers.py: what stays)

They use facts.py and certificate_facts.py (what is known), actions.py, sticky_actions.py and
certificate_actions.py (what may be done), networks.py (which networks can have a load balancer),
ownership.py (whose something is, in the words of whose.py; it compares former_names.py,
takeover_tag.py, share_tags.py and wanted_address.py),
tags.py (which tags are missing), seals.py (records that are ours), ranges.py (lists of source
ranges) and fingerprint.py (what is asked for, as one short text). losses.py tells that an address
was lost, is back, or is the user's. The call asks leases.py what needs a lease first, and
effects.py what CloudStack shows after an action. Who reads the facts asks allocations.py which tags
an older CloudStack kept of an earlier allocation.

A stage plans only actions whose ids are known. The rest follows after CloudStack is read again.
"""

from collections.abc import Sequence
from dataclasses import replace

from hooks.http.texts import join_sentences
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.plan import certificates, status
from hooks.loadbalancers.plan.acl import plan_acl
from hooks.loadbalancers.plan.actions import Action, DeleteOrphan
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.claims import lacks_tags, refuse_without_nodes
from hooks.loadbalancers.plan.deletion import plan_deletion
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import FirewallPlan, plan_firewall
from hooks.loadbalancers.plan.internal import find_other, plan_internal_address
from hooks.loadbalancers.plan.internal_acl import plan_internal_acl
from hooks.loadbalancers.plan.internal_change import plan_internal_change
from hooks.loadbalancers.plan.kept_address import plan_address
from hooks.loadbalancers.plan.losses import (
    address_events,
    change_events,
    naming_events,
    opening_events,
    record_events,
)
from hooks.loadbalancers.plan.members import plan_members
from hooks.loadbalancers.plan.networks import why_not_served
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.public_change import plan_change
from hooks.loadbalancers.plan.publication import withdrawal_events
from hooks.loadbalancers.plan.rules import own_rules, plan_rules
from hooks.loadbalancers.plan.schedule import (
    CONTESTED,
    MAX_REPAIRS,
    are_about_list,
    count_drift,
    is_drift_check,
    repairs,
)
from hooks.loadbalancers.plan.status import Stages
from hooks.loadbalancers.plan.unread import leave_open
from hooks.loadbalancers.recorded import RepeatedDrift
from hooks.names import (
    EVENT_CONTESTED,
    EVENT_ORPHANED,
    EVENT_REPAIRED,
    REASON_CONTESTED,
    REASON_DENIED_BY_LIST,
    REASON_NO_NETWORK,
)
from hooks.webhook.contract import CompositeResponse, Plan

#: Changes that an Event names; the others are counted.
_NAMED_CHANGES = 5


def plan(facts: Facts) -> Plan[Action]:
    """Return the load balancer's status now, and what to do before CloudStack is read again."""
    spec = facts.request.spec
    if facts.request.is_deleting:
        return plan_deletion(facts)
    if facts.is_orphan:
        return _delete_orphan(facts)
    if found := find_other(facts):
        return Plan(status.planned(facts, Stages(found), (), RepeatedDrift()))
    if refusal := not_served(facts):
        return Plan(_refuse_network(facts, refusal))
    stages = plan_stages(facts)
    if spec.plan_only:
        response = status.planned(facts, stages, (), RepeatedDrift())
        return Plan(response, events=tuple(withdrawal_events(facts, stages.address)))
    actions = stages.safe_actions if spec.invalid else stages.closing_actions or stages.actions
    repeated = count_drift(facts, actions)
    drift = repairs(facts, actions) if is_drift_check(facts) else ()
    if drift and repeated.times > MAX_REPAIRS:
        return _contested(facts, drift, repeated)
    events = [
        *address_events(facts, stages.address),
        *change_events(facts, stages.address),
        *withdrawal_events(facts, stages.address),
        *naming_events(facts, actions),
        *opening_events(facts, stages.firewall),
        *record_events(facts, actions),
        *certificates.events(facts),
    ]
    if drift:
        message = f"Repaired what had changed in CloudStack: {_named(drift)}"
        events.append(Event(facts.request.service, EVENT_REPAIRED, message))
    return Plan(status.planned(facts, stages, actions, repeated), actions, tuple(events))


def not_served(facts: Facts) -> Condition | None:
    """Return the condition that says why the network is not served; None if it is."""
    network, reason = facts.network, "NetworkNotServed"
    if not facts.request.network_id:
        reason, message = REASON_NO_NETWORK, "No node with a network is known yet"
    elif network is None:
        reason, hint = "NetworkNotVisible", "is the project or account right?"
        message = f"CloudStack does not show network {facts.request.network_id}: {hint}"
    elif not (message := why_not_served(network, internal=facts.request.spec.internal)):
        return None
    return Condition("AddressReady", "False", reason, message)


def plan_stages(facts: Facts) -> Stages:
    """Plan the stages. Rules, members and firewall wait for the address, except in plan mode."""

    def plan_at(address: AddressPlan) -> Stages:
        return _stages_at(facts, address)

    if facts.request.spec.internal:
        return plan_internal_change(facts, plan_at(plan_internal_address(facts)), plan_at)
    return plan_change(facts, plan_at(plan_address(facts)), plan_at)


def _stages_at(facts: Facts, address: AddressPlan) -> Stages:
    spec = facts.request.spec
    if spec.invalid and not address.is_ours:
        recorded = facts.request.recorded.address
        known = AddressPlan(address.condition, address_id=address.address_id, recorded=recorded)
        return _shut_out(facts, known)
    if not address.is_ours and not spec.plan_only:
        return _shut_out(facts, address)
    facts = facts.on(address.address_id)
    if facts.tier and (refusal := _refuse_tier(facts)):
        return Stages(replace(address, condition=refusal))
    rules = plan_rules(facts, address.address_id)
    return Stages(
        address=address,
        rules=rules,
        members=plan_members(facts, rules),
        firewall=leave_open(facts) or _plan_access(facts, address.address_id, rules),
    )


def _shut_out(facts: Facts, address: AddressPlan) -> Stages:
    """Keep members right, and shut out clients that may not come, where a tag is lacking.

    CloudStack may not let us write it again. Nothing else is done there, and nothing on an address
    that is about to be ours or that a takeover has begun with.
    """
    lacking = (each.id for each in facts.state.addresses if lacks_tags(facts, each))
    if address.address_id not in lacking or address.awaits_status:
        return Stages(address)
    here, waiting = facts.on(address.address_id), Stages(address)
    if not own_rules(here.owner, here.state.rules):
        return waiting
    rules = plan_rules(here, address.address_id)
    firewall = leave_open(here) or _plan_access(here, address.address_id, rules)
    members = plan_members(here, rules).actions
    return waiting._replace(
        rules=replace(waiting.rules, actions=rules.closing, narrowing=rules.closing),
        members=replace(waiting.members, actions=members),
        firewall=replace(waiting.firewall, actions=firewall.closing, closing=firewall.closing),
    )


def _plan_access(facts: Facts, address_id: str, rules: RulesPlan) -> FirewallPlan:
    """Plan what lets clients in, beside the rules."""
    if facts.tier is None:
        return plan_firewall(facts, address_id, rules)
    if facts.request.spec.internal:
        return plan_internal_acl(facts, facts.tier, rules)
    return plan_acl(facts, facts.tier, rules)


def _refuse_tier(facts: Facts) -> Condition | None:
    """Return why nothing is made on a tier: no node is on it, and no rule of ours is there.

    An address of a VPC fits any of its tiers, and each may be another cluster's.
    """
    has_rules = bool(own_rules(facts.owner, facts.state.rules))
    return None if has_rules else refuse_without_nodes(facts)


def _contested(facts: Facts, actions: Sequence[Action], drift: RepeatedDrift) -> Plan[Action]:
    """Do nothing for an hour: something undoes our repairs again and again.

    Without the items of a tier's list it serves on: a virtual router does not ask the list.
    """
    message = (
        f"Something has undone the same repairs {drift.times - 1} times in a row: "
        f"{_named(actions)}. "
        "Is another cloud provider running? Nothing is changed for an hour"
    )
    serves, known = are_about_list(actions), facts.request.recorded.address
    message = f"{known.ip} serves. {message}" if serves and known else message
    reason = REASON_DENIED_BY_LIST if serves else REASON_CONTESTED
    response = status.stopped(facts, reason, message, back_off=CONTESTED, serves=serves)
    response["status"]["repeatedDrift"] = {"what": drift.what, "times": drift.times}
    event = Event(facts.request.service, EVENT_CONTESTED, message, type="Warning")
    return Plan(response, events=(event,))


def _named(actions: Sequence[Action]) -> str:
    return join_sentences([str(action) for action in actions], limit=_NAMED_CHANGES)


def _refuse_network(facts: Facts, refusal: Condition) -> CompositeResponse:
    """Refuse the members' network. A load balancer that has its address keeps what is known."""
    recorded = facts.request.recorded
    if recorded.claimed:
        return status.stopped(facts, refusal.reason, refusal.message)
    stages = Stages(AddressPlan(refusal, recorded=recorded.address))
    return status.planned(facts, stages, (), recorded.repeated_drift)


def _delete_orphan(facts: Facts) -> Plan[Action]:
    """Delete an object without an owner whose Service is gone: nobody else would."""
    request = facts.request
    service = f"{request.service_namespace}/{request.spec.service.name}"
    message = f"Service {service} is gone and its load balancer has no owner: deleting it"
    response = status.unfinished(request, facts.now, message)
    event = Event(request.reference, EVENT_ORPHANED, message)
    return Plan(
        response,
        (DeleteOrphan(request.metadata.namespace, request.metadata.name, request.metadata.uid),),
        (event,),
    )
