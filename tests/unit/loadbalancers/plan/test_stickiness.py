"""Which stickiness policies rules get, keep and lose, by what CloudStack shows."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, StickinessPolicy
from hooks.cloudstack.models.network import Capability, NetworkService
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.facts import CallState, CloudState, Refusal
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.rules import plan_rules
from hooks.loadbalancers.plan.sticky_actions import SetStickiness
from hooks.names import STICKINESS_POLICY, TAG_STICKINESS, TAG_STICKINESS_OURS
from tests.unit.loadbalancers.builders import (
    IP,
    NAME,
    NETWORK,
    facts,
    our_tags,
    port,
    request,
    rule,
    texts,
)

TAGS = our_tags(request())
MARKED = (*TAGS, Tag(TAG_STICKINESS, TAG_STICKINESS_OURS))
BY_SOURCE = {"method": "SourceBased", "parameters": {"expire": "3h"}}
COOKIE = {"method": "LbCookie", "parameters": {"mode": "insert", "cookie-name": "SRV"}}
SET = f"set stickiness of rule {NAME}-tcp-80: SourceBased expire=3h"
TAG = f"tag rule {NAME}-tcp-80"
#: The network's load balancer says what it has.
ONLY_COOKIES = replace(
    NETWORK,
    services=(
        NetworkService(
            "Lb",
            capabilities=(Capability("SupportedStickinessMethods", '[{"methodname":"LbCookie"}]'),),
        ),
        NetworkService("Firewall"),
    ),
)


def policy(
    method: str = "SourceBased", name: str = STICKINESS_POLICY, **params: str
) -> StickinessPolicy:
    return StickinessPolicy(
        "p-1", name, method, tuple(sorted((params or {"expire": "3h"}).items()))
    )


def plan(
    wanted: Json | None,
    existing: LoadBalancerRule,
    *policies: StickinessPolicy,
    is_known: bool = True,
    **fields: Any,
) -> RulesPlan:
    """Plan port 80 with the policy that it asks for, and the rule that serves it."""
    asked = port(80) | ({"stickiness": wanted} if wanted else {})
    spec = {key: fields.pop(key) for key in ("mode", "algorithm", "invalid") if key in fields}
    known = {existing.id: policies} if is_known else {}
    state = CloudState(rules=(existing,), policies=known)
    return plan_rules(facts(request(ports=[asked], **spec), state=state, **fields), f"id-{IP}")


PLAIN, STICKY = rule(80, tags=TAGS), rule(80, tags=MARKED)
REMOVE = f"remove stickiness of rule {NAME}-tcp-80"
UNTAG = f"untag rule {NAME}-tcp-80"


@pytest.mark.parametrize(
    ("wanted", "existing", "found", "done"),
    [
        pytest.param(None, PLAIN, (), [], id="none asked for and none there"),
        pytest.param(None, PLAIN, (policy(),), [], id="one that nobody looked for"),
        pytest.param(BY_SOURCE, PLAIN, (), [TAG], id="the tag comes first"),
        pytest.param(BY_SOURCE, PLAIN, (policy(),), [TAG], id="the tag is missing"),
        pytest.param(BY_SOURCE, STICKY, (), [SET], id="not there"),
        pytest.param(BY_SOURCE, STICKY, (policy(),), [], id="right"),
        pytest.param(BY_SOURCE, STICKY, (policy(expire="4h"),), [SET], id="another time"),
        pytest.param(
            BY_SOURCE, STICKY, (policy(expire="3h", tablesize="1k"),), [SET], id="a parameter more"
        ),
        pytest.param(BY_SOURCE, STICKY, (policy("sourcebased"),), [SET], id="another spelling"),
        pytest.param(BY_SOURCE, STICKY, (policy(name="x"),), [SET], id="somebody else's"),
        pytest.param(
            BY_SOURCE, STICKY, (policy("LbCookie"), policy()), [], id="the newest of two counts"
        ),
        pytest.param(
            COOKIE,
            STICKY,
            (policy(),),
            [f"set stickiness of rule {NAME}-tcp-80: LbCookie cookie-name=SRV mode=insert"],
            id="another method",
        ),
        pytest.param(None, STICKY, (policy(),), [REMOVE], id="ours, and not asked for any more"),
        pytest.param(None, STICKY, (policy(name="x"),), [UNTAG], id="not ours, not asked for"),
        pytest.param(None, STICKY, (), [UNTAG], id="a tag alone"),
    ],
)
def test_a_rule_comes_to_have_the_policy_that_its_port_asks_for(
    wanted: Json | None,
    existing: LoadBalancerRule,
    found: tuple[StickinessPolicy, ...],
    done: list[str],
) -> None:
    assert texts(plan(wanted, existing, *found).actions) == done


def test_a_rule_that_could_not_be_looked_at_keeps_what_it_has_or_gets_what_is_asked_for() -> None:
    assert texts(plan(None, STICKY, is_known=False).actions) == []
    assert texts(plan(BY_SOURCE, STICKY, is_known=False).actions) == [SET]


def test_a_new_rule_gets_mark_and_tag_at_once() -> None:
    [made] = plan(BY_SOURCE, rule(80)).actions
    assert str(made) == TAG
    assert (TAG_STICKINESS, TAG_STICKINESS_OURS) in made.tags  # type: ignore[union-attr]


def test_plan_mode_lists_the_tag_and_the_policy() -> None:
    assert texts(plan(BY_SOURCE, PLAIN, mode="Plan").actions) == [TAG, SET]
    assert texts(plan(None, STICKY, policy(), mode="Plan").actions) == [REMOVE]


def test_nothing_of_it_is_safe_while_the_service_is_refused() -> None:
    invalid = [{"field": "spec.x", "message": "is wrong"}]
    assert plan(None, STICKY, policy(), invalid=invalid).narrowing == ()


@pytest.mark.parametrize(
    ("wanted", "algorithm", "status", "reason"),
    [
        pytest.param(BY_SOURCE, "source", "True", "WithoutStickiness", id="the algorithm binds"),
        pytest.param(BY_SOURCE, "roundrobin", "False", "RulesRefused", id="nothing binds"),
        pytest.param(COOKIE, "source", "False", "RulesRefused", id="a cookie"),
    ],
)
def test_a_policy_that_is_refused_is_missed_unless_the_algorithm_binds(
    wanted: Json, algorithm: str, status: str, reason: str
) -> None:
    existing = rule(80, tags=MARKED, algorithm=algorithm)
    params = tuple(sorted(wanted["parameters"].items()))
    refused = SetStickiness(existing.id, existing.name, wanted["method"], params)
    calls = CallState((refused,), (refused,), (Refusal(refused, 431, "not that"),))
    made = plan(wanted, existing, algorithm=algorithm, call_state=calls)
    assert made.actions == ()
    assert (made.condition.status, made.condition.reason) == (status, reason)
    assert "no stickiness policy: not that" in made.condition.message
    assert made.serving == (existing,)


def test_a_method_that_the_network_does_not_have_is_not_tried() -> None:
    existing = rule(80, tags=TAGS, algorithm="source")
    made = plan(BY_SOURCE, existing, algorithm="source", network=ONLY_COOKIES)
    assert made.actions == ()
    assert made.condition.reason == "WithoutStickiness"
    assert "has no stickiness method SourceBased" in made.condition.message
    assert texts(plan(COOKIE, PLAIN, network=ONLY_COOKIES).actions) == [TAG]
