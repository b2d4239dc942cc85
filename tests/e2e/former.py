"""How other cloud providers name their rules, and leave a Service when they are stopped."""

from collections.abc import Callable

from tests.controlplane.api import Object
from tests.e2e.watching import PREFIX, Namespace

OLD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"

#: How a provider names the rule of a Service's port, from the Service and that port.
Naming = Callable[[Object, int], str]


def prefix(service: Object) -> str:
    """Name a load balancer as cloud controller managers do."""
    uid: str = service["metadata"]["uid"]
    return ("a" + uid.replace("-", ""))[:32]


def existing(service: Object, port: int) -> str:
    """Name a rule as the existing external provider does."""
    return f"{prefix(service)}-tcp-{port}"


def in_tree(service: Object, port: int) -> str:
    """Name a rule as the provider did that was a part of Kubernetes."""
    return f"{prefix(service)}-{port}"


def fork(service: Object, port: int) -> str:
    """Name a rule as the fork of the existing provider does."""
    metadata = service["metadata"]
    return f"K8s_svc_kubernetes_{metadata['namespace']}_{metadata['name']}-tcp-{port}"


def hand_over(shop: Namespace, service: Object, address: Object, notes: dict[str, str]) -> None:
    """Leave the Service as another provider does when it is stopped, and let us have it."""
    name = service["metadata"]["name"]
    status = {"loadBalancer": {"ingress": [{"ip": address["ipaddress"]}]}}
    shop.services.patch(name, {"status": status}, shop.name, subresource="status")
    annotations = {PREFIX + key: note for key, note in notes.items()}
    metadata: Object = {
        "finalizers": [OLD_FINALIZER],
        "annotations": {**annotations, PREFIX + "disabled": None},
    }
    shop.services.patch(name, {"metadata": metadata}, shop.name)
