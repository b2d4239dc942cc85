"""S1 to S4 on a real API server, with Metacontroller and the hooks under gunicorn.

A second API server is the cluster that a backup is restored in; it uses the same CloudStack, with
the same keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.e2e.site import Site, site
from tests.e2e.watching import LOAD_BALANCERS, Namespace, ingress, namespace
from tests.hostile.ownership.stage import OLD_FINALIZER, THINGS, hold, holdings
from tests.integration.loadbalancers.driver import FINALIZER, World

NODES = ("node-1", "node-2")
DRIFT_RESYNC = "10s"


@pytest.fixture(scope="module")
def place(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the first cluster."""
    folder = tmp_path_factory.mktemp("first")
    with site(control_plane, folder, NODES, DRIFT_RESYNC=DRIFT_RESYNC) as made:
        yield made


@pytest.fixture(scope="module")
def second(
    control_plane: ControlPlane, place: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Run the second cluster, with machines of its own on the same network."""
    with control_plane.target_cluster("restored") as cluster:
        cluster.apply_crds()
        folder = tmp_path_factory.mktemp("second")
        with site(cluster, folder, NODES, world=place.simulator, DRIFT_RESYNC=DRIFT_RESYNC) as made:
            yield made


@pytest.fixture
def shop(place: Site) -> Iterator[Namespace]:
    with namespace(place.cluster) as made:
        yield made


@pytest.fixture
def evil(place: Site) -> Iterator[Namespace]:
    with namespace(place.cluster, "evil-") as made:
        yield made


@contextmanager
def same_namespace(shop: Namespace, second: Site) -> Iterator[Namespace]:
    """Make a namespace of the same name in the second cluster."""
    namespaces = second.cluster.api.resource("v1", "namespaces", namespaced=False)
    namespaces.create({"metadata": {"name": shop.name}})
    yield Namespace(second.cluster, shop.name)
    namespaces.delete(shop.name)


def by_hand(place: Site, *things: str) -> str:
    """Allocate an address by hand, with these things on it; return it."""
    ip, person = place.free_address(), World(place.simulator)
    hold(person, *things, ip=ip)
    person.close()
    return ip


def balancer_of(shop: Namespace, name: str) -> Object:
    found = shop.load_balancer(name)
    assert found
    return found


def address_of(shop: Namespace, name: str) -> str:
    """Wait until a Service is served; return its address."""
    [shown] = ingress(shop.await_ready(name))
    return str(shown["ip"])


def identity(cluster: Site) -> str:
    namespaces = cluster.cluster.api.resource("v1", "namespaces", namespaced=False)
    return str(namespaces.get("kube-system")["metadata"]["uid"])


@pytest.mark.parametrize(
    ("annotations", "things"),
    [
        pytest.param(("address", "id"), THINGS, id="a whole API server"),
        pytest.param(("address", "id"), (), id="nothing on it"),
        pytest.param(("address", "ip-associated-by-controller"), ("rule",), id="a rule"),
        pytest.param(("status",), ("tag",), id="a status and a tag"),
    ],
)
def test_s1_an_address_by_hand_survives_what_a_service_says_of_it(
    place: Site, evil: Namespace, annotations: tuple[str, ...], things: tuple[str, ...]
) -> None:
    ip = by_hand(place, *things)
    before = holdings(place.simulator, ip)
    values = {"address": ip, "id": "x", "ip-associated-by-controller": "true"}
    notes = {key: values[key] for key in annotations if key in values}
    evil.create("web", {**notes, "disabled": "true"})
    if "status" in annotations:
        status = {"loadBalancer": {"ingress": [{"ip": ip}]}}
        evil.services.patch("web", {"status": status}, evil.name, subresource="status")
    evil.change("web", {"disabled": None})
    evil.await_load_balancer("web", lambda one: "conditions" in one["status"], "answers")
    place.await_quiet()
    evil.services.delete("web", evil.name)
    evil.await_no_load_balancer("web")
    assert holdings(place.simulator, ip) == before


def create_forged(
    place: Site, evil: Namespace, spec: Object, status: Object | None, *, is_deleted: bool
) -> None:
    """Create a load balancer as somebody who may do so, while nobody looks."""
    place.metacontroller.kill()
    evil.load_balancers.create(
        {
            "apiVersion": LOAD_BALANCERS[0],
            "kind": "CloudStackLoadBalancer",
            "metadata": {"name": "forged", "namespace": evil.name, "finalizers": [FINALIZER]},
            "spec": spec,
        }
    )
    if status:
        evil.load_balancers.patch("forged", {"status": status}, evil.name, subresource="status")
    if is_deleted:
        evil.load_balancers.delete("forged", evil.name)
    place.metacontroller.start()


def await_gone(evil: Namespace) -> None:
    until(lambda: evil.load_balancers.find("forged", evil.name) is None, "forged is gone")


@pytest.mark.parametrize("named", ["absent", "web"])
def test_s2_a_load_balancer_that_names_a_victims_uid_takes_nothing(
    place: Site, shop: Namespace, evil: Namespace, named: str
) -> None:
    shop.create("web")
    ip = address_of(shop, "web")
    victim = balancer_of(shop, "web")
    before = holdings(place.simulator, ip)
    spec = {
        "service": {"name": named, "uid": victim["spec"]["service"]["uid"]},
        "loadBalancerName": victim["spec"]["loadBalancerName"],
        "ports": victim["spec"]["ports"],
    }
    create_forged(place, evil, spec, None, is_deleted=False)
    await_gone(evil)
    place.await_quiet()
    assert holdings(place.simulator, ip) == before
    shop.await_ready("web")


@pytest.mark.parametrize("is_deleted", [False, True], ids=["living", "deleted at once"])
def test_s4_a_forged_status_releases_nothing(
    place: Site, evil: Namespace, *, is_deleted: bool
) -> None:
    ip = by_hand(place)
    before = holdings(place.simulator, ip)
    service = evil.create("web", {"disabled": "true"})
    uid = service["metadata"]["uid"]
    spec = {
        "service": {"name": "web", "uid": uid},
        "loadBalancerName": ("a" + uid.replace("-", ""))[:32],
        "ports": [{"protocol": "TCP", "publicPort": 80, "nodePort": 30080}],
    }
    [address] = before["addresses"]
    listed = place.cloud.list("listPublicIpAddresses", "publicipaddress", ipaddress=ip)
    status = {
        "address": {
            "ip": ip,
            "id": address["id"],
            "networkID": address["network"],
            "associatedByController": True,
            "published": True,
            "allocatedAt": listed[0]["allocated"].replace("+0000", "Z"),
        }
    }
    create_forged(place, evil, spec, status, is_deleted=is_deleted)
    await_gone(evil)
    place.await_quiet()
    assert holdings(place.simulator, ip) == before


def restore(shop: Namespace, balancer: Object, *, with_status: bool) -> None:
    """Create a load balancer again as backup tools do: without its owner, with its finalizer."""
    metadata = balancer["metadata"]
    shop.load_balancers.create(
        {
            "apiVersion": LOAD_BALANCERS[0],
            "kind": "CloudStackLoadBalancer",
            "metadata": {
                "name": metadata["name"],
                "namespace": shop.name,
                "finalizers": metadata["finalizers"],
            },
            "spec": balancer["spec"],
        }
    )
    if with_status:
        patch = {"status": balancer["status"]}
        shop.load_balancers.patch(metadata["name"], patch, shop.name, subresource="status")


@pytest.mark.parametrize("with_status", [False, True], ids=["no status", "status"])
def test_s3_a_restored_cluster_takes_nothing_down(
    place: Site, second: Site, shop: Namespace, *, with_status: bool
) -> None:
    shop.create("web")
    ip = address_of(shop, "web")
    before = holdings(place.simulator, ip)
    balancer = balancer_of(shop, "web")
    with same_namespace(shop, second) as copy:
        second.metacontroller.kill()
        restore(copy, balancer, with_status=with_status)
        second.metacontroller.start()
        until(lambda: not copy.load_balancers.list(copy.name), "it lets go of itself")
        second.await_quiet()
        assert holdings(place.simulator, ip) == before
    shop.await_ready("web")


def test_s3_a_clone_beside_the_living_one_has_an_address_of_its_own(
    place: Site, second: Site, shop: Namespace
) -> None:
    shop.create("web")
    ip = address_of(shop, "web")
    before = holdings(place.simulator, ip)
    with same_namespace(shop, second) as copy:
        copy.create("web")
        other = address_of(copy, "web")
        assert other != ip
        copy.services.delete("web", copy.name)
        copy.await_no_load_balancer("web")
        place.awaited(lambda: place.address(other) is None, "the clone's address is released")
    assert holdings(place.simulator, ip) == before


def test_s3_a_rebuilt_cluster_takes_over_what_it_names_and_keeps_the_address(
    place: Site, second: Site, shop: Namespace
) -> None:
    shop.create("web")
    ip = address_of(shop, "web")
    before = holdings(place.simulator, ip)
    ports = shop.service("web")["spec"]["ports"]
    place.metacontroller.kill()
    place.crash()
    try:
        with same_namespace(shop, second) as copy:
            service = copy.create("web", {"takeover-from": identity(place)}, ports=ports)
            assert address_of(copy, "web") == ip
            after = holdings(place.simulator, ip)
            assert {kind: [each["id"] for each in found] for kind, found in after.items()} == {
                kind: [each["id"] for each in found] for kind, found in before.items()
            }
            for found in after.values():
                for each in found:
                    assert identity(second) in each["tags"].values()
                    assert service["metadata"]["uid"] in each["tags"].values()
            copy.services.delete("web", copy.name)
            copy.await_no_load_balancer("web")
            assert place.address(ip) is None
    finally:
        place.hooks.start()
        place.metacontroller.start()


def test_s3_the_same_cluster_under_a_new_uid_inherits(place: Site, shop: Namespace) -> None:
    """A backup is restored into the cluster that it was made of: a new UID, the same node ports."""
    shop.create("web")
    ip = address_of(shop, "web")
    before = holdings(place.simulator, ip)
    ports = shop.service("web")["spec"]["ports"]
    place.metacontroller.kill()
    balancer = balancer_of(shop, "web")["metadata"]["name"]
    shop.load_balancers.patch(balancer, {"metadata": {"finalizers": []}}, shop.name)
    finalizers: Object = {"metadata": {"finalizers": []}}
    shop.services.patch("web", finalizers, shop.name)
    shop.services.delete("web", shop.name)
    until(lambda: shop.services.find("web", shop.name) is None, "the Service is lost")
    until(lambda: shop.load_balancer("web") is None, "its load balancer as well")
    shop.create("web", ports=ports)
    place.metacontroller.start()
    assert address_of(shop, "web") == ip
    after = holdings(place.simulator, ip)
    assert [each["id"] for each in after["loadbalancerrules"]] == [
        each["id"] for each in before["loadbalancerrules"]
    ]
    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    assert place.address(ip) is None


def test_s1_the_old_finalizer_makes_no_difference(place: Site, evil: Namespace) -> None:
    ip = by_hand(place, "rule", "firewall rule")
    before = holdings(place.simulator, ip)
    evil.create("web", {"disabled": "true", "address": ip, "id": "x"})
    evil.services.patch("web", {"metadata": {"finalizers": [OLD_FINALIZER]}}, evil.name)
    evil.change("web", {"disabled": None})
    evil.await_load_balancer("web", lambda one: "conditions" in one["status"], "answers")
    place.await_quiet()
    evil.services.delete("web", evil.name)
    evil.await_no_load_balancer("web")
    assert holdings(place.simulator, ip) == before
