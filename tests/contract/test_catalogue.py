"""What an installation offers, and who one is in it."""

import pytest

from tests.contract.cloud import Cloud, Credentials, Json

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_an_ordinary_user_is_told_the_version(version: tuple[int, int]) -> None:
    assert version >= (4, 16)


def test_zones_are_listed_by_id_name_and_ids(
    cloud: Cloud, zone: Json, version: tuple[int, int]
) -> None:
    selections = [{"id": zone["id"]}, {"name": zone["name"]}]
    if version >= (4, 19):
        selections.append({"ids": zone["id"]})
    for wanted in selections:
        assert [found["id"] for found in cloud.list("listZones", "zone", **wanted)] == [zone["id"]]
    assert cloud.ok("listZones", name="there-is-none") == {}
    cloud.refused("listZones", 431, id=NOBODY)


def test_a_zone_hides_its_name_servers_from_users(zone: Json) -> None:
    assert "dns1" not in zone
    assert isinstance(zone["securitygroupsenabled"], bool)


def test_service_offerings_are_listed_by_id_and_exact_name(
    cloud: Cloud, offerings: list[Json]
) -> None:
    wanted = offerings[0]
    by_id = cloud.list("listServiceOfferings", "serviceoffering", id=wanted["id"])
    assert [found["name"] for found in by_id] == [wanted["name"]]
    by_name = cloud.list("listServiceOfferings", "serviceoffering", name=wanted["name"])
    assert wanted["id"] in [found["id"] for found in by_name]
    assert cloud.ok("listServiceOfferings", name="there-is-none") == {}
    assert isinstance(wanted["cpunumber"], int)
    assert isinstance(wanted["memory"], int)


def test_templates_need_a_filter(cloud: Cloud, template: Json) -> None:
    text = cloud.refused("listTemplates", 431)
    assert text.endswith("due to missing parameter templatefilter")
    cloud.refused("listTemplates", 431, templatefilter="bogus")
    found = cloud.list("listTemplates", "template", templatefilter="executable", id=template["id"])
    zones = [one["zoneid"] for one in found]
    assert template["zoneid"] in zones
    assert len(set(zones)) == len(zones)
    assert {one["name"] for one in found} == {template["name"]}


def test_network_offerings_are_filtered_by_type_and_services(
    cloud: Cloud, zone: Json, network_offering: Json
) -> None:
    isolated = cloud.list(
        "listNetworkOfferings", "networkoffering", guestiptype="Isolated", zoneid=zone["id"]
    )
    assert {one["guestiptype"] for one in isolated} == {"Isolated"}
    services = {service["name"] for service in network_offering["service"]}
    assert {"Lb", "Firewall", "SourceNat"} <= services
    by_id = cloud.list("listNetworkOfferings", "networkoffering", id=network_offering["id"])
    assert [one["name"] for one in by_id] == [network_offering["name"]]


def test_vpcs_and_affinity_groups_are_listed(cloud: Cloud) -> None:
    assert cloud.ok("listVPCs", name="there-is-none") == {}
    assert cloud.ok("listAffinityGroups", name="there-is-none") == {}


def test_a_user_sees_its_own_account_alone(cloud: Cloud) -> None:
    accounts = cloud.list("listAccounts", "account", listall=True)
    assert len(accounts) == 1
    assert accounts[0]["roletype"] == "User"
    assert isinstance(accounts[0]["iptotal"], int)
    assert isinstance(accounts[0]["iplimit"], str)


def test_a_user_sees_itself_alone_and_no_secret(cloud: Cloud, users: object) -> None:
    found = cloud.list("listUsers", "user", listall=True)
    assert [user["account"] for user in found] == [
        account["name"] for account in cloud.list("listAccounts", "account")
    ]
    keys = users.user  # type: ignore[attr-defined]
    assert isinstance(keys, Credentials)
    assert keys.secret_key not in str(found)


def test_limits_are_listed_by_their_type(cloud: Cloud) -> None:
    [limit] = cloud.list("listResourceLimits", "resourcelimit", resourcetype=1)
    assert limit["resourcetype"] == "1"
    assert isinstance(limit["max"], int)
    account = cloud.list("listAccounts", "account")[0]
    shown = "Unlimited" if limit["max"] == -1 else str(int(limit["max"]))
    assert account["iplimit"] == shown


def test_a_user_may_not_change_a_limit(cloud: Cloud) -> None:
    cloud.refused("updateResourceLimit", 432, resourcetype=1, max=1000)


@pytest.mark.parametrize("command", ["listVirtualMachines", "listPublicIpAddresses"])
def test_a_project_that_is_none_is_refused(cloud: Cloud, command: str) -> None:
    cloud.refused(command, 431, projectid=NOBODY)
