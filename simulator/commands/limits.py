"""Limits of accounts and projects; administrators have none."""

from typing import Any

from simulator.call import Answer, Call
from simulator.errors import ApiError, invalid
from simulator.model import Account, Project
from simulator.registry import command
from simulator.views import view_owner
from simulator.world import World

DEFAULT_LIMIT = 20
TYPES = {"user_vm": 0, "public_ip": 1, "network": 6}
TABLES = {"user_vm": "vm", "public_ip": "address", "network": "network"}


def limit_of(owner: Account, kind: str) -> int:
    """Return how many resources of a kind an account may have; -1 for no limit."""
    return -1 if owner.admin else owner.limits.get(kind, DEFAULT_LIMIT)


def used(world: World, owner: Account, kind: str) -> int:
    """Return how many resources of a kind an account has."""
    return sum(resource.account is owner for resource in world.resources(TABLES[kind]))


def check_limit(world: World, owner: Account, kind: str) -> None:
    """Refuse (535) a resource beyond the owner's limit."""
    limit, count = limit_of(owner, kind), used(world, owner, kind)
    if limit == -1 or count < limit:
        return
    project = owner.project
    whose = f"Account Name = {owner.name}" if project is None else f"Project Name = {project.name}"
    raise ApiError(
        535,
        f"Maximum amount of resources of Type = '{kind}', tag = 'null' for {whose} "
        f"in Domain Id = {owner.domain.number} is exceeded: Account Resource Limit = {limit}, "
        f"Current Account Resource Amount = {count}, "
        "Current Account Resource Reservation = 0, Requested Resource Amount = 1.",
        4370,
    )


@command(
    "listResourceLimits",
    "resourcetype:integer resourcetypename account domainid:domain projectid:project "
    "listall:boolean isrecursive:boolean id:integer tag@4.20",
)
def list_resource_limits(call: Call) -> Answer:
    """List the limits of the caller's account, or of a project."""
    owner = requested_owner(call)
    found = [
        kind
        for kind, number in TYPES.items()
        if call.args.integer("resourcetype") in {None, number}
        and call.equals("resourcetypename", kind)
    ]
    return call.listing("resourcelimit", found, lambda kind: view_limit(owner, kind))


def requested_owner(call: Call) -> Account:
    """Return the account whose limits the call is about."""
    project = call.args.entity("projectid", Project)
    if project is not None:
        return call.member(project).account
    name = call.args.text("account")
    if name is None:
        return call.account
    found = call.world.accounts.named(name)
    if found is None:
        raise invalid(f"Unable to find account {name}")
    call.check_owner(found)
    return found


def view_limit(owner: Account, kind: str) -> dict[str, Any]:
    """Show a limit; its type is a number, as a string."""
    return {
        **view_owner(owner),
        "resourcetype": str(TYPES[kind]),
        "resourcetypename": kind,
        "max": limit_of(owner, kind),
    }


@command(
    "updateResourceLimit",
    "resourcetype:integer! max:integer account domainid:domain projectid:project tag@4.20",
)
def update_resource_limit(call: Call) -> Answer:
    """Set a limit of an account or a project."""
    number, limit = call.args.integer("resourcetype"), call.args.integer("max")
    kind = next((name for name, value in TYPES.items() if value == number), None)
    if kind is None:
        raise invalid(f"Please specify valid resource type, not {number}")
    owner = requested_owner(call)
    owner.limits[kind] = -1 if limit is None else limit
    return {"resourcelimit": view_limit(owner, kind)}


def view_usage(world: World, owner: Account) -> dict[str, Any]:
    """Show limit, use and remainder of each kind; remainders are strings."""
    shown: dict[str, Any] = {}
    for kind, prefix in (("user_vm", "vm"), ("public_ip", "ip"), ("network", "network")):
        limit, count = limit_of(owner, kind), used(world, owner, kind)
        shown |= {
            f"{prefix}limit": "Unlimited" if limit == -1 else str(limit),
            f"{prefix}total": count,
            f"{prefix}available": "Unlimited" if limit == -1 else str(max(0, limit - count)),
        }
    return shown
