from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.ownership import NotOurs, Owner, associated
from hooks.loadbalancers.plan.seals import seal
from hooks.loadbalancers.plan.takedown import list_takedown, others_on, take_down
from hooks.loadbalancers.plan.wanted_address import Wanted
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import Acquiring
from hooks.names import (
    ANNOTATION_ABANDON,
    ANNOTATION_MODE,
    CLOUDSTACK_GROUP,
    TAG_CLUSTER,
    TAG_LEASE,
    TAG_NAMESPACE,
    TAG_OPENING,
    TAG_ORIGIN,
    TAG_SERVICE,
    TAG_SERVICE_UID,
    TAG_TAKEOVER,
)
from tests.unit.loadbalancers.builders import (
    CLUSTER_ID,
    IP,
    NAME,
    NOW,
    SEAL_KEY,
    UID,
    address,
    facts,
    firewall_rule,
    our_address,
    our_tags,
    record,
    request,
    rule,
    texts,
)

OWNER = Owner(CLUSTER_ID, "default", "web", UID)
CLUSTER = {TAG_CLUSTER: CLUSTER_ID}
NAMED = {TAG_NAMESPACE: "default", TAG_SERVICE: "web"}
MINE = {TAG_SERVICE_UID: UID}
OURS = {**CLUSTER, **NAMED, **MINE}
TAKING = Owner(CLUSTER_ID, "default", "web", UID, takeover_from="c-0")


def tagged(tags: dict[str, str]) -> Any:
    return address(tags=tuple(Tag(key, value) for key, value in tags.items()))


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param({}, Whose.UNMARKED, id="no tags"),
        pytest.param({"team": "web", TAG_ORIGIN: "controller"}, Whose.UNMARKED, id="other keys"),
        pytest.param(OURS, Whose.OURS, id="all four"),
        pytest.param({**OURS, "team": "web"}, Whose.OURS, id="all four and another"),
        pytest.param({**OURS, TAG_CLUSTER: "c-0"}, Whose.FOREIGN_CLUSTER, id="another cluster"),
        pytest.param({TAG_CLUSTER: "c-0"}, Whose.FOREIGN_CLUSTER, id="another cluster alone"),
        pytest.param(
            {**OURS, TAG_SERVICE_UID: "u"}, Whose.INHERITED, id="our name under another UID"
        ),
        pytest.param({**CLUSTER, **NAMED}, Whose.INHERITED, id="our name without a UID"),
        pytest.param({**OURS, TAG_NAMESPACE: "evil"}, Whose.OTHER, id="another namespace"),
        pytest.param({**OURS, TAG_SERVICE: "till"}, Whose.OTHER, id="another name"),
        pytest.param({TAG_SERVICE_UID: "u"}, Whose.OTHER, id="another UID alone"),
        pytest.param(CLUSTER, Whose.PARTLY, id="our cluster alone"),
        pytest.param(MINE, Whose.PARTLY, id="our UID alone"),
        pytest.param(NAMED, Whose.PARTLY, id="our name alone"),
        pytest.param({**NAMED, **MINE}, Whose.PARTLY, id="all but the cluster"),
    ],
)
def test_all_four_tags_are_compared(tags: dict[str, str], whose: Whose) -> None:
    assert OWNER.whose(tagged(tags)) is whose


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param({**OURS, TAG_CLUSTER: "c-0"}, Whose.FROM_TAKEOVER, id="the named cluster"),
        pytest.param(
            {**NAMED, TAG_CLUSTER: "c-0", TAG_SERVICE_UID: "u"},
            Whose.FROM_TAKEOVER,
            id="under any UID",
        ),
        pytest.param(NAMED, Whose.FROM_TAKEOVER, id="half replaced"),
        pytest.param({**OURS, TAG_CLUSTER: "c-9"}, Whose.FOREIGN_CLUSTER, id="another cluster"),
        pytest.param(
            {**OURS, TAG_CLUSTER: "c-0", TAG_NAMESPACE: "evil"},
            Whose.FOREIGN_CLUSTER,
            id="another namespace",
        ),
        pytest.param(
            {**OURS, TAG_CLUSTER: "c-0", TAG_SERVICE: "till"},
            Whose.FOREIGN_CLUSTER,
            id="another name",
        ),
        pytest.param(OURS, Whose.OURS, id="ours"),
        pytest.param({**OURS, TAG_SERVICE_UID: "u"}, Whose.INHERITED, id="of our own cluster"),
    ],
)
def test_a_takeover_takes_the_same_namespace_and_name_of_the_cluster_it_names(
    tags: dict[str, str], whose: Whose
) -> None:
    assert TAKING.whose(tagged(tags)) is whose
    assert TAKING.may_take(tagged(tags)) is (whose is Whose.FROM_TAKEOVER)


def test_a_takeover_from_the_own_cluster_is_none() -> None:
    own = Owner(CLUSTER_ID, "default", "web", UID, takeover_from=CLUSTER_ID)
    assert own.whose(tagged(NAMED)) is Whose.PARTLY
    assert not own.may_take(tagged({**OURS, TAG_SERVICE_UID: "u"}))


def test_a_service_inherits_once_it_was_read_with_our_uid() -> None:
    old = tagged({**OURS, TAG_SERVICE_UID: "u"})
    assert not OWNER.may_take(old)
    assert Owner(CLUSTER_ID, "default", "web", UID, still_wants=True).may_take(old)


@pytest.mark.parametrize(
    "tags", [{}, CLUSTER, {**CLUSTER, **NAMED}, {**OURS, TAG_CLUSTER: "c-0"}, NAMED]
)
def test_nothing_can_be_deleted_without_the_whole_mark(tags: dict[str, str]) -> None:
    with pytest.raises(NotOurs, match=IP):
        OWNER.own_address(tagged(tags))
    stranger = rule(80, "k8s-api", tags=tagged(tags).tags)
    with pytest.raises(NotOurs, match="k8s-api"):
        OWNER.own_rule(stranger)
    with pytest.raises(NotOurs):
        OWNER.own_firewall_rule(firewall_rule(80, tags=tagged(tags).tags), "80/tcp", {("tcp", 81)})
    with pytest.raises(NotOurs):
        OWNER.taken("address", tagged(tags), IP)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        pytest.param(f"{NAME}-80", True, id="in-tree"),
        pytest.param(f"{NAME}-tcp-80", True, id="existing provider"),
        pytest.param("K8s_svc_kubernetes_default_web-tcp-80", True, id="fork"),
        pytest.param("K8s_svc_my_cluster_default_web-tcp-proxy-80", True, id="fork, PROXY"),
        pytest.param("K8s_svc_kubernetes_evil_web-tcp-80", False, id="fork, another namespace"),
        pytest.param("K8s_svc_kubernetes_default_web-2-tcp-80", False, id="fork, another name"),
        pytest.param("K8s_svc_kubernetes_default_web-tcp-80-tcp-90", False, id="a longer name"),
        pytest.param("a0000-tcp-80", False, id="another UID"),
        pytest.param("k8s-api", False, id="any name"),
    ],
)
def test_names_to_adopt_count_only_if_they_name_this_service(name: str, counts: bool) -> None:
    asked = request(adopt={"address": IP, "names": [name]})
    assert facts(asked).owner.has_rule(rule(80, name)) is counts


def test_the_namespace_of_the_service_counts_in_kube_system_alone() -> None:
    service = {"name": "web", "uid": UID, "namespace": "shop"}
    elsewhere = request(service=service)
    assert elsewhere.service_namespace == "default"
    ours = request(service=service, metadata={"namespace": "kube-system"})
    assert (ours.service_namespace, ours.service.namespace) == ("shop", "shop")
    assert facts(ours).owner.namespace == "shop"
    assert request(metadata={"namespace": "kube-system"}).service_namespace == "kube-system"


def test_a_seal_is_that_of_one_record_of_one_service_by_one_key() -> None:
    others = {
        seal(Owner("c-2", "default", "web", UID).mark, SEAL_KEY, IP, NOW),
        seal(Owner(CLUSTER_ID, "evil", "web", UID).mark, SEAL_KEY, IP, NOW),
        seal(Owner(CLUSTER_ID, "default", "till", UID).mark, SEAL_KEY, IP, NOW),
        record(IP, NOW, uid="another"),
        seal(OWNER.mark, b"another", IP, NOW),
        record("198.51.100.8", NOW),
        record(IP, NOW + 1),
    }
    made = record(IP, NOW)
    assert made.seal not in {each.seal for each in others}
    assert len({each.seal for each in others}) == 7
    assert len(made.seal) == 22
    assert Acquiring.read(made.text) == made


@pytest.mark.parametrize(
    ("place", "is_named"),
    [
        pytest.param(IP, True, id="asked for"),
        pytest.param("198.51.100.8", False, id="another one asked for"),
        pytest.param(f"id-{IP}/0", True, id="chosen by CloudStack, at an unknown time"),
        pytest.param(f"id-{IP}/{int(NOW)}", True, id="chosen"),
        pytest.param(f"id-{IP}/{int(NOW) + 1}", False, id="allocated before that"),
        pytest.param("id-198.51.100.8/0", False, id="another one chosen"),
        pytest.param("", False, id="no record"),
    ],
)
def test_a_record_names_what_a_call_may_have_acquired(place: str, *, is_named: bool) -> None:
    made = record(place)
    assert Acquiring.read(made.text).names(address(IP, allocated_at=NOW)) is is_named


@pytest.mark.parametrize(
    ("key", "others"),
    [
        pytest.param("example.com/purpose", ("tag example.com/purpose",), id="a person's"),
        pytest.param(TAG_LEASE, (), id="a lease"),
        pytest.param(TAG_TAKEOVER, (), id="a takeover"),
        pytest.param(TAG_OPENING, (), id="an opening"),
        pytest.param(f"{CLOUDSTACK_GROUP}/later", (), id="a later version's"),
    ],
)
def test_a_tag_that_is_not_of_our_group_is_somebody_elses(key: str, others: Any) -> None:
    asked = request()
    marked = our_address(asked)
    existing = replace(marked, tags=(*marked.tags, Tag(key, "1")))
    here = facts(asked, state=CloudState(addresses=(existing,)))
    assert others_on(here, existing) == others


@pytest.mark.parametrize(
    ("state", "named"),
    [
        pytest.param({"rules": (rule(6443, "k8s-api"),)}, "rule k8s-api", id="rule"),
        pytest.param(
            {"firewall": (firewall_rule(6443),)}, "firewall rule 6443/tcp", id="firewall rule"
        ),
        pytest.param(
            {"firewall": (firewall_rule(80, cidrs=("10.0.0.0/8",)),)},
            "firewall rule 80/tcp",
            id="firewall rule of our port for others",
        ),
    ],
)
def test_an_address_with_something_of_others_is_never_released(state: Any, named: str) -> None:
    asked = request()
    own: dict[str, Any] = {
        "rules": (rule(80, tags=our_tags(asked)),),
        "firewall": (firewall_rule(80),),
    }
    existing = our_address(asked)
    alone = facts(asked, state=CloudState(addresses=(existing,), **own))
    assert others_on(alone, existing) == ()
    assert texts(take_down(alone, existing)) == [f"release address {IP} with all its rules"]
    both: dict[str, Any] = {key: (*own[key], *state.get(key, ())) for key in own}
    shared = facts(asked, state=CloudState(addresses=(existing,), **both))
    assert others_on(shared, existing) == (named,)
    assert texts(list_takedown(shared, existing)) == [
        "close firewall port 80/tcp for 0.0.0.0/0",
        f"delete rule {NAME}-tcp-80",
        f"untag address {IP}",
    ]


def test_mode_and_abandon_are_read_from_the_annotations_of_the_object_too() -> None:
    notes = {ANNOTATION_ABANDON: " True ", ANNOTATION_MODE: "Apply"}
    asked = request(mode="Plan", metadata={"annotations": notes})
    assert (asked.mode, asked.is_abandoned) == ("apply", True)
    assert (request(mode="Plan").mode, request().is_abandoned) == ("plan", False)


@pytest.mark.parametrize("ip", [IP, ""])
@pytest.mark.parametrize("allocated_at", [NOW, NOW + 5, None])
def test_what_an_association_made_is_ours_before_it_is_tagged(
    ip: str, allocated_at: float | None
) -> None:
    made = address(allocated_at=allocated_at, state="Allocating")
    assert associated(made, (), Wanted(ip, made.network_id, NOW)).id == made.id


def test_what_an_association_with_a_vpc_made_is_ours_before_it_has_a_tier() -> None:
    made = address(vpc_id="vpc-1", network_id="")
    assert associated(made, (), Wanted(IP, address().network_id, NOW, "vpc-1")).id == made.id


@pytest.mark.parametrize(
    ("made", "vpc_id"),
    [
        pytest.param(address(vpc_id="vpc-2", network_id=""), "vpc-1", id="another VPC's"),
        pytest.param(address(), "vpc-1", id="an isolated network's"),
        pytest.param(address(vpc_id="vpc-1"), "vpc-1", id="of a tier, so it has rules"),
        pytest.param(address(vpc_id="vpc-1", network_id=""), "", id="a VPC's, for a network"),
    ],
)
def test_what_an_answer_names_elsewhere_is_not_ours(made: Any, vpc_id: str) -> None:
    with pytest.raises(NotOurs):
        associated(made, (), Wanted(IP, address().network_id, NOW, vpc_id))


@pytest.mark.parametrize(
    ("made", "rules"),
    [
        pytest.param(address("198.51.100.8"), (), id="another address"),
        pytest.param(address(network_id="net-2"), (), id="another network's"),
        pytest.param(address(network_id=""), (), id="no network's"),
        pytest.param(address(allocated_at=NOW - 1), (), id="allocated before"),
        pytest.param(address(tags=(Tag("k", "v"),)), (), id="tagged"),
        pytest.param(address(is_static_nat=True), (), id="static NAT"),
        pytest.param(address(is_source_nat=True), (), id="source NAT"),
        pytest.param(address(), (rule(80),), id="with a rule"),
    ],
)
def test_what_an_answer_merely_names_is_not_ours(made: Any, rules: Any) -> None:
    with pytest.raises(NotOurs):
        associated(made, rules, Wanted(IP, address().network_id, NOW))
