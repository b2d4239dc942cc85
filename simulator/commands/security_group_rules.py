"""Rules of security groups: one for each range of clients, authorised and revoked in jobs."""

from dataclasses import dataclass
from ipaddress import ip_network

from simulator.call import Call
from simulator.commands.security_groups import rules_of, view_group, view_rule
from simulator.errors import ApiError, invalid
from simulator.groups import SecurityGroup, SecurityGroupRule
from simulator.jobs import Result, Work
from simulator.registry import command
from simulator.timing import Load

PARAMETERS = (
    "securitygroupid:group securitygroupname protocol startport:integer endport:integer "
    "cidrlist:list usersecuritygrouplist:map icmptype:integer icmpcode:integer projectid:project "
    "account domainid:domain"
)
MAX_PORT, MAX_PROTOCOL = 65535, 255


@dataclass(frozen=True)
class Wanted:
    """What one call authorises: a protocol and ports, for ranges of clients and other groups."""

    traffic: str
    protocol: str
    ports: tuple[int, int]
    cidrs: list[str]
    sources: list[SecurityGroup]


@command(
    "authorizeSecurityGroupIngress",
    PARAMETERS,
    job="user.securitygroup.AuthorizeSecurityGroupIngressCmd",
)
def authorize_ingress(call: Call) -> Work:
    """Admit ranges of clients: a rule for each that is new; if none is, the job fails."""
    return authorize(call, "Ingress")


@command(
    "authorizeSecurityGroupEgress",
    PARAMETERS,
    job="user.securitygroup.AuthorizeSecurityGroupEgressCmd",
)
def authorize_egress(call: Call) -> Work:
    """Admit ranges that the VMs may connect to, as for ingress."""
    return authorize(call, "Egress")


def authorize(call: Call, traffic: str) -> Work:
    """Return the job that authorises; what is wrong with the ports or ranges fails in the job."""
    group = required_group(call)

    def finish() -> Result:
        wanted = read_wanted(call, group, traffic)
        made = [rule for rule in new_rules(call, group, wanted) if is_new(call, rule)]
        if not made:
            kind = traffic.lower()
            raise ApiError(530, f"Failed to authorize security group {kind} rule(s)")
        for rule in made:
            call.world.group_rules.add(rule)
        shown = view_group(call, group) | {"ingressrule": [], "egressrule": [], "tags": []}
        shown[f"{traffic.lower()}rule"] = [view_rule(rule) for rule in made]
        shown |= {"virtualmachineids": []}
        del shown["virtualmachinecount"]
        return {"securitygroup": shown}

    return Work(finish, instance=("SecurityGroup", group.id), load=Load("group", group.id))


def required_group(call: Call) -> SecurityGroup:
    """Return the group of a call: by its id, or by its name in the caller's account or project."""
    group = call.args.entity("securitygroupid", SecurityGroup)
    if group is not None:
        return group
    name, owner = call.args.text("securitygroupname"), call.owner()
    found = (each for each in call.world.groups if (each.account, each.name) == (owner, name))
    if group := next(found, None):
        return group
    raise invalid(f"Unable to find security group {name} for account id={owner.number}")


def read_wanted(call: Call, group: SecurityGroup, traffic: str) -> Wanted:
    """Return what a call authorises."""
    protocol = (call.args.text("protocol") or "all").lower()
    cidrs, named = call.args.items("cidrlist"), call.args.maps("usersecuritygrouplist")
    if not (cidrs or named):
        raise invalid("At least one cidr or at least one security group needs to be specified")
    for cidr in cidrs:
        try:
            ip_network(cidr, strict=False)
        except ValueError:
            raise invalid(f"Invalid cidr {cidr}") from None
    ports, names = read_ports(call, protocol), {each.get("group") for each in named}
    mine = (each for each in call.world.groups if each.account is group.account)
    sources = [each for each in mine if each.name in names]
    return Wanted(traffic, protocol, ports, list(dict.fromkeys(cidrs)), sources)


def read_ports(call: Call, protocol: str) -> tuple[int, int]:
    """Return the ports, or the type and code of icmp; 0 and 0 for a protocol without ports."""
    first, last = call.args.integer("startport"), call.args.integer("endport")
    if protocol == "icmp":
        kind, code = call.args.integer("icmptype"), call.args.integer("icmpcode")
        return -1 if kind is None else kind, -1 if code is None else code
    if protocol not in {"tcp", "udp"}:
        if protocol != "all" and not (protocol.isdigit() and int(protocol) <= MAX_PROTOCOL):
            raise invalid(f"Invalid protocol {protocol}")
        return 0, 0
    if first is None or last is None:
        said = [str(each) if each is not None else "null" for each in (first, last)]
        raise invalid(f"Invalid port range specified, startPort = {said[0]}, endPort = {said[1]}")
    if not 0 <= first <= last <= MAX_PORT:
        raise invalid(f"Invalid port range {first}:{last}")
    return first, last


def new_rules(call: Call, group: SecurityGroup, wanted: Wanted) -> list[SecurityGroupRule]:
    """Return the rules that would be there after the call."""
    what = group, wanted.protocol, wanted.ports
    rules = []
    for cidr, source in [*((c, None) for c in wanted.cidrs), *((None, s) for s in wanted.sources)]:
        name = f"{group.id}/{wanted.traffic}/{wanted.protocol}/{wanted.ports}/{cidr}/{source}"
        rule_id, number = call.world.identity("grouprule", name)
        now = call.world.clock.now()
        rules.append(
            SecurityGroupRule(rule_id, number, "", now, *what, cidr, source, wanted.traffic)
        )
    return rules


def is_new(call: Call, rule: SecurityGroupRule) -> bool:
    """Tell whether the group has no rule for the same ports and clients."""
    return all(each.what != rule.what for each in rules_of(call, rule.group))


@command(
    "revokeSecurityGroupIngress",
    "id:grouprule!",
    job="user.securitygroup.RevokeSecurityGroupIngressCmd",
)
def revoke_ingress(call: Call) -> Work:
    """Remove a rule with its tags."""
    return revoke(call, "Ingress")


@command(
    "revokeSecurityGroupEgress",
    "id:grouprule!",
    job="user.securitygroup.RevokeSecurityGroupEgressCmd",
)
def revoke_egress(call: Call) -> Work:
    """Remove a rule for what VMs may connect to, with its tags."""
    return revoke(call, "Egress")


def revoke(call: Call, traffic: str) -> Work:
    """Return the job that removes a rule of this direction."""
    rule = call.args.entity("id", SecurityGroupRule)
    assert rule is not None  # noqa: S101 - required

    def finish() -> Result:
        if rule not in call.world.group_rules or rule.traffic != traffic:
            raise invalid(f"Unable to find security rule with id {rule.id}")
        call.world.group_rules.remove(rule)
        return {"success": True}

    group = rule.group.id
    return Work(finish, instance=("SecurityGroup", group), load=Load("group", group))
