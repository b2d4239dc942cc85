"""Items of network ACL lists: numbered, changed in place, tagged, deleted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json, Outcome
from tests.contract.conftest import ON_VPC, Maker, Users

NOBODY = "00000000-0000-4000-8000-000000000000"
KEY = "networkacl"
NUMBERS = count(1000)
pytestmark = ON_VPC


def wanted(acl_list: Json, **fields: object) -> dict[str, Any]:
    """Return the parameters of a plain item with a number of its own, with these changes."""
    return {
        "aclid": acl_list["id"],
        "protocol": "tcp",
        "startport": 30080,
        "endport": 30089,
        "cidrlist": "10.0.0.0/8",
        "number": next(NUMBERS),
        **fields,
    }


def created(cloud: Cloud, acl_list: Json, **fields: object) -> Json:
    """Create an item and return it."""
    return dict(cloud.done("createNetworkACL", **wanted(acl_list, **fields))[KEY])


def listed(cloud: Cloud, item: Json) -> Json:
    """Return an item as a list by id shows it."""
    [found] = cloud.list("listNetworkACLs", KEY, id=item["id"])
    return found


@pytest.fixture
def item(cloud: Cloud, acl_list: Json) -> Iterator[Json]:
    """An item with a reason."""
    made = created(cloud, acl_list, reason="default/web")
    yield made
    cloud.job("deleteNetworkACL", id=made["id"])


def test_an_item_shows_its_ports_as_strings_and_its_number_as_one(
    cloud: Cloud, acl_list: Json
) -> None:
    ranges = ["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"]
    asked = wanted(acl_list, cidrlist=ranges, reason="default/web")
    answer = cloud.ok("createNetworkACL", **asked)
    assert set(answer) == {"id", "jobid"}
    while cloud.ok("queryAsyncJobResult", jobid=answer["jobid"])["jobstatus"] == 0:
        pass
    assert listed(cloud, answer) == {
        "id": answer["id"],
        "protocol": "tcp",
        "startport": "30080",
        "endport": "30089",
        "traffictype": "Ingress",
        "state": "Active",
        "cidrlist": ",".join(ranges),
        "tags": [],
        "aclid": acl_list["id"],
        "aclname": acl_list["name"],
        "number": asked["number"],
        "action": "Allow",
        "reason": "default/web",
    }


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"cidrlist": None}, {"cidrlist": "0.0.0.0/0,::/0"}),
        ({"cidrlist": "10.0.0.1/8"}, {"cidrlist": "10.0.0.1/8"}),
        ({"cidrlist": "10.0.0.0/8,10.0.0.0/8"}, {"cidrlist": "10.0.0.0/8,10.0.0.0/8"}),
        ({"cidrlist": "2001:db8::/32"}, {"cidrlist": "2001:db8::/32"}),
        ({"endport": None}, {"startport": "30080", "endport": "30080"}),
        ({"action": "Deny"}, {"action": "Deny"}),
        ({"traffictype": "Egress"}, {"traffictype": "Egress"}),
        ({"protocol": "6"}, {"protocol": "6", "startport": "30080"}),
        ({"number": 65536}, {"number": 65536}),
    ],
    ids=lambda value: str(value)[1:-1],
)
def test_what_an_item_may_be(
    cloud: Cloud, acl_list: Json, fields: dict[str, object], shown: Json
) -> None:
    made = created(cloud, acl_list, **fields)
    assert {name: made[name] for name in shown} == shown
    cloud.done("deleteNetworkACL", id=made["id"])


@pytest.mark.parametrize(
    ("protocol", "fields"),
    [("tcp", {}), ("all", {}), ("132", {}), ("icmp", {"icmptype": -1, "icmpcode": -1})],
)
def test_an_item_without_ports_shows_none(
    cloud: Cloud, acl_list: Json, protocol: str, fields: dict[str, int]
) -> None:
    made = created(cloud, acl_list, protocol=protocol, startport=None, endport=None, **fields)
    assert made["protocol"] == protocol
    assert not {"startport", "endport"} & set(made)
    assert {name: made.get(name) for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"number": 0}, "Invalid number [0]. Number cannot be < 1"),
        ({"number": -1}, "Invalid number [-1]. Number cannot be < 1"),
        ({"protocol": "sctp"}, "Invalid protocol [sctp]. Expected one of: [tcp,udp,icmp,all]"),
        ({"protocol": "all"}, "start port and end port must be null if protocol = 'all'"),
        ({"protocol": None}, "due to missing parameter protocol"),
        ({"endport": 80}, "Start port can't be bigger than end port"),
        ({"cidrlist": "10.0.0.0/33"}, "Source cidrs formatting error 10.0.0.0/33"),
        ({"action": "Maybe"}, "Invalid action [Maybe]. Permitted actions are Allow and Deny"),
        ({"aclid": NOBODY}, "Invalid parameter aclid"),
        ({"aclid": None}, "ACL Id or network Id is required"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[1:-1],
)
def test_a_wrong_item_is_refused(
    cloud: Cloud, acl_list: Json, fields: dict[str, object], text: str
) -> None:
    before = cloud.ok("listNetworkACLs", aclid=acl_list["id"])
    assert text in cloud.refused("createNetworkACL", 431, **wanted(acl_list, **fields))
    assert cloud.ok("listNetworkACLs", aclid=acl_list["id"]) == before


def test_an_item_by_its_tier_goes_to_the_tiers_list(
    cloud: Cloud, tier: Json, acl_list: Json
) -> None:
    made = created(cloud, acl_list, aclid=None, networkid=tier["id"])
    assert made["aclid"] == acl_list["id"]
    found = cloud.list("listNetworkACLs", KEY, networkid=tier["id"])
    assert found[0]["id"] == made["id"]
    assert found == cloud.list("listNetworkACLs", KEY, aclid=acl_list["id"])


def test_a_number_is_taken_once_and_the_same_rule_may_come_again(
    cloud: Cloud, acl_list: Json, item: Json
) -> None:
    number = item["number"]
    text = cloud.refused("createNetworkACL", 431, **wanted(acl_list, number=number, startport=1))
    assert text == f"ACL item with number {number} already exists in ACL: {acl_list['id']}"
    again = created(cloud, acl_list)
    assert again["cidrlist"] == item["cidrlist"]
    cloud.done("deleteNetworkACL", id=again["id"])


def test_an_item_without_a_number_gets_the_one_after_the_highest(
    cloud: Cloud, maker: Maker, vpc: Json
) -> None:
    fresh = maker.acl_list(vpc)
    created(cloud, fresh, number=100, traffictype="Egress")
    assert created(cloud, fresh, number=10)["number"] == 10
    assert created(cloud, fresh, number=None)["number"] == 101
    assert created(cloud, fresh, number=None)["number"] == 102


def at_once(users: Users, calls: list[dict[str, Any]]) -> list[Outcome]:
    """Create items at the same time, each over a connection of its own."""

    def create(call: dict[str, Any]) -> Outcome:
        with closing(Cloud(users.url, users.user, users.poll)) as cloud:
            return cloud.call("createNetworkACL", **call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(create, calls))


def test_of_those_that_come_at_once_without_a_number_some_fail_and_leave_nothing(
    cloud: Cloud, users: Users, maker: Maker, vpc: Json
) -> None:
    fresh = maker.acl_list(vpc)
    calls = [wanted(fresh, number=None, startport=port, endport=port) for port in range(8)]
    outcomes = at_once(users, calls)
    made = [outcome for outcome in outcomes if outcome.status == 200]
    assert made
    assert {outcome.status for outcome in outcomes} <= {200, 530}
    found = cloud.list("listNetworkACLs", KEY, aclid=fresh["id"])
    assert sorted(one["id"] for one in found) == sorted(one.body["id"] for one in made)
    assert len({one["number"] for one in found}) == len(made)


def test_of_those_that_come_at_once_with_one_number_one_is_made(
    users: Users, maker: Maker, vpc: Json
) -> None:
    fresh = maker.acl_list(vpc)
    calls = [wanted(fresh, number=300, startport=port, endport=port) for port in range(4)]
    assert sorted(outcome.status for outcome in at_once(users, calls)) == [200, 431, 431, 431]


def test_items_carry_tags_and_are_found_by_them_and_the_tags_go_with_the_item(
    cloud: Cloud, acl_list: Json
) -> None:
    made = created(cloud, acl_list)
    tags = {"example.com/cluster": "c1", "example.com/service": made["id"]}
    tagged = {"resourcetype": "NetworkACL", "resourceids": made["id"]}
    cloud.done("createTags", **tagged, tags=tags)
    text = cloud.failed("createTags", 530, **tagged, tags={"example.com/cluster": "c2"})
    assert text == f"tag example.com/cluster already on NetworkACL with id {made['id']}"
    mine = {"example.com/service": made["id"]}
    for filters in ({}, {"aclid": acl_list["id"]}):
        [found] = cloud.list("listNetworkACLs", KEY, tags=mine, **filters)
        assert {tag["key"]: tag["value"] for tag in found["tags"]} == tags
    assert cloud.ok("listNetworkACLs", tags={"example.com/service": "no"}) == {}
    cloud.done("deleteNetworkACL", id=made["id"])
    of_item = {"resourcetype": "NetworkACL", "resourceid": made["id"]}
    assert cloud.ok("listTags", **of_item) == {}


@pytest.mark.parametrize("partial", [None, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"cidrlist": "10.1.0.0/16,10.2.0.0/16"},
        {"startport": "30090", "endport": "30099"},
        {"protocol": "udp"},
        {"number": 7000},
        {"action": "Deny"},
        {"reason": "default/other"},
        {},
    ],
    ids=lambda fields: "-".join(fields) or "nothing",
)
def test_what_an_update_names_changes_in_place_and_the_rest_stays(
    cloud: Cloud, item: Json, fields: dict[str, object], partial: bool | None
) -> None:
    outcome = cloud.call("updateNetworkACLItem", id=item["id"], partialupgrade=partial, **fields)
    assert outcome.envelope == "createnetworkaclresponse"
    while cloud.ok("queryAsyncJobResult", jobid=outcome.body["jobid"])["jobstatus"] == 0:
        pass
    assert listed(cloud, item) == {**item, **fields}


def test_the_job_of_an_update_shows_a_state_that_the_item_does_not_have(
    cloud: Cloud, item: Json
) -> None:
    changed = cloud.done("updateNetworkACLItem", id=item["id"], cidrlist="10.3.0.0/16")
    assert changed[KEY]["state"] == "Add"
    assert listed(cloud, item)["state"] == "Active"


def test_an_update_that_is_not_partial_needs_all_and_clears_the_reason(
    cloud: Cloud, item: Json
) -> None:
    whole = {"id": item["id"], "partialupgrade": False, "cidrlist": "10.3.0.0/16"}
    cloud.failed("updateNetworkACLItem", 530, **whole)
    assert listed(cloud, item) == item
    rest = ("protocol", "startport", "endport", "action", "traffictype", "number")
    cloud.done("updateNetworkACLItem", **whole, **{name: item[name] for name in rest})
    changed = listed(cloud, item)
    assert changed["cidrlist"] == "10.3.0.0/16"
    assert "reason" not in changed


def test_a_wrong_update_fails_in_the_job_and_changes_nothing(
    cloud: Cloud, acl_list: Json, item: Json
) -> None:
    taken = created(cloud, acl_list)
    for fields in ({"number": taken["number"]}, {"cidrlist": "10.0.0.0/33"}):
        cloud.failed("updateNetworkACLItem", 431, id=item["id"], **fields)
    assert listed(cloud, item) == item


def test_a_deleted_item_is_unknown(cloud: Cloud, acl_list: Json) -> None:
    made = created(cloud, acl_list)
    assert cloud.done("deleteNetworkACL", id=made["id"]) == {"success": True}
    for command in ("deleteNetworkACL", "listNetworkACLs", "updateNetworkACLItem"):
        assert "Invalid parameter id" in cloud.refused(command, 431, id=made["id"])


def test_anothers_item_is_not_listed_and_not_to_be_touched(
    cloud: Cloud, other: Cloud, acl_list: Json, item: Json
) -> None:
    assert other.ok("listNetworkACLs", id=item["id"]) == {}
    other.refused("createNetworkACL", 531, **wanted(acl_list))
    for command in ("updateNetworkACLItem", "deleteNetworkACL"):
        # At once or in the job: on a server it was not seen.
        refused = other.call(command, id=item["id"]).status == 531
        assert refused or other.job(command, id=item["id"])["jobstatus"] == 2
    assert listed(cloud, item) == item
