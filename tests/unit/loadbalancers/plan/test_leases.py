"""Which actions need a lease, on which address, and what a lease says."""

from dataclasses import replace

import pytest

from hooks.cloudstack.models.firewall import PortRange
from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import (
    Action,
    AddTags,
    CloseFirewall,
    DeleteRule,
    Release,
    Retag,
    UntagAddress,
)
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.leases import (
    find_address,
    lease_on,
    lease_seconds,
    needs_lease,
    new_lease,
)
from hooks.loadbalancers.plan.ownership import Own
from hooks.loadbalancers.recorded import LONGEST_CALL
from hooks.names import TAG_LEASE
from tests.unit.loadbalancers.builders import (
    NOW,
    address,
    facts,
    firewall_rule,
    our_address,
    request,
    rule,
)

HERE = address("192.0.2.1")
THERE = address("192.0.2.2", tags=(Tag(TAG_LEASE, "since then"),))
RULE = rule(80, public_ip_id=HERE.id)
FIREWALL = replace(firewall_rule(80), public_ip_id=THERE.id)
STATE = CloudState((HERE, THERE), rules=(RULE,), firewall=(FIREWALL,))


RULE_OWN, FIREWALL_OWN = Own("rule", RULE.id, ""), Own("firewall rule", FIREWALL.id, "")
PORTS = PortRange("tcp", 80, 80, ())


@pytest.mark.parametrize(
    ("action", "on"),
    [
        pytest.param(Release(Own("address", HERE.id, "")), HERE, id="release"),
        pytest.param(UntagAddress(Own("address", THERE.id, ""), ()), THERE, id="untag"),
        pytest.param(Retag((Own("address", THERE.id, ""),), (), ()), THERE, id="take over"),
        pytest.param(Retag((RULE_OWN,), (), ()), HERE, id="take over a rule"),
        pytest.param(Retag((FIREWALL_OWN,), (), ()), THERE, id="take over a firewall rule"),
        pytest.param(Release(Own("address", "gone", "")), None, id="what does not show"),
    ],
)
def test_what_changes_hands_needs_a_lease_on_its_address(action: Action, on: object) -> None:
    known = facts(request(), state=STATE)
    assert needs_lease(action, known)
    assert find_address(action, known) == on


@pytest.mark.parametrize(
    ("action", "on"),
    [
        pytest.param(DeleteRule(RULE_OWN), HERE, id="rule"),
        pytest.param(CloseFirewall(FIREWALL_OWN, PORTS), THERE, id="firewall rule"),
    ],
)
def test_what_is_deleted_needs_a_lease_unless_its_address_serves_on(
    action: Action, on: PublicIpAddress
) -> None:
    ours = replace(on, tags=our_address(request()).tags)
    others = [each for each in STATE.addresses if each != on]
    serving = facts(request(), state=replace(STATE, addresses=(ours, *others)))
    assert not needs_lease(action, serving)
    second = facts(request(), state=STATE)
    assert needs_lease(action, second)
    assert needs_lease(action, replace(serving, request=replace(request(), is_deleting=True)))


def test_a_claim_needs_no_lease() -> None:
    known = facts(request(), state=STATE)
    assert not needs_lease(AddTags("address", (HERE.id,), ("",), ()), known)


def test_a_lease_is_read_as_it_was_written() -> None:
    text = new_lease(NOW, 38.0, "0123abcd")
    assert text.endswith("Z 38s 0123abcd")
    assert lease_seconds(text) == 38
    assert lease_seconds(new_lease(NOW, 9000.0, "a")) == LONGEST_CALL
    assert lease_seconds("somebody's") == lease_seconds("a 9999s b") == LONGEST_CALL
    assert lease_on(address(tags=(Tag(TAG_LEASE, text),))) == text
    assert lease_on(HERE) == ""


@pytest.mark.parametrize("is_deleting", [False, True])
def test_an_internal_load_balancer_is_deleted_without_a_lease(*, is_deleting: bool) -> None:
    inner = InternalLoadBalancer("lb", "web", "10.1.1.9", 80, 30080, "tcp")
    asked = replace(request(internal=True), is_deleting=is_deleting)
    known = facts(asked, state=CloudState(rules=(inner,)))
    assert not needs_lease(DeleteRule(Own("rule", "lb", "web")), known)
