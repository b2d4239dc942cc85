"""A Service has one address: one too many is released, one that is not proven ours is not."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hooks import names
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from simulator.model import Address
from tests.hostile.ownership.stage import Died, Tap, add, call_for, hold, holdings, marked, tapped
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.test_addresses import FREE, only_one_is_free

PLAN = Path(names.__file__).parent / "loadbalancers" / "plan"
TAKEN_DOWN = {"Release", "DeleteRule", "CloseFirewall", "UntagAddress"}


def mark(lb: LoadBalancer, *, origin: str = "controller") -> dict[str, str]:
    """Return the whole mark of a load balancer's address."""
    return {
        names.TAG_CLUSTER: "c-1",
        names.TAG_NAMESPACE: "default",
        names.TAG_SERVICE: "web",
        names.TAG_SERVICE_UID: lb.service_uid,
        names.TAG_ORIGIN: origin,
    }


def marked_address(lb: LoadBalancer, ip: str, **how: str) -> str:
    """Allocate an address with the whole mark, as another replica did; return its id."""
    address = hold(lb.world, ip=ip)
    tags = mark(lb, **how)
    kind = {"resourcetype": "PublicIpAddress", "resourceids": address}
    lb.world.human.done("createTags", **kind, tags=tags)
    return address


def ips(world: World) -> list[str]:
    return [each["ipaddress"] for each in world.addresses()]


@pytest.mark.parametrize("second", ["198.51.100.17", "198.51.100.199"])
def test_a_second_marked_address_is_gone_with_the_deletion_at_the_latest(
    world: World, hook: LoadBalancersHook, second: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    marked_address(lb, second)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


@pytest.mark.parametrize("second", ["198.51.100.17", "198.51.100.199"])
def test_a_new_object_keeps_the_address_with_the_rules(
    world: World, hook: LoadBalancersHook, second: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    ip = lb.status["address"]["ip"]
    marked_address(lb, second)
    lb.remake()
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == ip
    assert ips(world) == [ip]


def test_without_rules_it_keeps_the_smallest(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world)
    for ip in ("198.51.100.30", "198.51.100.40", "198.51.100.19"):
        marked_address(lb, ip)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == "198.51.100.19"
    assert ips(world) == ["198.51.100.19"]


@pytest.mark.parametrize("thing", ["rule", "firewall rule", "port forwarding rule"])
def test_a_second_one_with_a_humans_things_stays_his(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    second = "198.51.100.199"
    made = add(world, marked_address(lb, second), thing)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    left = holdings(world, second)
    assert [each["tags"] for each in left["addresses"]] == [{}]
    assert made in str(left)
    assert ips(world) == [second]


@pytest.mark.parametrize("thing", ["rule", "firewall rule", "port forwarding rule", None])
def test_a_second_one_that_the_service_asks_for_later_serves_and_is_read_before_it_goes(
    world: World, hook: LoadBalancersHook, thing: str | None
) -> None:
    """The recorded one is ours, so only the list by the wanted number shows the second."""
    lb = LoadBalancer(world).settle(hook)
    ip, second = lb.status["address"]["ip"], "198.51.100.199"
    address = marked_address(lb, second)
    made = add(world, address, thing) if thing else ""
    lb.change(address=second)
    lb.settle(hook)
    assert lb.status["address"]["ip"] == second
    lb.change(address=ip)
    call_for(lb, hook, 900)
    assert lb.status["address"]["ip"] == ip
    assert ips(world) == ([ip, second] if thing else [ip])
    left = holdings(world, second)
    assert made in str(left)
    assert [each["tags"] for each in left["addresses"]] == ([{}] if thing else [])


def test_one_that_the_user_brought_is_not_released_as_the_second(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    second = "198.51.100.199"
    marked_address(lb, second, origin="user")
    lb.delete()
    call_for(lb, hook, 900)
    assert ips(world) == [second]


def test_a_choice_that_others_take_is_made_again_without_end(world: World) -> None:
    """CloudStack is left to choose only where it shows no free address."""
    taken: list[str] = []

    def take(_number: int, command: str) -> None:
        if command == "associateIpAddress" and len(taken) < 7:
            ip = lb.status["address"]["ip"]
            taken.append(ip)
            hold_quietly(world, ip)

    with tapped(world, Tap(take)) as hook:
        lb = LoadBalancer(world)
        for _ in range(40):
            lb.call(hook)
            world.advance(1)
        lb.settle(hook)
    assert len(taken) == 7
    assert lb.is_ready()
    calls = world.simulator.control.calls("associateIpAddress")
    assert all("ipaddress" in call["params"] for call in calls)
    for ip in taken:
        assert holdings(world, ip)["addresses"][0]["tags"] == {}
    assert marked(world, lb.service_uid) == [lb.status["address"]["ip"]]


def hold_quietly(world: World, ip: str) -> None:
    network = world.network("net-1")
    world.human.done("associateIpAddress", networkid=network, ipaddress=ip)


@contextmanager
def none_is_free(world: World) -> Iterator[Address]:
    """Show no free address; yield the one that becomes free first."""
    with only_one_is_free(world):
        one = world.simulator.world.addresses.named(FREE)
        assert one is not None
        one.state = "Reserved"
        yield one


def test_an_untagged_address_is_never_claimed_for_its_age(
    world: World, hook: LoadBalancersHook
) -> None:
    """CloudStack is to choose and has nothing; then a human allocates what becomes free."""
    lb = LoadBalancer(world)
    with none_is_free(world) as one:
        for _ in range(3):
            lb.call(hook)
        one.state = "Free"
        hold(world, ip=FREE)
        before = holdings(world, FREE)
        for _ in range(8):
            lb.call(hook)
            world.advance(60)
            assert holdings(world, FREE) == before
    world.advance(400)
    for _ in range(3):
        lb.settle(hook)
        world.advance(400)
    assert lb.is_ready()
    assert holdings(world, FREE) == before
    lb.delete()
    call_for(lb, hook, 900)
    assert holdings(world, FREE) == before
    assert ips(world) == [FREE]


def test_a_death_between_association_and_tag_of_any_address_claims_nothing(world: World) -> None:
    """The one leak that is left: nothing proves whose the address is, so it is nobody's."""

    def die(_number: int, command: str) -> None:
        if command == "associateIpAddress":
            raise Died

    lb = LoadBalancer(world)
    with none_is_free(world) as one, tapped(world, Tap(after=die)) as hook:
        lb.call(hook)
        assert lb.status.get("address", {}).get("ip", "") == ""
        one.state = "Free"
        try:
            for _ in range(6):
                lb.call(hook)
                world.advance(60)
        except Died:
            pass
    with tapped(world, Tap()) as hook:
        for _ in range(4):
            lb.settle(hook)
            world.advance(400)
        assert lb.is_ready()
        untagged = [each["ipaddress"] for each in world.addresses() if not each["tags"]]
        assert marked(world, lb.service_uid) == [lb.status["address"]["ip"]]
        assert untagged in ([], [FREE])
        lb.delete()
        call_for(lb, hook, 900)
    assert ips(world) == untagged


def test_any_address_whose_tags_are_refused_is_released_again(world: World) -> None:
    """Nothing could show later that it is ours, so each call would leave one more behind."""
    lb = LoadBalancer(world)
    with none_is_free(world) as one:

        def free_it(_number: int, command: str) -> None:
            if command == "associateIpAddress":
                one.state = "Free"

        world.simulator.control.fault("createTags", "error", code=530, times=1)
        with tapped(world, Tap(free_it)) as hook:
            lb.call(hook)
        assert ips(world) == []
        assert world.writes()["disassociateIpAddress"] == 1
    with tapped(world, Tap()) as hook:
        for _ in range(3):
            lb.settle(hook)
            world.advance(400)
        assert lb.is_ready()
        assert ips(world) == [lb.status["address"]["ip"]]


# The one module that decides


def calls_of(tree: ast.AST, name: str) -> list[int]:
    """Return the lines that construct something of this name."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name
    ]


def test_only_one_module_says_that_something_is_ours() -> None:
    assert (PLAN / "ownership.py").exists()
    found = {}
    for path in sorted(Path(names.__file__).parent.rglob("*.py")):
        lines = calls_of(ast.parse(path.read_text(encoding="utf-8")), "Own")
        if lines and path != PLAN / "ownership.py":
            found[str(path)] = lines
    assert found == {}


def test_what_takes_down_holds_what_only_that_module_makes() -> None:
    tree = ast.parse((PLAN / "actions.py").read_text(encoding="utf-8"))
    fields: dict[str, list[str]] = {
        node.name: [
            ast.unparse(each.annotation) for each in node.body if isinstance(each, ast.AnnAssign)
        ]
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in TAKEN_DOWN
    }
    assert set(fields) == TAKEN_DOWN
    for name, annotations in fields.items():
        assert any(each.split(".")[-1].startswith("Own") for each in annotations), name


def test_several_tags_in_a_list_are_never_trusted(world: World, hook: LoadBalancersHook) -> None:
    """Addresses that have one of our tags, or some, turn up in the answers and are not ours."""
    lb = LoadBalancer(world, ports=[port(80)])
    whole = mark(lb)
    others: dict[str, Json] = {}
    for number, key in enumerate(whole):
        ip = f"198.51.100.{160 + number}"
        address = hold(world, ip=ip)
        tags = {**whole, key: "another"}
        kind = {"resourcetype": "PublicIpAddress", "resourceids": address}
        if key in (names.TAG_ORIGIN, names.TAG_SERVICE_UID):
            tags = {each: value for each, value in tags.items() if each != key}
            tags[names.TAG_NAMESPACE] = "another"
        world.human.done("createTags", **kind, tags=tags)
        others[ip] = holdings(world, ip)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] not in others
    lb.delete()
    call_for(lb, hook, 900)
    assert ips(world) == list(others)
    for ip, before in others.items():
        assert holdings(world, ip) == before
