"""What the end-to-end tests look at: Services, their load balancers, their Events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.controlplane.api import Object, Objects, Resource
from tests.controlplane.cluster import Cluster
from tests.controlplane.polling import PATIENCE, until

PREFIX = "service.beta.kubernetes.io/cloudstack-load-balancer-"
READY = "cloudstack.targetcluster.example.com/LoadBalancerReady"
LOAD_BALANCERS = ("cloudstack.targetcluster.example.com/v1alpha1", "cloudstackloadbalancers")


class Namespace:
    """One namespace of a cluster, with what a test does in it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.services: Resource = cluster.api.resource("v1", "services")
        self.load_balancers: Resource = cluster.api.resource(*LOAD_BALANCERS)

    def create(self, name: str, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
        """Create a Service of type LoadBalancer with one port; `spec` replaces its fields."""
        return self.services.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": name,
                    "namespace": self.name,
                    "annotations": prefixed(annotations or {}),
                },
                "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
            }
        )

    def change(
        self, name: str, annotations: dict[str, str | None] | None = None, **spec: Any
    ) -> None:
        """Change fields and annotations of a Service; None takes one away."""
        patch: Object = {"spec": spec}
        if annotations:
            patch["metadata"] = {"annotations": prefixed(annotations)}
        self.services.patch(name, patch, self.name)

    def service(self, name: str) -> Object:
        """Read a Service."""
        return self.services.get(name, self.name)

    def load_balancer(self, service: str) -> Object | None:
        """Read the load balancer of a Service."""
        for one in self.load_balancers.list(self.name):
            if one["spec"]["service"]["name"] == service:
                return one
        return None

    def await_load_balancer(
        self,
        service: str,
        holds: Callable[[Object], object],
        what: str,
        *,
        within: float = PATIENCE,
    ) -> Object:
        """Wait until something holds of a Service's load balancer, and answer it."""
        return _until(
            lambda: self.load_balancer(service),
            holds,
            f"load balancer of {service}: {what}",
            within,
        )

    def await_no_load_balancer(self, service: str, *, within: float = PATIENCE) -> None:
        """Wait until a Service has no load balancer."""
        until_none(
            lambda: list(filter(None, [self.load_balancer(service)])),
            f"no load balancer of {service}",
            within=within,
        )

    def await_service(
        self, name: str, holds: Callable[[Object], object], what: str, *, within: float = PATIENCE
    ) -> Object:
        """Wait until something holds of a Service, and answer it."""
        return _until(lambda: self.service(name), holds, f"Service {name}: {what}", within)

    def await_ready(self, name: str, *, within: float = PATIENCE) -> Object:
        """Wait until a Service says that its load balancer serves as it asks."""
        return self.await_service(name, serves, "is ready", within=within)

    def events(self, name: str) -> list[str]:
        """List the reasons of a Service's Events."""
        return sorted(event["reason"] for event in self._events(name))

    def await_event(self, name: str, reason: str) -> None:
        """Wait until a Service has an Event of a reason: they are written beside the calls."""
        until(lambda: reason in self.events(name), f"{name} has the Event {reason}")

    def messages(self, name: str, reason: str) -> list[str]:
        """List what a Service's Events of a reason say."""
        return [event["message"] for event in self._events(name) if event["reason"] == reason]

    def _events(self, name: str) -> list[Object]:
        found = self.cluster.api.resource("v1", "events").list(self.name)
        return [event for event in found if event["involvedObject"]["name"] == name]


def until_none(list_: Callable[[], Objects], what: str, *, within: float = PATIENCE) -> None:
    """Wait until no load balancer is listed; where some stay, say what each waits for."""
    waiting: dict[str, list[str]] = {}

    def are_gone() -> bool:
        waiting.clear()
        for one in list_():
            metadata, conditions = one["metadata"], one.get("status", {}).get("conditions", [])
            ready = [
                f"{each['reason']}: {each['message']}"
                for each in conditions
                if each["type"] == "Ready"
            ]
            waiting[f"{metadata['namespace']}/{metadata['name']}"] = ready
        return not waiting

    try:
        until(are_gone, what, within=within)
    except AssertionError as error:
        raise AssertionError(f"{error}; left are {waiting}") from error


def _until(
    look: Callable[[], Object | None], holds: Callable[[Object], object], what: str, within: float
) -> Object:
    """Wait until something holds of an object; where it never does, show the object."""
    seen: list[Object | None] = [None]

    def probe() -> Object | None:
        seen[0] = look()
        return seen[0] if seen[0] and holds(seen[0]) else None

    try:
        return until(probe, what, within=within)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {seen[0]}") from error


def prefixed(annotations: dict[str, Any]) -> dict[str, Any]:
    """Write annotations with the provider's prefix."""
    return {PREFIX + key: value for key, value in annotations.items()}


def own_condition(service: Object) -> Object:
    """Find what a Service says of its load balancer."""
    for condition in service.get("status", {}).get("conditions", []):
        if condition["type"] == READY:
            return dict(condition)
    return {}


def serves(service: Object) -> bool:
    """Tell whether a Service says that its load balancer serves as it asks."""
    return own_condition(service).get("status") == "True"


def ingress(service: Object) -> list[Object]:
    """List what a Service publishes."""
    return list(service["status"]["loadBalancer"].get("ingress", []))


@contextmanager
def namespace(cluster: Cluster, prefix: str = "shop-") -> Iterator[Namespace]:
    """Create a namespace with a name of its own; at the end, delete it with all that is in it.

    That takes some seconds, which nobody waits for.
    """
    namespaces = cluster.api.resource("v1", "namespaces", namespaced=False)
    made = namespaces.create({"metadata": {"generateName": prefix}})
    name = str(made["metadata"]["name"])
    try:
        yield Namespace(cluster, name)
    finally:
        namespaces.delete(name)
