"""The tags that mark what is ours in CloudStack: addresses, rules and firewall rules."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from hooks.cloudstack.models import Tag
from hooks.loadbalancers.plan.actions import Tags
from hooks.loadbalancers.plan.facts import Settings
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import (
    TAG_CLUSTER,
    TAG_NAMESPACE,
    TAG_ORIGIN,
    TAG_ORIGIN_CONTROLLER,
    TAG_ORIGIN_USER,
    TAG_SERVICE,
    TAG_SERVICE_UID,
)

#: Keys of our tags on addresses. Rules and firewall rules have all of them except the origin.
ADDRESS_KEYS = (TAG_CLUSTER, TAG_NAMESPACE, TAG_SERVICE, TAG_SERVICE_UID, TAG_ORIGIN)


class _Tagged(Protocol):
    @property
    def tags(self) -> tuple[Tag, ...]: ...


Resource = TypeVar("Resource", bound=_Tagged)


def resource_tags(request: LoadBalancerRequest, settings: Settings) -> Tags:
    """Return the tags of this Service's rules and firewall rules."""
    return (
        (TAG_CLUSTER, settings.cluster_id),
        (TAG_NAMESPACE, request.namespace),
        (TAG_SERVICE, request.spec.service.name),
        (TAG_SERVICE_UID, request.spec.service.uid),
    )


def address_tags(request: LoadBalancerRequest, settings: Settings, *, by_controller: bool) -> Tags:
    """Return the tags of this Service's address.

    The origin says whether we acquired the address, so that it is released with the Service.
    """
    origin = TAG_ORIGIN_CONTROLLER if by_controller else TAG_ORIGIN_USER
    return (*resource_tags(request, settings), (TAG_ORIGIN, origin))


def missing(wanted: Tags, resource: _Tagged) -> Tags:
    """Return the tags whose keys a resource lacks. CloudStack refuses a key that is set already."""
    keys = {tag.key for tag in resource.tags}
    return tuple((key, value) for key, value in wanted if key not in keys)


def group_by_missing(wanted: Tags, resources: Iterable[Resource]) -> dict[Tags, list[Resource]]:
    """Group the resources that lack tags by what they lack: one call tags a group."""
    groups: dict[Tags, list[Resource]] = {}
    for resource in resources:
        if lacking := missing(wanted, resource):
            groups.setdefault(lacking, []).append(resource)
    return groups


def value(resource: _Tagged, key: str) -> str:
    """Return a tag's value, empty if there is none."""
    return next((tag.value for tag in resource.tags if tag.key == key), "")


def is_ours(request: LoadBalancerRequest, resource: _Tagged) -> bool:
    """Tell whether a resource has this Service's tag."""
    return value(resource, TAG_SERVICE_UID) == request.spec.service.uid


def is_foreign(request: LoadBalancerRequest, resource: _Tagged) -> bool:
    """Tell whether a resource has another Service's tag."""
    return value(resource, TAG_SERVICE_UID) not in ("", request.spec.service.uid)


def is_unclaimed(resource: _Tagged) -> bool:
    """Tell whether a resource has no tags, except some of ours without the Service's UID."""
    return all(tag.key in ADDRESS_KEYS and tag.key != TAG_SERVICE_UID for tag in resource.tags)


def owner(resource: _Tagged) -> str:
    """Return the name of the Service that a resource is tagged for, and its cluster's id."""
    name = f"{value(resource, TAG_NAMESPACE)}/{value(resource, TAG_SERVICE)}"
    cluster = value(resource, TAG_CLUSTER)
    return f"{name} of cluster {cluster}" if cluster else name
