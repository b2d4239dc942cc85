"""Firewall rules of addresses: which ports are open to which clients."""

from ipaddress import IPv4Network
from typing import Any

from simulator.call import Answer, Call
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import Address, FirewallRule, LoadBalancerRule, Network, PortForwardingRule
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_tags
from simulator.world import World

ANYWHERE = "0.0.0.0/0"
PROTOCOLS = frozenset({"tcp", "udp", "icmp", "all"})
MAX_PORT = 65535


def conflict(
    rule: LoadBalancerRule | FirewallRule | PortForwardingRule, wanted: tuple[int, int]
) -> ApiError:
    """Refuse (537) ports that a rule of the address already has."""
    if isinstance(rule, FirewallRule):
        purpose, there, detail = "Firewall", rule.ports or (0, 0), 4360
    elif isinstance(rule, PortForwardingRule):
        purpose, there, detail = "PortForwarding", rule.ports, 9999
    else:
        purpose, there, detail = "LoadBalancing", (rule.publicport, rule.publicport), 9999
    return ApiError(
        537,
        f"The range specified, {wanted[0]}-{wanted[1]}, conflicts with rule FirewallRule "
        f'{{"id":{rule.number},"networkId":{rule.network.number},"purpose":"{purpose}",'
        f'"state":"{rule.state}","uuid":"{rule.id}"}} which has {there[0]}-{there[1]}',
        detail,
    )


@command(
    "createFirewallRule",
    "ipaddressid:address! protocol! startport:integer endport:integer cidrlist:list "
    "icmptype:integer icmpcode:integer type",
    job="user.firewall.CreateFirewallRuleCmd",
)
def create_firewall_rule(call: Call) -> Work:
    """Open ports of an address to ranges of clients."""
    cidrs = [checked_cidr(cidr) for cidr in call.args.items("cidrlist")] or [ANYWHERE]
    ports = read_ports(call)
    address, network = firewall_target(call)
    protocol = read_protocol(call, network)
    rule = make_firewall_rule(call.world, address, network, protocol, ports)
    rule.cidrs = cidrs
    if protocol == "icmp":
        kind, code = call.args.integer("icmptype"), call.args.integer("icmpcode")
        rule.icmp = (-1 if kind is None else kind, -1 if code is None else code)
    check_free(call.world, rule)
    call.world.firewall_rules.add(rule)

    def finish() -> Result:
        rule.state = "Active"
        return {"firewallrule": view_firewall_rule(call, rule)}

    return Work(
        finish,
        lambda: call.world.firewall_rules.remove(rule),
        rule.id,
        ("FirewallRule", rule.id),
        Load("firewall", network.id, address.id),
    )


def checked_cidr(cidr: str) -> str:
    """Return an IPv4 range as it was sent."""
    try:
        IPv4Network(cidr, strict=False)
    except ValueError:
        raise ApiError(431, f"Source CIDRs formatting error {cidr}") from None
    if "/" not in cidr:
        raise ApiError(431, f"Source CIDRs formatting error {cidr}")
    return cidr


def read_ports(call: Call) -> tuple[int, int] | None:
    """Return the range of ports; without an end it is one port."""
    first = call.args.integer("startport")
    last = call.args.integer("endport")
    if first is None and last is None:
        return None
    first = last if first is None else first
    last = first if last is None else last
    assert first is not None and last is not None  # noqa: S101, PT018 - one of them was given
    for port, name in ((first, "publicPort"), (last, "Public port range")):
        if not 0 <= port <= MAX_PORT:
            raise invalid(f"{name} is an invalid value: {port}")
    if first > last:
        raise invalid("Start port can't be bigger than end port")
    return first, last


def firewall_target(call: Call) -> tuple[Address, Network]:
    """Return the address and the network of a new firewall rule."""
    address = call.args.entity("ipaddressid", Address)
    if address is not None and address.vpc is not None:
        call.check_owner(address.account)
        raise no_firewall(address)
    if address is None or address.account is None or address.network is None:
        raise invalid(
            "Unable to create firewall rule ; ip with specified id is not associated "
            "with any network"
        )
    call.check_owner(address.account)
    if "Firewall" not in address.network.offering.services:
        raise no_firewall(address)
    return address, address.network


def no_firewall(address: Address) -> ApiError:
    """Refuse a firewall rule where nothing would apply it."""
    return invalid(f"There is no new provider for IP {address.name} of service Firewall!")


def read_protocol(call: Call, network: Network) -> str:
    """Return a protocol that the virtual router's firewall knows."""
    protocol = call.args.required("protocol").lower()
    if protocol not in PROTOCOLS:
        raise invalid(f"Protocol {protocol} is not supported in zone {network.zone.number}")
    return protocol


def make_firewall_rule(
    world: World,
    address: Address,
    network: Network,
    protocol: str,
    ports: tuple[int, int] | None,
) -> FirewallRule:
    """Make a firewall rule that admits everybody; callers set what differs."""
    # Rules of both kinds are numbered together.
    rule_id, number = world.identity("rule", f"firewall/{address.name}/{protocol}/{ports}")
    return FirewallRule(
        id=rule_id,
        number=number,
        name="",
        created=world.clock.now(),
        account=network.account,
        address=address,
        network=network,
        protocol=protocol,
        ports=ports,
        cidrs=[ANYWHERE],
    )


def check_free(world: World, new: FirewallRule) -> None:
    """Refuse a rule whose ports and clients overlap those of another rule of the address."""
    for rule in world.firewall_rules:
        if rule.address is not new.address or rule.protocol != new.protocol:
            continue
        if not set(rule.cidrs) & set(new.cidrs):
            continue
        if rule.ports is None and new.ports is None and rule.icmp == new.icmp:
            raise ApiError(
                537,
                "There is already a firewall rule specified with protocol = "
                f"{new.protocol} and no ports",
                4360,
            )
        if rule.ports is None or new.ports is None:
            continue
        if rule.ports[0] <= new.ports[1] and new.ports[0] <= rule.ports[1]:
            raise conflict(rule, new.ports)


def forwarding_conflict(
    world: World, address: Address, ports: tuple[int, int], protocol: str
) -> None:
    """Refuse (537) ports of an address that are forwarded to a VM."""
    for rule in world.forwarding_rules:
        if rule.address is not address or rule.protocol != protocol:
            continue
        if rule.ports[0] <= ports[1] and ports[0] <= rule.ports[1]:
            raise conflict(rule, ports)


def opens_firewall(call: Call, address: Address) -> bool:
    """Tell whether a new rule opens the firewall: by default, but on a VPC's address never."""
    if address.vpc is None:
        return call.args.flag("openfirewall", default=True)
    if call.args.flag("openfirewall"):
        raise ApiError(431, "Can't have openFirewall=true when IP address belongs to VPC")
    return False


def rule_network(call: Call, address: Address, purpose: str) -> Network:
    """Return the network of a new rule.

    On an address of a VPC the first rule chooses the tier, and others go to that tier, whatever
    network they name.
    """
    network, wanted = address.network, call.args.entity("networkid", Network)
    if address.vpc is not None:
        if network is not None:
            return network
        if wanted is None:
            raise ApiError(
                431, f"IP address ID={address.number} is not associated with any network"
            )
        if wanted.vpc is address.vpc:
            return wanted
    elif network is not None and wanted in {None, network}:
        return network
    raise ApiError(
        431,
        f"Unable to create {purpose} rule ; specified sourceip id is not associated "
        "with any network",
    )


def open_firewall(world: World, new: LoadBalancerRule | PortForwardingRule) -> None:
    """Open the ports of a new rule to everybody, as `openfirewall` does.

    TCP whatever a load balancer rule's protocol: the server takes every one for TCP here.
    """
    if isinstance(new, PortForwardingRule):
        protocol, ports = new.protocol, new.ports
    else:
        protocol, ports = "tcp", (new.publicport, new.publicport)
    rule = make_firewall_rule(world, new.address, new.network, protocol, ports)
    check_free(world, rule)
    rule.state, rule.opened_by = "Active", new
    world.firewall_rules.add(rule)


@command(
    "deleteFirewallRule",
    "id:firewallrule!",
    job="user.firewall.DeleteFirewallRuleCmd",
)
def delete_firewall_rule(call: Call) -> Work:
    """Delete a firewall rule."""
    rule = call.args.entity("id", FirewallRule)
    assert rule is not None  # noqa: S101 - required

    def finish() -> Result:
        if rule not in call.world.firewall_rules:
            raise invalid(f"Unable to find {rule.number} having purpose Firewall")
        call.world.firewall_rules.remove(rule)
        return {"success": True}

    return Work(finish, load=Load("firewall", rule.network.id, rule.address.id))


@command(
    "listFirewallRules",
    "id:firewallrule ipaddressid:address networkid:network@4.3 projectid:project account "
    "domainid:domain listall:boolean isrecursive:boolean tags:map",
)
def list_firewall_rules(call: Call) -> Answer:
    """List firewall rules, the newest first."""
    address = call.args.entity("ipaddressid", Address)
    if address is not None:
        if address.state != "Allocated":
            raise invalid(f"Ip address id={address.number} not ready for firewall rules yet")
        call.check_owner(address.account)
    found = [
        rule
        for rule in call.visible(reversed(list(call.world.firewall_rules)))
        if call.selects("id", rule)
        and (address is None or rule.address is address)
        and call.selects("networkid", rule.network)
    ]
    return call.listing("firewallrule", found, lambda rule: view_firewall_rule(call, rule))


def view_firewall_rule(call: Call, rule: FirewallRule) -> dict[str, Any]:
    """Show a firewall rule: ports are numbers, ranges one comma-separated text."""
    ports = {} if rule.ports is None else {"startport": rule.ports[0], "endport": rule.ports[1]}
    icmp = {} if rule.icmp is None else {"icmptype": rule.icmp[0], "icmpcode": rule.icmp[1]}
    return {
        "id": rule.id,
        "protocol": rule.protocol,
        **ports,
        "ipaddressid": rule.address.id,
        "networkid": rule.network.id,
        "ipaddress": rule.address.name,
        "state": rule.state,
        "cidrlist": ",".join(rule.cidrs),
        **icmp,
        "tags": view_tags(rule.tags),
        **({"fordisplay": True} if call.account.admin else {}),
        "destcidrlist": "",
        "traffictype": "Ingress",
    }
