"""Load balancer rules, their members and stickiness policies."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from hooks.cloudstack.client import Client, Query
from hooks.cloudstack.commands.parameters import pairs, parameters
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    LoadBalancerRuleChange,
    Member,
    NewLoadBalancerRule,
    NewStickinessPolicy,
    StickinessPolicy,
    rule_policies,
)
from hooks.http.deadline import Deadline


class LoadBalancerRuleFilter(TypedDict, total=False):
    """Which rules are listed; `name` is compared whole, by CloudStack."""

    id: str
    name: str
    public_ip_id: str
    network_id: str
    tags: Mapping[str, str]


def list_load_balancer_rules(
    client: Client, *, deadline: Deadline, **where: Unpack[LoadBalancerRuleFilter]
) -> tuple[LoadBalancerRule, ...]:
    """List rules; the id of a deleted one is InvalidParameter."""
    query = Query("listLoadBalancerRules", "loadbalancerrule", LoadBalancerRule.from_json)
    return client.list_all(query, parameters(**where), deadline)


def create_load_balancer_rule(
    client: Client, rule: NewLoadBalancerRule, *, deadline: Deadline
) -> Job:
    """Create a rule; its id is the job's `resource_id`, and takes tags and members at once.

    A port that another rule of the address has is PortConflict; a protocol that the provider
    cannot do is InvalidParameter.
    """
    values = parameters(
        name=rule.name,
        algorithm=rule.algorithm,
        protocol=rule.protocol,
        public_port=rule.public_port,
        private_port=rule.private_port,
        public_ip_id=rule.public_ip_id,
        network_id=rule.network_id,
        open_firewall=rule.open_firewall,
        cidr_list=rule.cidrs or None,
    )
    return client.start("createLoadBalancerRule", values, deadline)


def update_load_balancer_rule(
    client: Client, rule_id: str, change: LoadBalancerRuleChange, *, deadline: Deadline
) -> Job:
    """Change a rule in place; it keeps its id, members and policies.

    The server takes any text as algorithm here, and fails in the job when nothing is changed.
    """
    values = parameters(
        id=rule_id,
        name=change.name,
        algorithm=change.algorithm,
        protocol=change.protocol,
        cidr_list=change.cidrs,
    )
    return client.start("updateLoadBalancerRule", values, deadline)


def delete_load_balancer_rule(client: Client, rule_id: str, *, deadline: Deadline) -> Job:
    """Delete a rule; one that is gone is InvalidParameter."""
    return client.start("deleteLoadBalancerRule", parameters(id=rule_id), deadline)


def list_load_balancer_rule_instances(
    client: Client, rule_id: str, *, deadline: Deadline
) -> tuple[Member, ...]:
    """List a rule's members with their addresses; stopped machines stay members."""
    query = Query("listLoadBalancerRuleInstances", "lbrulevmidip", Member.from_json)
    return client.list_all(query, parameters(id=rule_id, lb_vm_ips=True), deadline)


def assign_to_load_balancer_rule(
    client: Client, rule_id: str, machine_ids: Sequence[str], *, deadline: Deadline
) -> Job:
    """Add members; fails whole in the job if one of them is a member already."""
    values = parameters(id=rule_id, virtual_machine_ids=machine_ids)
    return client.start("assignToLoadBalancerRule", values, deadline)


def remove_from_load_balancer_rule(
    client: Client, rule_id: str, machine_ids: Sequence[str], *, deadline: Deadline
) -> Job:
    """Remove members; a machine that is not a member is ignored."""
    values = parameters(id=rule_id, virtual_machine_ids=machine_ids)
    return client.start("removeFromLoadBalancerRule", values, deadline)


def list_lb_stickiness_policies(
    client: Client, rule_id: str, *, deadline: Deadline
) -> tuple[StickinessPolicy, ...]:
    """List a rule's stickiness policies."""
    query = Query("listLBStickinessPolicies", "stickinesspolicies", rule_policies)
    answer = client.list_all(query, parameters(lb_rule_id=rule_id), deadline)
    return tuple(policy for policies in answer for policy in policies)


def create_lb_stickiness_policy(
    client: Client, policy: NewStickinessPolicy, *, deadline: Deadline
) -> Job:
    """Make a rule keep clients on their member; a method it cannot do is InvalidParameter."""
    values = parameters(
        lb_rule_id=policy.rule_id,
        name=policy.name,
        method_name=policy.method,
        param=pairs(dict(policy.params), key="name") or None,
    )
    return client.start("createLBStickinessPolicy", values, deadline)


def delete_lb_stickiness_policy(client: Client, policy_id: str, *, deadline: Deadline) -> Job:
    """Delete a stickiness policy."""
    return client.start("deleteLBStickinessPolicy", parameters(id=policy_id), deadline)
