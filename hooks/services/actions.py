"""Does what Metacontroller cannot do to a Service: finalizers, and what cleans up after it."""

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube
from hooks.names import API_VERSION, CLOUDSTACK_GROUP
from hooks.services.plan.plan import Action, MakeForCleanup


def perform(kube: Kube, action: Action, *, deadline: Deadline) -> None:
    """Do one action.

    Raises:
        Conflict: the Service changed since it was seen.
        KubeError: anything else that went wrong.
    """
    if isinstance(action, MakeForCleanup):
        _make(kube, action, deadline)
        return
    kube.patch(action.path, action.patch, deadline=deadline)


def _make(kube: Kube, action: MakeForCleanup, deadline: Deadline) -> None:
    namespace = action.manifest["metadata"]["namespace"]
    path = f"/apis/{CLOUDSTACK_GROUP}/{API_VERSION}/namespaces/{namespace}/cloudstackloadbalancers"
    try:
        kube.create(path, action.manifest, deadline=deadline)
    except Conflict:
        return  # an earlier call made it, and did not get further
