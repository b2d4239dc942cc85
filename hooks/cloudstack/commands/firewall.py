"""Firewall rules, network ACL items and security groups."""

from collections.abc import Mapping
from typing import TypedDict, Unpack

from hooks.cloudstack.client import Client, Query
from hooks.cloudstack.commands.parameters import parameters, port_parameters
from hooks.cloudstack.models.firewall import (
    FirewallRule,
    NetworkAcl,
    NetworkAclChange,
    NetworkAclList,
    NewNetworkAcl,
    PortRange,
    SecurityGroup,
)
from hooks.cloudstack.models.jobs import Job
from hooks.http.deadline import Deadline


class FirewallRuleFilter(TypedDict, total=False):
    """Which firewall rules are listed; `ip_address_id` is the public address's id."""

    id: str
    ip_address_id: str
    network_id: str
    tags: Mapping[str, str]


class NetworkAclFilter(TypedDict, total=False):
    """Which ACL items are listed; `acl_id` is their list's id."""

    id: str
    acl_id: str
    network_id: str
    tags: Mapping[str, str]


class SecurityGroupFilter(TypedDict, total=False):
    """Which security groups are listed."""

    id: str
    virtual_machine_id: str


def list_firewall_rules(
    client: Client, *, deadline: Deadline, **where: Unpack[FirewallRuleFilter]
) -> tuple[FirewallRule, ...]:
    """List the firewall rules of public addresses."""
    query = Query("listFirewallRules", "firewallrule", FirewallRule.from_json)
    return client.list_all(query, parameters(**where), deadline)


def create_firewall_rule(
    client: Client, ip_address_id: str, ports: PortRange, *, deadline: Deadline
) -> Job:
    """Open ports of a public address; its id is the job's `resource_id`.

    The server accepts a second rule for the same ports, so list them first.
    """
    values = parameters(ip_address_id=ip_address_id) | port_parameters(ports)
    return client.start("createFirewallRule", values, deadline)


def delete_firewall_rule(client: Client, rule_id: str, *, deadline: Deadline) -> Job:
    """Delete a firewall rule; one that is gone is InvalidParameter."""
    return client.start("deleteFirewallRule", parameters(id=rule_id), deadline)


def list_network_acl_lists(
    client: Client, *, deadline: Deadline, list_id: str | None = None
) -> tuple[NetworkAclList, ...]:
    """List the lists of ACL items, all or by id."""
    query = Query("listNetworkACLLists", "networkacllist", NetworkAclList.from_json)
    return client.list_all(query, parameters(id=list_id), deadline)


def list_network_acls(
    client: Client, *, deadline: Deadline, **where: Unpack[NetworkAclFilter]
) -> tuple[NetworkAcl, ...]:
    """List ACL items."""
    query = Query("listNetworkACLs", "networkacl", NetworkAcl.from_json)
    return client.list_all(query, parameters(**where), deadline)


def create_network_acl(client: Client, item: NewNetworkAcl, *, deadline: Deadline) -> Job:
    """Add an item that allows ingress; its id is the job's `resource_id`.

    A number that is taken, or one of the lists that every zone has, is InvalidParameter.
    """
    values = port_parameters(item.ports) | parameters(
        acl_id=item.acl_id,
        number=item.number,
        action="Allow",
        traffic_type="Ingress",
        reason=item.reason or None,
    )
    return client.start("createNetworkACL", values, deadline)


def update_network_acl_item(
    client: Client, item_id: str, change: NetworkAclChange, *, deadline: Deadline
) -> Job:
    """Change an item in place."""
    ports = port_parameters(change.ports) if change.ports else {}
    values = parameters(id=item_id, number=change.number) | ports
    return client.start("updateNetworkACLItem", values, deadline)


def delete_network_acl(client: Client, item_id: str, *, deadline: Deadline) -> Job:
    """Delete an ACL item; one that is gone is InvalidParameter."""
    return client.start("deleteNetworkACL", parameters(id=item_id), deadline)


def list_security_groups(
    client: Client, *, deadline: Deadline, **where: Unpack[SecurityGroupFilter]
) -> tuple[SecurityGroup, ...]:
    """List security groups with their ingress rules."""
    query = Query("listSecurityGroups", "securitygroup", SecurityGroup.from_json)
    return client.list_all(query, parameters(**where), deadline)


def authorize_security_group_ingress(
    client: Client, group_id: str, ports: PortRange, *, deadline: Deadline
) -> Job:
    """Allow connections to a security group; each CIDR becomes its own rule.

    The job's `resource_id` is not the rules' id: list the group to find them.
    """
    values = parameters(security_group_id=group_id) | port_parameters(ports)
    return client.start("authorizeSecurityGroupIngress", values, deadline)


def revoke_security_group_ingress(client: Client, rule_id: str, *, deadline: Deadline) -> Job:
    """Delete an ingress rule of a security group."""
    return client.start("revokeSecurityGroupIngress", parameters(id=rule_id), deadline)
