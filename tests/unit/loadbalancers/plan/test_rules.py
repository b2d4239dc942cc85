from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, NewLoadBalancerRule
from hooks.cloudstack.models.network import Network, NetworkService
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import CreateRule, DeleteRule, UpdateRule
from hooks.loadbalancers.plan.facts import CloudState, Facts, Refusal
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.rules import own_rules, plan_rules
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_CLUSTER, TAG_SERVICE_UID
from tests.unit.loadbalancers.builders import (
    IP,
    NAME,
    NET,
    NETWORK,
    facts,
    our_tags,
    port,
    request,
    rule,
    texts,
)

REQUEST = request()
TAGS = our_tags(REQUEST)
CREATED = f"create rule {NAME}-tcp-80: port 80 to 30080, tcp, roundrobin"
FOREIGN = (Tag(TAG_SERVICE_UID, "another"),)


def planned(seen_from: Facts) -> RulesPlan:
    return plan_rules(seen_from, f"id-{IP}")


def plan(asked: LoadBalancerRequest, *rules: LoadBalancerRule, **fields: Any) -> RulesPlan:
    return planned(facts(asked, state=CloudState(rules=rules), **fields))


@pytest.mark.parametrize(
    ("existing", "is_ours"),
    [
        pytest.param(rule(80), True, id="our name"),
        pytest.param(rule(80, f"{NAME}-tcp-proxy-80"), True, id="our name, PROXY"),
        pytest.param(rule(80, f"{NAME}-80"), False, id="in-tree name, not to be adopted"),
        pytest.param(rule(80, "human"), False, id="a human's"),
        pytest.param(rule(80, f"x{NAME}-tcp-80"), False, id="longer in front"),
        pytest.param(rule(80, f"{NAME}-tcp-80x"), False, id="longer behind"),
        pytest.param(rule(80, f"{NAME}-sctp-80"), False, id="another protocol"),
        pytest.param(rule(80, "renamed", tags=TAGS), True, id="our tag"),
        pytest.param(rule(80, tags=FOREIGN), False, id="our name, another's tag"),
    ],
)
def test_a_rule_is_ours_by_tag_else_by_its_whole_name(
    existing: LoadBalancerRule, is_ours: bool
) -> None:
    assert bool(own_rules(facts(REQUEST).owner, [existing])) is is_ours


def test_names_to_be_adopted_are_ours_too() -> None:
    asked = request(adopt={"address": IP, "names": ["K8s_svc_c_default_web-tcp-80", f"{NAME}-80"]})
    owner = facts(asked).owner
    assert own_rules(owner, [rule(80, "K8s_svc_c_default_web-tcp-80")])
    assert own_rules(owner, [rule(80, f"{NAME}-80")])
    assert not own_rules(owner, [rule(80, f"{NAME}-80", tags=FOREIGN)])


def test_a_missing_rule_is_created_and_the_firewall_left_alone() -> None:
    [action] = plan(request(ports=[port(80, 30080, proxy=True)], algorithm="source")).actions
    assert action == CreateRule(
        NewLoadBalancerRule(
            name=f"{NAME}-tcp-proxy-80",
            public_ip_id=f"id-{IP}",
            network_id=NET,
            public_port=80,
            private_port=30080,
            protocol="tcp-proxy",
            algorithm="source",
            cidrs=("0.0.0.0/0",),
            open_firewall=False,
        )
    )


def test_a_rule_that_is_right_needs_nothing() -> None:
    result = plan(REQUEST, rule(80, tags=TAGS))
    assert result.actions == ()
    assert result.condition.status == "True"
    assert [each.public_port for each in result.serving] == [80]
    assert result.is_complete


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        pytest.param({"name": "other"}, f"change rule other: name {NAME}-tcp-80", id="name"),
        pytest.param(
            {"protocol": "tcp-proxy", "name": f"{NAME}-tcp-80"},
            f"change rule {NAME}-tcp-80: protocol tcp",
            id="protocol",
        ),
        pytest.param(
            {"algorithm": "bogus"},
            f"change rule {NAME}-tcp-80: algorithm roundrobin",
            id="algorithm",
        ),
        pytest.param(
            {"cidrs": ("10.0.0.0/8",)}, f"change rule {NAME}-tcp-80: cidrs 0.0.0.0/0", id="ranges"
        ),
        pytest.param(
            {"private_port": 1},
            f"delete rule {NAME}-tcp-80|{CREATED}",
            id="node port",
        ),
        pytest.param(
            {"state": "Revoke"},
            f"delete rule {NAME}-tcp-80|{CREATED}",
            id="half deleted",
        ),
        pytest.param({"cidrs": ()}, "", id="no list is everybody"),
        pytest.param({"state": "Add"}, "", id="without members yet"),
    ],
)
def test_a_rule_changes_in_place_where_cloudstack_can(
    existing: dict[str, Any], expected: str
) -> None:
    result = plan(REQUEST, rule(80, tags=TAGS, **existing))
    assert "|".join(texts(result.actions)) == expected


def test_one_change_carries_all_that_differs() -> None:
    asked = request(ports=[port(80, proxy=True)], algorithm="source", sourceRanges=["10.0.0.0/8"])
    [action] = plan(asked, rule(80, tags=TAGS)).actions
    assert isinstance(action, UpdateRule)
    change = action.change
    assert (change.name, change.protocol, change.algorithm, change.cidrs) == (
        f"{NAME}-tcp-proxy-80",
        "tcp-proxy",
        "source",
        ("10.0.0.0/8",),
    )


def test_what_is_not_asked_for_goes_after_what_is_new() -> None:
    result = plan(request(ports=[port(81)]), rule(80, tags=TAGS))
    assert [type(each) for each in result.actions] == [CreateRule, DeleteRule]
    assert result.condition.reason == "ChangingRules"


def test_tcp_goes_before_udp_comes_on_the_same_port() -> None:
    result = plan(request(ports=[port(53, protocol="UDP")]), rule(53, tags=TAGS))
    assert [type(each) for each in result.actions] == [DeleteRule, CreateRule]


def test_tcp_and_udp_on_one_port_are_two_rules() -> None:
    result = plan(request(ports=[port(53), port(53, protocol="UDP")]), rule(53, tags=TAGS))
    [action] = result.actions
    assert isinstance(action, CreateRule)
    assert action.rule.protocol == "udp"


def test_rules_that_lack_the_same_tags_are_tagged_in_one_call() -> None:
    partly = tuple(tag for tag in TAGS if tag.key != TAG_CLUSTER)
    asked = request(ports=[port(80), port(81), port(82), port(83)])
    rules = [rule(80), rule(81), rule(82, tags=partly), rule(83, tags=TAGS)]
    assert texts(plan(asked, *rules).actions) == [
        f"tag rules {NAME}-tcp-80, {NAME}-tcp-81",
        f"tag rule {NAME}-tcp-82",
    ]


def test_a_foreign_rule_on_a_wanted_port_is_named_and_left_alone() -> None:
    result = plan(request(ports=[port(80), port(81)]), rule(80, "human"))
    assert texts(result.actions) == [
        f"create rule {NAME}-tcp-81: port 81 to 30081, tcp, roundrobin"
    ]
    assert result.ports[0].problem == "port 80 is taken by rule human"
    assert result.condition.reason == "RulesRefused"
    assert "0 of 2 rules are ready" in result.condition.message


def test_a_refused_creation_is_not_repeated_and_is_reported_by_port() -> None:
    asked = request(ports=[port(53, protocol="UDP"), port(53)])
    [udp, _] = plan(asked).actions
    refusal = Refusal(udp, 431, "LB service provider cannot support this rule")
    result = plan(asked, rule(53, tags=TAGS), refusals=(refusal,))
    assert result.actions == ()
    assert result.ports[0].problem == "LB service provider cannot support this rule"
    assert result.is_complete
    assert [each.public_port for each in result.serving] == [53]


def test_a_refused_change_keeps_the_rule_and_is_reported() -> None:
    wrong = rule(80, tags=TAGS, algorithm="source")
    [update] = plan(REQUEST, wrong).actions
    result = plan(REQUEST, wrong, refusals=(Refusal(update, 530, "the router is busy"),))
    assert result.actions == ()
    assert result.serving == (wrong,)
    assert "the router is busy" in result.condition.message


@pytest.mark.parametrize("refused", [0, 1], ids=["deletion", "creation"])
def test_a_refused_replacement_keeps_what_is_there(refused: int) -> None:
    wrong = rule(80, tags=TAGS, private_port=1)
    actions = plan(REQUEST, wrong).actions
    result = plan(REQUEST, wrong, refusals=(Refusal(actions[refused], 530, "no"),))
    assert result.actions == ()
    assert result.ports[0].problem == "no"


def test_an_action_that_is_planned_again_after_it_was_done_counts_as_refused() -> None:
    actions = plan(REQUEST).actions
    result = plan(REQUEST, done=actions)
    assert result.actions == ()
    assert result.ports[0].problem == "CloudStack accepted it, and it has no effect"
    assert result.condition.reason == "RulesRefused"


def test_a_refused_deletion_or_tag_is_reported() -> None:
    for rules, asked in (([rule(80)], REQUEST), ([rule(81, tags=TAGS)], request(ports=[]))):
        [action] = plan(asked, *rules).actions
        result = plan(asked, *rules, refusals=(Refusal(action, 530, "no"),))
        assert result.actions == ()
        assert result.condition.reason == "RulesRefused"
        assert str(action) in result.condition.message


OLD = Capabilities((4, 20))
WITHOUT_FIREWALL = Network(id=NET, name="n", services=(NetworkService("Lb"),))


def test_on_a_server_whose_lists_cannot_change_the_firewall_decides_alone() -> None:
    asked = request(sourceRanges=["10.0.0.0/8"])
    [action] = plan(asked, version=OLD).actions
    assert isinstance(action, CreateRule)
    assert action.rule.cidrs == ()
    assert plan(asked, rule(80, tags=TAGS), version=OLD).actions == ()


def test_there_a_rule_with_a_wrong_list_is_created_again() -> None:
    asked = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
    result = plan(asked, rule(80, tags=TAGS, cidrs=("10.0.0.0/8",)), version=OLD)
    assert [type(each) for each in result.actions] == [DeleteRule, CreateRule]


def test_there_without_a_firewall_the_list_is_created_with_the_rule() -> None:
    asked = request(sourceRanges=["10.0.0.0/8"])
    [action] = plan(asked, version=OLD, network=WITHOUT_FIREWALL).actions
    assert isinstance(action, CreateRule)
    assert action.rule.cidrs == ("10.0.0.0/8",)


def test_ranges_that_nothing_can_enforce_open_nothing_and_change_nothing() -> None:
    asked = request(sourceRanges=["10.0.0.0/8"])
    version = Capabilities((4, 16))
    result = plan(asked, version=version, network=WITHOUT_FIREWALL)
    assert result.actions == ()
    assert "4.18 can" in result.condition.message
    standing = plan(asked, rule(80, "x", tags=TAGS), version=version, network=WITHOUT_FIREWALL)
    assert standing.actions == ()
    assert NETWORK.has("Firewall")


def test_where_nobody_may_connect_no_rule_stays() -> None:
    asked = request(sourceRanges=[])
    assert plan(asked, network=WITHOUT_FIREWALL).actions == ()
    standing = plan(asked, rule(80, "x", tags=TAGS), network=WITHOUT_FIREWALL)
    assert texts(standing.actions) == ["delete rule x"]
    assert (standing.serving, "nobody may connect" in standing.condition.message) == ((), True)
