"""A Service changes to another address: the new one serves before the old one goes."""

import uuid
from collections.abc import Callable
from copy import deepcopy

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from hooks.names import TAG_ORIGIN
from tests.hostile.ownership.stage import Tenant, add
from tests.integration.loadbalancers.changing import WHOLE, Changing, ips
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook
from tests.integration.loadbalancers.test_addresses import FREE, allocate, held

#: Two addresses that a person allocated.
FIRST, SECOND = "198.51.100.120", "198.51.100.121"


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        pytest.param("", FREE, [FREE], id="from ours to a free one"),
        pytest.param("", SECOND, [SECOND], id="from ours to one that was brought"),
        pytest.param(FIRST, SECOND, [FIRST, SECOND], id="from one that was brought to another"),
        pytest.param(FIRST, FREE, [FIRST, FREE], id="from one that was brought to a free one"),
    ],
)
def test_the_new_address_serves_before_the_old_one_goes(
    world: World, hook: LoadBalancersHook, before: str, after: str, left: list[str]
) -> None:
    for each in {FIRST, SECOND} & {before, after}:
        allocate(world, each)
    service = Changing(world, hook, **({"address": before} if before else {}))
    old = service.ip
    service.ask(after)
    service.wait()
    assert service.seen == [[old], [after, old], [after]]
    assert service.serving == [after]
    assert service.lb.is_ready()
    assert "addressChange" not in service.lb.status
    assert ips(world) == left
    for each in set(left) - {after}:
        assert held(world, each)["tags"] == {}
    reasons = world.cluster.reasons()
    assert (reasons.count("AddressChanging"), reasons.count("AddressChanged")) == (1, 1)
    [told] = [each.message for each in world.cluster.events if each.reason == "AddressChanged"]
    assert old in told
    assert after in told
    service.lb.delete()
    service.lb.settle(hook)
    assert world.remains() == {**NOTHING, "addresses": [each for each in left if each != FREE]}


def test_the_old_address_serves_until_a_name_in_the_dns_has_followed(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    assert service.shown == [FREE, old]
    service.wait(SHOWN_TOGETHER - 5)
    assert service.shown == [FREE, old]
    service.wait(10)
    assert service.shown == [FREE]
    service.wait(SERVES_ON - 30)
    assert service.serving == sorted((FREE, old))
    service.wait(60)
    assert service.serving == [FREE]


def test_the_old_address_serves_on_from_its_withdrawal_whatever_held_that_up(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    world.advance(3600)
    service.wait(5)
    assert service.shown == [FREE]
    service.wait(SERVES_ON - 60)
    assert service.serving == sorted((FREE, old))
    service.wait(120)
    assert service.serving == [FREE]


def test_without_an_address_the_service_keeps_what_it_has(
    world: World, hook: LoadBalancersHook
) -> None:
    allocate(world, FIRST)
    service = Changing(world, hook, address=FIRST)
    service.ask("")
    service.wait()
    assert service.seen == [[FIRST]]
    assert service.lb.is_ready()


def test_keep_ip_keeps_the_old_address_allocated(world: World, hook: LoadBalancersHook) -> None:
    service = Changing(world, hook, **{"keep-ip": "true"})
    old = service.ip
    service.ask(FREE)
    service.wait()
    assert service.serving == [FREE]
    assert ips(world) == sorted((FREE, old))
    assert held(world, old)["tags"] == {}


def test_an_old_address_with_something_of_others_stays_and_that_is_told(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    add(world, str(held(world, old)["id"]), "rule")
    service.ask(FREE)
    service.wait()
    assert "addressChange" not in service.lb.status
    assert [each["name"] for each in world.rules() if each["address"] == old] == ["k8s-api"]
    assert held(world, old)["tags"] == {}
    [kept] = [each.message for each in world.cluster.events if each.reason == "AddressKept"]
    assert old in kept
    assert "rule k8s-api" in kept


def test_a_service_with_a_hostname_shows_that_all_along(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.annotate("hostname", "shop.example.com")
    service.refresh()
    service.lb.settle(hook)
    service.ask(FREE)
    for _ in range(60):
        service.lb.call(hook)
        service.refresh()
        world.advance(max(1.0, min(60.0, service.lb.next_look())))
        assert service.shown == ["shop.example.com"]
    assert service.serving == [FREE]
    assert old not in ips(world)


# Changed again in the middle.


def test_back_before_the_new_one_serves_takes_the_new_one_down_at_once(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    world.simulator.control.fault("createFirewallRule", "error", code=530, times=99)
    service.ask(FREE)
    for _ in range(4):
        service.step()
    assert FREE in ips(world)
    world.simulator.control.clear_faults()
    service.ask("")
    service.wait(5)
    assert ips(world) == [old]
    assert service.seen == [[old]]
    assert service.lb.is_ready()
    assert "addressChange" not in service.lb.status


@pytest.mark.parametrize("after", [0.0, SHOWN_TOGETHER + 10], ids=["both shown", "withdrawn"])
def test_back_to_the_old_one_while_it_still_serves(
    world: World, hook: LoadBalancersHook, after: float
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.wait(after)
    service.ask(old)
    service.wait()
    assert service.seen[-2:] == [[old, FREE], [old]]
    assert service.serving == ips(world) == [old]
    assert held(world, old)["tags"][TAG_ORIGIN] == "user", "the Service names what it had"  # type: ignore[index]


def test_a_third_one_before_the_second_serves(world: World, hook: LoadBalancersHook) -> None:
    allocate(world, FIRST)
    service = Changing(world, hook)
    old = service.ip
    world.simulator.control.fault("createFirewallRule", "error", code=530, times=99)
    service.ask(FREE)
    for _ in range(4):
        service.step()
    world.simulator.control.clear_faults()
    service.ask(FIRST)
    service.wait()
    assert service.seen == [[old], [FIRST, old], [FIRST]]
    assert ips(world) == [FIRST]


def test_a_third_one_waits_until_the_first_has_gone(world: World, hook: LoadBalancersHook) -> None:
    allocate(world, FIRST)
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.ask(FIRST)
    service.step()
    ready = service.lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ChangingAddress")
    assert FIRST in ready["message"]
    assert old in ready["message"]
    assert not service.lb.condition("Stalled")
    most = 0
    for _ in range(2):
        service.wait()
        most = max(most, len([each for each in world.addresses() if each["tags"]]))
    assert most <= 2
    assert service.seen == [[old], [FREE, old], [FREE], [FIRST, FREE], [FIRST]]
    assert ips(world) == [FIRST]


# Refused.


def of_another_service(world: World, hook: LoadBalancersHook) -> str:
    return str(LoadBalancer(world, "till").settle(hook).status["address"]["ip"])


def elsewhere(world: World, hook: LoadBalancersHook) -> str:
    del hook
    allocate(world, FIRST, "net-2")
    return FIRST


def quota(world: World, hook: LoadBalancersHook) -> str:
    del hook
    account = world.simulator.user.account
    used = sum(each.account is account for each in world.simulator.world.addresses)
    account.limits["public_ip"] = used
    return FREE


def of_no_zone(world: World, hook: LoadBalancersHook) -> str:
    del world, hook
    return "203.0.113.1"


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        pytest.param(of_another_service, "AddressInUse", id="another Service's"),
        pytest.param(elsewhere, "AddressElsewhere", id="in another network"),
        pytest.param(quota, "QuotaExceeded", id="quota"),
        pytest.param(of_no_zone, "AddressNotFree", id="out of range"),
    ],
)
def test_the_old_address_serves_on_while_the_new_one_is_refused(
    world: World,
    hook: LoadBalancersHook,
    ask: Callable[[World, LoadBalancersHook], str],
    reason: str,
) -> None:
    service = Changing(world, hook)
    old, wanted = service.ip, ask(world, hook)
    before = ips(world)
    service.ask(wanted)
    service.wait(100)
    ready = service.lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert ready["message"].startswith(f"{old} serves until {wanted} does: ")
    assert service.lb.condition("Stalled")
    assert service.seen == [[old]]
    assert ips(world) == before
    service.ask("")
    service.wait(10)
    assert service.lb.is_ready()
    assert "addressChange" not in service.lb.status
    service.lb.delete()
    service.lb.settle(hook)
    assert old not in ips(world)


def test_a_port_that_the_new_address_cannot_serve_keeps_the_old_one(
    world: World, hook: LoadBalancersHook
) -> None:
    address = allocate(world, FIRST)
    world.human.done(
        "createLoadBalancerRule",
        name="theirs",
        algorithm="roundrobin",
        publicport=80,
        privateport=80,
        publicipid=address,
        openfirewall=False,
    )
    service = Changing(world, hook)
    old = service.ip
    service.ask(FIRST)
    service.wait(100)
    ready = service.lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "RulesRefused")
    assert "port 80 is taken by rule theirs" in ready["message"]
    assert service.seen == [[old]]


# What else changes meanwhile.


def test_ports_nodes_and_ranges_change_on_both_addresses(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    world.nodes.pop("node-1")
    ports = [
        {"name": "p443", "port": 443, "protocol": "TCP", "nodePort": 30443},
        {"name": "p80", "port": 80, "protocol": "TCP", "nodePort": 30081},
    ]
    service.ask(FREE, ports=ports, loadBalancerSourceRanges=["10.0.0.0/8"])
    service.lb.settle(hook)
    for ip in (FREE, old):
        found = {
            (each["publicport"], each["privateport"], frozenset(each["members"]))
            for each in world.rules(service.lb.name)
            if each["address"] == ip
        }
        nodes = frozenset(world.nodes)
        assert found == {(80, 30081, nodes), (443, 30443, nodes)}
    state = world.state()
    assert {(each["address"], *each["cidrlist"]) for each in state["firewallrules"]} == {
        (FREE, "10.0.0.0/8"),
        (old, "10.0.0.0/8"),
    }
    service.wait()
    assert service.serving == ips(world) == [FREE]


def test_a_refused_service_changes_no_further_and_both_addresses_become_narrower(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.annotate("algorithm", "fastest")
    world.nodes.pop("node-1")
    service.ask(FREE, loadBalancerSourceRanges=["10.0.0.0/8"])
    service.wait()
    assert service.lb.reason() == "InvalidService"
    assert service.serving == ips(world) == sorted((FREE, old))
    assert {each["cidrlist"][0] for each in world.state()["firewallrules"]} == {"10.0.0.0/8"}
    service.annotate("algorithm", "")
    service.wait()
    assert service.serving == ips(world) == [FREE]


def test_plan_mode_lists_what_comes_and_what_goes(world: World, hook: LoadBalancersHook) -> None:
    service = Changing(world, hook)
    old = service.ip
    before = world.state()
    service.annotate("mode", "plan")
    service.ask(FREE)
    service.wait(10)
    network, name = world.network("net-1"), service.lb.name
    assert service.lb.status["plan"] == [
        f"associate address {FREE} with network {network}",
        f"create rule {name}-tcp-80: port 80 to 30080, tcp, roundrobin",
        f"assign node-1, node-2, node-3 and 2 more to rule {name}-tcp-80",
        "open firewall port 80/tcp for 0.0.0.0/0",
        f"release address {old} with all its rules",
    ]
    assert world.state() == before
    assert service.lb.is_ready()
    service.annotate("mode", "")
    service.ask(FREE)
    service.until_switched()
    service.annotate("mode", "plan")
    service.ask(FREE)
    service.wait()
    assert service.lb.status["plan"] == [f"release address {old} with all its rules"]
    assert service.serving == ips(world) == sorted((FREE, old))


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.parametrize("brought", [False, True], ids=["free", "brought"])
def test_a_deletion_in_the_middle_takes_both(
    world: World, hook: LoadBalancersHook, steps: int, *, brought: bool
) -> None:
    if brought:
        allocate(world, FREE)
    service = Changing(world, hook)
    service.ask(FREE)
    for _ in range(steps):
        service.step()
        world.advance(min(service.lb.next_look(), SHOWN_TOGETHER + 1))
    service.lb.delete()
    service.lb.settle(hook)
    assert service.lb.is_finalized()
    assert world.remains() == {**NOTHING, "addresses": [FREE] if brought else []}


# What a call is shown.


@pytest.mark.parametrize("when", ["chosen", "switched", "withdrawn"])
def test_a_status_that_is_lost_makes_nothing_go_that_is_shown(
    world: World, hook: LoadBalancersHook, when: str
) -> None:
    service = Changing(world, hook)
    service.ask(FREE)
    service.step()
    if when != "chosen":
        service.until_switched()
    if when == "withdrawn":
        service.wait(SHOWN_TOGETHER + 5)
    service.lb.parent.pop("status")
    service.wait(2 * WHOLE)
    assert service.serving == ips(world) == [FREE]
    assert service.seen[-1] == [FREE]


def test_an_older_load_balancer_makes_nothing_go_that_the_service_asks_for(
    world: World, hook: LoadBalancersHook
) -> None:
    """It is of the time when the Service had come back from the address that it has now."""
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.ask(old)
    service.wait(SHOWN_TOGETHER + 60)
    older = deepcopy(service.lb.parent)
    assert older["status"]["addressChange"]["former"]["ip"] == FREE
    service.ask(FREE)
    service.wait(SHOWN_TOGETHER + 60)
    newer, service.lb.parent = service.lb.parent, older
    world.advance(WHOLE)
    for _ in range(3):
        service.lb.call(hook)
    assert service.serving == sorted((FREE, old))
    service.lb.parent = newer
    service.wait()
    assert service.serving == [FREE]
    assert service.seen[-1] == [FREE]


def test_a_late_status_names_the_old_address_and_changes_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    before = deepcopy(service.lb.status)
    service.ask(FREE)
    service.wait()
    service.lb.parent["status"] = before
    service.wait()
    assert service.serving == ips(world) == [FREE]
    assert service.shown == [FREE]
    assert service.lb.is_ready()


def test_a_forged_status_makes_nothing_go_but_what_is_ours(
    world: World, hook: LoadBalancersHook
) -> None:
    theirs = LoadBalancer(world, "till").settle(hook)
    allocate(world, FIRST)
    service = Changing(world, hook)
    old = service.ip
    for ip in (FIRST, str(theirs.status["address"]["ip"])):
        before = [each for each in world.addresses() if each["ipaddress"] == ip]
        former = {"ip": ip, "id": str(held(world, ip)["id"]), "published": False}
        change = {"to": old, "former": former, "switchedAt": "2020-01-01T00:00:00Z"}
        service.lb.parent["status"] = {**service.lb.status, "addressChange": change}
        service.lb.parent["status"].pop("checkedFor", None)
        service.wait(2 * WHOLE)
        assert [each for each in world.addresses() if each["ipaddress"] == ip] == before
        assert service.seen == [[old]]
    assert len(world.rules(theirs.name)) == 1


def test_two_replicas_change_once(world: World) -> None:
    clouds = [world.open_cloud(), world.open_cloud()]
    hooks = [make_hook(world, each) for each in clouds]
    service = Changing(world, hooks[0])
    old = service.ip
    service.ask(FREE)
    for turn in range(30):
        service.hook = hooks[turn % 2]
        service.step()
        world.advance(max(1.0, service.lb.next_look()))
    assert service.seen == [[old], [FREE, old], [FREE]]
    assert ips(world) == [FREE]
    [call] = [
        each
        for each in world.simulator.control.calls("associateIpAddress")
        if each["params"]["ipaddress"] == FREE
    ]
    assert call
    for each in clouds:
        each.close()


# What only one address serves, or shows.


@pytest.mark.parametrize("keep", [False, True], ids=["ours", "keep-ip"])
def test_a_share_that_is_asked_for_in_the_middle_takes_nothing_down_early(
    world: World, hook: LoadBalancersHook, *, keep: bool
) -> None:
    service = Changing(world, hook, **({"keep-ip": "true"} if keep else {}))
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.annotate("shared-address", "front")
    service.refresh()
    for _ in range(3):
        service.step()
    assert service.shown == [FREE, old]
    assert service.serving == ips(world) == sorted((FREE, old))
    assert service.lb.reason() == "SharedAddressChangeNotServed"
    service.wait()
    assert service.serving == [FREE]
    assert ips(world) == (sorted((FREE, old)) if keep else [FREE])


def test_a_share_that_is_asked_for_before_the_new_one_serves_changes_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    world.simulator.control.fault("createFirewallRule", "error", code=530, times=99)
    service.ask(FREE)
    for _ in range(4):
        service.step()
    world.simulator.control.clear_faults()
    service.annotate("shared-address", "front")
    service.refresh()
    service.wait()
    assert service.seen == [[old]]
    assert old in service.serving
    service.ask("")
    service.wait(10)
    assert service.seen == [[old]]
    assert ips(world) == [old]


@pytest.mark.parametrize("after", [0.0, SHOWN_TOGETHER + 10], ids=["both shown", "withdrawn"])
def test_the_old_address_stays_while_the_new_one_does_not_serve_what_it_does(
    world: World, hook: LoadBalancersHook, after: float
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.wait(after)
    shown = service.shown
    world.human.done(
        "createLoadBalancerRule",
        name="theirs",
        algorithm="roundrobin",
        publicport=443,
        privateport=6443,
        publicipid=str(held(world, FREE)["id"]),
        openfirewall=False,
    )
    ports = [*service.service["spec"]["ports"]]
    ports.append({"name": "p443", "port": 443, "protocol": "TCP", "nodePort": 30443})
    service.service["spec"]["ports"] = ports
    service.refresh()
    for _ in range(30):
        service.lb.call(hook)
        service.refresh()
        world.advance(60)
    assert service.lb.reason() == "RulesRefused"
    assert service.shown == shown
    assert service.serving == [old]
    [theirs] = [each["id"] for each in world.rules() if each["name"] == "theirs"]
    world.human.done("deleteLoadBalancerRule", id=theirs)
    service.lb.settle(hook)
    service.refresh()
    service.wait()
    assert service.serving == ips(world) == [FREE]
    assert service.shown == [FREE]


class WithHostname(Changing):
    """Shows a host name, which is no address that serves."""

    def _look(self) -> None:
        assert self.shown in ([], ["shop.example.com"])


def person_on(world: World, ip: str, port: int) -> None:
    """Let a person have an address with a rule of his own."""
    world.human.done(
        "createLoadBalancerRule",
        name="theirs",
        algorithm="roundrobin",
        publicport=port,
        privateport=port,
        publicipid=allocate(world, ip),
        openfirewall=False,
    )


@pytest.mark.parametrize("keep", [False, True], ids=["ours", "keep-ip"])
def test_with_a_hostname_a_lost_status_leaves_the_one_that_serves(
    world: World, hook: LoadBalancersHook, *, keep: bool
) -> None:
    notes = {"hostname": "shop.example.com", **({"keep-ip": "true"} if keep else {})}
    service = WithHostname(world, hook, **notes)
    old = service.ip
    ports = [
        {"name": "a", "port": 80, "protocol": "TCP", "nodePort": 30080},
        {"name": "b", "port": 6443, "protocol": "TCP", "nodePort": 30443},
    ]
    service.ask("", ports=ports)
    service.wait(60)
    person_on(world, FIRST, 6443)
    service.ask(FIRST)
    service.wait(120)
    assert service.serving == [old]
    service.lb.parent.pop("status")
    service.wait(2 * WHOLE)
    assert service.serving == [old]
    assert old in ips(world)


def test_with_a_hostname_a_status_that_is_lost_after_the_change_skips_no_wait(
    world: World, hook: LoadBalancersHook
) -> None:
    service = WithHostname(world, hook, hostname="shop.example.com")
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    [told] = [each.message for each in world.cluster.events if each.reason == "AddressChanged"]
    assert f"shop.example.com all along: move that name to {FREE}" in told
    service.lb.parent.pop("status")
    service.wait(SERVES_ON)
    assert service.serving == sorted((FREE, old))
    service.wait(2 * WHOLE)
    assert service.serving == ips(world) == [FREE]


@pytest.mark.parametrize("hostname", ["", "shop.example.com"])
def test_keep_ip_keeps_both_also_where_the_status_was_lost(
    world: World, hook: LoadBalancersHook, hostname: str
) -> None:
    notes = {"keep-ip": "true", **({"hostname": hostname} if hostname else {})}
    service = (WithHostname if hostname else Changing)(world, hook, **notes)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    service.lb.parent.pop("status")
    service.lb.delete()
    service.lb.settle(hook)
    assert service.lb.is_finalized()
    assert world.remains() == {**NOTHING, "addresses": sorted((FREE, old))}


def test_a_service_made_again_in_the_middle_names_at_its_end_what_the_earlier_one_left(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.until_switched()
    world.cluster.objects.pop(service.lb._path)
    again = Tenant(world, namespace="default", uid=str(uuid.uuid4()), annotations={"address": FREE})
    again.settle(hook)
    again.lb.delete()
    again.lb.settle(hook)
    assert again.lb.is_finalized()
    assert ips(world) == [old]
    [kept] = [each.message for each in world.cluster.events if each.reason == "AddressKept"]
    assert old in kept
    assert str(service.service["metadata"]["uid"]) in kept
