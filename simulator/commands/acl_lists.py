"""Lists of network ACL items, one of which a tier has; nobody changes the two default ones."""

from collections.abc import Iterable
from typing import Any

from simulator.building import make_acl_list
from simulator.call import Answer, Call
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import Network, NetworkAclList, Vpc
from simulator.registry import command
from simulator.timing import Load
from simulator.world import World

MODIFIED = "Default ACL cannot be modified"


@command(
    "createNetworkACLList",
    "name! vpcid:vpc! description",
    job="user.network.CreateNetworkACLListCmd",
)
def create_network_acl_list(call: Call) -> Work:
    """Create an empty list in a VPC; names are not unique."""
    vpc = call.args.entity("vpcid", Vpc)
    assert vpc is not None  # noqa: S101 - required
    call.check_owner(vpc.account)
    name = call.args.required("name")
    acl = make_acl_list(call.world, name, vpc, call.args.text("description"))
    return Work(
        finish=lambda: {"networkacllist": view_acl_list(call, acl)},
        undo=lambda: call.world.acl_lists.remove(acl),
        created=acl.id,
        instance=("NetworkAcl", None),
        load=Load("acl"),
    )


@command(
    "deleteNetworkACLList",
    "id:acl!",
    job="user.network.DeleteNetworkACLListCmd",
)
def delete_network_acl_list(call: Call) -> Work:
    """Delete a list with its items; the job fails while a tier has it."""
    acl = required_list(call, "id")

    def finish() -> Result:
        if acl.vpc is None:
            raise invalid("Default ACL cannot be removed")
        call.check_owner(acl.account)
        tiers = sum(network.acl is acl for network in call.world.networks)
        if tiers:
            raise ApiError(
                530,
                f"ACL is still associated with {tiers} tier(s). "
                f"Cannot delete network ACL: {acl.id}",
            )
        for item in call.world.acl_items:
            if item.acl is acl:
                call.world.acl_items.remove(item)
        call.world.acl_lists.remove(acl)
        return {"success": True}

    return Work(finish, instance=("NetworkAcl", None), load=Load("acl"))


@command(
    "replaceNetworkACLList",
    "aclid:acl! networkid:network gatewayid:uuid",
    job="user.network.ReplaceNetworkACLListCmd",
)
def replace_network_acl_list(call: Call) -> Work:
    """Give a tier another list, or the one that it has; the items of its former list stay there."""
    acl = required_list(call, "aclid")
    network = call.args.entity("networkid", Network)
    if network is None:
        raise invalid("Network id and private gateway can't be null")
    call.check_owner(network.account)

    def finish() -> Result:
        if network.vpc is None:
            raise invalid(f"Network: {network.id} does not belong to VPC")
        if not (acl.vpc is None or call.may_use(acl.account)):
            # Elsewhere the server answers 531 for the same.
            raise ApiError(
                530, "Caller does not have permission to operate with provided resource."
            )
        if acl.vpc not in {None, network.vpc}:
            raise invalid(f"Network: {network.id} and ACL: {acl.id} do not belong to the same VPC")
        network.acl = acl
        return {"success": True}

    return Work(finish, load=Load("acl"))


def required_list(call: Call, parameter: str) -> NetworkAclList:
    """Return the list that a required parameter names."""
    acl = call.args.entity(parameter, NetworkAclList)
    assert acl is not None  # noqa: S101 - required
    return acl


def list_of_tier(world: World, network: Network) -> NetworkAclList:
    """Return the list of a tier; one without a list gets a new one, which outlives the tier."""
    if network.vpc is None:
        raise invalid(f"Network: {network.id} does not belong to VPC")
    if network.acl is None:
        name = f"VPC_{network.vpc.name}_Tier_{network.name}_ACL_{network.id}"
        network.acl = make_acl_list(world, name, network.vpc, f"ACL for {name}")
    return network.acl


@command(
    "listNetworkACLLists",
    "id:acl name networkid:network vpcid:vpc projectid:project account domainid:domain "
    "listall:boolean isrecursive:boolean",
)
def list_network_acl_lists(call: Call) -> Answer:
    """List the lists of the caller's VPCs and the default ones, the newest first, whatever tags."""
    network = call.args.entity("networkid", Network)
    found = [
        acl
        for acl in with_defaults(call, call.world.acl_lists)
        if call.selects("id", acl)
        and call.equals("name", acl.name)
        and (acl.vpc is None or call.selects("vpcid", acl.vpc))
        and (network is None or network.acl is acl)
        and call.matches(acl.name)
    ]
    return call.listing("networkacllist", found, lambda acl: view_acl_list(call, acl))


def with_defaults(call: Call, lists: Iterable[NetworkAclList]) -> list[NetworkAclList]:
    """Return the lists that the caller sees, the newest first; everyone sees the default ones."""
    candidates = list(lists)[::-1]
    seen = {acl.id for acl in call.owned(candidates)}
    return [acl for acl in candidates if acl.vpc is None or acl.id in seen]


def view_acl_list(call: Call, acl: NetworkAclList) -> dict[str, Any]:
    """Show a list of ACL items; a default one has no VPC."""
    vpc = {} if acl.vpc is None else {"vpcid": acl.vpc.id, "vpcname": acl.vpc.name}
    return {
        "id": acl.id,
        "name": acl.name,
        "description": acl.description,
        **vpc,
        **({"fordisplay": True} if call.account.admin else {}),
    }
