"""The services hook on a real API server; the tests themselves play the loadbalancers hook."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.controlplane.api import ApiError, Object
from tests.controlplane.polling import until
from tests.e2e.answering import answer, hold, made
from tests.e2e.platform import Hooks
from tests.e2e.site import calling
from tests.e2e.watching import Namespace, ingress, namespace, own_condition, serves

OLD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
OWN_FINALIZER = "metacontroller.io/compositecontroller-cloudstack-loadbalancers"


@pytest.fixture(scope="module")
def cluster(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    folder: Path = tmp_path_factory.mktemp("services")
    with Simulator() as simulator:
        hooks = Hooks(control_plane, simulator, folder, {"HOOKS": "services"})
        with calling(control_plane, hooks, ["services"]):
            yield control_plane


@pytest.fixture
def shop(cluster: ControlPlane) -> Iterator[Namespace]:
    with namespace(cluster) as made:
        yield made


def publish(shop: Namespace, service: str, address: str) -> None:
    """Publish an address as another controller does."""
    status = {"loadBalancer": {"ingress": [{"ip": address}]}}
    shop.services.patch(service, {"status": status}, shop.name, subresource="status")


def test_a_service_gets_an_address_serves_and_leaves(shop: Namespace) -> None:
    shop.create("web")
    balancer = made(shop, "web")
    waiting = shop.await_service("web", own_condition, "is ours")
    assert own_condition(waiting)["status"] == "Unknown"
    assert ingress(waiting) == []

    answer(shop, balancer)
    ready = shop.await_ready("web")
    assert ingress(ready) == [{"ip": "203.0.113.7", "ipMode": "VIP"}]
    assert own_condition(ready)["message"] == "203.0.113.7: rules 1/1, members 2/2"
    row = shop.cluster.kubectl("get", "cslb", "-n", shop.name).splitlines()
    columns = ["NAME", "SERVICE", "ADDRESS", "RULES", "MEMBERS", "READY", "PLAN", "AGE"]
    assert row[0].split() == columns
    assert row[1].split()[1:6] == ["web", "203.0.113.7", "1/1", "2/2", "True"]

    shop.change("web", type="ClusterIP")
    shop.await_no_load_balancer("web")
    left = shop.await_service("web", lambda one: not own_condition(one), "is nobody's")
    assert left["status"] == {"loadBalancer": {}}
    until(
        lambda: (
            shop.events("web")
            == [
                "DeletedLoadBalancer",
                "DeletingLoadBalancer",
                "EnsuredLoadBalancer",
                "EnsuringLoadBalancer",
            ]
        ),
        "the Events of a whole life",
    )


def test_an_address_that_was_removed_is_not_shown_again(shop: Namespace) -> None:
    shop.create("web")
    balancer = made(shop, "web")
    answer(shop, balancer)
    shop.await_ready("web")
    hold(shop, balancer, OWN_FINALIZER)
    shop.change("web", type="ClusterIP")
    shop.await_service("web", lambda one: own_condition(one)["reason"] == "Deleting", "goes")

    shop.change("web", type="LoadBalancer")
    # A call that was shown the Service as it was before may answer in between.
    shop.await_service(
        "web",
        lambda one: own_condition(one)["reason"] == "Pending" and ingress(one) == [],
        "waits for the next, and shows nothing",
    )
    hold(shop, balancer)
    following = shop.await_load_balancer(
        "web", lambda one: one["metadata"]["uid"] != balancer["metadata"]["uid"], "is the next"
    )
    answer(shop, following, address={"ip": "203.0.113.8", "id": "ip-2", "published": False})
    assert ingress(shop.await_ready("web")) == []
    answer(shop, following, address={"ip": "203.0.113.8", "id": "ip-2", "published": True})
    shop.await_service("web", lambda one: ingress(one) != [], "shows an address")
    assert ingress(shop.service("web")) == [{"ip": "203.0.113.8", "ipMode": "VIP"}]


def test_an_address_that_is_somebody_elses_is_shown_no_more_until_there_is_another(
    shop: Namespace,
) -> None:
    shop.create("web")
    balancer = made(shop, "web")
    answer(shop, balancer)
    assert ingress(shop.await_ready("web")) == [{"ip": "203.0.113.7", "ipMode": "VIP"}]
    following = {"ip": "203.0.113.8", "id": "", "published": False}
    answer(shop, balancer, address=following, withdrawnAddress="203.0.113.7")
    shop.await_service("web", lambda one: ingress(one) == [], "shows no address")
    following |= {"id": "ip-2", "published": True}
    answer(shop, balancer, address=following, withdrawnAddress=None)
    shop.await_service("web", lambda one: ingress(one) != [], "shows an address")
    assert ingress(shop.service("web")) == [{"ip": "203.0.113.8", "ipMode": "VIP"}]


def test_tcp_and_udp_on_one_port_stay_two_ports_through_every_change(shop: Namespace) -> None:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 31053},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "nodePort": 31054},
    ]
    shop.create("dns", ports=ports)
    made(shop, "dns")
    shop.change("dns", {"proxy-protocol": "true"})
    changed = shop.await_load_balancer(
        "dns", lambda one: any(port["proxyProtocol"] for port in one["spec"]["ports"]), "PROXY"
    )
    assert sorted(
        (port["protocol"], port["publicPort"], port["nodePort"], port["proxyProtocol"])
        for port in changed["spec"]["ports"]
    ) == [("TCP", 53, 31054, True), ("UDP", 53, 31053, False)]
    shop.change("dns", ports=ports[1:])
    fewer = shop.await_load_balancer("dns", lambda one: len(one["spec"]["ports"]) == 1, "one port")
    assert fewer["spec"]["ports"][0]["protocol"] == "TCP"


def test_what_cannot_be_served_is_said_and_admits_nobody_else(shop: Namespace) -> None:
    shop.create("web")
    answer(shop, made(shop, "web"))
    shop.await_ready("web")
    before = made(shop, "web")["spec"]

    shop.change("web", {"source-cidrs": "intranet"})
    refused = shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == "InvalidService", "is refused"
    )
    assert "'intranet' is not a CIDR" in own_condition(refused)["message"]
    assert ingress(refused) == [{"ip": "203.0.113.7", "ipMode": "VIP"}]
    after = shop.await_load_balancer("web", lambda one: one["spec"]["invalid"], "says why")
    assert {**after["spec"], "invalid": []} == {**before, "sourceRanges": []}

    shop.change("web", {"source-cidrs": "10.0.0.0/8"})
    changed = shop.await_load_balancer("web", lambda one: not one["spec"]["invalid"], "is right")
    assert changed["spec"]["sourceRanges"] == ["10.0.0.0/8"]
    answer(shop, changed)
    shop.await_ready("web")
    shop.await_event("web", "SyncLoadBalancerFailed")


def test_a_service_of_another_provider_is_taken_over_in_one_piece(shop: Namespace) -> None:
    created = shop.create("old", type="ClusterIP")
    created["metadata"]["finalizers"] = [OLD_FINALIZER]
    created["spec"]["type"] = "LoadBalancer"
    shop.services.update(created)
    taken = made(shop, "old")
    assert taken["spec"]["adopt"]["address"] == ""
    assert taken["spec"]["adopt"]["names"][-1] == f"{taken['metadata']['name']}-80"

    answer(shop, taken)
    shop.await_ready("old")
    assert shop.service("old")["metadata"]["finalizers"] == [OLD_FINALIZER]
    hold(shop, taken, OWN_FINALIZER)
    shop.await_service("old", lambda one: "finalizers" not in one["metadata"], "is handed over")
    hold(shop, taken)


def test_the_address_of_another_provider_is_adopted_and_stays(shop: Namespace) -> None:
    shop.create("web", {"disabled": "true"})
    publish(shop, "web", "203.0.113.9")
    shop.change("web", {"disabled": None})
    balancer = made(shop, "web")
    assert balancer["spec"]["adopt"]["address"] == "203.0.113.9"
    assert balancer["spec"]["adopt"]["associatedByController"] is True

    answer(shop, balancer, address={"ip": "203.0.113.7", "published": False})
    assert [one["ip"] for one in ingress(shop.await_ready("web"))] == ["203.0.113.9"]
    answer(shop, balancer)
    shop.await_service(
        "web", lambda one: ingress(one)[0]["ip"] == "203.0.113.7", "shows the new address"
    )


def test_a_service_of_another_class_is_never_written_to(shop: Namespace) -> None:
    shop.create("theirs", loadBalancerClass="example.com/other")
    publish(shop, "theirs", "203.0.113.9")
    before = shop.service("theirs")
    shop.create("ours")
    made(shop, "ours")
    assert shop.service("theirs") == before
    assert shop.load_balancer("theirs") is None


def sticky(method: str, parameters: dict[str, str] | None = None, protocol: str = "TCP") -> Object:
    """Make a port with a stickiness policy."""
    policy = {"method": method, **({"parameters": parameters} if parameters else {})}
    return {"publicPort": 53, "protocol": protocol, "nodePort": 1, "stickiness": policy}


def test_a_load_balancer_that_is_deleted_is_made_again(shop: Namespace) -> None:
    shop.create("web")
    balancer = made(shop, "web")
    answer(shop, balancer)
    shop.await_ready("web")
    shop.load_balancers.delete(balancer["metadata"]["name"], shop.name)
    uid = balancer["metadata"]["uid"]
    again = shop.await_load_balancer(
        "web", lambda one: one["metadata"]["uid"] != uid, "is made again"
    )
    assert again["metadata"]["name"] == balancer["metadata"]["name"]
    assert again["spec"] == balancer["spec"]
    assert [one["ip"] for one in ingress(shop.service("web"))] == ["203.0.113.7"]
    until(lambda: not serves(shop.service("web")), "the Service waits for it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {
                "ports": [
                    {"publicPort": 53, "protocol": "UDP", "nodePort": 1, "proxyProtocol": True}
                ]
            },
            "the PROXY protocol is for TCP ports",
            id="PROXY over UDP",
        ),
        pytest.param(
            {
                "ports": [
                    {"publicPort": port, "protocol": "TCP", "nodePort": port, "certificate": name}
                    for port, name in ((443, "a"), (8443, "b"))
                ]
            },
            "that of the same Secret",
            id="certificates of two Secrets",
        ),
        pytest.param(
            {"ports": [sticky("SourceBased", protocol="UDP")]},
            "stickiness is for TCP ports",
            id="stickiness over UDP",
        ),
        pytest.param(
            {"ports": [sticky("AppCookie")]}, "Unsupported value", id="a method that routers lack"
        ),
        pytest.param(
            {"ports": [sticky("LbCookie", {"expire": "3h"})]},
            "a parameter that the method does not have",
            id="a parameter of another method",
        ),
        pytest.param(
            {"ports": [sticky("LbCookie", {"cookie-name": "a\n\tmode http"})]},
            "should match",
            id="a line of its own in the router's configuration",
        ),
        pytest.param(
            {"ports": [{"publicPort": 53, "protocol": "UDP", "nodePort": port} for port in (1, 2)]},
            "Duplicate value",
            id="a port twice",
        ),
        pytest.param(
            {"service": {"name": "other", "uid": "1"}},
            "a load balancer never changes its Service",
            id="another Service",
        ),
        pytest.param(
            {"loadBalancerName": "a1"}, "a load balancer keeps the name", id="another name"
        ),
        pytest.param({"sourceRanges": ["10.0.0.0/8"] * 2}, "Duplicate value", id="a range twice"),
        pytest.param({"mode": "Dry"}, "Unsupported value", id="mode"),
    ],
)
def test_the_crd_refuses_what_cannot_be(cluster: ControlPlane, change: Object, said: str) -> None:
    balancers = cluster.api.resource(
        "cloudstack.targetcluster.example.com/v1alpha1", "cloudstackloadbalancers"
    )
    body: Object = {
        "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
        "kind": "CloudStackLoadBalancer",
        "metadata": {"name": "by-hand", "namespace": "default"},
        "spec": {"service": {"name": "by-hand", "uid": "0"}, "loadBalancerName": "a0"},
    }
    made = balancers.create(body)
    try:
        assert made["spec"]["sourceRanges"] == ["0.0.0.0/0"]
        with pytest.raises(ApiError) as refusal:
            balancers.patch("by-hand", {"spec": change}, "default")
        assert refusal.value.code == 422
        assert said in refusal.value.message
    finally:
        balancers.delete("by-hand", "default")
