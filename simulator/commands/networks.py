"""Guest networks: created empty, implemented with their first VM, deleted when empty."""

import json
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Any

from simulator.building import DEFAULT_CIDR, make_network, release
from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.commands.addresses import drop_rules
from simulator.commands.limits import check_limit
from simulator.errors import ApiError, denied, invalid
from simulator.jobs import Result, Work
from simulator.model import Network, NetworkOffering, Zone
from simulator.registry import command
from simulator.views import view_owner, view_tags


@command(
    "createNetwork",
    "name! networkofferingid:networkoffering! displaytext zoneid:zone projectid:project account "
    "domainid:domain gateway netmask startip endip vlan networkdomain acltype vpcid:uuid "
    "aclid:uuid ip6gateway ip6cidr physicalnetworkid:uuid isolatedpvlan subdomainaccess:boolean "
    "dns1@4.17 dns2@4.17 publicmtu:integer@4.17 privatemtu:integer@4.17",
)
def create_network(call: Call) -> Answer:
    """Create a guest network."""
    offering = call.args.entity("networkofferingid", NetworkOffering)
    zone = call.args.entity("zoneid", Zone)
    assert offering is not None  # noqa: S101 - required
    if zone is None:
        raise invalid("Zone id or physical network id must be specified")
    if offering.forvpc:
        raise invalid("Network offering can be used for VPC networks only")
    owner = call.owner()
    check_limit(call.world, owner, "network")
    cidr = read_cidr(call)
    network = make_network(call.world, call.args.required("name"), owner, offering, zone)
    network.displaytext = call.args.text("displaytext") or network.name
    network.cidr = cidr
    return {"network": view_network(call, network)}


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
                release(address)
        call.world.networks.remove(network)
        return {"success": True}

    return Work(finish, instance=("Network", None))


@command(
    "listNetworks",
    "id:network name@4.22 type zoneid:zone projectid:project account domainid:domain "
    "listall:boolean isrecursive:boolean vpcid:uuid forvpc:boolean "
    "networkofferingid:networkoffering supportedservices:list traffictype acltype "
    "canusefordeploy:boolean issystem:boolean "
    "networkfilter@4.17 physicalnetworkid:uuid restartrequired:boolean "
    "retrieveonlyresourcecount:boolean showicon:boolean specifyipranges:boolean tags:map "
    "associatednetworkid:network@4.17 vlan@4.17",
)
def list_networks(call: Call) -> Answer:
    """List networks, the newest first."""
    services = set(call.args.items("supportedservices"))
    found = [
        network
        for network in call.visible(reversed(list(call.world.networks)))
        if call.selects("id", network)
        and call.selects("zoneid", network.zone)
        and call.selects("networkofferingid", network.offering)
        and call.equals("name", network.name)
        and call.equals("type", network.offering.guestiptype)
        and call.equals("traffictype", "Guest")
        and call.equals("acltype", "Account")
        and not call.args.flag("forvpc")
        and not call.args.flag("issystem")
        and services <= set(network.offering.services)
        and call.matches(network.name, network.displaytext)
    ]
    return call.listing("network", found, lambda network: view_network(call, network))


def view_network(call: Call, network: Network) -> dict[str, Any]:
    """Show a network; only administrators see its VLAN."""
    gateway = str(next(network.cidr.hosts()))
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
        "gateway": gateway,
        "netmask": str(network.cidr.netmask),
        "cidr": str(network.cidr),
        **ip6,
        "zoneid": network.zone.id,
        "zonename": network.zone.name,
        "networkofferingid": network.offering.id,
        "networkofferingname": network.offering.name,
        "networkofferingdisplaytext": network.offering.displaytext,
        "networkofferingconservemode": True,
        "issystem": False,
        "state": network.state,
        "related": network.id,
        **private,
        "type": network.offering.guestiptype,
        "acltype": "Account",
        **view_owner(network.account),
        "service": [view_service(name, network.zone) for name in network.offering.services],
        "networkdomain": network_domain(network),
        "restartrequired": False,
        "specifyvlan": False,
        "canusefordeploy": True,
        "ispersistent": False,
        "tags": view_tags(network.tags),
        "created": timestamp(network.created),
        "hasannotations": False,
    }


def network_domain(network: Network) -> str:
    """Return the DNS domain of a network, which contains its owner's number."""
    return f"cs{network.account.number}cloud.internal"


def view_service(name: str, zone: Zone) -> dict[str, Any]:
    """Show a service of a network with its provider and capabilities."""
    capabilities = CAPABILITIES.get(name, {})
    provider = "ExternalLoadBalancer" if name == "Lb" and zone.udp else "VirtualRouter"
    return {
        "name": name,
        "provider": [{"name": provider}],
        "capability": [
            {"name": key, "value": value, "canchooseservicecapability": False}
            for key, value in capabilities.items()
        ],
    }


def sticky(method: str, *parameters: str, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe a stickiness method as the capabilities do."""
    names = [(name, False) for name in parameters] + [(name, True) for name in flags]
    return {
        "methodname": method,
        "paramlist": [
            {"paramname": name, "required": False, "isflag": flag, "description": " "}
            for name, flag in names
        ],
        "description": method,
    }


STICKINESS = [
    sticky("LbCookie", "cookie-name", "mode", "domain", flags=("nocache", "indirect", "postonly")),
    sticky(
        "AppCookie", "cookie-name", "length", "holdtime", "mode",
        flags=("request-learn", "prefix"),
    ),
    sticky("SourceBased", "tablesize", "expire"),
]  # fmt: skip

# The capabilities name udp, though the virtual router refuses it.
CAPABILITIES: dict[str, dict[str, str]] = {
    "Lb": {
        "LbSchemes": "Public",
        "SupportedStickinessMethods": json.dumps(STICKINESS),
        "SupportedLbAlgorithms": "roundrobin,leastconn,source",
        "SupportedLBIsolation": "dedicated",
        "SupportedProtocols": "tcp, udp, tcp-proxy, ssl",
    },
    "SourceNat": {"SupportedSourceNatTypes": "peraccount", "RedundantRouter": "false"},
    "PortForwarding": {"SupportedProtocols": "tcp,udp"},
    "Firewall": {
        "SupportedProtocols": "tcp,udp,icmp",
        "MultipleIps": "true",
        "TrafficStatistics": "per public ip",
        "SupportedTrafficDirection": "ingress, egress",
    },
    "Dhcp": {"DhcpAccrossMultipleSubnets": "true"},
}


def usable_network(call: Call, network: Network) -> Network:
    """Return a network that the caller may put VMs into."""
    if not call.may_use(network.account):
        raise denied(f"Unable to use network with id= {network.id}, permission denied")
    return network
