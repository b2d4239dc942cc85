"""The hooks are killed after a write that nobody saw the end of; all comes right, and goes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace

PORTS = [{"name": f"p{number}", "port": number} for number in (8000, 8001)]
MORE_PORTS = [{"name": f"p{number}", "port": number} for number in (8000, 9000)]


@contextmanager
def killed_after(place: Site, writes: int) -> Iterator[None]:
    """Let CloudStack fall silent after so many writes, kill the hooks, and begin again."""
    place.await_quiet()
    control = place.simulator.control
    control.fault("*", "stop-after", skip=writes - 1, executed=True)
    try:
        yield
        place.awaited(lambda: control.armed.stopped, f"write {writes} is made")
        place.crash()
    finally:
        control.clear_faults()
    place.hooks.start()


def right(shop: Namespace, place: Site, name: str, *ports: int) -> list[Object]:
    """Wait until a Service is served as it asks; answer its rules."""
    shop.await_service(
        name, lambda one: {port["port"] for port in one["spec"]["ports"]} == set(ports), "is so"
    )
    balancer = shop.load_balancer(name)
    prefix = str(balancer["metadata"]["name"]) if balancer else ""

    def served() -> list[Object] | None:
        rules = place.rules(prefix)
        fine = (
            prefix
            and {int(rule["publicport"]) for rule in rules} == set(ports)
            and all(set(rule["members"]) == set(NODES) and rule["tags"] for rule in rules)
            and len({rule["address"] for rule in rules}) == 1
        )
        return rules if fine else None

    found = place.awaited(served, f"{name} is served")
    shop.await_ready(name)
    opened = {
        port
        for _, start, end, _ in place.firewall(found[0]["address"])
        for port in range(start, end + 1)
    }
    assert opened == set(ports)
    return found


def await_gone(place: Site, rules: list[Object]) -> None:
    """Wait until nothing is left of rules and their address."""
    ids, address = {rule["id"] for rule in rules}, rules[0]["address"]
    place.awaited(
        lambda: not place.address(address) and not ids & {rule["id"] for rule in place.rules()},
        "nothing is left",
    )


@pytest.mark.parametrize("writes", range(1, 9))
def test_killed_in_the_making(shop: Namespace, place: Site, writes: int) -> None:
    before = {one["ipaddress"] for one in place.addresses()}
    with killed_after(place, writes):
        shop.create("web", ports=PORTS)
    shop.await_load_balancer("web", bool, "is there")
    rules = right(shop, place, "web", 8000, 8001)
    assert {one["ipaddress"] for one in place.addresses()} - before == {rules[0]["address"]}
    shop.services.delete("web", shop.name)
    await_gone(place, rules)


@pytest.mark.parametrize("writes", range(1, 5))
def test_killed_in_a_change(shop: Namespace, place: Site, writes: int) -> None:
    shop.create("web", ports=PORTS)
    shop.await_ready("web")
    before = {int(rule["publicport"]): rule for rule in right(shop, place, "web", 8000, 8001)}
    with killed_after(place, writes):
        shop.change("web", ports=MORE_PORTS)
    rules = {int(rule["publicport"]): rule for rule in right(shop, place, "web", 8000, 9000)}
    assert rules[8000]["id"] == before[8000]["id"]
    shop.services.delete("web", shop.name)
    await_gone(place, list(rules.values()))


def test_killed_in_the_end(shop: Namespace, place: Site) -> None:
    shop.create("web", ports=PORTS)
    shop.await_ready("web")
    rules = right(shop, place, "web", 8000, 8001)
    with killed_after(place, 1):
        shop.services.delete("web", shop.name)
    await_gone(place, rules)
    shop.await_no_load_balancer("web")


def test_metacontroller_is_killed_with_the_hooks(shop: Namespace, place: Site) -> None:
    shop.create("web", ports=PORTS)
    place.crash()
    place.metacontroller.kill()
    place.metacontroller.start()
    place.hooks.start()
    shop.await_load_balancer("web", bool, "is there")
    rules = right(shop, place, "web", 8000, 8001)
    shop.services.delete("web", shop.name)
    place.metacontroller.kill()
    place.metacontroller.start()
    await_gone(place, rules)
