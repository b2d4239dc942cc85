"""What is read of a Service's EndpointSlices: on which nodes its endpoints are.

They count as kube-proxy counts them, so that a member is a node that accepts the connection. Who
may write in the Service's namespace may write EndpointSlices too. So a name in them only selects
among the nodes that may serve anyway.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from hooks.http.bounded_json import Json
from hooks.webhook.requests import View

#: Outer key of the EndpointSlices in `related`.
ENDPOINT_SLICES = "EndpointSlice.discovery.k8s.io/v1"
#: Label of an EndpointSlice: its Service.
_SERVICE_NAME = "kubernetes.io/service-name"
#: Label of EndpointSlices that kube-proxy does not read.
_HEADLESS = "service.kubernetes.io/headless"


class _Conditions(View, frozen=True):
    """An endpoint's conditions; what is left out counts as kube-proxy counts it."""

    ready: bool = True
    serving: bool = True
    terminating: bool = False


class _Endpoint(View, frozen=True):
    conditions: _Conditions = _Conditions()
    node_name: str = ""


class EndpointSlice(View, frozen=True):
    """Some endpoints of a Service. The API server writes null where there are none.

    Without ports, they are pods that have none of the Service's named ports.
    """

    address_type: str = ""
    ports: tuple[Json, ...] | None = None
    endpoints: tuple[_Endpoint, ...] | None = None


@dataclass(frozen=True)
class EndpointNodes:
    """The names of the nodes on which a Service has endpoints.

    Attributes:
        ready: with one that is ready.
        ending: with one that is terminating and serves until it ends (KEP-1669).
    """

    ready: frozenset[str] = frozenset()
    ending: frozenset[str] = frozenset()

    @classmethod
    def of(cls, slices: Iterable[EndpointSlice]) -> "EndpointNodes":
        """Read EndpointSlices.

        Clients come by IPv4, so only IPv4 endpoints count. An endpoint without a node is on none.
        """
        counting = (
            each.endpoints or () for each in slices if each.address_type == "IPv4" and each.ports
        )
        endpoints = [each for each in chain.from_iterable(counting) if each.node_name]
        return cls(
            frozenset(each.node_name for each in endpoints if each.conditions.ready),
            frozenset(
                each.node_name
                for each in endpoints
                if each.conditions.serving and each.conditions.terminating
            ),
        )


def slices_of(namespace: str, service: str) -> Json:
    """Write Metacontroller's rule for the EndpointSlices of a Service, whoever made them."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "resource": "endpointslices",
        "namespace": namespace,
        "labelSelector": {
            "matchLabels": {_SERVICE_NAME: service},
            "matchExpressions": [{"key": _HEADLESS, "operator": "DoesNotExist"}],
        },
    }
