"""The tags that mark what is ours in CloudStack: addresses, rules and firewall rules."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from hooks import names
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import AddTags, TaggedKind, Tags
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.request import LoadBalancerRequest

#: Keys of our tags on addresses. Rules and firewall rules have all of them except the origin.
ADDRESS_KEYS = (
    names.TAG_CLUSTER,
    names.TAG_NAMESPACE,
    names.TAG_SERVICE,
    names.TAG_SERVICE_UID,
    names.TAG_ORIGIN,
)


class _Resource(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def tags(self) -> tuple[Tag, ...]: ...


Resource = TypeVar("Resource", bound=_Resource)


def resource_tags(facts: Facts) -> Tags:
    """Return the tags of this Service's rules and firewall rules."""
    request = facts.request
    return (
        (names.TAG_CLUSTER, facts.cluster_id),
        (names.TAG_NAMESPACE, request.metadata.namespace),
        (names.TAG_SERVICE, request.spec.service.name),
        (names.TAG_SERVICE_UID, request.spec.service.uid),
    )


def address_tags(facts: Facts, *, by_controller: bool) -> Tags:
    """Return the tags of this Service's address.

    The origin says whether we acquired the address, so that it is released with the Service.
    """
    origin = names.TAG_ORIGIN_CONTROLLER if by_controller else names.TAG_ORIGIN_USER
    return (*resource_tags(facts), (names.TAG_ORIGIN, origin))


def add_missing(
    kind: TaggedKind, resources: Iterable[Resource], wanted: Tags, name: Callable[[Resource], str]
) -> tuple[AddTags, ...]:
    """Add the tags that resources lack, by one action for all that lack the same.

    CloudStack refuses a key that a resource has already.
    """
    groups: dict[Tags, list[Resource]] = {}
    for resource in resources:
        keys = {tag.key for tag in resource.tags}
        if lacking := tuple((key, value) for key, value in wanted if key not in keys):
            groups.setdefault(lacking, []).append(resource)
    return tuple(
        AddTags(kind, tuple(each.id for each in group), tuple(map(name, group)), lacking)
        for lacking, group in groups.items()
    )


def value(resource: _Resource, key: str) -> str:
    """Return a tag's value, empty if there is none."""
    return next((tag.value for tag in resource.tags if tag.key == key), "")


def is_ours(request: LoadBalancerRequest, resource: _Resource) -> bool:
    """Tell whether a resource has this Service's tag."""
    return value(resource, names.TAG_SERVICE_UID) == request.spec.service.uid


def is_foreign(request: LoadBalancerRequest, resource: _Resource) -> bool:
    """Tell whether a resource has another Service's tag."""
    return value(resource, names.TAG_SERVICE_UID) not in ("", request.spec.service.uid)


def is_unclaimed(resource: _Resource) -> bool:
    """Tell whether a resource has no tags, except some of ours without the Service's UID."""
    return {tag.key for tag in resource.tags} <= set(ADDRESS_KEYS) - {names.TAG_SERVICE_UID}


def owner(resource: _Resource) -> str:
    """Return the name of the Service that a resource is tagged for, and its cluster's id."""
    name = f"{value(resource, names.TAG_NAMESPACE)}/{value(resource, names.TAG_SERVICE)}"
    cluster = value(resource, names.TAG_CLUSTER)
    return f"{name} of cluster {cluster}" if cluster else name
