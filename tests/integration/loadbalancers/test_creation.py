"""Creation: what is in CloudStack and in the status, and what it costs."""

from typing import Any

import pytest

from hooks.http.deadline import Deadline
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.instances import INSTANCES
from hooks.names import (
    TAG_CLUSTER,
    TAG_NAMESPACE,
    TAG_ORIGIN,
    TAG_ORIGIN_CONTROLLER,
    TAG_SERVICE,
    TAG_SERVICE_UID,
)
from hooks.webhook.contract import BadRequest
from tests.integration.loadbalancers.driver import (
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

EVERYONE = ("0.0.0.0/0",)


def test_a_tcp_port_gets_address_rule_members_and_firewall(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80, 30080)]).settle(hook)
    assert lb.is_ready()
    [address] = world.addresses()
    [rule] = world.rules()
    assert rule["name"] == f"{lb.name}-tcp-80"
    assert (rule["publicport"], rule["privateport"], rule["protocol"]) == (80, 30080, "tcp")
    assert (rule["state"], rule["algorithm"]) == ("Active", "roundrobin")
    assert set(rule["members"]) == set(world.nodes)
    assert world.firewall() == [("tcp", 80, 80, EVERYONE)]
    assert lb.status["address"]["ip"] == rule["address"] == address["ipaddress"]
    assert lb.status["address"]["id"] == address["id"]
    assert lb.status["address"]["associatedByController"] is True
    assert lb.status["address"]["published"] is True
    assert (lb.status["ruleSummary"], lb.status["memberSummary"]) == ("1/1", "5/5")
    assert lb.status["networkID"] == world.network("net-1")


def test_everything_that_is_made_is_tagged_for_cluster_and_service(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    tags = {
        TAG_CLUSTER: "c-1",
        TAG_NAMESPACE: "default",
        TAG_SERVICE: "web",
        TAG_SERVICE_UID: lb.service_uid,
    }
    state = world.state()
    assert [each["tags"] for each in world.addresses()] == [
        {**tags, TAG_ORIGIN: TAG_ORIGIN_CONTROLLER}
    ]
    assert [each["tags"] for each in state["loadbalancerrules"]] == [tags, tags]
    assert [each["tags"] for each in state["firewallrules"]] == [tags]


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        pytest.param(
            {"ports": [port(80, proxy=True)]},
            {"protocol": "tcp-proxy", "name": "-tcp-proxy-80"},
            id="PROXY protocol",
        ),
        pytest.param({"algorithm": "source"}, {"algorithm": "source"}, id="source"),
        pytest.param({"algorithm": "leastconn"}, {"algorithm": "leastconn"}, id="leastconn"),
        pytest.param(
            {"sourceRanges": ["10.0.0.0/8", "192.0.2.0/24"]},
            {"cidrlist": ["10.0.0.0/8", "192.0.2.0/24"]},
            id="source ranges",
        ),
        pytest.param({}, {"cidrlist": ["0.0.0.0/0"]}, id="everyone"),
    ],
)
def test_what_the_service_asks_for_is_in_the_rule(
    world: World, hook: LoadBalancersHook, spec: dict[str, Any], rule: dict[str, Any]
) -> None:
    lb = LoadBalancer(world, **spec).settle(hook)
    assert lb.is_ready()
    [made] = world.rules()
    name = rule.pop("name", "-tcp-80")
    assert made["name"] == lb.name + name
    assert {key: made[key] for key in rule} == rule


def test_source_ranges_are_in_the_firewall_too_all_in_one_rule(
    world: World, hook: LoadBalancersHook
) -> None:
    ranges = ["10.0.0.0/8", "192.0.2.0/24"]
    LoadBalancer(world, sourceRanges=ranges).settle(hook)
    assert world.firewall() == [("tcp", 80, 80, tuple(ranges))]


def test_a_rule_without_a_firewall_rule_admits_nobody(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, sourceRanges=[]).settle(hook)
    assert len(world.rules()) == 1
    assert world.firewall() == []
    assert lb.reason("FirewallReady") == "NothingToOpen"


def test_contiguous_ports_share_a_firewall_rule_and_writes_stay_within_four_plus_two_a_port(
    world: World, hook: LoadBalancersHook
) -> None:
    ports = [*range(80, 90), 443, 8443]
    LoadBalancer(world, ports=[port(each) for each in ports]).settle(hook, seconds=300)
    assert world.firewall() == [
        ("tcp", 80, 89, EVERYONE),
        ("tcp", 443, 443, EVERYONE),
        ("tcp", 8443, 8443, EVERYONE),
    ]
    writes = world.writes()
    assert writes.pop("createFirewallRule") == 3
    assert sum(writes.values()) <= 4 + 2 * len(ports)
    assert writes == {
        "associateIpAddress": 1,
        "createTags": 3,
        "createLoadBalancerRule": len(ports),
        "assignToLoadBalancerRule": len(ports),
    }


def test_a_load_balancer_is_made_in_two_calls_and_a_quiet_one(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    chosen, made, quiet = lb.answers
    assert chosen.actions == ()
    assert len(made.actions) > 5
    assert quiet.actions == ()
    assert made.response.get("status") == quiet.response.get("status")


def test_a_converged_load_balancer_costs_no_call_until_the_drift_check_and_few_then(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    world.simulator.control.clear_calls()
    for _ in range(20):
        world.advance(10)
        lb.call(hook)
    assert world.simulator.control.counts() == {}
    lb.wait(hook)
    assert world.simulator.control.counts() == {
        "listPublicIpAddresses": 1,
        "listLoadBalancerRules": 1,
        "listLoadBalancerRuleInstances": 2,
        "listFirewallRules": 1,
    }


def test_drift_checks_are_spread_and_about_as_far_apart_as_the_setting_says(world: World) -> None:
    cloud = world.open_cloud()
    hook = make_hook(world, cloud, drift_resync=100.0)
    waits = []
    for name in ("a", "b", "c", "d", "e"):
        lb = LoadBalancer(world, name).settle(hook)
        waits.append(float(lb.answers[-2].response["resyncAfterSeconds"]))  # type: ignore[typeddict-item]
    assert all(90 <= wait <= 110 for wait in waits)
    assert len({round(wait, 1) for wait in waits}) > 3
    cloud.close()


def test_an_address_is_published_with_its_first_member_or_30_seconds_after_its_rules(
    world: World, hook: LoadBalancersHook
) -> None:
    for node in world.nodes.values():
        node["observed"]["servesLoadBalancers"] = False
    lb = LoadBalancer(world).settle(hook)
    assert not lb.is_published()
    assert lb.reason("MembersReady") == "NoMembers"
    assert lb.reason() == "NoMembers"
    wait = lb.answers[-1].response.get("resyncAfterSeconds")
    assert isinstance(wait, float)
    assert 25 < wait <= 30
    lb.wait(hook)
    assert lb.is_published()
    assert not lb.is_ready()


def test_a_published_address_is_never_withdrawn(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    for node in world.nodes.values():
        node["observed"]["servesLoadBalancers"] = False
    lb.settle(hook)
    assert [rule["members"] for rule in world.rules()] == [{}]
    assert lb.status["address"]["published"] is True


def test_without_any_instance_nothing_is_created_and_that_is_reported(
    world: World, hook: LoadBalancersHook
) -> None:
    world.nodes = {}
    lb = LoadBalancer(world).settle(hook)
    assert lb.reason() == "NoNetwork"
    assert world.writes() == {}


def test_of_several_networks_the_one_of_most_nodes_is_used_and_other_nodes_are_named(
    world: World, hook: LoadBalancersHook
) -> None:
    other = world.network("net-2")
    world.nodes["node-1"]["observed"]["networks"] = [{"id": other, "default": True}]
    lb = LoadBalancer(world).settle(hook)
    assert lb.status["networkID"] == world.network("net-1")
    assert set(world.rules()[0]["members"]) == set(world.nodes) - {"node-1"}
    assert "not on the members' network: node-1" in lb.condition("MembersReady")["message"]


def test_a_node_selector_chooses_the_members(world: World, hook: LoadBalancersHook) -> None:
    world.nodes["node-3"]["metadata"]["labels"]["pool"] = "edge"
    LoadBalancer(world, nodeSelector={"pool": "edge"}).settle(hook)
    assert set(world.rules()[0]["members"]) == {"node-3"}


def test_two_services_live_side_by_side(world: World, hook: LoadBalancersHook) -> None:
    first = LoadBalancer(world, "first").settle(hook)
    second = LoadBalancer(world, "second").settle(hook)
    assert first.status["address"]["ip"] != second.status["address"]["ip"]
    first.delete()
    first.settle(hook)
    assert first.is_finalized()
    assert [rule["name"] for rule in world.rules()] == [f"{second.name}-tcp-80"]


@pytest.mark.parametrize("code", [432, 531])
def test_what_the_account_may_not_do_stops_nothing_else(
    world: World, hook: LoadBalancersHook, code: int
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)])
    lb.call(hook)
    world.simulator.control.fault("createLoadBalancerRule", "error", code=code, text="not yours")
    lb.call(hook)
    assert [rule["name"] for rule in world.rules()] == [f"{lb.name}-tcp-81"]
    assert lb.reason() == "RulesRefused"
    assert f"{lb.name}-tcp-80: not yours" in lb.condition("Ready")["message"]
    assert lb.reason("MembersReady") == "AllAssigned"


def test_customize_asks_for_all_instances(hook: LoadBalancersHook, world: World) -> None:
    request = {"controller": {}, "parent": LoadBalancer(world).parent}
    assert hook.customize(request, Deadline(8)).response == {
        "relatedResources": [
            {
                "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
                "resource": "cloudstackinstances",
                "labelSelector": {},
            }
        ]
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"parent": None}, "parent", id="no parent"),
        pytest.param(
            {"related": {INSTANCES: {"n": {"metadata": {"name": "n"}, "spec": {"instanceID": 1}}}}},
            ".spec.instanceID",
            id="bad Instance",
        ),
    ],
)
def test_a_body_that_is_not_a_request_is_refused_by_field(
    world: World, hook: LoadBalancersHook, change: dict[str, Any], field: str
) -> None:
    request = {**LoadBalancer(world).request(), **change}
    with pytest.raises(BadRequest) as refused:
        hook.sync(request, Deadline(8))
    assert refused.value.field.endswith(field)


def test_an_old_server_gets_no_list_of_ranges_in_its_rules() -> None:
    for version, listed in (("4.16", []), ("4.18", []), ("4.22", ["10.0.0.0/8"])):
        with start_simulator(api_version=version) as simulator:
            world = World(simulator)
            opened = world.open_cloud()
            hook = make_hook(world, opened)
            lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"]).settle(hook)
            assert lb.is_ready()
            assert world.rules()[0]["cidrlist"] == listed, version
            assert world.firewall() == [("tcp", 80, 80, ("10.0.0.0/8",))]
            assert simulator.control.ignored_parameters() == []
            lb.change(sourceRanges=["192.0.2.0/24"])
            [before] = world.rules()
            lb.settle(hook)
            assert world.rules()[0]["id"] == before["id"], version
            assert world.firewall() == [("tcp", 80, 80, ("192.0.2.0/24",))]
            opened.close()
            world.close()
