"""Load balancers of the scheme Internal: on an address of their tier, one for each port.

Members, tags and stickiness policies are those of rules, by the same commands.
"""

from ipaddress import AddressValueError, IPv4Address
from typing import Any

from simulator.building import take_internal
from simulator.call import Answer, Call
from simulator.commands.load_balancers import ALGORITHMS, delete_work, drop_rule
from simulator.errors import INTERNAL_ERROR, ApiError, invalid
from simulator.jobs import Work
from simulator.model import Address, InternalLoadBalancer, LoadBalancerRule, Network
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_owner, view_tags

SCHEME = "Internal"
MAX_PORT = 65535


@command(
    "createLoadBalancer",
    "name! sourceport:integer! algorithm! instanceport:integer! sourceipaddress "
    "sourceipaddressnetworkid:network! networkid:network! scheme! description~4096 "
    "fordisplay:boolean",
    job="user.loadbalancer.CreateApplicationLoadBalancerCmd",
)
def create_load_balancer(call: Call) -> Work:
    """Create an internal load balancer; it exists, and takes members, before its job ends."""
    network, place = required_network(call, "networkid"), source_network(call)
    if call.args.required("scheme").lower() != SCHEME.lower():
        raise invalid("Invalid value for scheme. Supported value is internal")
    if not network.offering.internal:
        raise invalid(
            f"Scheme {SCHEME} is not supported by the network offering {network.offering.text}"
        )
    algorithm = call.args.required("algorithm")
    if algorithm not in ALGORITHMS:
        raise invalid(f"Invalid algorithm: {algorithm}")
    ports = read_port(call, "sourceport"), read_port(call, "instanceport")
    address = find_source(call, place)
    check_port_free(call, address, ports[0])
    balancer = make(call, network, address or take_source(call, place), ports)
    return Work(
        finish=lambda: {"loadbalancer": view(balancer)},
        undo=lambda: drop_rule(call.world, balancer),
        created=balancer.id,
        instance=("LoadBalancerRule", balancer.id),
        load=Load("rule", network.id, balancer.address.id),
    )


def make(
    call: Call, network: Network, address: Address, ports: tuple[int, int]
) -> InternalLoadBalancer:
    """Make a load balancer on an address of a tier."""
    name, source = call.args.required("name"), ports[0]
    identity = f"{network.name}/{address.name}/{source}/{name}"
    balancer_id, number = call.world.identity("rule", identity)
    balancer = InternalLoadBalancer(
        id=balancer_id,
        number=number,
        name=name,
        created=call.world.clock.now(),
        account=network.account,
        address=address,
        network=network,
        publicport=source,
        privateport=ports[1],
        protocol="tcp",
        algorithm=call.args.required("algorithm"),
        description=call.args.text("description") or "",
    )
    call.world.rules.add(balancer)
    return balancer


def required_network(call: Call, name: str) -> Network:
    """Return a network that is the caller's to use."""
    network = call.args.entity(name, Network)
    assert network is not None  # noqa: S101 - required
    call.check_owner(network.account)
    return network


def source_network(call: Call) -> Network:
    """Return the network whose address it gets: any of the caller's, whatever the members'."""
    return required_network(call, "sourceipaddressnetworkid")


def read_port(call: Call, name: str) -> int:
    """Return a port."""
    port = call.args.integer(name)
    if port is None or not 0 < port <= MAX_PORT:
        raise invalid(f"Invalid value for {name}: {port}")
    return port


def find_source(call: Call, network: Network) -> Address | None:
    """Return the address that is asked for, if load balancers are on it already."""
    wanted = call.args.text("sourceipaddress")
    return next(
        (
            each.address
            for each in internal_ones(call)
            if each.address.name == wanted and each.address.network is network
        ),
        None,
    )


def take_source(call: Call, network: Network) -> Address:
    """Take the address that is asked for, or a free one, out of a network's range."""
    wanted = call.args.text("sourceipaddress")
    if wanted is None:
        return take_internal(call.world, network)
    try:
        index = int(IPv4Address(wanted)) - int(network.cidr[0])
    except AddressValueError:
        raise invalid(f"Invalid ip address {wanted}") from None
    if not 0 <= index < network.cidr.num_addresses:
        raise invalid("The requested IP is not in the network's CIDR subnet.")
    return take_internal(call.world, network, index)


def check_port_free(call: Call, address: Address | None, port: int) -> None:
    """Refuse (537) a port that a load balancer of the address has."""
    for each in internal_ones(call):
        if each.address is address and each.publicport == port:
            raise ApiError(
                537,
                f"The range specified, {port}-{port}, conflicts with rule {each.text} "
                f"which has {port}-{port}",
            )


def internal_ones(call: Call) -> list[InternalLoadBalancer]:
    """Return all internal load balancers."""
    return [each for each in call.world.rules if isinstance(each, InternalLoadBalancer)]


def required_balancer(call: Call) -> InternalLoadBalancer:
    """Return the internal load balancer that a required id names."""
    balancer = call.args.entity("id", LoadBalancerRule)
    if not isinstance(balancer, InternalLoadBalancer):
        raise invalid("Can't find load balancer by ID")
    return balancer


@command(
    "deleteLoadBalancer",
    "id:rule!",
    job="user.loadbalancer.DeleteApplicationLoadBalancerCmd",
)
def delete_load_balancer(call: Call) -> Work:
    """Delete an internal load balancer; the last one of an address frees it."""
    return delete_work(call, required_balancer(call))


@command(
    "updateLoadBalancer",
    "id:rule! fordisplay:boolean customid",
    job="user.loadbalancer.UpdateApplicationLoadBalancerCmd",
)
def update_load_balancer(call: Call) -> Work:
    """Change nothing that counts of an internal load balancer, and show it."""
    balancer = required_balancer(call)
    return Work(finish=lambda: {"loadbalancer": view(balancer)})


@command(
    "listLoadBalancers",
    "id:rule name sourceipaddress sourceipaddressnetworkid:network scheme networkid:network "
    "fordisplay:boolean projectid:project account domainid:domain listall:boolean "
    "isrecursive:boolean tags:map",
)
def list_load_balancers(call: Call) -> Answer:
    """List internal load balancers, the oldest first; a source address as filter is an error."""
    if call.args.text("sourceipaddress"):
        raise ApiError(530, INTERNAL_ERROR)
    found = [
        each
        for each in call.visible(internal_ones(call))
        if call.selects("id", each)
        and call.equals("name", each.name)
        and call.equals("scheme", SCHEME)
        and call.selects("networkid", each.network)
        and call.selects("sourceipaddressnetworkid", each.network)
        and call.matches(each.name)
    ]
    return call.listing("loadbalancer", found, view)


def view(balancer: InternalLoadBalancer) -> dict[str, Any]:
    """Show a load balancer: ports are numbers, and there is no protocol."""
    ports = {"sourceport": balancer.publicport, "instanceport": balancer.privateport}
    described = {"description": balancer.description} if balancer.description else {}
    return {
        "id": balancer.id,
        "name": balancer.name,
        **described,
        "algorithm": balancer.algorithm,
        "networkid": balancer.network.id,
        "sourceipaddress": balancer.address.name,
        "sourceipaddressnetworkid": balancer.network.id,
        **view_owner(balancer.account),
        "loadbalancerrule": [{**ports, "state": balancer.state}],
        "loadbalancerinstance": [
            {
                "id": member.vm.id,
                "name": member.vm.instancename,
                "ipaddress": member.ipaddress,
            }
            for member in balancer.members
        ],
        "tags": view_tags(balancer.tags),
    }
