"""Port forwarding rules: one port of an address, or a range, goes to one VM."""

from typing import Any

from simulator.building import leave_tier
from simulator.call import Answer, Call
from simulator.commands.firewall import (
    checked_cidr,
    conflict,
    forwarding_conflict,
    open_firewall,
    opens_firewall,
    read_protocol,
    rule_network,
)
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import Address, Network, Nic, PortForwardingRule, VirtualMachine
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_tags
from simulator.world import World

MAX_PORT = 65535


@command(
    "createPortForwardingRule",
    "ipaddressid:address! privateport:integer! protocol! publicport:integer! virtualmachineid:vm! "
    "privateendport:integer publicendport:integer cidrlist:list openfirewall:boolean "
    "networkid:network vmguestip",
    job="user.firewall.CreatePortForwardingRuleCmd",
)
def create_port_forwarding_rule(call: Call) -> Work:
    """Forward a port of an address to a VM; it opens the firewall unless told otherwise."""
    address, network, vm, nic = forwarding_target(call)
    protocol = read_protocol(call, network)
    public = read_range(call, "publicport", "publicendport")
    private = read_range(call, "privateport", "privateendport")
    check_ports_free(call.world, address, public, protocol)
    rule_id, number = call.world.identity("rule", f"forward/{address.name}/{protocol}/{public}")
    rule = PortForwardingRule(
        id=rule_id,
        number=number,
        name="",
        created=call.world.clock.now(),
        account=network.account,
        address=address,
        network=network,
        protocol=protocol,
        ports=public,
        private_ports=private,
        vm=vm,
        guest=nic.ipaddress,
        cidrs=[checked_cidr(cidr) for cidr in call.args.items("cidrlist")],
    )
    if opens_firewall(call, address):
        open_firewall(call.world, rule)
    call.world.forwarding_rules.add(rule)
    address.network = network

    def finish() -> Result:
        rule.state = "Active"
        return {"portforwardingrule": view_forwarding(call, rule)}

    return Work(
        finish,
        lambda: drop_forwarding(call.world, rule),
        rule.id,
        ("FirewallRule", rule.id),
        Load("rule", network.id, address.id),
    )


def forwarding_target(call: Call) -> tuple[Address, Network, VirtualMachine, Nic]:
    """Return the address, its network, the VM and the VM's NIC on that network."""
    address = call.args.entity("ipaddressid", Address)
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    assert address is not None and vm is not None  # noqa: S101, PT018 - required
    ready = address.account is not None and address.state == "Allocated"
    if not ready or (address.network is None and address.vpc is None):
        raise invalid(
            "Unable to create port forwarding rule ; ip with specified id is not associated "
            "with any network"
        )
    call.check_owner(address.account)
    if address.vm is not None:
        raise invalid(
            "Unable to create port forwarding rule; specified sourceip id has static nat enabled"
        )
    opens_firewall(call, address)
    network = rule_network(call, address, "port forwarding")
    if "PortForwarding" not in network.offering.services:
        raise invalid(f"There is no new provider for IP {address.name} of service PortForwarding!")
    nic = next((nic for nic in vm.nics if nic.network is network), None)
    if nic is None:
        raise invalid(f"Vm doesn't belong to the network with specified id {network.id}")
    return address, network, vm, nic


def read_range(call: Call, first: str, last: str) -> tuple[int, int]:
    """Return a range of ports; without an end it is one port."""
    start = call.args.integer(first)
    assert start is not None  # noqa: S101 - required
    end = call.args.integer(last)
    end = start if end is None else end
    for port in (start, end):
        if not 0 <= port <= MAX_PORT:
            shown = {"publicport": "publicPort", "privateport": "privatePort"}[first]
            raise invalid(f"{shown} is an invalid value: {port}")
    if start > end:
        raise invalid("Start port can't be bigger than end port")
    return start, end


def check_ports_free(world: World, address: Address, ports: tuple[int, int], protocol: str) -> None:
    """Refuse (537) ports that a rule of either kind has on the address."""
    for rule in world.rules:
        transport = "udp" if rule.protocol == "udp" else "tcp"
        if rule.address is not address or not ports[0] <= rule.publicport <= ports[1]:
            continue
        if transport == protocol or not world.settings.mixed_ports:
            raise conflict(rule, ports)
    forwarding_conflict(world, address, ports, protocol)


def drop_forwarding(world: World, rule: PortForwardingRule) -> None:
    """Remove a rule, and the firewall rule that its creation opened."""
    world.forwarding_rules.remove(rule)
    leave_tier(world, rule.address)
    for firewall in world.firewall_rules:
        if firewall.opened_by is rule:
            world.firewall_rules.remove(firewall)


@command(
    "deletePortForwardingRule",
    "id:portforwardingrule!",
    job="user.firewall.DeletePortForwardingRuleCmd",
)
def delete_port_forwarding_rule(call: Call) -> Work:
    """Delete a port forwarding rule, and the firewall rule that it opened."""
    rule = call.args.entity("id", PortForwardingRule)
    assert rule is not None  # noqa: S101 - required

    def finish() -> Result:
        if rule not in call.world.forwarding_rules:
            raise ApiError(530, f"Unable to find port forwarding rule {rule.number}")
        drop_forwarding(call.world, rule)
        return {"success": True}

    return Work(finish, load=Load("rule", rule.network.id, rule.address.id))


@command(
    "listPortForwardingRules",
    "id:portforwardingrule ipaddressid:address networkid:network@4.3 projectid:project account "
    "domainid:domain listall:boolean isrecursive:boolean tags:map",
)
def list_port_forwarding_rules(call: Call) -> Answer:
    """List port forwarding rules."""
    address = call.args.entity("ipaddressid", Address)
    if address is not None:
        if address.state != "Allocated":
            raise invalid(f"Ip address id={address.number} not ready for port forwarding rules yet")
        call.check_owner(address.account)
    found = [
        rule
        for rule in call.visible(call.world.forwarding_rules)
        if call.selects("id", rule)
        and (address is None or rule.address is address)
        and call.selects("networkid", rule.network)
    ]
    return call.listing("portforwardingrule", found, lambda rule: view_forwarding(call, rule))


def view_forwarding(call: Call, rule: PortForwardingRule) -> dict[str, Any]:
    """Show a rule: ports are strings, and so are the ends of ranges."""
    return {
        "id": rule.id,
        "privateport": str(rule.private_ports[0]),
        "privateendport": str(rule.private_ports[1]),
        "protocol": rule.protocol,
        "publicport": str(rule.ports[0]),
        "publicendport": str(rule.ports[1]),
        "virtualmachineid": rule.vm.id,
        "virtualmachinename": rule.vm.name,
        "virtualmachinedisplayname": rule.vm.displayname,
        "vmguestip": rule.guest,
        "ipaddressid": rule.address.id,
        "ipaddress": rule.address.name,
        "networkid": rule.network.id,
        "state": rule.state,
        "cidrlist": ",".join(rule.cidrs),
        "tags": view_tags(rule.tags),
        **({"fordisplay": True} if call.account.admin else {}),
    }
