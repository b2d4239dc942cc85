"""How we know again what is ours: the tags on addresses, rules and firewall rules."""

from collections.abc import Iterable, Sequence

from hooks.cloudstack.models import Tag
from hooks.loadbalancers.plan.actions import Tags, tags
from hooks.loadbalancers.plan.facts import LoadBalancerRequest, Settings
from hooks.names import (
    TAG_CLUSTER,
    TAG_NAMESPACE,
    TAG_ORIGIN,
    TAG_ORIGIN_CONTROLLER,
    TAG_ORIGIN_USER,
    TAG_SERVICE,
    TAG_SERVICE_UID,
)

#: Keys of the tags that we put on addresses; the other resources have all but the origin.
ADDRESS_KEYS = (TAG_CLUSTER, TAG_NAMESPACE, TAG_SERVICE, TAG_SERVICE_UID, TAG_ORIGIN)


def resource_tags(request: LoadBalancerRequest, settings: Settings) -> Tags:
    """Return the tags of a rule or firewall rule of this Service."""
    return tags(
        {
            TAG_CLUSTER: settings.cluster_id,
            TAG_NAMESPACE: request.namespace,
            TAG_SERVICE: request.spec.service_name,
            TAG_SERVICE_UID: request.spec.service_uid,
        }
    )


def address_tags(request: LoadBalancerRequest, settings: Settings, *, by_controller: bool) -> Tags:
    """Return the tags of this Service's address; the origin says whether it goes with it."""
    origin = TAG_ORIGIN_CONTROLLER if by_controller else TAG_ORIGIN_USER
    return tags({**dict(resource_tags(request, settings)), TAG_ORIGIN: origin})


def missing(wanted: Tags, there: Iterable[Tag]) -> Tags:
    """Return the tags whose keys a resource lacks: a key that is there would fail the call."""
    keys = {tag.key for tag in there}
    return tuple((key, value) for key, value in wanted if key not in keys)


def value(there: Iterable[Tag], key: str) -> str:
    """Return a tag's value, empty where there is none."""
    return next((tag.value for tag in there if tag.key == key), "")


def is_ours(request: LoadBalancerRequest, there: Sequence[Tag]) -> bool:
    """Tell whether a resource carries this Service's tag."""
    return value(there, TAG_SERVICE_UID) == request.spec.service_uid


def is_others(request: LoadBalancerRequest, there: Sequence[Tag]) -> bool:
    """Tell whether a resource carries another Service's tag."""
    return value(there, TAG_SERVICE_UID) not in ("", request.spec.service_uid)


def is_unclaimed(there: Iterable[Tag]) -> bool:
    """Tell whether nobody has tagged a resource, but for what may be left of our own tags."""
    return all(tag.key in ADDRESS_KEYS and tag.key != TAG_SERVICE_UID for tag in there)


def owner(there: Sequence[Tag]) -> str:
    """Name the Service that a resource is tagged for."""
    name = f"{value(there, TAG_NAMESPACE)}/{value(there, TAG_SERVICE)}"
    cluster = value(there, TAG_CLUSTER)
    return f"{name} of cluster {cluster}" if cluster else name
