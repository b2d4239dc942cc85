"""Load balancer rules, their members and stickiness policies."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from hooks.cloudstack.commands.parameters import Command, command, pairs
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRuleChange,
    NewInternalLoadBalancer,
    NewLoadBalancerRule,
)


def create_load_balancer_rule(rule: NewLoadBalancerRule) -> Command:
    """Create a rule; its id is the job's `resource_id`, and takes tags and members at once.

    On a VPC's address the first rule chooses the tier. A rule that names another one later is
    created on the first: compare the network of what was made.
    A port that another rule of the address has is refused with 537; a protocol that the provider
    cannot do is InvalidParameter.
    """
    values = asdict(rule)
    cidrs = values.pop("cidrs") or None
    return command("createLoadBalancerRule", **values, cidr_list=cidrs)


def create_load_balancer(new: NewInternalLoadBalancer) -> Command:
    """Create an internal load balancer; its id takes tags, members and policies as a rule's does.

    A port that another one of the address has is refused with 537, and with 533 an address that a
    VM has. A network that is no tier with internal load balancing is InvalidParameter.
    """
    return command(
        "createLoadBalancer",
        name=new.name,
        scheme="Internal",
        algorithm=new.algorithm,
        source_port=new.public_port,
        instance_port=new.private_port,
        source_ip_address=new.public_ip_id or None,
        network_id=new.network_id,
        source_ip_address_network_id=new.network_id,
    )


def update_load_balancer_rule(rule_id: str, change: LoadBalancerRuleChange) -> Command:
    """Change a rule in place; it keeps its id, members and policies.

    The server takes any text as algorithm here, and fails in the job when nothing is changed.
    """
    values = asdict(change)
    cidrs = values.pop("cidrs")
    return command("updateLoadBalancerRule", id=rule_id, **values, cidr_list=cidrs)


def delete_load_balancer_rule(rule_id: str) -> Command:
    """Delete a rule, or an internal load balancer; one that is gone is InvalidParameter."""
    return command("deleteLoadBalancerRule", id=rule_id)


def assign_to_load_balancer_rule(rule_id: str, vm_ids: Sequence[str]) -> Command:
    """Add members; fails whole in the job if one of them is a member already."""
    sent = command("assignToLoadBalancerRule", id=rule_id, virtual_machine_ids=vm_ids)
    return sent._replace(size=len(vm_ids))


def remove_from_load_balancer_rule(rule_id: str, vm_ids: Sequence[str]) -> Command:
    """Remove members; a VM that is not a member is ignored."""
    return command("removeFromLoadBalancerRule", id=rule_id, virtual_machine_ids=vm_ids)


def create_lb_stickiness_policy(
    rule_id: str, name: str, method: str, params: Mapping[str, str]
) -> Command:
    """Make a rule keep clients on their member, by a method such as LbCookie.

    It takes the place of the policy that the rule has, unless it is refused: a method or a
    parameter that the rule cannot do is InvalidParameter. Of several at once, all fail.
    """
    values = {"name": name, "method_name": method, "param": pairs(params, key="name") or None}
    return command("createLBStickinessPolicy", lb_rule_id=rule_id, **values)


def delete_lb_stickiness_policy(policy_id: str) -> Command:
    """Delete a stickiness policy."""
    return command("deleteLBStickinessPolicy", id=policy_id)
