"""Answers load balancers as the loadbalancers hook does, for tests of the services hook alone."""

from tests.controlplane.api import Object
from tests.e2e.watching import Namespace


def answer(shop: Namespace, balancer: Object, **status: object) -> None:
    """Answer a load balancer as the loadbalancers hook does."""
    metadata = balancer["metadata"]
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "",
        "lastTransitionTime": "2026-03-01T10:00:00Z",
    }
    written = {
        "observedGeneration": metadata["generation"],
        "address": {"ip": "203.0.113.7", "id": "ip-1", "published": True},
        "ruleSummary": "1/1",
        "members": {"assigned": 2, "wanted": 2},
        "memberSummary": "2/2",
        "conditions": [ready],
        **status,
    }
    shop.load_balancers.patch(
        metadata["name"], {"status": written}, shop.name, subresource="status"
    )


def hold(shop: Namespace, balancer: Object, *finalizers: str) -> None:
    """Put finalizers on a load balancer, as Metacontroller does for a finalize hook."""
    patch = {"metadata": {"finalizers": list(finalizers)}}
    shop.load_balancers.patch(balancer["metadata"]["name"], patch, shop.name)


def made(shop: Namespace, service: str) -> Object:
    """Wait for a Service's load balancer."""
    return shop.await_load_balancer(service, bool, "is made")
