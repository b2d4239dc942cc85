"""Writes what Metacontroller cannot: a Service's finalizers, and a load balancer without owner."""

from contextlib import suppress

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube
from hooks.names import CLOUDSTACK_API
from hooks.services.plan.plan import Action, CreateForCleanup


def perform(action: Action, kube: Kube, deadline: Deadline) -> None:
    """Do one action.

    Raises:
        Conflict: the Service changed since it was read.
        KubeError: the API server refused or did not answer.
    """
    if isinstance(action, CreateForCleanup):
        namespace = action.manifest["metadata"]["namespace"]
        path = f"/apis/{CLOUDSTACK_API}/namespaces/{namespace}/cloudstackloadbalancers"
        # Where an earlier call created it and was interrupted, it exists already.
        with suppress(Conflict):
            kube.create(path, action.manifest, deadline=deadline)
    else:
        kube.patch(action.path, action.patch, deadline=deadline)
