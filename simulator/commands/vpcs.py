"""VPCs, each with its tiers."""

from typing import Any

from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.commands.networks import network_domain, view_network
from simulator.model import Vpc
from simulator.registry import command
from simulator.views import view_owner, view_tags

OFFERING = "Default VPC offering"
ROUTER = "VpcVirtualRouter"
PROVIDERS = {
    "Lb": ("InternalLbVm", ROUTER),
    "Dns": (ROUTER,),
    "StaticNat": (ROUTER,),
    "UserData": (ROUTER,),
    "NetworkACL": (ROUTER,),
    "PortForwarding": (ROUTER,),
    "SourceNat": (ROUTER,),
    "Vpn": (ROUTER,),
    "Dhcp": (ROUTER,),
}


@command(
    "listVPCs",
    "id:vpc name displaytext zoneid:zone state cidr account domainid:domain projectid:project "
    "listall:boolean isrecursive:boolean restartrequired:boolean supportedservices:list "
    "vpcofferingid:uuid showicon:boolean tags:map",
)
def list_vpcs(call: Call) -> Answer:
    """List the VPCs, the newest first, each with its tiers."""
    services = set(call.args.items("supportedservices"))
    found = [
        vpc
        for vpc in call.visible(reversed(list(call.world.vpcs)))
        if call.selects("id", vpc)
        and call.equals("name", vpc.name)
        and call.equals("displaytext", vpc.displaytext)
        and call.selects("zoneid", vpc.zone)
        and call.equals("state", "Enabled")
        and call.equals("cidr", str(vpc.cidr))
        and not call.args.flag("restartrequired")
        and services <= set(PROVIDERS)
        and call.matches(vpc.name)
    ]
    return call.listing("vpc", found, lambda vpc: view_vpc(call, vpc))


def view_vpc(call: Call, vpc: Vpc) -> dict[str, Any]:
    """Show a VPC with its services and tiers."""
    tiers = [network for network in call.world.networks if network.vpc is vpc]
    return {
        "id": vpc.id,
        "name": vpc.name,
        "displaytext": vpc.displaytext,
        "state": "Enabled",
        "zoneid": vpc.zone.id,
        "zonename": vpc.zone.name,
        "service": [
            {"name": name, "provider": [{"name": provider} for provider in providers]}
            for name, providers in PROVIDERS.items()
        ],
        "cidr": str(vpc.cidr),
        "vpcofferingname": OFFERING,
        "created": timestamp(vpc.created),
        **view_owner(vpc.account),
        "network": [view_network(call, tier) for tier in tiers],
        "restartrequired": False,
        "networkdomain": network_domain(vpc.account),
        "tags": view_tags(vpc.tags),
        "distributedvpcrouter": False,
        "regionlevelvpc": False,
        "redundantvpcrouter": False,
        "hasannotations": False,
    }
