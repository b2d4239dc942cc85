"""A Service that asks for what it cannot have lets in nobody whom it does not admit any more."""

from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.network import Network, NetworkService
from tests.unit.loadbalancers.builders import (
    NAME,
    NET,
    NETWORK,
    firewall_rule,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.planning import TAGS, condition, planned, state

INVALID = [{"field": "spec.ports[1].nodePort", "message": "there is none"}]
LB_ONLY = Network(id=NET, name="net-1", services=(NetworkService("Lb"),))
TEN = ["10.0.0.0/8"]
TO_TEN = f"change rule {NAME}-tcp-80: cidrs 10.0.0.0/8"
REMADE = [
    f"delete rule {NAME}-tcp-80",
    f"create rule {NAME}-tcp-80: port 80 to 30080, tcp, roundrobin",
]


@pytest.mark.parametrize(
    ("ranges", "version", "network", "actions"),
    [
        pytest.param(["0.0.0.0/0"], (4, 22), NETWORK, [], id="as before"),
        pytest.param(
            TEN,
            (4, 22),
            NETWORK,
            [TO_TEN, "open firewall port 80/tcp for 10.0.0.0/8"],
            id="list and firewall",
        ),
        pytest.param(
            TEN,
            (4, 20),
            NETWORK,
            ["open firewall port 80/tcp for 10.0.0.0/8"],
            id="the firewall alone",
        ),
        pytest.param(TEN, (4, 22), LB_ONLY, [TO_TEN], id="the list alone"),
        pytest.param(TEN, (4, 20), LB_ONLY, REMADE, id="a list that cannot change"),
        pytest.param(
            [], (4, 22), NETWORK, ["close firewall port 80/tcp for 0.0.0.0/0"], id="nobody"
        ),
        pytest.param([], (4, 22), LB_ONLY, REMADE[:1], id="nobody, without a firewall"),
    ],
)
def test_what_a_service_does_not_admit_any_more_is_shut_out(
    ranges: list[str], version: tuple[int, ...], network: Network, actions: list[str]
) -> None:
    asked: dict[str, Any] = {"status": recorded(), "invalid": INVALID, "sourceRanges": ranges}
    firewall = (firewall_rule(80, tags=TAGS),) if network is NETWORK else ()
    made = planned(
        request(**asked),
        state(rule(80, tags=TAGS), firewall_rules=firewall),
        network=network,
        version=Capabilities(version),
    )
    assert texts(made.actions) == actions
    assert condition(made)["reason"] == "InvalidService"


def test_what_is_narrow_enough_is_not_repaired() -> None:
    narrow = rule(80, tags=TAGS, cidrs=("10.1.0.0/16",))
    firewall = firewall_rule(80, tags=TAGS, cidrs=("10.1.0.0/16",))
    made = planned(
        request(status=recorded(), invalid=INVALID, sourceRanges=TEN),
        state(narrow, firewall_rules=(firewall,)),
    )
    assert made.actions == ()
