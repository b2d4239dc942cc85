"""Tags: how we know again what is ours."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypedDict, Unpack

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands.parameters import parameters
from hooks.cloudstack.models import Job, Tag
from hooks.http.deadline import Deadline


class ResourceType(StrEnum):
    """The kinds of resources that we tag, by CloudStack's names."""

    ADDRESS = "PublicIpAddress"
    LOAD_BALANCER_RULE = "LoadBalancer"
    FIREWALL_RULE = "FirewallRule"
    NETWORK_ACL = "NetworkACL"
    SECURITY_GROUP = "SecurityGroup"
    SECURITY_GROUP_RULE = "SecurityGroupRule"
    VIRTUAL_MACHINE = "UserVm"


class TagFilter(TypedDict, total=False):
    """Which tags are listed."""

    resource_type: ResourceType
    resource_id: str
    key: str
    value: str


def list_tags(client: Client, *, deadline: Deadline, **where: Unpack[TagFilter]) -> tuple[Tag, ...]:
    """List tags with the resources they are on."""
    return client.list_all("listTags", "tag", Tag.from_json, parameters(**where), deadline)


def create_tags(
    client: Client,
    resource_type: ResourceType,
    resource_ids: Sequence[str],
    tags: Mapping[str, str],
    *,
    deadline: Deadline,
) -> Job:
    """Put all tags on all resources.

    A key is unique on its resource: one that is there already fails the job, whole. A free
    address cannot be tagged; releasing an address drops its tags.
    """
    values = parameters(resource_type=resource_type, resource_ids=resource_ids, tags=tags)
    return client.start("createTags", values, deadline)


def delete_tags(
    client: Client,
    resource_type: ResourceType,
    resource_ids: Sequence[str],
    keys: Sequence[str],
    *,
    deadline: Deadline,
) -> Job:
    """Take tags off resources, by key, whatever their value."""
    tags = [{"key": key} for key in keys]
    values = parameters(resource_type=resource_type, resource_ids=resource_ids, tags=tags)
    return client.start("deleteTags", values, deadline)
