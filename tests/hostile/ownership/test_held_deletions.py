"""S7 and S8: a deletion in plan mode, and one of what CloudStack does not show, is held."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack import Clocks, Cloud, CloudConfig
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import ABANDON, MODE, call_for, holdings, told
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port

PORTS = [port(80), port(443)]


@pytest.fixture
def lb(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    """A load balancer that serves; what follows is counted from here on."""
    made = LoadBalancer(world, ports=PORTS).settle(hook)
    world.simulator.control.clear_calls()
    return made


def service(lb: LoadBalancer) -> Json:
    found: Json = lb.world.cluster.objects[lb.service_path]
    return found


def annotate(lb: LoadBalancer, key: str, value: str) -> None:
    """Annotate the CloudStackLoadBalancer."""
    lb.parent["metadata"].setdefault("annotations", {})[key] = value


def annotate_service(lb: LoadBalancer, key: str, value: str) -> None:
    metadata = service(lb)["metadata"]
    metadata.setdefault("annotations", {})[key] = value
    metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)


def ip_of(lb: LoadBalancer) -> str:
    return str(lb.status["address"]["ip"])


def check_held(lb: LoadBalancer, before: Json) -> None:
    """Check that a planned deletion is listed and waits, however much time passes."""
    assert not lb.is_finalized()
    assert lb.world.writes() == {}
    assert holdings(lb.world, ip_of(lb)) == before
    assert lb.reason() == "DeletionPlanned"
    assert ip_of(lb) in str(lb.status["plan"])
    message = lb.condition("Ready")["message"]
    assert "mode" in message
    assert ABANDON in message


def test_a_deletion_in_plan_mode_is_listed_and_held(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    before = holdings(lb.world, ip_of(lb))
    lb.change(mode="Plan")
    lb.settle(hook)
    lb.delete()
    call_for(lb, hook, 7200)
    check_held(lb, before)


def test_it_is_made_once_the_mode_is_apply(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    lb.change(mode="Plan")
    lb.delete()
    call_for(lb, hook, 60)
    assert lb.world.writes() == {}
    lb.change(mode="Apply")
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert lb.world.remains() == NOTHING


def test_it_is_abandoned_by_an_annotation_on_the_load_balancer(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    before = holdings(lb.world, ip_of(lb))
    lb.change(mode="Plan")
    lb.delete()
    call_for(lb, hook, 60)
    annotate(lb, ABANDON, "true")
    lb.world.cluster.events.clear()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert lb.world.writes() == {}
    assert holdings(lb.world, ip_of(lb)) == before
    assert ip_of(lb) in told(lb.world)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"code": 401, "text": "unable to verify user credentials"}, id="keys refused"),
        pytest.param({"code": 503, "text": "Service Unavailable"}, id="server gone"),
        pytest.param({"kind": "html"}, id="page of a proxy"),
    ],
)
@pytest.mark.parametrize("on", ["load balancer", "service"])
def test_it_is_abandoned_while_cloudstack_does_not_serve_us(
    lb: LoadBalancer, hook: LoadBalancersHook, fault: Json, on: str
) -> None:
    """Kubernetes alone decides: the account or the whole CloudStack may be gone for good."""
    before = holdings(lb.world, ip_of(lb))
    if on == "service":
        service(lb)["spec"]["type"] = "ClusterIP"
    lb.world.simulator.control.fault("*", times=None, **fault)
    lb.delete(service_too=on == "load balancer")
    call_for(lb, hook, 60)
    assert lb.reason() in ("CloudStackRefused", "CloudStackUnreachable")
    (annotate if on == "load balancer" else annotate_service)(lb, ABANDON, "true")
    lb.call(hook)
    assert lb.is_finalized()
    assert f"address {ip_of(lb)} and its rules stay in CloudStack" in told(lb.world)
    lb.world.simulator.control.clear_faults()
    assert holdings(lb.world, ip_of(lb)) == before


def test_a_misspelt_mode_on_the_load_balancer_holds(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    before = holdings(lb.world, ip_of(lb))
    annotate(lb, MODE, "paln")
    lb.delete()
    call_for(lb, hook, 900)
    check_held(lb, before)


@pytest.mark.parametrize("value", ["false", ""])
def test_another_value_abandons_nothing(
    lb: LoadBalancer, hook: LoadBalancersHook, value: str
) -> None:
    before = holdings(lb.world, ip_of(lb))
    lb.change(mode="Plan")
    annotate(lb, ABANDON, value)
    lb.delete()
    call_for(lb, hook, 900)
    check_held(lb, before)


@pytest.mark.parametrize("spec_mode", ["Apply", "Plan"])
def test_a_service_in_plan_mode_that_becomes_a_cluster_ip_keeps_its_address(
    lb: LoadBalancer, hook: LoadBalancersHook, spec_mode: str
) -> None:
    """The live Service decides: its annotation may be newer than the load balancer's field."""
    before = holdings(lb.world, ip_of(lb))
    lb.change(mode=spec_mode)
    service(lb)["spec"]["type"] = "ClusterIP"
    annotate_service(lb, MODE, "plan")
    lb.delete(service_too=False)
    call_for(lb, hook, 7200)
    check_held(lb, before)
    service(lb)["metadata"]["annotations"].pop(MODE)
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert lb.world.remains() == NOTHING


def test_the_services_annotation_abandons(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    before = holdings(lb.world, ip_of(lb))
    service(lb)["spec"]["type"] = "ClusterIP"
    annotate_service(lb, MODE, "plan")
    lb.delete(service_too=False)
    call_for(lb, hook, 60)
    annotate_service(lb, ABANDON, "true")
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert lb.world.writes() == {}
    assert holdings(lb.world, ip_of(lb)) == before


def test_another_service_of_the_name_abandons_nothing(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    service(lb)["metadata"]["uid"] = "another"
    service(lb)["spec"]["type"] = "ClusterIP"
    annotate_service(lb, ABANDON, "true")
    lb.delete(service_too=False)
    call_for(lb, hook, 60)
    assert lb.is_finalized()
    assert lb.world.remains() == NOTHING


def test_a_choice_in_plan_mode_has_nothing_to_take_down(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, mode="Plan").settle(hook)
    lb.delete()
    call_for(lb, hook, 60)
    assert lb.is_finalized()
    assert world.writes() == {}


def test_a_load_balancer_without_owner_in_plan_mode_takes_nothing_down(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    before = holdings(lb.world, ip_of(lb))
    lb.change(mode="Plan")
    lb.parent["metadata"].pop("ownerReferences")
    lb.world.cluster.objects.pop(lb.service_path)
    lb.call(hook)
    lb.delete()
    call_for(lb, hook, 7200)
    check_held(lb, before)


# S8


@pytest.fixture(params=["another account", "a project"])
def blind(request: pytest.FixtureRequest, world: World) -> Iterator[LoadBalancersHook]:
    """A hook whose keys or project show nothing of the load balancer's network."""
    cloud: Cloud
    if request.param == "a project":
        cloud = World(world.simulator, project="project-1").open_cloud()
    else:
        keys = world.simulator.keys["other"]
        config = CloudConfig(world.simulator.url, keys.api_key, keys.secret_key)
        cloud = Cloud(config, clocks=Clocks(lambda: world.now, world.monotonic))
    yield make_hook(world, cloud)
    cloud.close()


@pytest.mark.parametrize("hours", [0.1, 1, 12])
def test_what_is_not_visible_is_not_let_go_by_time(
    lb: LoadBalancer, hook: LoadBalancersHook, blind: LoadBalancersHook, hours: float
) -> None:
    before = holdings(lb.world, ip_of(lb))
    lb.delete()
    call_for(lb, blind, hours * 3600)
    assert not lb.is_finalized()
    assert lb.reason() == "NetworkNotVisible"
    message = lb.condition("Ready")["message"]
    assert ip_of(lb) in message
    assert ABANDON in message
    assert holdings(lb.world, ip_of(lb)) == before
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert lb.world.remains() == NOTHING


def test_all_nodes_gone_and_nothing_visible_is_not_let_go_either(
    lb: LoadBalancer, hook: LoadBalancersHook, blind: LoadBalancersHook
) -> None:
    nodes = dict(lb.world.nodes)
    lb.world.nodes.clear()
    lb.delete()
    call_for(lb, blind, 3600)
    assert not lb.is_finalized()
    lb.world.nodes.update(nodes)
    call_for(lb, hook, 900)
    assert lb.world.remains() == NOTHING


@pytest.mark.parametrize("where", ["load balancer", "Service"])
def test_a_person_lets_go_of_what_is_not_visible(
    lb: LoadBalancer, blind: LoadBalancersHook, where: str
) -> None:
    before = holdings(lb.world, ip_of(lb))
    service(lb)["spec"]["type"] = "ClusterIP"
    lb.delete(service_too=False)
    call_for(lb, blind, 60)
    if where == "Service":
        annotate_service(lb, ABANDON, "true")
    else:
        annotate(lb, ABANDON, "true")
    lb.world.cluster.events.clear()
    call_for(lb, blind, 900)
    assert lb.is_finalized()
    assert holdings(lb.world, ip_of(lb)) == before
    assert ip_of(lb) in told(lb.world)


def test_a_clock_that_steps_ahead_lets_nothing_go(
    lb: LoadBalancer, hook: LoadBalancersHook, blind: LoadBalancersHook
) -> None:
    lb.delete()
    lb.call(blind)
    lb.world.advance(6 * 3600)
    lb.call(blind)
    assert not lb.is_finalized()
    call_for(lb, hook, 900)
    assert lb.world.remains() == NOTHING
