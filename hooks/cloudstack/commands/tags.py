"""Tags, which mark the resources that are ours."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from hooks.cloudstack.commands.parameters import Command, command


class ResourceType(StrEnum):
    """The kinds of resources that we tag, by CloudStack's names."""

    ADDRESS = "PublicIpAddress"
    LOAD_BALANCER_RULE = "LoadBalancer"
    FIREWALL_RULE = "FirewallRule"
    NETWORK_ACL = "NetworkACL"
    VIRTUAL_MACHINE = "UserVm"


def create_tags(
    resource_type: ResourceType, resource_ids: Sequence[str], tags: Mapping[str, str]
) -> Command:
    """Put all tags on all resources.

    A key is unique on its resource: one that is there already fails the job, whole. A free
    address cannot be tagged; releasing an address drops its tags.
    """
    what = {"resource_type": resource_type, "resource_ids": resource_ids}
    return command("createTags", **what, tags=tags)


def delete_tags(
    resource_type: ResourceType, resource_ids: Sequence[str], tags: Mapping[str, str | None]
) -> Command:
    """Take tags off resources, by key and value; None for any value.

    If no resource has any of them, the job fails. Those of a load balancer rule outlive it, and can
    be taken off then too.
    """
    what = {"resource_type": resource_type, "resource_ids": resource_ids}
    entries = [
        {"key": key} | ({} if value is None else {"value": value}) for key, value in tags.items()
    ]
    return command("deleteTags", **what, tags=entries)
