"""Tags, which mark the resources that are ours."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands.parameters import parameters
from hooks.cloudstack.models.jobs import Job
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
