"""Items of network ACL lists: numbered, and matched from the lowest number on."""

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from simulator.building import make_acl_item
from simulator.call import Answer, Call
from simulator.commands.acl_lists import MODIFIED, list_of_tier, required_list, with_defaults
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import Network, NetworkAclItem, NetworkAclList
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_tags
from simulator.world import World

ANYWHERE = ["0.0.0.0/0", "::/0"]
PROTOCOLS = ("tcp", "udp", "icmp", "all")
MAX_PORT = 65535
MAX_PROTOCOL = 255
INTERNAL = "Internal error executing command, please contact your system administrator"
NO_PROTOCOL = (
    'Cannot invoke "String.equalsIgnoreCase(String)" because the return value of '
    '"com.cloud.network.vpc.NetworkACLItemVO.getProtocol()" is null'
)
#: Seconds until a call that looks for the next number is answered.
LOOKING = 0.02
FIELDS = (
    "protocol! startport:integer endport:integer cidrlist:list icmptype:integer icmpcode:integer "
    "traffictype action number:integer reason"
)


@dataclass(frozen=True)
class Match:
    """What an item matches: protocol, ports, ICMP type and code, ranges, direction."""

    protocol: str
    ports: tuple[int, int] | None
    icmp: tuple[int, int] | None
    cidrs: list[str]
    traffic: str

    def apply(self, item: NetworkAclItem) -> None:
        """Let an item match this."""
        item.protocol, item.ports, item.icmp = self.protocol, self.ports, self.icmp
        item.cidrs, item.traffic = self.cidrs, self.traffic


@command(
    "createNetworkACL",
    f"{FIELDS} aclid:acl networkid:network",
    job="user.network.CreateNetworkACLCmd",
)
def create_network_acl(call: Call) -> Work:
    """Add an item to a list, or to that of a tier; of two at once without a number, one fails."""
    acl = requested_list(call)
    if acl.vpc is None:
        raise invalid(MODIFIED)
    call.check_owner(acl.account)
    action, match = read_action(call, "Allow"), read_match(call)
    number = call.args.integer("number")
    position = next_number(call.world, acl) if number is None else free_number(call, acl, number)
    item = make_acl_item(call.world, acl, position)
    match.apply(item)
    item.action = action
    item.reason = call.args.text("reason") or None

    def finish() -> Result:
        item.state = "Active"
        return {"networkacl": view_item(call, item)}

    work = Work(
        finish,
        lambda: call.world.acl_items.remove(item),
        item.id,
        ("NetworkAclItem", None),
        Load("acl"),
    )
    if number is None:
        work.answer_after = LOOKING
        work.answered = lambda: call.world.numbering.discard(acl.id)
    return work


def requested_list(call: Call) -> NetworkAclList:
    """Return the list of a new item: the one that is named, or that of a tier."""
    acl = call.args.entity("aclid", NetworkAclList)
    network = call.args.entity("networkid", Network)
    if acl is not None:
        return acl
    if network is None:
        raise invalid("Cannot create Network ACL Item. ACL Id or network Id is required")
    call.check_owner(network.account)
    return list_of_tier(call.world, network)


def next_number(world: World, acl: NetworkAclList) -> int:
    """Return one more than the highest number; a call that finds the same one at once fails (530).

    The server reads the highest number and writes the item later, without a lock: of those that
    come at the same time, every second one fails.
    """
    if acl.id in world.numbering:
        world.numbering.remove(acl.id)
        raise ApiError(530, INTERNAL)
    world.numbering.add(acl.id)
    return max((item.position for item in world.acl_items if item.acl is acl), default=0) + 1


def free_number(call: Call, acl: NetworkAclList, number: int) -> int:
    """Return a number that no other item of a list has."""
    if number < 1:
        raise invalid(f"Invalid number [{number}]. Number cannot be < 1")
    if any(item.acl is acl and item.position == number for item in call.world.acl_items):
        raise invalid(f"ACL item with number {number} already exists in ACL: {acl.id}")
    return number


def read_action(call: Call, default: str) -> str:
    """Return what an item does with what it matches."""
    action = call.args.text("action") or default
    if action.lower() not in {"allow", "deny"}:
        raise invalid(f"Invalid action [{action}]. Permitted actions are Allow and Deny")
    return action.capitalize()


def read_match(call: Call, present: NetworkAclItem | None = None) -> Match:
    """Return what an item is to match; what a call leaves out is as in the present item."""
    cidrs = [checked_cidr(cidr) for cidr in call.args.items("cidrlist")]
    traffic = call.args.text("traffictype") or ("Ingress" if present is None else present.traffic)
    if traffic.lower() not in {"ingress", "egress"}:
        raise invalid(f"Invalid traffic type {traffic}")
    protocol = call.args.text("protocol") or ("" if present is None else present.protocol)
    protocol = "icmp" if protocol.strip() == "1" else protocol.strip()
    check_protocol(protocol)
    ports = read_ports(call, None if present is None else present.ports)
    if protocol.lower() == "all" and ports is not None:
        raise invalid("start port and end port must be null if protocol = 'all'")
    icmp = read_icmp(call, None if present is None else present.icmp)
    if protocol.lower() == "icmp" and ports is not None:
        raise invalid("Can't specify start/end port when protocol is ICMP")
    if protocol.lower() != "icmp" and icmp is not None:
        raise invalid("Can specify icmpCode and icmpType for ICMP protocol only")
    return Match(
        protocol,
        ports,
        icmp or ((-1, -1) if protocol.lower() == "icmp" else None),
        cidrs or (list(ANYWHERE) if present is None else present.cidrs),
        traffic.capitalize(),
    )


def check_protocol(protocol: str) -> None:
    """Refuse a protocol that is neither a number nor one of four names."""
    if protocol.isdigit():
        if int(protocol) > MAX_PROTOCOL:
            raise invalid(f"Invalid protocol number: {protocol}. Protocol number should be 0-255")
    elif protocol.lower() not in PROTOCOLS:
        raise invalid(f"Invalid protocol [{protocol}]. Expected one of: [{','.join(PROTOCOLS)}]")


def checked_cidr(cidr: str) -> str:
    """Return an IPv4 or IPv6 range as it was sent, with the bits of its host."""
    try:
        ip_network(cidr, strict=False)
    except ValueError:
        raise ApiError(431, f"Source cidrs formatting error {cidr}") from None
    return cidr


def read_ports(call: Call, present: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the range of ports; without an end it is one port."""
    first, last = call.args.integer("startport"), call.args.integer("endport")
    if first is None and last is None:
        return present
    if present is not None:
        first, last = present[0] if first is None else first, present[1] if last is None else last
    first = last if first is None else first
    last = first if last is None else last
    assert first is not None and last is not None  # noqa: S101, PT018 - one of them was given
    for port in (first, last):
        if not 0 <= port <= MAX_PORT:
            raise invalid(f"Invalid port: {port}")
    if first > last:
        raise invalid(
            f"Start port can't be bigger than end port [startport={first},endport={last}]"
        )
    return first, last


def read_icmp(call: Call, present: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return ICMP type and code, -1 for any."""
    kind, code = call.args.integer("icmptype"), call.args.integer("icmpcode")
    if kind is None and code is None:
        return present
    return -1 if kind is None else kind, -1 if code is None else code


@command(
    "updateNetworkACLItem",
    f"id:aclitem! {FIELDS.replace('!', '')} partialupgrade:boolean",
    job="user.network.UpdateNetworkACLItemCmd",
    envelope="createnetworkaclresponse",
)
def update_network_acl_item(call: Call) -> Work:
    """Change an item in place: the given fields or, without `partialupgrade`, all of them.

    The job shows the state `Add`, though the item stays active.
    """
    item = required_item(call)

    def finish() -> Result:
        check_changeable(call, item, MODIFIED)
        partial = call.args.flag("partialupgrade", default=True)
        number = call.args.integer("number")
        if not partial and ("protocol" not in call.args or number is None):
            raise ApiError(530, NO_PROTOCOL)
        match = read_match(call, item if partial else None)
        action = read_action(call, item.action if partial else "Allow")
        if number not in {None, item.position}:
            item.position = free_number(call, item.acl, int(number or 0))
        match.apply(item)
        item.action = action
        if not partial or "reason" in call.args:
            item.reason = call.args.text("reason") or None
        return {"networkacl": {**view_item(call, item), "state": "Add"}}

    return Work(finish, instance=("NetworkAclItem", None), load=Load("acl"))


@command(
    "deleteNetworkACL",
    "id:aclitem!",
    job="user.network.DeleteNetworkACLCmd",
)
def delete_network_acl(call: Call) -> Work:
    """Delete an item with its tags."""
    item = required_item(call)

    def finish() -> Result:
        check_changeable(call, item, "ACL Items in default ACL cannot be deleted")
        call.world.acl_items.remove(item)
        return {"success": True}

    return Work(finish, instance=("NetworkAclItem", None), load=Load("acl"))


def required_item(call: Call) -> NetworkAclItem:
    """Return the item that a call's required `id` names."""
    item = call.args.entity("id", NetworkAclItem)
    assert item is not None  # noqa: S101 - required
    return item


def check_changeable(call: Call, item: NetworkAclItem, text: str) -> None:
    """Fail the job of an item that is gone, in a default list, or somebody else's."""
    if item not in call.world.acl_items:
        raise invalid(f"Unable to find ACL item with ID: {item.id}")
    if item.acl.vpc is None:
        raise invalid(text)
    call.check_owner(item.account)


@command(
    "listNetworkACLs",
    "id:aclitem aclid:acl networkid:network traffictype protocol action projectid:project account "
    "domainid:domain listall:boolean isrecursive:boolean tags:map",
)
def list_network_acls(call: Call) -> Answer:
    """List ACL items, the newest first; those of the default lists are everyone's."""
    chosen = listed_list(call)
    lists = {acl.id for acl in with_defaults(call, call.world.acl_lists)}
    network = call.args.entity("networkid", Network)
    found = [
        item
        for item in reversed(list(call.world.acl_items))
        if item.acl.id in lists
        and call.has_tags(item)
        and (chosen is None or item.acl is chosen)
        and (network is None or item.acl is network.acl)
        and call.selects("id", item)
        and call.equals("traffictype", item.traffic)
        and call.equals("protocol", item.protocol)
        and call.equals("action", item.action)
        and call.matches(item.protocol, item.action)
    ]
    return call.listing("networkacl", found, lambda item: view_item(call, item))


def listed_list(call: Call) -> NetworkAclList | None:
    """Return the list whose items a call lists, which may not be somebody else's."""
    if "aclid" not in call.args:
        return None
    acl = required_list(call, "aclid")
    if acl.vpc is not None:
        call.check_owner(acl.account)
    return acl


def view_item(call: Call, item: NetworkAclItem) -> dict[str, Any]:
    """Show an item: ports are strings, its number is one, ranges are one comma-separated text."""
    ports = {}
    if item.ports is not None:
        ports = {"startport": str(item.ports[0]), "endport": str(item.ports[1])}
    icmp = {} if item.icmp is None else {"icmptype": item.icmp[0], "icmpcode": item.icmp[1]}
    return {
        "id": item.id,
        "protocol": item.protocol,
        **ports,
        "traffictype": item.traffic,
        "state": item.state,
        "cidrlist": ",".join(item.cidrs),
        **icmp,
        "tags": view_tags(item.tags),
        "aclid": item.acl.id,
        "aclname": item.acl.name,
        "number": item.position,
        "action": item.action,
        **({} if item.reason is None else {"reason": item.reason}),
        **({"fordisplay": True} if call.account.admin else {}),
    }
