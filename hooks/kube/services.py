"""Services: whether one wants our load balancer, its names, and patches of its finalizers."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.kinds import SERVICE
from hooks.kube.objects import annotations, is_deleting, part
from hooks.names import ANNOTATION_DISABLED, CLOUDSTACK_API, LOAD_BALANCER_CLASS

#: The namespace of a load balancer that cleans up after a deleted Service, whose own namespace may
#: be deleted too, and then nothing can be created in it. Nobody else makes load balancers there.
CLEANUP_NAMESPACE = "kube-system"


def wants_load_balancer(service: Json, *, without_class: bool) -> bool:
    """Tell whether a Service asks for a load balancer of ours.

    Args:
        service: the Service.
        without_class: the answer for a Service that names no class.
    """
    spec = part(service, "spec")
    is_disabled = str(annotations(service).get(ANNOTATION_DISABLED)).strip().lower() == "true"
    if spec.get("type") != "LoadBalancer" or is_disabled:
        return False
    if load_balancer_class := spec.get("loadBalancerClass"):
        return bool(load_balancer_class == LOAD_BALANCER_CLASS)
    return without_class


def still_wants(service: Json, uid: str) -> bool:
    """Tell whether this is the Service with the UID, and it still wants its load balancer."""
    is_same = part(service, "metadata").get("uid") == uid and not is_deleting(service)
    return is_same and wants_load_balancer(service, without_class=True)


def load_balancer_name(uid: str) -> str:
    """Name a Service's load balancer as cloud controller managers do: `a` and its UID."""
    return ("a" + uid.replace("-", ""))[:32]


def service_path(namespace: str, name: str) -> str:
    """Return a Service's path in the Kubernetes API."""
    return SERVICE.path(namespace, name)


def load_balancers_path(namespace: str) -> str:
    """Return the path of a namespace's CloudStackLoadBalancers in the Kubernetes API."""
    return f"/apis/{CLOUDSTACK_API}/namespaces/{namespace}/cloudstackloadbalancers"


@dataclass(frozen=True, slots=True)
class ServiceFinalizers:
    """Give a Service exactly these finalizers, if it is unchanged since it was read.

    Attributes:
        namespace, name: the Service.
        resource_version: as it was read; the API server refuses the patch of a changed Service.
        finalizers: all that it will have.
    """

    namespace: str
    name: str
    resource_version: str
    finalizers: tuple[str, ...]

    @property
    def path(self) -> str:
        """Return the Service's path."""
        return service_path(self.namespace, self.name)

    @property
    def patch(self) -> Json:
        """Return the merge patch."""
        return {
            "metadata": {
                "resourceVersion": self.resource_version,
                "finalizers": list(self.finalizers),
            }
        }
