"""Stickiness policies: set, replaced without a gap, repaired, removed, and refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.schedule import MAX_REPAIRS
from hooks.names import EVENT_CONTESTED, EVENT_REPAIRED, TAG_STICKINESS
from tests.controlplane.polling import until
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)
from tests.integration.loadbalancers.test_addresses import FREE, allocate

LIST = "listLBStickinessPolicies"
CREATE, DELETE = "createLBStickinessPolicy", "deleteLBStickinessPolicy"
BY_SOURCE = {"method": "SourceBased", "parameters": {"expire": "10800s"}}
COOKIE = {"method": "LbCookie", "parameters": {"cookie-name": "SRV", "mode": "insert"}}


def sticky(public: int, policy: Json | None = BY_SOURCE, protocol: str = "TCP") -> Json:
    return port(public, protocol=protocol) | ({"stickiness": policy} if policy else {})


def policies(world: World) -> dict[int, Json | None]:
    """Return the policies of all rules by port, as CloudStack has them."""
    return {
        rule["publicport"]: shown(rule["stickiness"][-1]) if rule["stickiness"] else None
        for rule in world.rules()
    }


def shown(policy: Json) -> Json:
    return {"method": policy["methodname"], "parameters": policy["params"]}


def counts(world: World) -> dict[str, int]:
    return {key: n for key, n in world.simulator.control.counts().items() if "tickiness" in key}


def set_by_hand(world: World, expire: str) -> None:
    """Have somebody give the first rule a policy."""
    param = {"param[0].name": "expire", "param[0].value": expire}
    rule = world.rules()[0]["id"]
    world.human.done(CREATE, lbruleid=rule, methodname="SourceBased", name="mine", **param)


def remove_by_hand(world: World) -> None:
    [policy] = world.rules()[0]["stickiness"]
    world.human.done(DELETE, id=policy["id"])


def reason_of(lb: LoadBalancer, index: int = 0) -> str:
    return str(lb.status["rules"][index].get("reason", ""))


@pytest.fixture
def quick() -> Iterator[World]:
    """A world whose jobs have ended when they are first asked about: so calls can be counted."""
    with start_simulator(job_delay=0.0) as simulator:
        made = World(simulator)
        yield made
        made.close()


@pytest.mark.parametrize("policy", [BY_SOURCE, COOKIE, {"method": "LbCookie"}])
def test_each_port_gets_the_policy_that_it_asks_for_and_others_none(
    world: World, hook: LoadBalancersHook, policy: Json
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80, policy), sticky(443, None)]).settle(hook)
    assert lb.is_ready()
    assert policies(world) == {80: {"parameters": {}, **policy}, 443: None}
    [rule] = [each for each in world.rules() if TAG_STICKINESS in each["tags"]]
    assert rule["publicport"] == 80
    told = lb.status["rules"][0]["stickiness"]
    assert told.split() == [
        policy["method"],
        *(f"{name}={value}" for name, value in policy.get("parameters", {}).items()),
    ]
    assert "stickiness" not in lb.status["rules"][1]
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize("count", [1, 3, 10])
def test_what_it_costs(quick: World, count: int) -> None:
    cloud = quick.open_cloud()
    hook = make_hook(quick, cloud)
    LoadBalancer(quick, "first").settle(hook)
    quick.simulator.control.clear_calls()
    ports = [sticky(80 + number) for number in range(count)]
    lb = LoadBalancer(quick, ports=ports).settle(hook, seconds=300)
    assert lb.is_ready()
    assert sum(quick.writes().values()) == 4 + 3 * count + 1
    assert counts(quick) == {CREATE: count}
    quick.simulator.control.clear_calls()
    lb.wait(hook)
    assert counts(quick) == {LIST: count}
    assert quick.writes() == {}
    cloud.close()


def test_who_asks_for_none_costs_no_look(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    set_by_hand(world, "3h")
    lb.wait(hook).wait(hook)
    assert counts(world) == {CREATE: 1}
    assert policies(world)[80] is not None, "a policy of somebody else is left alone"


def test_an_existing_rule_gets_its_policy_in_place(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)], algorithm="source").settle(hook)
    before = {each["id"]: (each["members"], each["algorithm"]) for each in world.rules()}
    world.simulator.control.clear_calls()
    lb.change(ports=[sticky(80), sticky(443)])
    lb.settle(hook)
    assert lb.is_ready()
    assert world.writes() == {"createTags": 1, CREATE: 2}
    assert {each["id"]: (each["members"], each["algorithm"]) for each in world.rules()} == before
    assert policies(world) == {80: BY_SOURCE, 443: BY_SOURCE}
    assert EVENT_REPAIRED not in {event.reason for event in world.cluster.events}


def test_another_policy_takes_the_place_of_the_first(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(ports=[sticky(80, COOKIE)])
    lb.settle(hook)
    assert world.writes() == {CREATE: 1}
    assert policies(world) == {80: COOKIE}


def test_it_stays_through_a_change_of_protocol_and_algorithm(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(ports=[sticky(80) | {"proxyProtocol": True}], algorithm="source")
    lb.settle(hook)
    assert world.writes() == {"updateLoadBalancerRule": 1}
    assert policies(world) == {80: BY_SOURCE}


def test_a_rule_that_is_made_anew_gets_it_again(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    lb.change(ports=[sticky(80) | {"nodePort": 31999}])
    lb.settle(hook)
    assert lb.is_ready()
    assert policies(world) == {80: BY_SOURCE}


def test_rules_on_another_address_have_it_before_the_old_ones_go(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80), port(443)]).settle(hook)
    allocate(world, FREE)
    lb.change(address=FREE)
    lb.settle(hook)
    bound = {each["address"] for each in world.rules() if each["stickiness"]}
    assert bound == {each["address"] for each in world.rules()}
    assert len(bound) == 2
    for _ in range(100):
        lb.wait(hook)
        if {each["address"] for each in world.rules()} == {FREE}:
            break
    assert lb.is_ready(), lb.condition("Ready")
    assert len(world.rules()) == 2
    assert policies(world) == {80: BY_SOURCE, 443: None}
    lb.delete()
    lb.settle(hook)
    assert world.rules() == []


def test_nothing_is_left_of_it_when_none_is_asked_for_any_more(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80), sticky(443)]).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(ports=[port(80), port(443)])
    lb.settle(hook)
    assert lb.is_ready()
    assert world.writes() == {DELETE: 2, "deleteTags": 1}
    assert policies(world) == {80: None, 443: None}
    assert not any(TAG_STICKINESS in each["tags"] for each in world.rules())
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert counts(world) == {}


def test_no_tag_of_it_is_left_when_the_rules_are_gone(
    world: World, hook: LoadBalancersHook
) -> None:
    def keys() -> list[str]:
        found = world.human.list("listTags", "tag", resourcetype="LoadBalancer")
        return [str(each["key"]) for each in found]

    lb = LoadBalancer(world, ports=[sticky(80), port(443)]).settle(hook)
    assert keys().count(TAG_STICKINESS) == 1
    lb.delete()
    lb.settle(hook)
    until(lambda: keys() == [], "all tags are gone")


def test_a_policy_that_somebody_put_in_the_place_of_ours_stays_when_none_is_asked_for(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    set_by_hand(world, "1h")
    lb.change(ports=[port(80)])
    lb.settle(make_hook(world, cloud))
    theirs = {"method": "SourceBased", "parameters": {"expire": "1h"}}
    assert policies(world) == {80: theirs}
    assert not any(TAG_STICKINESS in each["tags"] for each in world.rules())


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(remove_by_hand, id="removed"),
        pytest.param(lambda world: set_by_hand(world, "1h"), id="replaced"),
        pytest.param(lambda world: set_by_hand(world, "10800s"), id="renamed"),
    ],
)
def test_drift_is_repaired_and_told(world: World, hook: LoadBalancersHook, drift: Any) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    drift(world)
    lb.wait(hook)
    assert lb.is_ready()
    assert policies(world) == {80: BY_SOURCE}
    [event] = [each for each in world.cluster.events if each.reason == EVENT_REPAIRED]
    assert f"set stickiness of rule {lb.name}-tcp-80: SourceBased expire=10800s" in event.message


def test_a_rule_without_the_tag_gets_tag_and_policy_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    [rule] = world.rules()
    world.human.done("deleteTags", resourcetype="LoadBalancer", resourceids=rule["id"])
    remove_by_hand(world)
    lb.wait(hook)
    assert policies(world) == {80: BY_SOURCE}
    assert TAG_STICKINESS in world.rules()[0]["tags"]


def test_plan_mode_lists_it_and_does_nothing(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[sticky(80), port(443)]).settle(hook)
    lb.change(mode="Plan", ports=[port(80), sticky(443, COOKIE), sticky(8080)])
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert world.writes() == {}
    assert policies(world) == {80: BY_SOURCE, 443: None}
    wanted = (
        f"remove stickiness of rule {lb.name}-tcp-80",
        f"set stickiness of rule {lb.name}-tcp-443: LbCookie cookie-name=SRV mode=insert",
        f"set stickiness of rule {lb.name}-tcp-8080: SourceBased expire=10800s",
    )
    assert set(wanted) <= set(lb.status["plan"])


def test_a_service_that_is_refused_keeps_its_policies(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    invalid = [{"field": "spec.x", "message": "is wrong"}]
    lb.change(ports=[port(80)], invalid=invalid)
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert world.writes() == {}
    assert policies(world) == {80: BY_SOURCE}


def refuse(world: World, code: int, *commands: str) -> None:
    for command in commands:
        world.simulator.control.fault(
            times=None, command=command, kind="error", code=code, text="not for you"
        )


def test_what_is_bound_by_the_algorithm_serves_on_without_a_policy_that_is_refused(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)], algorithm="source").settle(hook)
    refuse(world, 432, CREATE, DELETE, LIST)
    lb.change(ports=[sticky(80)])
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.reason("RulesReady") == "WithoutStickiness"
    assert "no stickiness policy" in lb.condition("RulesReady")["message"]
    assert "not for you" in reason_of(lb)
    for _ in range(6):
        lb.wait(hook)
    reasons = {event.reason for event in world.cluster.events}
    assert not reasons & {EVENT_REPAIRED, EVENT_CONTESTED}
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.reason("RulesReady") == "RulesStand"
    assert policies(world) == {80: BY_SOURCE}


def test_without_a_policy_other_drift_is_told_and_given_up_as_ever(
    world: World, hook: LoadBalancersHook
) -> None:
    refuse(world, 432, CREATE)
    lb = LoadBalancer(world, ports=[sticky(80)], algorithm="source").settle(hook)
    assert lb.reason("RulesReady") == "WithoutStickiness"
    for _ in range(MAX_REPAIRS + 1):
        for each in world.state()["firewallrules"]:
            world.human.done("deleteFirewallRule", id=each["id"])
        lb.wait(hook)
    told = [
        each for each in world.cluster.events if each.reason in (EVENT_REPAIRED, EVENT_CONTESTED)
    ]
    assert [each.reason for each in told] == [*[EVENT_REPAIRED] * MAX_REPAIRS, EVENT_CONTESTED]
    assert not any("stickiness" in each.message for each in told)


@pytest.mark.parametrize("policy", [COOKIE, BY_SOURCE])
def test_a_policy_without_which_clients_change_members_is_missed(
    world: World, hook: LoadBalancersHook, policy: Json
) -> None:
    refuse(world, 431, CREATE)
    lb = LoadBalancer(world, ports=[sticky(80, policy), port(443)]).settle(hook)
    assert not lb.is_ready()
    assert lb.reason() == "RulesRefused"
    assert "not for you" in reason_of(lb)
    assert reason_of(lb, 1) == ""
    assert [len(each["members"]) for each in world.rules()] == [len(world.nodes)] * 2
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_ready()
    assert policies(world)[80] == policy


def test_no_policy_is_set_where_its_tag_is_refused(world: World, hook: LoadBalancersHook) -> None:
    world.simulator.control.fault(
        "createTags",
        "job-failed",
        times=None,
        text="no more tags",
        when={"resourcetype": "LoadBalancer"},
    )
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    assert policies(world) == {80: None}
    assert counts(world) == {}
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert policies(world) == {80: BY_SOURCE}


def test_a_new_process_reads_each_policy_once(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    lb = LoadBalancer(world, ports=[sticky(80), sticky(443), port(8080)]).settle(hook)
    restarted = make_hook(world, cloud)
    world.simulator.control.clear_calls()
    for node in ("node-1", "node-2"):
        world.nodes.pop(node)
        lb.settle(restarted)
    assert counts(world) == {LIST: 2}
    assert policies(world) == {80: BY_SOURCE, 443: BY_SOURCE, 8080: None}


def test_an_account_that_may_not_list_sets_once_a_process(
    world: World, hook: LoadBalancersHook
) -> None:
    refuse(world, 432, LIST)
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    lb.wait(hook).wait(hook)
    assert lb.is_ready()
    assert counts(world)[CREATE] == 1
    assert policies(world) == {80: BY_SOURCE}
