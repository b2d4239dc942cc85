"""Load balancer rules: one for each port of an address."""

from ipaddress import IPv4Network, ip_network
from typing import Any

from simulator.building import remove_rule
from simulator.call import Answer, Call
from simulator.commands.firewall import (
    conflict,
    forwarding_conflict,
    open_firewall,
    opens_firewall,
    rule_network,
)
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import (
    Address,
    InternalLoadBalancer,
    LoadBalancerRule,
    Network,
    VirtualMachine,
)
from simulator.registry import command
from simulator.timing import BALANCER_STOP, Load
from simulator.views import view_owner, view_tags
from simulator.world import World

PROTOCOLS = ("tcp", "udp", "tcp-proxy", "ssl")
ALGORITHMS = frozenset({"roundrobin", "leastconn", "source"})
CHANGEABLE = ("algorithm", "name", "protocol", "description", "cidrlist")
NOT_SUPPORTED = "LB service provider cannot support this rule"
NO_PROTOCOL = (
    'Cannot invoke "String.equals(Object)" because the return value of '
    '"com.cloud.network.dao.LoadBalancerVO.getLbProtocol()" is null'
)
MAX_PORT = 65535
#: Ranges that fit on one line of a virtual router's HAProxy, beside four other words (measured with
#: HAProxy 2.6). A real server takes more, and the router then applies no change of its network.
MAX_RANGES = 60


@command(
    "createLoadBalancerRule",
    "algorithm! name! privateport:integer! publicport:integer! publicipid:address protocol "
    "networkid:network zoneid:zone cidrlist:list@4.18 openfirewall:boolean description~4096 "
    "account domainid:domain",
    job="user.loadbalancer.CreateLoadBalancerRuleCmd",
)
def create_load_balancer_rule(call: Call) -> Work:
    """Create a rule; it exists, and takes members, before its job ends."""
    address, network = rule_target(call)
    protocol = read_protocol(call.args.text("protocol") or "tcp")
    cidrs = [checked_cidr(cidr) for cidr in call.args.items("cidrlist")]
    check_fits_router(cidrs)
    public, private = read_port(call, "publicport"), read_port(call, "privateport")
    algorithm = call.args.required("algorithm")
    if algorithm not in ALGORITHMS:
        raise ApiError(431, f"Invalid algorithm: {algorithm}")
    check_provider(network, protocol)
    check_port_free(call.world, address, public, protocol)
    name = call.args.required("name")
    rule_id, number = call.world.identity("rule", f"{address.name}/{protocol}/{public}/{name}")
    rule = LoadBalancerRule(
        id=rule_id,
        number=number,
        name=name,
        created=call.world.clock.now(),
        account=network.account,
        address=address,
        network=network,
        publicport=public,
        privateport=private,
        protocol=protocol,
        algorithm=algorithm,
        cidrs=cidrs,
        description=call.args.text("description") or "",
    )
    if opens_firewall(call, address):
        open_firewall(call.world, rule)
    call.world.rules.add(rule)
    address.network = network
    return Work(
        finish=lambda: {"loadbalancer": view_rule(call, rule)},
        undo=lambda: drop_rule(call.world, rule),
        created=rule.id,
        instance=("FirewallRule", rule.id),
        load=Load("rule", network.id, address.id),
    )


def rule_target(call: Call) -> tuple[Address, Network]:
    """Return the address and the network of a new rule; the address must be ready for rules."""
    address = call.args.entity("publicipid", Address)
    if address is None:
        raise invalid("Unable to create load balancer rule, no public IP address is given")
    if address.account is None or address.state != "Allocated":
        raise invalid(
            f"Unable to create load balancer rule, invalid IP address ID {address.number}"
        )
    call.check_owner(address.account)
    if address.source_nat:
        raise ApiError(537, f"Can't do load balance on ip address: {address.name}")
    if address.vm is not None:
        raise ApiError(
            431, "Unable to create load balancer rule; specified sourceip id has static nat enabled"
        )
    opens_firewall(call, address)
    network = rule_network(call, address, "load balancer")
    if "Lb" not in network.offering.services:
        raise ApiError(431, f"LB service is not supported in the network {network.id}")
    if network.offering.internal:
        raise ApiError(
            431, f"Scheme Public is not supported by the network offering {network.offering.text}"
        )
    return address, network


def read_protocol(text: str) -> str:
    """Return a protocol that load balancers know, whatever its case."""
    if text.lower() not in PROTOCOLS:
        raise ApiError(
            431, f"protocol {text.lower()} is not in valid protocols [{', '.join(PROTOCOLS)}]"
        )
    return text.lower()


def checked_cidr(cidr: str) -> str:
    """Return an IPv4 or IPv6 range, or a single address, as it was sent."""
    try:
        ip_network(cidr, strict=False)
    except ValueError:
        raise ApiError(431, f"CIDR [{cidr}] is invalid.") from None
    return cidr


def read_port(call: Call, name: str) -> int:
    """Return a port; the server accepts 0."""
    port = call.args.integer(name)
    if port is None or not 0 <= port <= MAX_PORT:
        shown = {"publicport": "publicPort", "privateport": "privatePort"}[name]
        raise ApiError(431, f"{shown} is an invalid value: {port}")
    return port


def check_provider(network: Network, protocol: str) -> None:
    """Refuse UDP where the network's load balancer is its router."""
    if protocol == "udp" and not can_udp(network):
        raise ApiError(431, NOT_SUPPORTED)


def can_udp(network: Network) -> bool:
    """Tell whether the network's load balancer can do UDP; the router of a VPC never can."""
    return network.zone.udp and network.vpc is None


def transport(protocol: str) -> str:
    """Return the transport of a load balancer's protocol: TCP for the PROXY protocol and TLS."""
    return "udp" if protocol == "udp" else "tcp"


def check_port_free(world: World, address: Address, port: int, protocol: str) -> None:
    """Refuse (537) a port that a rule of the address has, by default of any protocol."""
    for rule in world.rules:
        if rule.address is not address or rule.publicport != port:
            continue
        if world.settings.mixed_ports and transport(rule.protocol) != transport(protocol):
            continue
        raise conflict(rule, (port, port))
    forwarding_conflict(world, address, (port, port), transport(protocol))


def drop_rule(world: World, rule: LoadBalancerRule) -> None:
    """Remove a rule, and the firewall rule that its creation opened."""
    remove_rule(world, rule)
    for firewall in world.firewall_rules:
        if firewall.opened_by is rule:
            world.firewall_rules.remove(firewall)


def required_rule(call: Call, parameter: str = "id") -> LoadBalancerRule:
    """Return the rule that a required parameter names."""
    rule = call.args.entity(parameter, LoadBalancerRule)
    assert rule is not None  # noqa: S101 - required
    return rule


def check_exists(world: World, rule: LoadBalancerRule) -> None:
    """Fail the job of a rule that was deleted before the job ran."""
    if rule not in world.rules:
        raise invalid(f"Invalid load balancer value: {rule.number}")


@command(
    "updateLoadBalancerRule",
    "id:rule! algorithm name protocol description~4096 cidrlist:list@4.22",
    job="user.loadbalancer.UpdateLoadBalancerRuleCmd",
)
def update_load_balancer_rule(call: Call) -> Work:
    """Change a rule in place; any algorithm is accepted, and no change is an error.

    An empty list of ranges takes them all off. The job shows the state `Add`, whatever it is.
    Another protocol than `ssl` takes the certificate off. That of an internal load balancer fails,
    and has changed the algorithm.
    """
    rule = required_rule(call)
    args = call.args
    wanted = args.text("protocol")

    def finish() -> Result:
        check_exists(call.world, rule)
        if not any(name in args for name in CHANGEABLE):
            raise ApiError(530, f"Failed to update load balancer rule: {rule.text}")
        if isinstance(rule, InternalLoadBalancer):
            rule.algorithm = args.text("algorithm") or rule.algorithm
            raise ApiError(530, NO_PROTOCOL)
        cidrs = updated_cidrs(call)
        protocol = rule.protocol if wanted is None else read_protocol(wanted)
        if protocol == "udp" and not can_udp(rule.network):
            raise invalid(f"Modifications in lb rule {rule.text} are not supported.")
        rule.protocol = protocol
        rule.certificate = rule.certificate if protocol == "ssl" else None
        rule.algorithm = args.text("algorithm") or rule.algorithm
        rule.name = args.text("name") or rule.name
        rule.description = args.text("description") or rule.description
        if cidrs is not None:
            rule.cidrs, rule.ranges_changed = cidrs, True
        return {"loadbalancer": {**view_rule(call, rule), "state": "Add"}}

    return Work(finish, load=Load("rule", rule.network.id, rule.address.id))


def updated_cidrs(call: Call) -> list[str] | None:
    """Return the ranges of an update, which takes IPv4 only; None if it has none."""
    if "cidrlist" not in call.args:
        return None
    cidrs = call.args.items("cidrlist")
    try:
        for cidr in cidrs:
            IPv4Network(cidr, strict=False)
    except ValueError:
        raise invalid(f"Invalid CIDR list: {','.join(cidrs)}") from None
    check_fits_router(cidrs)
    return cidrs


def check_fits_router(cidrs: list[str]) -> None:
    """Refuse what a real server takes and its virtual router cannot apply."""
    if len(cidrs) > MAX_RANGES:
        problem = f"the line of {len(cidrs)} ranges has too many words for the router's HAProxy"
        raise ApiError(530, f"The simulator refuses a CIDR list: {problem}")


@command(
    "deleteLoadBalancerRule",
    "id:rule!",
    job="user.loadbalancer.DeleteLoadBalancerRuleCmd",
)
def delete_load_balancer_rule(call: Call) -> Work:
    """Delete a rule with its members and stickiness."""
    return delete_work(call, required_rule(call))


def delete_work(call: Call, rule: LoadBalancerRule) -> Work:
    """Return the work of a deletion; the VM of an internal address goes with its last one."""

    def finish() -> Result:
        check_exists(call.world, rule)
        drop_rule(call.world, rule)
        return {"success": True}

    left = [each for each in call.world.rules if each.address is rule.address and each is not rule]
    members = sum(len(each.members) for each in left)
    is_last = isinstance(rule, InternalLoadBalancer) and bool(rule.members) and not members
    more = BALANCER_STOP if is_last else 0.0
    load = Load("deletion", rule.network.id, rule.address.id, members=members, more=more)
    return Work(finish, load=load)


@command(
    "listLoadBalancerRules",
    "id:rule name publicipid:address networkid:network virtualmachineid:vm zoneid:zone "
    "projectid:project account domainid:domain listall:boolean isrecursive:boolean tags:map",
)
def list_load_balancer_rules(call: Call) -> Answer:
    """List rules, the oldest first."""
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    found = [
        rule
        for rule in call.visible(call.world.rules)
        if not isinstance(rule, InternalLoadBalancer)
        and call.selects("id", rule)
        and call.equals("name", rule.name)
        and call.selects("publicipid", rule.address)
        and call.selects("networkid", rule.network)
        and call.selects("zoneid", rule.network.zone)
        and (vm is None or any(member.vm is vm for member in rule.members))
        and call.matches(rule.name)
    ]
    return call.listing("loadbalancerrule", found, lambda rule: view_rule(call, rule))


def view_rule(call: Call, rule: LoadBalancerRule) -> dict[str, Any]:
    """Show a rule: ports are strings, ranges one string, with spaces or, once changed, commas."""
    between = "," if rule.ranges_changed else " "
    ranges = {"cidrlist": between.join(rule.cidrs)} if rule.cidrs or rule.ranges_changed else {}
    return {
        "id": rule.id,
        "name": rule.name,
        **({"description": rule.description} if rule.description else {}),
        "publicipid": rule.address.id,
        "publicip": rule.address.name,
        "publicport": str(rule.publicport),
        "privateport": str(rule.privateport),
        "algorithm": rule.algorithm,
        "networkid": rule.network.id,
        **ranges,
        **view_owner(rule.account),
        "state": rule.state,
        "zoneid": rule.network.zone.id,
        "zonename": rule.network.zone.name,
        "protocol": rule.protocol,
        "tags": view_tags(rule.tags),
        **({"fordisplay": True} if call.account.admin else {}),
    }
