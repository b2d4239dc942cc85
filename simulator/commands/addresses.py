"""Public addresses: associated with a network or a VPC, released with everything on them."""

from dataclasses import dataclass
from typing import Any

from simulator.building import allocate, lacks_source_nat, leave_tier, release, remove_rule
from simulator.call import Answer, Call, describe
from simulator.clock import timestamp
from simulator.commands.limits import check_limit
from simulator.errors import ApiError, denied, invalid
from simulator.jobs import Result, Work
from simulator.model import Account, Address, Network, Project, VirtualMachine, Vpc, Zone
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_owner, view_tags
from simulator.world import World

NO_ADDRESS = "Insufficient address capacity"
TIER_ALONE = (
    "Can't assign ip to the network directly when network belongs to VPC."
    "Specify vpcId to associate ip address to VPC"
)
INTERNAL = "Internal error executing command, please contact your system administrator"


@command(
    "associateIpAddress",
    "networkid:network ipaddress zoneid:zone vpcid:vpc projectid:project account "
    "domainid:domain isportable:boolean regionid:integer",
    job="user.address.AssociateIPAddrCmd",
)
def associate_ip_address(call: Call) -> Work:
    """Associate a public address with a network or a VPC: the requested one, or any free one.

    The first one of a network that has no VM yet becomes its source NAT address. For a tier
    alone the job fails.
    """
    target = requested_target(call)
    check_limit(call.world, target.owner, "public_ip")
    address = free_address(call.world, target.zone, call.args.text("ipaddress"))
    if address is None:
        raise ApiError(533, NO_ADDRESS)
    place = target.place
    allocate(call.world, address, target.owner, place)

    def finish() -> Result:
        if isinstance(place, Network) and place.vpc is not None:
            release(call.world, address)
            raise invalid(TIER_ALONE)
        early = view_address(call, address)
        address.state = "Allocated"
        if isinstance(place, Network):
            address.source_nat = lacks_source_nat(call.world, place)
        return {"ipaddress": view_address(call, address) if isinstance(place, Vpc) else early}

    return Work(
        finish,
        lambda: release(call.world, address),
        address.id,
        ("IpAddress", address.id),
        Load("address", place.id if place else "", address.id, target.owner.id),
    )


@dataclass(frozen=True)
class Target:
    """Where an address is wanted: a network, a VPC or neither, the owner, and the zone."""

    place: Network | Vpc | None
    owner: Account
    zone: Zone


def requested_target(call: Call) -> Target:
    """Return the target of a requested address; the VPC counts where a tier is given too."""
    vpc = call.args.entity("vpcid", Vpc)
    network = call.args.entity("networkid", Network)
    zone = call.args.entity("zoneid", Zone)
    if vpc is not None:
        call.check_owner(vpc.account)
        return Target(vpc, vpc.account, vpc.zone)
    if network is not None:
        if network not in call.world.networks:
            raise invalid(f"Unable to find network by network id {network.number}")
        call.check_owner(network.account)
        return Target(network, network.account, network.zone)
    if zone is None:
        raise invalid(
            "Unable to figure out zone to assign IP to. "
            "Please specify either zoneId, or networkId, or vpcId in the call"
        )
    owner = call.owner()
    if zone.groups:
        raise invalid(
            f"Account name={owner.name} domain={owner.domain.name} doesn't have virtual networks "
            f"in zone={zone.name}"
        )
    own = [n for n in call.world.networks if n.account is owner and n.zone is zone]
    return Target(own[0] if len(own) == 1 else None, owner, zone)


def free_address(world: World, zone: Zone, wanted: str | None) -> Address | None:
    """Return the requested address if it is free, or any free address of the zone."""
    free = (a for a in world.addresses if a.state == "Free" and a.zone is zone)
    return next((a for a in free if wanted in {None, a.name}), None)


@command(
    "disassociateIpAddress",
    "id:address ipaddress@4.19",
    job="user.address.DisassociateIPAddrCmd",
)
def disassociate_ip_address(call: Call) -> Work:
    """Release an address with every rule on it, unless it is its network's source NAT."""
    world = call.world
    address = call.args.entity("id", Address)
    if address is None:
        named = world.addresses.named(call.args.text("ipaddress") or "")
        if named is None:
            raise invalid("Please specify either id or ipaddress of the address to release")
        address = named
    if address.account is None:
        raise ApiError(530, INTERNAL, 4250)
    call.check_owner(address.account)
    leaving = address

    def finish() -> Result:
        if leaving.source_nat:
            raise ApiError(
                530, "ip address is used for source nat purposes and can not be disassociated."
            )
        drop_rules(world, leaving)
        release(world, leaving)
        return {"success": True}

    rules = [rule for rule in world.rules if rule.address is address]
    place = address.network or address.vpc
    load = Load(
        "release",
        place.id if place else "",
        address.id,
        rules=len(rules),
        members=sum(len(rule.members) for rule in rules),
    )
    return Work(finish, instance=("IpAddress", address.id), load=load)


def drop_rules(world: World, address: Address) -> None:
    """Delete every rule of an address."""
    for rule in world.rules:
        if rule.address is address:
            remove_rule(world, rule)
    for firewall in world.firewall_rules:
        if firewall.address is address:
            world.firewall_rules.remove(firewall)
    for forwarding in world.forwarding_rules:
        if forwarding.address is address:
            world.forwarding_rules.remove(forwarding)
    leave_tier(world, address)
    if address.vm is not None:
        address.vm.static_nat = None


@command(
    "listPublicIpAddresses",
    "id:address ipaddress state zoneid:zone associatednetworkid:network "
    "networkid:anynetwork@4.13 vpcid:vpc projectid:project account domainid:domain "
    "listall:boolean isrecursive:boolean allocatedonly:boolean forvirtualnetwork:boolean "
    "forloadbalancing:boolean issourcenat:boolean isstaticnat:boolean tags:map "
    "physicalnetworkid:uuid vlanid:uuid retrieveonlyresourcecount:boolean "
    "forprovider:boolean@4.21 forsystemvms:boolean@4.20",
)
def list_public_ip_addresses(call: Call) -> Answer:
    """List public addresses: the caller's, and free ones if the state Free is requested."""
    state = (call.args.text("state") or "").casefold()
    candidates = list(call.world.addresses)
    free: list[Address] = []
    if state == "free" or (not state and not call.args.flag("allocatedonly", default=True)):
        free = [a for a in candidates if a.account is None and not call.args.maps("tags")]
        check_project(call)
    shown = {address.id for address in [*call.visible(candidates), *free]}
    found = [a for a in candidates if a.id in shown and selected(call, a, state)]
    return call.listing("publicipaddress", found, lambda a: view_address(call, a))


def check_project(call: Call) -> None:
    """Refuse a project that the caller is not in, also where nothing of it would be shown."""
    project = call.args.entity("projectid", Project)
    if project is not None:
        call.member(project)


def selected(call: Call, address: Address, state: str) -> bool:
    """Tell whether the filters select an address."""
    place = call.args.entity("networkid", object)
    return (
        (not state or address.state.casefold() == state)
        and call.selects("id", address)
        and call.equals("ipaddress", address.name)
        and call.selects("zoneid", address.zone)
        and call.selects("associatednetworkid", address.network)
        # The filter counts for addresses that somebody has: free ones are of no VPC.
        and (address.account is None or call.selects("vpcid", address.vpc))
        and (place is None or place is address.zone)
        and ("issourcenat" not in call.args or call.args.flag("issourcenat") == address.source_nat)
        and (
            "isstaticnat" not in call.args
            or call.args.flag("isstaticnat") == (address.vm is not None)
        )
        and call.args.flag("forvirtualnetwork", default=True)
        and call.matches(address.name)
    )


def view_address(call: Call, address: Address) -> dict[str, Any]:
    """Show an address; a free one has neither owner nor network."""
    shown: dict[str, Any] = {"id": address.id, "ipaddress": address.name}
    if address.account is not None:
        shown["allocated"] = timestamp(address.allocated)
    shown |= {
        "zoneid": address.zone.id,
        "zonename": address.zone.name,
        "issourcenat": address.source_nat,
    }
    if address.account is not None:
        shown |= view_owner(address.account)
    shown |= {"forvirtualnetwork": True, "isstaticnat": address.vm is not None, "issystem": False}
    if address.vm is not None:
        shown |= {
            "virtualmachineid": address.vm.id,
            "virtualmachinename": address.vm.name,
            "virtualmachinedisplayname": address.vm.displayname,
            "vmipaddress": address.guest,
        }
    if address.network is not None:
        shown |= {
            "associatednetworkid": address.network.id,
            "associatednetworkname": address.network.name,
        }
    return shown | {
        "networkid": address.zone.public_network,
        "state": address.state,
        **({} if address.vpc is None else {"vpcid": address.vpc.id, "vpcname": address.vpc.name}),
        "tags": view_tags(address.tags),
        "isportable": False,
        **({"fordisplay": True} if call.account.admin else {}),
        "hasrules": has_rules(call.world, address),
        "forsystemvms": False,
        "forprovider": False,
        "hasannotations": False,
    }


def has_rules(world: World, address: Address) -> bool:
    """Tell whether an address has a rule of any kind."""
    kinds = (world.rules, world.firewall_rules, world.forwarding_rules)
    return any(rule.address is address for rules in kinds for rule in rules)


@command(
    "enableStaticNat",
    "ipaddressid:address! virtualmachineid:vm! networkid:network vmguestip",
)
def enable_static_nat(call: Call) -> Answer:
    """Enable static NAT from an address, which must have no rules, to a VM."""
    address = call.args.entity("ipaddressid", Address)
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    assert address is not None and vm is not None  # noqa: S101, PT018 - required
    check_usable(call, address)
    if any(rule.address is address for rule in [*call.world.rules, *call.world.forwarding_rules]):
        raise ApiError(
            537, f"There is already firewall rule specified for the ip address id={address.number}"
        )
    nic = next((nic for nic in vm.nics if nic.network is address.network), None)
    if nic is None or address.source_nat or address.vm not in {None, vm}:
        raise invalid(f"Failed to enable static nat for the ip address {address.name}")
    address.vm, address.guest = vm, nic.ipaddress
    vm.static_nat = address
    return {"success": True}


@command(
    "disableStaticNat",
    "ipaddressid:address!",
    job="user.nat.DisableStaticNatCmd",
)
def disable_static_nat(call: Call) -> Work:
    """Disable static NAT."""
    address = call.args.entity("ipaddressid", Address)
    assert address is not None  # noqa: S101 - required
    check_usable(call, address)

    def finish() -> Result:
        if address.vm is None:
            raise invalid(f"Specified IP address id {address.number} is not associated with any vm")
        address.vm.static_nat = None
        address.vm, address.guest = None, ""
        return {"success": True}

    return Work(finish)


def check_usable(call: Call, address: Address) -> None:
    """Refuse an address that is free, or that another account owns."""
    if address.account is None:
        raise denied(
            f"Account {describe(call.account)} does not have permission to operate with the address"
        )
    call.check_owner(address.account)
