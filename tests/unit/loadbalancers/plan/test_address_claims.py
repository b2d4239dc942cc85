"""An address that the Service asks for, or that a former provider left: whether it is claimed."""

from typing import Any

import pytest

from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import AddTags
from hooks.names import TAG_NAMESPACE, TAG_ORIGIN, TAG_ORIGIN_CONTROLLER, TAG_ORIGIN_USER
from tests.unit.loadbalancers.builders import (
    IP,
    NAME,
    address,
    firewall_rule,
    our_tags,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.addresses import FOREIGN, OTHER, choice, plan

FORK = "K8s_svc_kubernetes_default_web-tcp-80"
ADOPT = {"address": IP, "associatedByController": True, "names": [f"{NAME}-80", FORK]}
#: Of a rule for port 80: members that are nodes, and one that is none.
NODES = {"rule-tcp-80": {"vm-n1": "n1", "vm-n2": "n2"}}
RESERVED = (Tag(TAG_NAMESPACE, "(reserved)"),)
STRANGER = {"rule-tcp-80": {"vm-n1": "n1", "vm-x": "x"}}


# An address that is brought, or left behind.


def test_a_users_address_is_claimed_with_the_users_origin() -> None:
    [action] = plan(request(address=IP), address(IP)).actions
    assert isinstance(action, AddTags)
    assert dict(action.tags)[TAG_ORIGIN] == TAG_ORIGIN_USER


@pytest.mark.parametrize(
    ("existing", "reason", "expected"),
    [
        pytest.param({"is_source_nat": True}, "AddressIsSourceNAT", IP, id="source NAT"),
        pytest.param({"is_static_nat": True}, "AddressIsStaticNAT", IP, id="static NAT"),
        pytest.param({"network_id": "other"}, "AddressElsewhere", "other", id="another network"),
        pytest.param({"vpc_id": "vpc-1"}, "AddressElsewhere", "vpc-1", id="a VPC's"),
        pytest.param({"tags": FOREIGN}, "AddressInUse", "shop/till", id="another Service's"),
        pytest.param({"tags": RESERVED}, "AddressInUse", "(reserved)", id="reserved by a person"),
        pytest.param({"state": "Releasing"}, "AddressReleasing", IP, id="being released"),
    ],
)
def test_a_users_address_that_does_not_fit_is_refused(
    existing: dict[str, Any], reason: str, expected: str
) -> None:
    result = plan(request(address=IP), address(IP, **existing))
    assert result.actions == ()
    assert not result.is_ours
    assert result.condition.reason == reason
    assert expected in result.condition.message


def test_what_another_provider_left_is_tagged_before_its_address() -> None:
    asked = request(adopt=ADOPT, sourceRanges=["10.0.0.0/8"])
    result = plan(
        asked,
        address(IP),
        rules=(rule(80, f"{NAME}-80"), rule(9, "human")),
        firewall=(firewall_rule(80), firewall_rule(9)),
    )
    tagged = [(each.kind, each.ids) for each in result.actions if isinstance(each, AddTags)]
    assert tagged == [
        ("firewall rule", (firewall_rule(80).id,)),
        ("rule", (rule(80).id,)),
        ("address", (f"id-{IP}",)),
    ]
    assert len(result.actions) == len(tagged)


def test_a_takeover_that_stopped_half_way_goes_on_with_the_rest() -> None:
    asked = request(adopt=ADOPT)
    result = plan(asked, address(IP), rules=(rule(80, f"{NAME}-80", tags=our_tags(asked)),))
    assert texts(result.actions) == [f"tag address {IP}"]


@pytest.mark.parametrize("associated", [True, False])
def test_an_address_left_by_another_provider_goes_with_the_service_if_it_would_have_before(
    associated: bool,
) -> None:
    asked = request(adopt={**ADOPT, "associatedByController": associated})
    left = rule(80, f"{NAME}-80")
    action = plan(asked, address(IP), rules=(left,), members=NODES).actions[-1]
    assert isinstance(action, AddTags)
    wanted = TAG_ORIGIN_CONTROLLER if associated else TAG_ORIGIN_USER
    assert dict(action.tags)[TAG_ORIGIN] == wanted


ASKS = [
    pytest.param({"adopt": ADOPT}, id="left"),
    pytest.param({"adopt": ADOPT, "address": IP}, id="left and asked for"),
]


@pytest.mark.parametrize("asked", ASKS)
@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        pytest.param(FORK, STRANGER, "no nodes of this cluster: x.", id="fork, a stranger"),
        pytest.param(f"{NAME}-80", STRANGER, "remove these VMs", id="UID, a stranger"),
        pytest.param(FORK, {}, "no members", id="fork, no members"),
        pytest.param(FORK, STRANGER, "takeover-from", id="fork, what to do"),
    ],
)
def test_rules_whose_members_do_not_show_that_they_are_ours_are_not_adopted(
    asked: dict[str, Any], name: str, members: Any, expected: str
) -> None:
    result = plan(
        request(**asked), address(IP), rules=(rule(80, name),), members=members, free=(OTHER,)
    )
    assert result.actions == ()
    assert (result.recorded, result.awaits_status) == (None, False)
    assert result.condition.reason == "AdoptionUnproven"
    assert expected in result.condition.message


@pytest.mark.parametrize("asked", ASKS)
@pytest.mark.parametrize(
    ("name", "members", "takeover_from"),
    [
        pytest.param(f"{NAME}-80", {}, "", id="UID, no members"),
        pytest.param(FORK, STRANGER, "kubernetes", id="vouched for"),
        pytest.param(FORK, {}, "kubernetes", id="vouched for, no members"),
    ],
)
def test_without_proof_by_members_an_address_that_is_adopted_stays_the_users(
    asked: dict[str, Any], name: str, members: Any, takeover_from: str
) -> None:
    result = plan(
        request(**asked, takeoverFrom=takeover_from),
        address(IP),
        rules=(rule(80, name),),
        members=members,
    )
    action = result.actions[-1]
    assert isinstance(action, AddTags)
    assert dict(action.tags)[TAG_ORIGIN] == TAG_ORIGIN_USER


@pytest.mark.parametrize("takeover_from", ["", "kube", "kubernetes_default"])
def test_only_the_cluster_that_the_rules_name_is_vouched_for(takeover_from: str) -> None:
    asked = request(adopt=ADOPT, takeoverFrom=takeover_from)
    result = plan(asked, address(IP), rules=(rule(80, FORK),), members=STRANGER)
    assert result.condition.reason == "AdoptionUnproven"


@pytest.mark.parametrize("members", [STRANGER, NODES, {}], ids=["strangers", "nodes", "none"])
@pytest.mark.parametrize("name", ["K8s_svc_kubernetes_shop_till-tcp-80", f"a{'0' * 31}-tcp-80"])
def test_an_address_where_a_provider_serves_another_service_is_not_claimed(
    name: str, members: Any
) -> None:
    asked = request(address=IP)
    result = plan(asked, address(IP), rules=(rule(80, name),), members=members)
    assert (result.actions, result.condition.reason) == ((), "AddressInUse")
    assert name in result.condition.message


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        pytest.param(NODES, "ClaimingAddress", id="nodes"),
        pytest.param(STRANGER, "AddressInUse", id="strangers"),
    ],
)
def test_an_address_where_a_provider_serves_two_services_is_the_firsts(
    others: Any, reason: str
) -> None:
    """The existing provider let several Services ask for one address."""
    theirs = rule(81, f"a{'0' * 31}-tcp-81")
    members = {**NODES, theirs.id: others["rule-tcp-80"]}
    rules = (rule(80, f"{NAME}-80"), theirs)
    result = plan(request(adopt=ADOPT), address(IP), rules=rules, members=members)
    assert result.condition.reason == reason


def test_an_address_with_rules_that_have_another_services_mark_is_not_claimed() -> None:
    rules = (rule(80, f"{NAME}-80"), rule(81, "any", tags=FOREIGN))
    result = plan(request(address=IP, adopt=ADOPT), address(IP), rules=rules, members=NODES)
    assert (result.actions, result.condition.reason) == ((), "AddressInUse")
    assert "shop/till" in result.condition.message


def test_an_address_of_another_provider_with_rules_of_others_only_is_theirs() -> None:
    result = plan(request(adopt=ADOPT), address(IP), rules=(rule(80, "human"),), free=(OTHER,))
    assert result.recorded == choice(OTHER)


def test_an_unfit_address_of_another_provider_with_our_rules_is_not_given_up() -> None:
    existing = address(IP, is_source_nat=True)
    result = plan(request(adopt=ADOPT), existing, rules=(rule(80, f"{NAME}-80"),), free=(OTHER,))
    assert result.condition.reason == "AddressIsSourceNAT"
    assert result.recorded is None
