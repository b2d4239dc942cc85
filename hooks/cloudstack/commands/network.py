"""Guest networks and public addresses."""

from collections.abc import Mapping
from typing import TypedDict, Unpack

from hooks.cloudstack.client import Client, Query
from hooks.cloudstack.commands.parameters import parameters
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.http.deadline import Deadline


class NetworkFilter(TypedDict, total=False):
    """Which networks are listed."""

    id: str
    zone_id: str
    vpc_id: str


class PublicIpAddressFilter(TypedDict, total=False):
    """Which acquired addresses are listed; `associated_network_id` is the guest network."""

    id: str
    ip_address: str
    associated_network_id: str
    vpc_id: str
    zone_id: str
    tags: Mapping[str, str]


class AddressWanted(TypedDict, total=False):
    """Where an address is acquired: for a network or a VPC; which one, else any."""

    network_id: str
    vpc_id: str
    zone_id: str
    ip_address: str


def list_networks(
    client: Client, *, deadline: Deadline, **where: Unpack[NetworkFilter]
) -> tuple[Network, ...]:
    """List guest networks with their services."""
    query = Query("listNetworks", "network", Network.from_json)
    return client.list_all(query, parameters(**where), deadline)


def list_public_ip_addresses(
    client: Client, *, deadline: Deadline, **where: Unpack[PublicIpAddressFilter]
) -> tuple[PublicIpAddress, ...]:
    """List acquired addresses; the id of a released one gives an empty list."""
    query = Query("listPublicIpAddresses", "publicipaddress", PublicIpAddress.from_json)
    return client.list_all(query, parameters(**where), deadline)


def list_free_public_ip_addresses(
    client: Client, *, deadline: Deadline, zone_id: str
) -> tuple[PublicIpAddress, ...]:
    """List up to 500 free addresses of the zone, to choose one from.

    Free addresses are listed by zone; by guest network the list is empty.
    """
    where = parameters(zone_id=zone_id, state="Free", for_virtual_network=True)
    query = Query("listPublicIpAddresses", "publicipaddress", PublicIpAddress.from_json)
    return client.first_page(query, where, deadline)


def associate_ip_address(
    client: Client, *, deadline: Deadline, **wanted: Unpack[AddressWanted]
) -> Job:
    """Acquire an address; its id is the job's `resource_id`, and it can be tagged at once.

    An address that is taken, even by us, is NoCapacity.
    """
    return client.start("associateIpAddress", parameters(**wanted), deadline)


def disassociate_ip_address(client: Client, address_id: str, *, deadline: Deadline) -> Job:
    """Release an address with all its rules in one job.

    A source NAT address fails in the job; an address that was released before is InternalError.
    """
    return client.start("disassociateIpAddress", parameters(id=address_id), deadline)
