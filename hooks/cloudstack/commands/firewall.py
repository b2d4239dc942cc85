"""Firewall rules and network ACL items."""

from dataclasses import asdict

from hooks.cloudstack.commands.parameters import Command, command
from hooks.cloudstack.models.firewall import PortRange


def create_firewall_rule(ip_address_id: str, ports: PortRange) -> Command:
    """Open ports of a public address; its id is the job's `resource_id`.

    The server accepts a second rule for the same ports, so list them first.
    """
    return command("createFirewallRule", ip_address_id=ip_address_id, **_values(ports))


def delete_firewall_rule(rule_id: str) -> Command:
    """Delete a firewall rule; one that is gone is InvalidParameter."""
    return command("deleteFirewallRule", id=rule_id)


def create_network_acl(
    acl_id: str, number: int, ports: PortRange, reason: str | None = None
) -> Command:
    """Add an item that allows ingress; its id is the job's `resource_id`.

    A number that is taken, or one of the default lists, is InvalidParameter. The server accepts a
    second item for the same ports, so list them first.
    """
    values = {"acl_id": acl_id, "number": number, "reason": reason, **_values(ports)}
    return command("createNetworkACL", action="Allow", traffic_type="Ingress", **values)


def update_network_acl_item(
    item_id: str,
    number: int | None = None,
    ports: PortRange | None = None,
    reason: str | None = None,
) -> Command:
    """Change an item in place; None leaves a field as it is, and tags stay.

    A number that is taken fails in the job.
    """
    values = {"number": number, "reason": reason, **(_values(ports) if ports else {})}
    return command("updateNetworkACLItem", id=item_id, **values)


def delete_network_acl(item_id: str) -> Command:
    """Delete an ACL item; one that is gone is InvalidParameter."""
    return command("deleteNetworkACL", id=item_id)


def _values(ports: PortRange) -> dict[str, object]:
    values = asdict(ports)
    values["cidr_list"] = values.pop("cidrs")
    return values
