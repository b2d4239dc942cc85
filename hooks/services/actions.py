"""Does what Metacontroller cannot do to a Service: take a finalizer off."""

from hooks.deadline import Deadline
from hooks.kube import Kube
from hooks.services.plan import RemoveFinalizer


def remove_finalizer(kube: Kube, action: RemoveFinalizer, *, deadline: Deadline) -> None:
    """Patch the Service.

    Raises:
        Conflict: the Service changed since it was seen.
        KubeError: anything else that went wrong.
    """
    kube.patch(
        f"/api/v1/namespaces/{action.namespace}/services/{action.name}",
        {
            "metadata": {
                "resourceVersion": action.resource_version,
                "finalizers": list(action.left),
            }
        },
        deadline=deadline,
    )
