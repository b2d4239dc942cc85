"""Lists of network ACL items: made, given to a tier, replaced, deleted when no tier has them."""

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import ON_VPC, Maker, unique

NOBODY = "00000000-0000-4000-8000-000000000000"
KEY = "networkacllist"
DEFAULTS = ["default_allow", "default_deny"]
pytestmark = ON_VPC


def tier_now(cloud: Cloud, tier: Json) -> Json:
    [found] = cloud.list("listNetworks", "network", id=tier["id"])
    return found


def default(cloud: Cloud, name: str) -> Json:
    [found] = cloud.list("listNetworkACLLists", KEY, name=name)
    return found


def test_the_lists_of_a_vpc_come_newest_first_and_the_default_ones_last(
    cloud: Cloud, maker: Maker, vpc: Json
) -> None:
    older, newer = maker.acl_list(vpc), maker.acl_list(vpc)
    found = cloud.list("listNetworkACLLists", KEY, vpcid=vpc["id"])
    assert [one["id"] for one in found[:2]] == [newer["id"], older["id"]]
    assert [one["name"] for one in found[-2:]] == DEFAULTS
    assert (found[0]["vpcid"], found[0]["vpcname"]) == (vpc["id"], vpc["name"])
    assert not {"vpcid", "vpcname"} & set(found[-1])


def test_names_are_not_unique(cloud: Cloud, maker: Maker, vpc: Json) -> None:
    first = maker.acl_list(vpc)
    again = cloud.ok("createNetworkACLList", name=first["name"], vpcid=vpc["id"], description="d")
    assert set(again) == {"id", "jobid"}
    maker.made.append(("deleteNetworkACLList", {"id": again["id"]}))
    assert again["id"] != first["id"]


def test_lists_are_found_by_id_and_an_unknown_one_is_refused(cloud: Cloud, acl_list: Json) -> None:
    [found] = cloud.list("listNetworkACLLists", KEY, id=acl_list["id"])
    assert found["name"] == acl_list["name"]
    assert "Invalid parameter id" in cloud.refused("listNetworkACLLists", 431, id=NOBODY)


def test_a_list_takes_no_tags_and_their_filter_is_ignored(cloud: Cloud, acl_list: Json) -> None:
    tags = {"example.com/cluster": "c1"}
    wanted = {"resourcetype": "NetworkACLList", "resourceids": acl_list["id"]}
    text = cloud.failed("createTags", 431, **wanted, tags=tags)
    assert text == "The resource type NetworkACLList doesn't support resource tags"
    assert cloud.failed("deleteTags", 530, **wanted) == "Failed to delete tags"
    found = cloud.list("listNetworkACLLists", KEY, tags=tags)
    assert acl_list["id"] in [one["id"] for one in found]


def test_a_tier_gets_another_list_or_the_same_and_the_items_stay_in_the_former(
    cloud: Cloud, maker: Maker, vpc: Json, tier_offering: Json
) -> None:
    former, latter = maker.acl_list(vpc), maker.acl_list(vpc)
    made = maker.tier(vpc, tier_offering, aclid=former["id"])
    item = {"aclid": former["id"], "protocol": "tcp", "startport": 80, "number": 1}
    cloud.done("createNetworkACL", **item)
    for wanted in (latter, latter, default(cloud, "default_allow")):
        replaced = {"aclid": wanted["id"], "networkid": made["id"]}
        assert cloud.done("replaceNetworkACLList", **replaced) == {"success": True}
        now = tier_now(cloud, made)
        assert (now["aclid"], now["aclname"]) == (wanted["id"], wanted["name"])
    assert len(cloud.list("listNetworkACLs", "networkacl", aclid=former["id"])) == 1


def test_a_list_that_a_tier_has_cannot_be_deleted(cloud: Cloud, tier: Json, acl_list: Json) -> None:
    assert tier["aclid"] == acl_list["id"]
    text = cloud.failed("deleteNetworkACLList", 530, id=acl_list["id"])
    assert text.startswith("ACL is still associated with ")


def test_a_deleted_list_takes_its_items_along(cloud: Cloud, maker: Maker, vpc: Json) -> None:
    made = maker.acl_list(vpc)
    item = cloud.done("createNetworkACL", aclid=made["id"], protocol="all", number=1)["networkacl"]
    assert cloud.done("deleteNetworkACLList", id=made["id"]) == {"success": True}
    maker.made.pop()
    cloud.refused("listNetworkACLs", 431, id=item["id"])
    cloud.refused("deleteNetworkACLList", 431, id=made["id"])


@pytest.mark.parametrize(("name", "action"), [("default_allow", "Allow"), ("default_deny", "Deny")])
def test_the_default_lists_have_two_items_that_nobody_changes(
    cloud: Cloud, name: str, action: str
) -> None:
    acl = default(cloud, name)
    items = cloud.list("listNetworkACLs", "networkacl", aclid=acl["id"])
    assert [(one["number"], one["traffictype"]) for one in items] == [(2, "Egress"), (1, "Ingress")]
    assert {(one["protocol"], one["cidrlist"], one["action"]) for one in items} == {
        ("all", "0.0.0.0/0", action)
    }
    changed = "Default ACL cannot be modified"
    wanted = {"aclid": acl["id"], "protocol": "tcp", "startport": 80}
    assert cloud.refused("createNetworkACL", 431, **wanted) == changed
    text = cloud.failed("updateNetworkACLItem", 431, id=items[0]["id"], cidrlist="10.0.0.0/8")
    assert text == changed
    text = cloud.failed("deleteNetworkACL", 431, id=items[0]["id"])
    assert text == "ACL Items in default ACL cannot be deleted"


def test_a_tier_in_a_default_list_takes_no_item(
    cloud: Cloud, maker: Maker, vpc: Json, tier_offering: Json
) -> None:
    made = maker.tier(vpc, tier_offering, aclid=default(cloud, "default_deny")["id"])
    wanted = {"networkid": made["id"], "protocol": "tcp", "startport": 80}
    text = cloud.refused("createNetworkACL", 431, **wanted)
    assert text == "Default ACL cannot be modified"


def test_an_item_for_a_tier_without_a_list_makes_one_that_outlives_the_tier(
    cloud: Cloud, maker: Maker, vpc: Json, tier_offering: Json
) -> None:
    made = maker.tier(vpc, tier_offering)
    item = cloud.done("createNetworkACL", networkid=made["id"], protocol="tcp", startport=80)
    item = item["networkacl"]
    assert item["aclname"] == f"VPC_{vpc['name']}_Tier_{made['name']}_ACL_{made['id']}"
    assert tier_now(cloud, made)["aclid"] == item["aclid"]
    cloud.done("deleteNetwork", id=made["id"])
    maker.made[-1] = ("deleteNetworkACLList", {"id": item["aclid"]})
    [left] = cloud.list("listNetworkACLLists", KEY, id=item["aclid"])
    assert left["description"] == f"ACL for {item['aclname']}"


def test_anothers_list_is_not_listed_and_not_to_be_used(
    cloud: Cloud, other: Cloud, tier: Json
) -> None:
    own = other.list("listVPCs", "vpc")
    if not own:
        pytest.skip("the other user has no VPC")
    made = other.done("createNetworkACLList", name=unique("acl"), vpcid=own[0]["id"])[KEY]
    assert cloud.ok("listNetworkACLLists", id=made["id"]) == {}
    item = {"aclid": made["id"], "protocol": "tcp", "startport": 80}
    cloud.refused("createNetworkACL", 531, **item)
    replaced = {"aclid": made["id"], "networkid": tier["id"]}
    cloud.failed("replaceNetworkACLList", 530, **replaced)
    assert tier_now(cloud, tier)["aclid"] == tier["aclid"]
    cloud.refused("createNetworkACLList", 531, name="x", vpcid=own[0]["id"])
    other.done("deleteNetworkACLList", id=made["id"])
