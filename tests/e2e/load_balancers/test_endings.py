"""However something ends, no address is lost that is wanted, and none left that is not."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks.names import CLEANUP_FINALIZER
from tests.controlplane import manifests
from tests.controlplane.api import ApiError, Object
from tests.controlplane.polling import PATIENCE, until
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.platform import PROJECT
from tests.e2e.site import CONTROLLERS, INSTANCES, Site
from tests.e2e.watching import Namespace, ingress, own_condition

CRD = PROJECT / "crds/cloudstackloadbalancers.yaml"
CRD_OF_INSTANCES = PROJECT / "crds/cloudstackinstances.yaml"


def state(shop: Namespace, place: Site, *services: str) -> list[Object]:
    """Wait until Services are ready; answer their rules as CloudStack has them."""
    rules: list[Object] = []
    for service in services:
        shop.await_ready(service)
        rules += place.rules_of(shop, service)
    return rules


def uids(shop: Namespace) -> set[str]:
    """Return the UIDs of a namespace's load balancers; none while their kind is not served."""
    try:
        return {str(one["metadata"]["uid"]) for one in shop.load_balancers.list(shop.name)}
    except ApiError as error:
        if error.code in (404, 429):
            return set()
        raise


def await_released(place: Site, *rules: Object, within: float = PATIENCE) -> None:
    """Wait until nothing is left of rules and their addresses."""

    def gone() -> bool:
        there = {rule["id"] for rule in place.rules()}
        return not any(rule["id"] in there or place.address(rule["address"]) for rule in rules)

    place.awaited(gone, "everything is released", within=within)


def test_a_load_balancer_that_is_deleted_by_hand_finds_what_it_had(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    before, old = state(shop, place, "web"), uids(shop)
    with place.watched() as watch:
        shop.cluster.kubectl("delete", "cslb", "--all", "-n", shop.name)
        until(lambda: uids(shop) and uids(shop) != old, "it is made again")
        assert state(shop, place, "web") == before
    assert watch.always_there(before[0]["id"])
    assert ingress(shop.service("web"))[0]["ip"] == before[0]["address"]
    shop.await_service("web", lambda one: "finalizers" not in one["metadata"], "is held no longer")


def test_a_service_that_is_replaced_by_force_keeps_its_address(
    shop: Namespace, place: Site
) -> None:
    # A deletion waits 0.6 s for the Service: a machine that stalls for so long tells nothing.
    assert any(is_kept_when_replaced(shop, place, name) for name in ("one", "two", "three"))


def is_kept_when_replaced(shop: Namespace, place: Site, name: str) -> bool:
    """Replace a Service by force; tell whether it has its rule and its address, and always had."""
    made = shop.create(name)
    [before], old = state(shop, place, name), uids(shop)
    written = json.dumps(
        {key: made[key] for key in ("apiVersion", "kind", "spec")}
        | {"metadata": {"name": name, "namespace": shop.name}}
    )
    with place.watched() as watch:
        shop.cluster.kubectl("replace", "--force", "-f", "-", stdin=written)
        until(lambda: old - uids(shop) and uids(shop) - old, "the old load balancer is gone")
        [after] = state(shop, place, name)
    assert ingress(shop.service(name))[0]["ip"] == after["address"]
    is_kept = (after["id"], after["address"]) == (before["id"], before["address"])
    return is_kept and watch.always_there(before["id"])


def test_a_crd_that_is_deleted_and_comes_back_costs_no_address(
    shop: Namespace, place: Site
) -> None:
    for name in ("one", "two", "three"):
        shop.create(name)
    before = state(shop, place, "one", "two", "three")
    old = uids(shop)
    with place.watched() as watch:
        shop.cluster.kubectl("delete", "-f", CRD, "--timeout=120s")
        shop.cluster.apply(CRD)
        until(lambda: len(uids(shop) - old) == 3, "all are made again")
        assert state(shop, place, "one", "two", "three") == before
    assert all(watch.always_there(rule["id"]) for rule in before)


def is_served(place: Site) -> bool:
    """Tell whether Instances can be listed: not while the storage of their kind is made."""
    try:
        place.cluster.api.resource(*INSTANCES, namespaced=False).list()
    except ApiError as error:
        if error.code in (404, 429):
            return False
        raise
    return True


def test_the_crd_of_instances_that_is_deleted_and_comes_back_costs_no_member(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    [before] = state(shop, place, "web")
    with place.watched() as watch:
        shop.cluster.kubectl("delete", "-f", CRD_OF_INSTANCES, "--timeout=120s")
        place.await_quiet(12)
        shop.cluster.apply(CRD_OF_INSTANCES)
        until(lambda: is_served(place), "the kind is served again")
        place.await_instances(*NODES)
        place.await_quiet()
    assert state(shop, place, "web") == [before]
    fewest = min((look.rules[before["id"]]["members"] for look in watch.looks), key=len)
    assert set(fewest) == set(NODES)


def test_instances_that_are_deleted_by_hand_cost_no_member(shop: Namespace, place: Site) -> None:
    shop.create("web")
    [before] = state(shop, place, "web")
    with place.watched() as watch:
        shop.cluster.kubectl("delete", "csvm", NODES[0], NODES[1])
        place.await_instances(*NODES)
        place.await_quiet()
    assert state(shop, place, "web") == [before]
    fewest = min((look.rules[before["id"]]["members"] for look in watch.looks), key=len)
    assert set(fewest) == set(NODES)


def await_new_namespace(shop: Namespace) -> None:
    """Wait until a deleted namespace is gone, and make it again, to be deleted in the end."""
    namespaces = shop.cluster.api.resource("v1", "namespaces", namespaced=False)
    until(lambda: namespaces.find(shop.name) is None, "the namespace is gone")
    namespaces.create({"metadata": {"name": shop.name}})


def delete_it(shop: Namespace) -> None:
    shop.cluster.kubectl("delete", "service", "web", "-n", shop.name, "--wait=false")


def delete_its_namespace(shop: Namespace) -> None:
    shop.cluster.kubectl("delete", "namespace", shop.name, "--wait=false")
    until(
        lambda: shop.service("web")["metadata"].get("deletionTimestamp"),
        "the Service goes",
    )


def make_it_internal(shop: Namespace) -> None:
    shop.change("web", type="ClusterIP")


@contextmanager
def without_controllers(place: Site, *names: str) -> Iterator[None]:
    """Delete controller objects meanwhile."""
    api = place.cluster.api
    found = [
        manifests.aimed(controller, manifests.Hooks(place.hooks.url))
        for name in names
        for controller in manifests.load(PROJECT / f"metacontroller/{name}.yaml")
    ]
    kinds = {
        controller["metadata"]["name"]: api.resource(
            manifests.API_VERSION, manifests.PLURALS[controller["kind"]]
        )
        for controller in found
    }
    for name, kind in kinds.items():
        kind.delete(name)
    try:
        yield
    finally:
        for controller in found:
            kinds[controller["metadata"]["name"]].create(controller)


def test_controllers_that_are_deleted_and_come_back_cost_no_address(
    shop: Namespace, place: Site
) -> None:
    shop.create("stays")
    shop.create("goes")
    before = state(shop, place, "stays", "goes")
    with without_controllers(place, *CONTROLLERS):
        shop.services.delete("goes", shop.name)
        assert place.rules(before[0]["name"]) == [before[0]]
    await_released(place, before[1])
    shop.change("stays", {"proxy-protocol": "true"})
    shop.await_service("stays", lambda one: ingress(one)[0]["ipMode"] == "Proxy", "is served again")
    assert [rule["id"] for rule in state(shop, place, "stays")] == [before[0]["id"]]


@pytest.mark.parametrize("ends", [delete_it, delete_its_namespace, make_it_internal])
def test_a_service_that_ends_while_its_load_balancer_is_gone_leaves_nothing(
    shop: Namespace, place: Site, ends: Callable[[Namespace], None]
) -> None:
    uid = shop.create("web")["metadata"]["uid"]
    before = state(shop, place, "web")
    with without_controllers(place, "services"):
        shop.cluster.kubectl("delete", "cslb", "--all", "-n", shop.name, "--timeout=120s")
        ends(shop)
        assert shop.service("web")["metadata"]["finalizers"] == [CLEANUP_FINALIZER]
        assert place.rules(before[0]["name"]) == before
    await_released(place, *before)

    def cleaned_up() -> bool:
        there = {one["spec"]["service"]["uid"] for one in shop.load_balancers.list()}
        left = shop.services.find("web", shop.name)
        return uid not in there and (left is None or "finalizers" not in left["metadata"])

    until(cleaned_up, "what cleaned up is gone, and nothing holds the Service")
    if ends is delete_its_namespace:
        await_new_namespace(shop)


def test_a_load_balancer_that_was_orphaned_goes_too(shop: Namespace, place: Site) -> None:
    shop.create("web")
    before = state(shop, place, "web")
    shop.cluster.kubectl("delete", "service", "web", "-n", shop.name, "--cascade=orphan")
    await_released(place, *before)
    shop.await_no_load_balancer("web")


def test_foreground_deletion_waits_for_cloudstack(shop: Namespace, place: Site) -> None:
    shop.create("web")
    before = state(shop, place, "web")
    shop.cluster.kubectl("delete", "service", "web", "-n", shop.name, "--cascade=foreground")
    await_released(place, *before, within=0)
    assert shop.services.find("web", shop.name) is None


def test_a_service_that_somebody_holds_gives_back_its_address_at_once(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", {"mode": "apply"})
    before = state(shop, place, "web")
    shop.services.patch("web", {"metadata": {"finalizers": ["example.com/hold"]}}, shop.name)
    shop.change("web", {"mode": "plan"})
    shop.await_load_balancer("web", lambda one: one["spec"]["mode"] == "Plan", "only plans")
    delete_it(shop)
    shop.await_service(
        "web",
        lambda one: "changes are planned" in own_condition(one).get("message", ""),
        "says what the deletion waits for",
    )
    assert own_condition(shop.service("web"))["reason"] == "Deleting"
    assert place.rules(before[0]["name"]) == before

    shop.change("web", {"mode": "apply"})
    await_released(place, *before)
    shop.await_no_load_balancer("web")
    left = shop.await_service("web", lambda one: not own_condition(one), "says nothing any more")
    assert left["status"] == {"loadBalancer": {}}
    shop.await_event("web", "DeletedLoadBalancer")
    shop.services.patch("web", {"metadata": {"finalizers": None}}, shop.name)


def test_a_namespace_takes_its_ten_services_along(shop: Namespace, place: Site) -> None:
    names = [f"web-{number}" for number in range(10)]
    for name in names:
        shop.create(name)
    before = state(shop, place, *names)
    assert len({rule["address"] for rule in before}) == 10
    shop.cluster.kubectl("delete", "namespace", shop.name, "--wait=false")
    await_released(place, *before)
    await_new_namespace(shop)


def test_a_setting_decides_about_new_services_only(shop: Namespace, place: Site) -> None:
    shop.create("old")
    before = state(shop, place, "old")
    environment = place.hooks.process.environment
    place.crash()
    place.hooks.process.environment = {**environment, "DEFAULT_LOAD_BALANCER_CLASS": "false"}
    try:
        place.hooks.start()
        shop.create("new")
        shop.change("old", {"proxy-protocol": "true"})
        shop.await_service("old", lambda one: ingress(one)[0]["ipMode"] == "Proxy", "goes on")
        assert [rule["id"] for rule in state(shop, place, "old")] == [before[0]["id"]]
        assert shop.load_balancer("new") is None
    finally:
        place.crash()
        place.hooks.process.environment = environment
        place.hooks.start()
