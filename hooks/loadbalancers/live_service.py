"""Reads the Service of a load balancer as it is now, or the one that was made again."""

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.bounded_json import Json
from hooks.kube.client import NotFound
from hooks.kube.kinds import NAMESPACE
from hooks.kube.objects import (
    annotations,
    finalizers,
    find_condition,
    is_deleting,
    items,
    part,
)
from hooks.kube.services import (
    load_balancer_name,
    load_balancers_path,
    service_path,
    still_wants,
    wants_load_balancer,
)
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.facts import Heir, LiveService
from hooks.loadbalancers.plan.ownership import Owner, value
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import (
    ANNOTATION_ABANDON,
    ANNOTATION_ADDRESS,
    ANNOTATION_MODE,
    ANNOTATION_NETWORK,
    ANNOTATION_SHARED_ADDRESS,
    TAG_NAMESPACE,
    TAG_SERVICE_UID,
)

#: How often a Service that is gone is looked for again, and the seconds between two looks.
RETURN_LOOKS = 4
RETURN_PAUSE = 0.15


def read_service(request: LoadBalancerRequest, context: CallContext) -> LiveService:
    """Read the Service where its mark says that it lives.

    Raises:
        KubeError: the API server does not answer.
    """
    namespace_path = NAMESPACE.path(name=request.service_namespace)
    path = service_path(request.service_namespace, request.spec.service.name)
    try:
        service = context.kube.get(path, deadline=context.deadline)
        # In a namespace that is being deleted, the Service may go after its load balancer.
        stays = not is_deleting(context.kube.get(namespace_path, deadline=context.deadline))
    except NotFound:
        return LiveService(still_wants=False)
    metadata, notes = part(service, "metadata"), annotations(service)
    is_confirmed = metadata.get("uid") == request.spec.service.uid
    mode = str(notes.get(ANNOTATION_MODE, "apply")).strip().lower()
    return LiveService(
        stays and still_wants(service, request.spec.service.uid),
        metadata.get("resourceVersion") or "",
        finalizers(service),
        is_confirmed=is_confirmed,
        plan_only=is_confirmed and mode != "apply",
        is_abandoned=is_confirmed and _is_abandoned(service),
        heir=_heir(service, request, context) if stays else None,
        address=_asked_address(service),
        shown=_shown(service),
    )


def await_return(request: LoadBalancerRequest, context: CallContext) -> None:
    """Give a Service that was deleted a moment to be made again, before its load balancer goes.

    `kubectl replace --force` deletes a Service and makes it again at once. A deletion that has
    begun is not held up again. Raises KubeError.
    """
    has_begun = request.recorded.condition("Ready").reason == "Deleting"
    if not request.is_owned or not request.recorded.claimed or has_begun:
        return
    path = service_path(request.service_namespace, request.spec.service.name)
    for _ in range(RETURN_LOOKS):
        try:
            context.kube.get(path, deadline=context.deadline)
        except NotFound:
            context.pause(min(RETURN_PAUSE, context.deadline.remaining() / 2))
        else:
            return


def tagged_namespace(request: LoadBalancerRequest, cluster_id: str, context: CallContext) -> str:
    """Return the namespace in the mark of an address with the Service's UID, empty without any.

    Cluster, name and UID in the mark must be those of the Service. Raises CloudStackError.
    """
    service = request.spec.service
    tags = {TAG_SERVICE_UID: service.uid}
    for each in context.cloud.client.list_all(PublicIpAddress, context.deadline, tags=tags):
        namespace = value(each, TAG_NAMESPACE)
        owner = Owner(cluster_id, namespace, service.name, service.uid)
        if owner.whose(each) is Whose.OURS:
            return namespace
    return ""


def _is_abandoned(service: Json) -> bool:
    """Tell whether a Service's annotation leaves everything in CloudStack when it goes."""
    return str(annotations(service).get(ANNOTATION_ABANDON)).strip().lower() == "true"


def _asked_address(service: Json) -> str:
    """Return the address that a Service asks for, as it is written; empty for any."""
    asked = annotations(service).get(ANNOTATION_ADDRESS)
    return str(asked or part(service, "spec").get("loadBalancerIP") or "").strip()


def _shown(service: Json) -> tuple[str, ...]:
    """Return the IPs and hostnames that a Service's status shows."""
    ingress = items(service, "status", "loadBalancer", "ingress")
    return tuple(str(each.get("ip") or each.get("hostname") or "") for each in ingress)


def _heir(service: Json, request: LoadBalancerRequest, context: CallContext) -> Heir | None:
    """Return a Service that was made again under another UID; None if it wants nothing of ours."""
    uid, notes = str(part(service, "metadata").get("uid") or ""), annotations(service)
    wants = wants_load_balancer(service, without_class=context.default_class)
    if uid == request.spec.service.uid or is_deleting(service) or not wants:
        return None
    network = notes.get(ANNOTATION_NETWORK)
    balancer = _balancer_of(uid, request, context)
    ready = find_condition(balancer, "Ready")
    return Heir(
        uid,
        _asked_address(service),
        str(network or "").strip(),
        share=str(notes.get(ANNOTATION_SHARED_ADDRESS) or "").strip(),
        members_network=str(part(balancer, "status").get("networkID") or ""),
        complaint=str(ready.get("message") or "") if ready.get("status") == "False" else "",
        is_abandoned=_is_abandoned(service),
    )


def _balancer_of(uid: str, request: LoadBalancerRequest, context: CallContext) -> Json:
    """Read the load balancer of the Service that was made again; empty while there is none."""
    path = f"{load_balancers_path(request.service_namespace)}/{load_balancer_name(uid)}"
    try:
        return context.kube.get(path, deadline=context.deadline)
    except NotFound:
        return {}
