"""Tags: pairs on things, each key once on a thing."""

from collections.abc import Iterable
from typing import Any

from simulator.call import Answer, Call, Tagged
from simulator.errors import ApiError, denied, invalid
from simulator.jobs import Result, Work
from simulator.model import Address
from simulator.registry import command
from simulator.views import view_owner
from simulator.world import World

# The kinds that a world has tables of, by the name that the API gives them.
KINDS = {
    "uservm": ("UserVm", "vm"),
    "network": ("Network", "network"),
    "publicipaddress": ("PublicIpAddress", "address"),
    "loadbalancer": ("LoadBalancer", "rule"),
    "firewallrule": ("FirewallRule", "firewallrule"),
}
OTHER_KINDS = frozenset({"template", "iso", "volume", "snapshot", "project", "vpc", "networkacl"})


def kind_of(name: str) -> tuple[str, str]:
    """Return the API's name and the table's of a resource type, whatever its case."""
    if name.lower() in KINDS:
        return KINDS[name.lower()]
    if name.lower() in OTHER_KINDS:
        return name, "none"
    raise invalid(f"Invalid resource type {name}")


@command(
    "createTags",
    "resourceids:list! resourcetype! tags:map! customer",
    job="user.tag.CreateTagsCmd",
)
def create_tags(call: Call) -> Work:
    """Put tags on things; if a key is there already, none of them is put."""
    shown, table = kind_of(call.args.required("resourcetype"))
    ids = call.args.items("resourceids")
    wanted = call.args.pairs("tags")

    def finish() -> Result:
        things = [taggable(call, table, shown, entity_id) for entity_id in ids]
        for thing in things:
            for key in wanted:
                if key in thing.tags:
                    raise ApiError(530, f"tag {key} already on {shown} with id {thing.id}")
        for thing in things:
            thing.tags.update(wanted)
        return {"success": True}

    return Work(finish)


@command(
    "deleteTags",
    "resourceids:list! resourcetype! tags:map",
    job="user.tag.DeleteTagsCmd",
)
def delete_tags(call: Call) -> Work:
    """Take tags off things: those of the keys, with the values where given; without keys all."""
    shown, table = kind_of(call.args.required("resourcetype"))
    ids = call.args.items("resourceids")
    entries = call.args.maps("tags")

    def finish() -> Result:
        things = [taggable(call, table, shown, entity_id) for entity_id in ids]
        found = [
            (thing, key)
            for thing in things
            for key, value in thing.tags.items()
            if not entries
            or any(e.get("key") == key and e.get("value", value) == value for e in entries)
        ]
        if not found:
            raise ApiError(530, "Failed to delete tags")
        for thing, key in found:
            del thing.tags[key]
        return {"success": True}

    return Work(finish)


def taggable(call: Call, table: str, shown: str, entity_id: str) -> Tagged:
    """Return a thing that the caller may tag; a free address is nobody's to tag."""
    thing: Any = call.world.find(table, entity_id)
    if thing is None or (isinstance(thing, Address) and thing.account is None):
        if thing is not None:
            raise denied()
        raise invalid(f"Unable to find resource by uuid {entity_id} and type {shown}")
    call.check_owner(thing.account)
    return thing  # type: ignore[no-any-return]


@command(
    "listTags",
    "key value resourcetype resourceid customer account domainid:domain projectid:project "
    "listall:boolean isrecursive:boolean",
)
def list_tags(call: Call) -> Answer:
    """List tags, one entry for each key on each thing."""
    name = call.args.text("resourcetype")
    kinds: Iterable[tuple[str, str]] = KINDS.values() if name is None else [kind_of(name)]
    found = [
        (shown, thing, key, value)
        for shown, table in kinds
        for thing in call.visible(things(call.world, table))
        for key, value in sorted(thing.tags.items())
        if call.equals("resourceid", thing.id)
        and call.equals("key", key)
        and call.equals("value", value)
        and call.matches(key, value)
    ]
    return call.listing("tag", found, lambda entry: view_entry(*entry))


def things(world: World, table: str) -> list[Tagged]:
    """Return the things of a table."""
    return world.things(table)


def view_entry(shown: str, thing: Tagged, key: str, value: str) -> dict[str, Any]:
    """Show a tag with what it is on."""
    return {
        "key": key,
        "value": value,
        "resourcetype": shown,
        "resourceid": thing.id,
        **({} if thing.account is None else view_owner(thing.account)),
    }
