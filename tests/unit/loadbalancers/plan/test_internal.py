"""Which address internal load balancers get, which of them are ours, and when none is made."""

from typing import Any

import pytest

from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.cloudstack.models.network import Capability, Network, NetworkService
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.actions import Action, CreateRule, DeleteRule
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.facts import CloudState, Facts, Refusal
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.internal import left_balancers, own_balancers, plan_internal_address
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.plan.rules import new_balancer
from hooks.loadbalancers.plan.seals import balancer_name
from hooks.webhook.contract import Plan
from tests.unit.loadbalancers.builders import (
    NET,
    SEAL_KEY,
    facts,
    instance,
    port,
    recorded,
    request,
)

HERE, THERE = "10.30.4.9", "10.30.4.10"
TIER = Network(
    id=NET,
    name="tier",
    vpc_id="vpc-1",
    services=(NetworkService("Lb", capabilities=(Capability("LbSchemes", "Internal"),)),),
)


def known(*balancers: InternalLoadBalancer, **spec: Any) -> Facts:
    """Make what is known of a Service that asks for an internal load balancer."""
    fields = {key: spec.pop(key) for key in ("service", "refusals", "seal_key") if key in spec}
    asked = request(internal=True, **spec)
    return facts(asked, network=TIER, state=CloudState(rules=balancers), **fields)


def mark(**differing: str) -> tuple[Tag, ...]:
    """Return our mark, or one that differs in the tags whose names end so."""
    pairs = known().owner.mark
    return tuple(Tag(key, differing.get(key.rpartition("/")[2], text)) for key, text in pairs)


def made(public: int = 80, ip: str = HERE, **fields: Any) -> InternalLoadBalancer:
    """Make a load balancer that is ours by its name alone."""
    node = 30000 + public % 2000
    name = balancer_name(known().owner.mark, SEAL_KEY, NET, public, node)
    values = {"name": name, "private_port": node, "network_id": NET, **fields}
    return InternalLoadBalancer(
        f"lb-{ip}-{public}",
        public_ip_id=ip,
        public_ip=ip,
        public_port=public,
        protocol="tcp",
        algorithm="roundrobin",
        **values,
    )


def at(ip: str = HERE) -> Json:
    return recorded(ip, id=ip)


def created(planned: AddressPlan | Plan[Action]) -> list[str]:
    """Return the addresses on which something is created."""
    return [each.rule.public_ip_id for each in planned.actions if isinstance(each, CreateRule)]


@pytest.mark.parametrize(
    ("balancer", "is_ours"),
    [
        pytest.param(made(), True, id="by its name"),
        pytest.param(made(name="web", tags=mark()), True, id="by its tags"),
        pytest.param(made(tags=mark()[:2]), True, id="by its name, with some tags"),
        pytest.param(made(name="web"), False, id="neither"),
        pytest.param(made(name="web", tags=mark()[:3]), False, id="some tags alone"),
        pytest.param(made(private_port=31000), False, id="a name copied to another node port"),
        pytest.param(made(network_id="net-2"), False, id="a name copied to another tier"),
        pytest.param(made(tags=mark(cluster="c-2")), False, id="another cluster's"),
        pytest.param(made(tags=mark(**{"service-uid": "u"})), False, id="of an earlier Service"),
        pytest.param(made(name=made(81).name), False, id="a name copied from another port"),
    ],
)
def test_whose_one_is_its_tags_or_its_name_say(
    balancer: InternalLoadBalancer, is_ours: bool
) -> None:
    assert (own_balancers(known(balancer)) == (balancer,)) is is_ours


def test_with_another_key_a_name_proves_nothing_and_the_rest_is_told() -> None:
    other = known(made(), made(81, name="web"), seal_key=b"other")
    assert own_balancers(other) == ()
    [event] = left_balancers(other)
    assert f"{made().name} on {HERE}" in event.message
    assert "web on" not in event.message
    assert left_balancers(known(made())) == ()


@pytest.mark.parametrize(
    ("spec", "ip"),
    [
        pytest.param({}, "", id="any"),
        pytest.param({"address": HERE}, HERE, id="the one asked for"),
        pytest.param({"status": at(THERE)}, THERE, id="the one of before"),
        pytest.param({"status": at(THERE), "address": HERE}, HERE, id="asked for after another"),
    ],
)
def test_the_first_port_alone_gets_an_address(spec: dict[str, Any], ip: str) -> None:
    planned = plan_internal_address(known(ports=[port(80), port(81)], **spec))
    assert created(planned) == [ip]
    assert not planned.is_ours
    assert planned.condition.status == "False"


def test_an_address_that_another_load_balancer_is_on_is_not_taken() -> None:
    theirs = made(8080, name="theirs")
    planned = plan_internal_address(known(theirs, address=HERE))
    assert (planned.condition.reason, planned.actions) == ("AddressInUse", ())
    assert "theirs" in planned.condition.message
    assert created(plan_internal_address(known(theirs, status=at()))) == [""]


def test_an_address_of_before_that_a_vm_has_now_is_given_up() -> None:
    asked = known(status=at())
    action = CreateRule(new_balancer(asked, asked.request.spec.ports[0], HERE))
    refused = Refusal(action, 533, "Unable to acquire IP address")
    planned = plan_internal_address(known(status=at(), refusals=(refused,)))
    assert (created(planned), planned.recorded) == ([""], None)
    planned = plan_internal_address(known(address=HERE, refusals=(refused,)))
    assert (planned.condition.reason, planned.actions) == ("AddressNotFree", ())


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({"ports": []}, "NothingToServe", id="no port"),
        pytest.param({"ports": [port(53, protocol="UDP")]}, "NothingToServe", id="UDP"),
        pytest.param({"ports": [port(80, proxy=True)]}, "NothingToServe", id="PROXY protocol"),
        pytest.param({"sourceRanges": []}, "NothingToServe", id="nobody may connect"),
        pytest.param(
            {"nodes": {"n": instance("n", "net-2")}, "network": NET},
            "NetworkWithoutNodes",
            id="no node",
        ),
        pytest.param({"service": None}, "ServiceNotConfirmed", id="no such Service"),
    ],
)
def test_where_none_can_serve_none_is_made(spec: dict[str, Any], reason: str) -> None:
    planned = plan_internal_address(known(**spec))
    assert (planned.condition.reason, planned.actions) == (reason, ())


def test_of_two_addresses_the_one_of_the_status_is_kept_and_what_serves_nobody_goes() -> None:
    found = known(made(80), made(80, THERE), status=at(THERE))
    assert plan_internal_address(found).address_id == THERE
    gone = [each for each in plan(found).actions if isinstance(each, DeleteRule)]
    assert [each.own.id for each in gone] == [made(80).id]


def test_another_address_of_a_live_service_is_written_to_the_status_before_anything_else() -> None:
    asked = known(made(), status=at(), address=THERE)
    planned = plan(asked)
    assert created(planned) == []
    status = planned.response["status"] or {}
    assert status["addressChange"] == {"to": THERE}
    assert status["address"]["ip"] == HERE
    noted = known(made(), status={**at(), "addressChange": {"to": THERE}}, address=THERE)
    assert created(plan(noted)) == [THERE]


def test_what_asks_for_one_is_not_asked_as_what_does_not() -> None:
    assert fingerprint(request(internal=True)) != fingerprint(request())
    assert fingerprint(request(internal=False)) == fingerprint(request())


def test_the_address_is_in_the_status_as_one_without_an_id() -> None:
    planned = plan_internal_address(known(made(), address=HERE))
    assert planned.recorded is not None
    assert (planned.recorded.ip, planned.recorded.id) == (HERE, HERE)
    assert (planned.recorded.network_id, planned.recorded.named) == (NET, True)
