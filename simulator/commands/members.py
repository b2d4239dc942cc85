"""The members of a rule: a call assigns all its VMs or none, and removes any."""

from typing import Any

from simulator.call import Answer, Call
from simulator.commands.load_balancers import check_exists, required_rule
from simulator.commands.vm_lists import view_vm
from simulator.errors import ApiError, unknown_entity
from simulator.jobs import Result, Work
from simulator.model import InternalLoadBalancer, LoadBalancerRule, Member, VirtualMachine
from simulator.registry import command
from simulator.timing import BALANCER_START, Load
from simulator.world import World

FAILED = "Failed to assign load balancer rule"
GONE = frozenset({"Destroyed", "Expunging", "Error"})


@command(
    "assignToLoadBalancerRule",
    "id:rule! virtualmachineids:vm+ vmidipmap:map@4.4",
    job="user.loadbalancer.AssignToLoadBalancerRuleCmd",
)
def assign_to_load_balancer_rule(call: Call) -> Work:
    """Assign VMs to a rule: all of them, or none if one is unsuitable or assigned already."""
    rule = required_rule(call)
    wanted = wanted_members(call)

    def finish() -> Result:
        check_exists(call.world, rule)
        added = [member_for(rule, vm, address) for vm, address in wanted]
        if not added or len({member.vm.id for member in added}) < len(added):
            raise ApiError(530, FAILED)
        rule.members.extend(added)
        return {"success": True}

    return Work(finish, load=assignment(call.world, rule, len(wanted)))


def wanted_members(call: Call) -> list[tuple[VirtualMachine, str | None]]:
    """Return the VMs that a call names, each with its requested address."""
    vms = call.args.entities("virtualmachineids", VirtualMachine)
    wanted: list[tuple[VirtualMachine, str | None]] = [(vm, None) for vm in vms]
    for entry in call.args.maps("vmidipmap"):
        vm = call.world.vms.find(entry.get("vmid", ""))
        if vm is None:
            raise unknown_entity(call.command.label, "vmidipmap", entry.get("vmid", ""))
        call.check_owner(vm.account)
        wanted.append((vm, entry.get("vmip")))
    return wanted


def member_for(rule: LoadBalancerRule, vm: VirtualMachine, address: str | None) -> Member:
    """Return a VM as a member, if it is alive, new in the rule, and in its network."""
    nic = next((nic for nic in vm.nics if nic.network is rule.network), None)
    known = any(member.vm is vm for member in rule.members)
    if nic is None or known or vm.state in GONE:
        raise ApiError(530, FAILED)
    if address is not None and address not in {nic.ipaddress, *nic.secondary.values()}:
        raise ApiError(530, FAILED)
    return Member(vm, address or nic.ipaddress)


def assignment(world: World, rule: LoadBalancerRule, added: int) -> Load:
    """Return the load of an assignment: the router gets all members of the network.

    The first member at an internal address starts the VM that balances there.
    """
    present = sum(len(other.members) for other in world.rules if other.network is rule.network)
    where = rule.network.id, rule.address.id
    here = (other for other in world.rules if other.address is rule.address)
    starts = isinstance(rule, InternalLoadBalancer) and not any(other.members for other in here)
    more = BALANCER_START if starts else 0.0
    return Load("assignment", *where, members=present + added, added=added, more=more)


@command(
    "removeFromLoadBalancerRule",
    "id:rule! virtualmachineids:vm+ vmidipmap:map@4.4",
    job="user.loadbalancer.RemoveFromLoadBalancerRuleCmd",
)
def remove_from_load_balancer_rule(call: Call) -> Work:
    """Remove VMs from a rule; one that is not assigned is ignored."""
    rule = required_rule(call)
    leaving = wanted_members(call)

    def finish() -> Result:
        check_exists(call.world, rule)
        if not leaving:
            raise ApiError(530, "Failed to remove instance from load balancer rule")
        rule.members[:] = [m for m in rule.members if not any(m.vm is vm for vm, _ in leaving)]
        return {"success": True}

    load = Load("removal", rule.network.id, rule.address.id, members=len(rule.members))
    return Work(finish, load=load)


@command(
    "listLoadBalancerRuleInstances",
    "id:rule! applied:boolean lbvmips:boolean",
)
def list_load_balancer_rule_instances(call: Call) -> Answer:
    """List all members of a rule, whatever the page; with `lbvmips` also their addresses."""
    rule = required_rule(call)
    call.check_owner(rule.account)
    members = rule.members if call.args.flag("applied", default=True) else []
    if not members:
        return {}
    if call.args.flag("lbvmips"):
        key, shown = "lbrulevmidip", [view_with_address(call, member) for member in members]
    else:
        key = "loadbalancerruleinstance"
        shown = [view_vm(call, member.vm) for member in members]
    return {"count": len(shown), key: shown}


def view_with_address(call: Call, member: Member) -> dict[str, Any]:
    """Show a member with its addresses."""
    return {
        "loadbalancerruleinstance": view_vm(call, member.vm),
        "lbvmipaddresses": [member.ipaddress],
    }
