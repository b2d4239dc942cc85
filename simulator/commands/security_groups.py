"""Security groups: made empty, deleted when no VM has them."""

from typing import Any

from simulator.building import default_group, make_group
from simulator.call import Answer, Call
from simulator.commands.vm_lists import view_group_name
from simulator.errors import ApiError, invalid
from simulator.groups import SecurityGroup, SecurityGroupRule
from simulator.model import VirtualMachine
from simulator.registry import command
from simulator.views import view_owner, view_tags


@command(
    "createSecurityGroup",
    "name! description projectid:project account domainid:domain",
)
def create_security_group(call: Call) -> Answer:
    """Create an empty group; its name is unique in the account."""
    owner, name = call.owner(), call.args.required("name")
    default_group(call.world, owner)
    if any(each.account is owner and each.name == name for each in call.world.groups):
        raise invalid(f"Unable to create security group, a group with name {name} already exists.")
    group = make_group(call.world, name, owner, call.args.text("description"))
    return {"securitygroup": view_group(call, group)}


@command("deleteSecurityGroup", "id:group! projectid:project account domainid:domain name")
def delete_security_group(call: Call) -> Answer:
    """Delete a group with its rules, unless a VM has it; a destroyed one counts until expunged."""
    group = call.args.entity("id", SecurityGroup)
    assert group is not None  # noqa: S101 - required
    if group.vms:
        raise ApiError(536, "Cannot delete group when it's in use by virtual machines")
    for rule in rules_of(call, group):
        call.world.group_rules.remove(rule)
    call.world.groups.remove(group)
    return {"success": True}


@command(
    "listSecurityGroups",
    "id:group securitygroupname virtualmachineid:vm projectid:project account domainid:domain "
    "listall:boolean isrecursive:boolean tags:map",
)
def list_security_groups(call: Call) -> Answer:
    """List groups with their rules and VMs, the oldest first."""
    default_group(call.world, call.owner())
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    if vm is not None:
        call.check_owner(vm.account)
    found = [
        group
        for group in call.visible(call.world.groups)
        if call.selects("id", group)
        and call.equals("securitygroupname", group.name)
        and (vm is None or vm in group.vms)
        and call.matches(group.name)
    ]
    return call.listing("securitygroup", found, lambda group: view_group(call, group))


def rules_of(call: Call, group: SecurityGroup) -> list[SecurityGroupRule]:
    """Return the rules of a group, the oldest first."""
    return [rule for rule in call.world.group_rules if rule.group is group]


def view_group(call: Call, group: SecurityGroup) -> dict[str, Any]:
    """Show a group with its rules, their tags, and its VMs."""
    rules, vms = rules_of(call, group), [vm.id for vm in group.vms]
    return {
        **view_group_name(group),
        **view_owner(group.account),
        **{
            f"{traffic.lower()}rule": [
                view_rule(rule) | {"tags": view_rule_tags(rule)}
                for rule in rules
                if rule.traffic == traffic
            ]
            for traffic in ("Ingress", "Egress")
        },
        "tags": view_tags(group.tags),
        "virtualmachinecount": len(vms),
        "virtualmachineids": vms,
    }


def view_rule(rule: SecurityGroupRule) -> dict[str, Any]:
    """Show a rule as the job that made it does: without tags."""
    first, last = ("icmptype", "icmpcode") if rule.protocol == "icmp" else ("startport", "endport")
    source: dict[str, Any] = {"cidr": rule.cidr}
    if rule.source is not None:
        source = {"securitygroupname": rule.source.name, "account": rule.source.account.name}
    return {
        "ruleid": rule.id,
        "protocol": rule.protocol,
        first: rule.ports[0],
        last: rule.ports[1],
        **source,
    }


def view_rule_tags(rule: SecurityGroupRule) -> list[dict[str, Any]]:
    """Show the tags of a rule, each with the rule that it is on."""
    where = {"resourcetype": "SecurityGroupRule", "resourceid": rule.id}
    return [each | where | view_owner(rule.account) for each in view_tags(rule.tags)]
