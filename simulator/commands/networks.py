"""Guest networks: created empty, implemented with their first VM, deleted when empty."""

from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Any

from simulator.building import DEFAULT_CIDR, make_network, release
from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.commands.addresses import drop_rules
from simulator.commands.limits import check_limit
from simulator.errors import ApiError, denied, invalid
from simulator.jobs import Result, Work
from simulator.model import Account, Network, NetworkAclList, NetworkOffering, Vpc, Zone
from simulator.registry import command
from simulator.services import view_service
from simulator.views import view_owner, view_tags


@command(
    "createNetwork",
    "name! networkofferingid:networkoffering! displaytext zoneid:zone projectid:project account "
    "domainid:domain gateway netmask startip endip vlan networkdomain acltype vpcid:vpc "
    "aclid:acl ip6gateway ip6cidr physicalnetworkid:uuid isolatedpvlan subdomainaccess:boolean "
    "dns1@4.17 dns2@4.17 publicmtu:integer@4.17 privatemtu:integer@4.17",
)
def create_network(call: Call) -> Answer:
    """Create a guest network, or a tier of a VPC."""
    offering = call.args.entity("networkofferingid", NetworkOffering)
    zone = call.args.entity("zoneid", Zone)
    vpc = call.args.entity("vpcid", Vpc)
    assert offering is not None  # noqa: S101 - required
    if zone is None:
        raise invalid("Zone id or physical network id must be specified")
    if vpc is not None:
        check_tier(call, vpc, offering)
    elif offering.forvpc:
        raise invalid("Network offering can be used for VPC networks only")
    owner = call.owner() if vpc is None else vpc.account
    check_limit(call.world, owner, "network")
    cidr = read_cidr(call)
    network = make_network(call.world, call.args.required("name"), owner, offering, zone)
    network.displaytext = call.args.text("displaytext") or network.name
    network.cidr = cidr
    network.vpc, network.acl = vpc, call.args.entity("aclid", NetworkAclList)
    return {"network": view_network(call, network)}


def check_tier(call: Call, vpc: Vpc, offering: NetworkOffering) -> None:
    """Refuse a tier of somebody else's VPC, or that does not fit into it."""
    call.check_owner(vpc.account)
    if not offering.forvpc:
        raise invalid("Cannot create new network of VPC: the offering is not for VPC networks")
    cidr, acl = read_cidr(call), call.args.entity("aclid", NetworkAclList)
    if not cidr.subnet_of(vpc.cidr):
        raise invalid(f"Network cidr {cidr} is not within vpc cidr range {vpc.cidr}")
    tiers = [network for network in call.world.networks if network.vpc is vpc]
    if any(tier.cidr.overlaps(cidr) for tier in tiers):
        raise invalid(f"Network cidr {cidr} crosses other network cidr of vpc {vpc.name}")
    if acl is not None and acl.vpc not in {None, vpc}:
        raise invalid("ACL doesn't belong to the VPC")


def read_cidr(call: Call) -> IPv4Network:
    """Return the range of gateway and netmask, or the default one."""
    gateway, netmask = call.args.text("gateway"), call.args.text("netmask")
    if gateway is None and netmask is None:
        return DEFAULT_CIDR
    try:
        return IPv4Network((str(IPv4Address(gateway or "")), netmask or ""), strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise invalid(f"Invalid gateway or netmask: gateway={gateway} netmask={netmask}") from None


@command(
    "deleteNetwork",
    "id:network! forced:boolean",
    job="user.network.DeleteNetworkCmd",
)
def delete_network(call: Call) -> Work:
    """Delete a network without VMs; a destroyed VM counts until it is expunged."""
    network = call.args.entity("id", Network)
    assert network is not None  # noqa: S101 - required
    if network not in call.world.networks:
        raise invalid(f"unable to find network {network.number}")
    call.check_owner(network.account)

    def finish() -> Result:
        if network.used:
            raise ApiError(530, "Failed to delete network")
        for address in call.world.addresses:
            if address.network is network:
                drop_rules(call.world, address)
                if network.vpc is None:
                    release(call.world, address)
        call.world.networks.remove(network)
        return {"success": True}

    return Work(finish, instance=("Network", None))


@command(
    "listNetworks",
    "id:network name@4.22 type zoneid:zone projectid:project account domainid:domain "
    "listall:boolean isrecursive:boolean vpcid:vpc forvpc:boolean "
    "networkofferingid:networkoffering supportedservices:list traffictype acltype "
    "canusefordeploy:boolean issystem:boolean "
    "networkfilter@4.17 physicalnetworkid:uuid restartrequired:boolean "
    "retrieveonlyresourcecount:boolean showicon:boolean specifyipranges:boolean tags:map "
    "associatednetworkid:network@4.17 vlan@4.17",
)
def list_networks(call: Call) -> Answer:
    """List networks, the newest first."""
    services = set(call.args.items("supportedservices"))
    newest = list(reversed(list(call.world.networks)))
    shared = [] if call.args.text("projectid") else [one for one in newest if is_shared(one)]
    found = [
        network
        for network in [*call.visible(newest), *shared]
        if call.selects("id", network)
        and call.selects("zoneid", network.zone)
        and call.selects("networkofferingid", network.offering)
        and call.equals("name", network.name)
        and call.equals("type", network.offering.guestiptype)
        and call.equals("traffictype", "Guest")
        and call.equals("acltype", "Domain" if is_shared(network) else "Account")
        and call.selects("vpcid", network.vpc)
        and ("forvpc" not in call.args or call.args.flag("forvpc") == (network.vpc is not None))
        and not call.args.flag("issystem")
        and services <= set(network.offering.services)
        and call.matches(network.name, network.displaytext)
    ]
    return call.listing("network", found, lambda network: view_network(call, network))


def view_network(call: Call, network: Network) -> dict[str, Any]:
    """Show a network; only administrators see its VLAN."""
    private: dict[str, Any] = {}
    if call.account.admin and network.state == "Implemented":
        private = {"broadcasturi": f"vlan://{network.vlan}", "vlan": str(network.vlan)}
    ip6 = {} if network.ip6cidr is None else {"ip6cidr": str(network.ip6cidr)}
    return {
        "id": network.id,
        "name": network.name,
        "displaytext": network.displaytext,
        "broadcastdomaintype": "Vlan",
        "traffictype": "Guest",
        "gateway": str(next(network.cidr.hosts())),
        "netmask": str(network.cidr.netmask),
        "cidr": str(network.cidr),
        **ip6,
        "zoneid": network.zone.id,
        "zonename": network.zone.name,
        **view_offering(network.offering),
        "issystem": False,
        "state": network.state,
        "related": network.id,
        **private,
        "type": network.offering.guestiptype,
        **view_access(network),
        "service": [
            view_service(name, network.offering, network.zone, call.world.version)
            for name in network.offering.services
        ],
        "networkdomain": network_domain(network.account),
        "restartrequired": False,
        "specifyvlan": False,
        **view_tier(network),
        "canusefordeploy": True,
        "ispersistent": False,
        "tags": view_tags(network.tags),
        "created": timestamp(network.created),
        "hasannotations": False,
    }


def is_shared(network: Network) -> bool:
    """Tell whether a network is the administrator's, for all accounts of the domain."""
    return network.offering.guestiptype == "Shared" and network.account.admin


def view_access(network: Network) -> dict[str, Any]:
    """Show whose a network is: a shared one is its domain's."""
    owner = view_owner(network.account)
    if not is_shared(network):
        return {"acltype": "Account", **owner}
    del owner["account"]
    return {"acltype": "Domain", "subdomainaccess": True, **owner}


def view_offering(offering: NetworkOffering) -> dict[str, Any]:
    """Show the offering of a network."""
    return {
        "networkofferingid": offering.id,
        "networkofferingname": offering.name,
        "networkofferingdisplaytext": offering.displaytext,
        "networkofferingconservemode": True,
    }


def view_tier(network: Network) -> dict[str, Any]:
    """Show the VPC and the list of ACL items of a tier; one without a list has no such fields."""
    if network.vpc is None:
        return {}
    shown = {"vpcid": network.vpc.id, "vpcname": network.vpc.name}
    if network.acl is not None:
        shown |= {"aclid": network.acl.id, "aclname": network.acl.name}
    return shown


def network_domain(owner: Account) -> str:
    """Return the DNS domain of an account's networks, which contains its number."""
    return f"cs{owner.number}cloud.internal"


def usable_network(call: Call, network: Network) -> Network:
    """Return a network that the caller may put VMs into."""
    if not (is_shared(network) or call.may_use(network.account)):
        raise denied(f"Unable to use network with id= {network.id}, permission denied")
    return network
