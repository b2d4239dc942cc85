"""Tags of resources: key and value, each key once on a resource."""

from collections.abc import Iterable
from typing import Any

from simulator.call import Answer, Call, Tagged
from simulator.errors import ApiError, denied, invalid
from simulator.jobs import Result, Work
from simulator.model import Address
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_owner
from simulator.world import World

# The kinds that a world has tables for, by their names in the API.
KINDS = {
    "uservm": ("UserVm", "vm"),
    "network": ("Network", "network"),
    "publicipaddress": ("PublicIpAddress", "address"),
    "loadbalancer": ("LoadBalancer", "rule"),
    "firewallrule": ("FirewallRule", "firewallrule"),
    "portforwardingrule": ("PortForwardingRule", "portforwardingrule"),
    "vpc": ("Vpc", "vpc"),
    "networkacl": ("NetworkACL", "aclitem"),
    "securitygroup": ("SecurityGroup", "group"),
    "securitygrouprule": ("SecurityGroupRule", "grouprule"),
}
OTHER_KINDS = frozenset({"template", "iso", "volume", "snapshot", "project"})
#: Kinds that the server knows, and never tags.
UNTAGGED = frozenset({"networkacllist", "lbstickinesspolicy"})


def kind_of(name: str) -> tuple[str, str]:
    """Return the API's name and the table's of a resource type, whatever its case."""
    if name.lower() in KINDS:
        return KINDS[name.lower()]
    if name.lower() in OTHER_KINDS | UNTAGGED:
        return name, "none"
    raise invalid(f"Invalid resource type {name}")


#: Characters of the columns that hold keys and values.
MAX_TEXT = 255


@command(
    "createTags",
    "resourceids:list! resourcetype! tags:map! customer",
    job="user.tag.CreateTagsCmd",
)
def create_tags(call: Call) -> Work:
    """Add tags to resources: all, or none if one resource has a key already."""
    ids = call.args.items("resourceids")
    wanted = call.args.pairs("tags")

    def finish() -> Result:
        shown, table = kind_of(call.args.required("resourcetype"))
        if shown.lower() in UNTAGGED:
            raise invalid(f"The resource type {shown} doesn't support resource tags")
        resources = [taggable(call, table, shown, entity_id) for entity_id in ids]
        if any(len(text) > MAX_TEXT for tag in wanted.items() for text in tag):
            raise ApiError(530, "Data too long for a column of resource_tags")
        for resource in resources:
            for key in wanted:
                if key in resource.tags:
                    raise ApiError(530, f"tag {key} already on {shown} with id {resource.id}")
        for resource in resources:
            resource.tags.update(wanted)
        return {"success": True}

    return Work(finish, load=Load("tags"))


@command(
    "deleteTags",
    "resourceids:list! resourcetype! tags:map",
    job="user.tag.DeleteTagsCmd",
)
def delete_tags(call: Call) -> Work:
    """Remove tags from resources: those with the keys and values, or all without keys.

    The tags of a load balancer rule that is gone are still there to be removed.
    """
    shown, table = kind_of(call.args.required("resourcetype"))
    ids = call.args.items("resourceids")
    entries = call.args.maps("tags")

    def finish() -> Result:
        if shown.lower() in UNTAGGED:
            raise ApiError(530, "Failed to delete tags")
        resources = [
            remains_of(call, entity_id) or taggable(call, table, shown, entity_id)
            for entity_id in ids
        ]
        found = [
            (resource, key)
            for resource in resources
            for key, value in resource.tags.items()
            if not entries
            or any(e.get("key") == key and e.get("value", value) == value for e in entries)
        ]
        if not found:
            raise ApiError(530, "Failed to delete tags")
        for resource, key in found:
            del resource.tags[key]
        return {"success": True}

    return Work(finish, load=Load("tags"))


def remains_of(call: Call, entity_id: str) -> Tagged | None:
    """Return a load balancer rule that is gone and has left tags."""
    rule = call.world.tagged_remains.find(entity_id)
    if rule is not None:
        call.check_owner(rule.account)
    return rule


def taggable(call: Call, table: str, shown: str, entity_id: str) -> Tagged:
    """Return a resource that the caller may tag; nobody may tag a free address."""
    resource: Any = call.world.find(table, entity_id)
    if resource is None or (isinstance(resource, Address) and resource.account is None):
        if resource is not None:
            raise denied()
        raise invalid(f"Unable to find resource by uuid {entity_id} and type {shown}")
    call.check_owner(resource.account)
    return resource  # type: ignore[no-any-return]


@command(
    "listTags",
    "key value resourcetype resourceid customer account domainid:domain projectid:project "
    "listall:boolean isrecursive:boolean",
)
def list_tags(call: Call) -> Answer:
    """List tags, one entry for each key on each resource."""
    name = call.args.text("resourcetype")
    kinds: Iterable[tuple[str, str]] = KINDS.values() if name is None else [kind_of(name)]
    found = [
        (shown, resource, key, value)
        for shown, table in kinds
        for resource in call.visible(resources_of(call.world, table))
        for key, value in sorted(resource.tags.items())
        if call.equals("resourceid", resource.id)
        and call.equals("key", key)
        and call.equals("value", value)
        and call.matches(key, value)
    ]
    return call.listing("tag", found, lambda entry: view_entry(*entry))


def resources_of(world: World, table: str) -> list[Tagged]:
    """Return the resources of a table, and the load balancer rules that have left tags."""
    return [*world.resources(table), *(world.tagged_remains if table == "rule" else ())]


def view_entry(shown: str, resource: Tagged, key: str, value: str) -> dict[str, Any]:
    """Show a tag with its resource."""
    return {
        "key": key,
        "value": value,
        "resourcetype": shown,
        "resourceid": resource.id,
        **({} if resource.account is None else view_owner(resource.account)),
    }
