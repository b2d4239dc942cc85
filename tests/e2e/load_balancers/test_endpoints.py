"""With externalTrafficPolicy Local, members follow the endpoints of the Service."""

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress, own_condition

READY = {"ready": True, "serving": True, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}
UNREADY = {"ready": False, "serving": False, "terminating": False}
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


class Endpoints:
    """The EndpointSlices of a Service, as its controller would write them."""

    def __init__(self, shop: Namespace, service: str) -> None:
        self._shop = shop
        self._service = service
        self._slices = shop.cluster.api.resource("discovery.k8s.io/v1", "endpointslices")

    def put(self, name: str = "", kind: str = "IPv4", **nodes: Object) -> None:
        """Write a slice: the conditions of an endpoint on each node; `node_1` is node-1."""
        address = {"IPv4": "10.244.0.7", "IPv6": "fd00::7"}[kind]
        slice_: Object = {
            "metadata": {
                "name": f"{self._service}-{name or 'pods'}",
                "namespace": self._shop.name,
                "labels": {"kubernetes.io/service-name": self._service},
            },
            "addressType": kind,
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [
                {
                    "addresses": [address],
                    "nodeName": node.replace("_", "-"),
                    "conditions": conditions,
                }
                for node, conditions in nodes.items()
            ],
        }
        if self._slices.find(slice_["metadata"]["name"], self._shop.name):
            patch = {"endpoints": slice_["endpoints"]}
            self._slices.patch(slice_["metadata"]["name"], patch, self._shop.name)
        else:
            self._slices.create(slice_)

    def delete(self, name: str = "") -> None:
        """Delete a slice."""
        self._slices.delete(f"{self._service}-{name or 'pods'}", self._shop.name)


def rule(shop: Namespace, place: Site) -> Object:
    """Return the only rule of the only Service."""
    (found,) = place.rules_of(shop, "web")
    return found


def await_members(shop: Namespace, place: Site, *names: str) -> None:
    """Wait until the rule has exactly these members."""
    place.awaited(
        lambda: set(rule(shop, place)["members"]) == set(names),
        f"members are {', '.join(names) or 'none'}",
    )


def await_reason(shop: Namespace, reason: str) -> Object:
    """Wait until the Service's condition has a reason."""
    return shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == reason, f"says {reason}"
    )


def only_plans(balancer: Object) -> bool:
    """Tell whether the hook has seen that a load balancer is in plan mode."""
    seen, now = balancer["status"].get("observedGeneration"), balancer["metadata"]["generation"]
    return bool(balancer["spec"]["mode"] == "Plan" and seen == now)


def test_the_address_comes_before_the_first_endpoint_and_members_follow_them(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", externalTrafficPolicy="Local")
    waiting = await_reason(shop, "NoReadyEndpoints")
    shown = shop.await_service("web", ingress, "shows its address")
    assert ingress(shown)[0]["ip"] == rule(shop, place)["address"]
    assert list(rule(shop, place)["members"]) == []
    assert "UnAvailableLoadBalancer" not in shop.events("web")
    assert waiting["spec"]["healthCheckNodePort"] != int(rule(shop, place)["privateport"])
    endpoints = Endpoints(shop, "web")
    endpoints.put(node_1=READY)
    await_members(shop, place, "node-1")
    shop.await_ready("web")
    endpoints.put("more", node_1=READY, node_2=READY)
    endpoints.put("six", kind="IPv6", node_3=READY)
    await_members(shop, place, "node-1", "node-2")
    endpoints.delete()
    endpoints.put("more", node_2=READY, node_1=ENDING)
    await_members(shop, place, "node-2")
    endpoints.put("more", node_1=ENDING, node_2=UNREADY)
    await_members(shop, place, "node-1")


def test_without_any_endpoint_members_stay_and_the_service_says_so(
    shop: Namespace, place: Site
) -> None:
    endpoints = Endpoints(shop, "web")
    endpoints.put(node_1=READY, node_2=READY)
    shop.create("web", externalTrafficPolicy="Local")
    shop.await_ready("web")
    endpoints.put(node_1=UNREADY, node_2=UNREADY)
    gone = await_reason(shop, "NoReadyEndpoints")
    assert set(rule(shop, place)["members"]) == {"node-1", "node-2"}
    assert ingress(gone)[0]["ip"] == rule(shop, place)["address"]
    place.awaited(lambda: "UnAvailableLoadBalancer" in shop.events("web"), "it is told")
    place.nodes.patch("node-1", {"metadata": {"labels": {EXCLUDED: ""}}})
    await_members(shop, place, "node-2")
    place.nodes.patch("node-1", {"metadata": {"labels": {EXCLUDED: None}}})
    endpoints.put(node_3=READY)
    await_members(shop, place, "node-3")
    shop.await_ready("web")


def test_a_live_service_becomes_local_and_back_and_always_has_a_member(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    shop.await_ready("web")
    before = rule(shop, place)
    Endpoints(shop, "web").put(node_3=READY)
    with place.watched() as watch:
        shop.change("web", externalTrafficPolicy="Local")
        await_members(shop, place, "node-3")
        shop.change("web", externalTrafficPolicy="Cluster")
        await_members(shop, place, *NODES)
    assert all(look.rules[before["id"]]["members"] for look in watch.looks)
    shop.await_ready("web")


def test_drift_plan_mode_a_node_that_leaves_and_deletion_go_by_the_endpoints_as_well(
    shop: Namespace, place: Site
) -> None:
    endpoints = Endpoints(shop, "web")
    endpoints.put(node_1=READY)
    shop.create("web", externalTrafficPolicy="Local")
    shop.await_ready("web")
    only = rule(shop, place)["id"]
    place.job("assignToLoadBalancerRule", id=only, virtualmachineids=place.machine("node-3"))
    place.job("removeFromLoadBalancerRule", id=only, virtualmachineids=place.machine("node-1"))
    await_members(shop, place, "node-1")
    shop.change("web", {"mode": "plan"})
    shop.await_load_balancer("web", only_plans, "only plans")
    endpoints.put(node_2=READY)
    planned = shop.await_load_balancer(
        "web", lambda one: len(one["status"].get("plan", [])) == 2, "has two changes"
    )
    name = rule(shop, place)["name"]
    assert planned["status"]["plan"] == [
        f"assign node-2 to rule {name}",
        f"remove node-1 from rule {name}",
    ]
    assert list(rule(shop, place)["members"]) == ["node-1"]
    shop.change("web", {"mode": None})
    await_members(shop, place, "node-2")
    endpoints.put(node_2=READY, node_3=READY)
    await_members(shop, place, "node-2", "node-3")
    place.nodes.delete("node-3")
    await_members(shop, place, "node-2")
    place.join("node-3")
    await_members(shop, place, "node-2", "node-3")
    address = rule(shop, place)["address"]
    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    assert place.address(address) is None
    assert only not in {one["id"] for one in place.rules()}
