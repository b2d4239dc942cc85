"""Tags: a key once on a thing, all or none of a call's, found by key and value."""

from collections.abc import Iterator

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import unique

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def tagged(cloud: Cloud, vms: list[Json]) -> Iterator[tuple[Json, dict[str, str]]]:
    """A VM with two tags."""
    tags = {"example.com/cluster": unique("c"), "example.com/service": "default/web"}
    wanted = {"resourcetype": "UserVm", "resourceids": vms[0]["id"]}
    assert cloud.done("createTags", tags=tags, **wanted) == {"success": True}
    yield vms[0], tags
    cloud.job("deleteTags", **wanted)


def tags_of(cloud: Cloud, vm: Json) -> dict[str, str]:
    [found] = cloud.list("listVirtualMachines", "virtualmachine", id=vm["id"], details="min")
    return {tag["key"]: tag["value"] for tag in found["tags"]}


def test_tags_are_shown_on_the_thing(cloud: Cloud, tagged: tuple[Json, dict[str, str]]) -> None:
    vm, tags = tagged
    assert tags_of(cloud, vm) == tags


def test_a_key_that_is_there_fails_the_whole_call_in_the_job(
    cloud: Cloud, tagged: tuple[Json, dict[str, str]]
) -> None:
    vm, tags = tagged
    text = cloud.failed(
        "createTags",
        530,
        resourcetype="UserVm",
        resourceids=vm["id"],
        tags={"example.com/new": "x", "example.com/cluster": "another"},
    )
    assert text == f"tag example.com/cluster already on UserVm with id {vm['id']}"
    assert tags_of(cloud, vm) == tags


def test_a_value_takes_255_characters(cloud: Cloud, tagged: tuple[Json, dict[str, str]]) -> None:
    vm, tags = tagged
    wanted = {"resourcetype": "UserVm", "resourceids": vm["id"]}
    cloud.failed("createTags", 530, tags={"example.com/new": "x" * 256}, **wanted)
    assert tags_of(cloud, vm) == tags
    assert cloud.done("createTags", tags={"example.com/new": "ü" * 255}, **wanted)


def test_several_tags_in_a_list_are_alternatives(
    cloud: Cloud, tagged: tuple[Json, dict[str, str]]
) -> None:
    """Whose something is can so never be left to the filter (measured on 4.22)."""
    vm, tags = tagged
    found = cloud.list("listVirtualMachines", "virtualmachine", listall=True, tags=tags)
    assert [one["id"] for one in found] == [vm["id"]]
    for wrong in ("example.com/cluster", "example.com/service"):
        half = {**tags, wrong: unique("another")}
        found = cloud.list("listVirtualMachines", "virtualmachine", listall=True, tags=half)
        assert vm["id"] in [one["id"] for one in found]
    none = {key: unique("another") for key in tags}
    assert cloud.ok("listVirtualMachines", listall=True, tags=none) == {}


def test_tags_are_listed_one_by_one(cloud: Cloud, tagged: tuple[Json, dict[str, str]]) -> None:
    vm, tags = tagged
    found = cloud.list("listTags", "tag", resourcetype="UserVm", resourceid=vm["id"])
    assert {tag["key"]: tag["value"] for tag in found} == tags
    assert {tag["resourcetype"] for tag in found} == {"UserVm"}
    value = tags["example.com/cluster"]
    [one] = cloud.list("listTags", "tag", resourcetype="UserVm", value=value)
    assert one["resourceid"] == vm["id"]


def test_a_tag_is_deleted_once(cloud: Cloud, tagged: tuple[Json, dict[str, str]]) -> None:
    vm, tags = tagged
    one = {"resourcetype": "UserVm", "resourceids": vm["id"], "tags[0].key": "example.com/cluster"}
    assert cloud.done("deleteTags", **one) == {"success": True}
    assert tags_of(cloud, vm) == {"example.com/service": tags["example.com/service"]}
    assert cloud.failed("deleteTags", 530, **one) == "Failed to delete tags"


def test_a_tag_is_deleted_by_its_value_only_if_it_has_that(
    cloud: Cloud, tagged: tuple[Json, dict[str, str]]
) -> None:
    vm, tags = tagged
    key = "example.com/cluster"
    one = {"resourcetype": "UserVm", "resourceids": vm["id"], "tags[0].key": key}
    other = {**one, "tags[0].value": f"not {tags[key]}"}
    assert cloud.failed("deleteTags", 530, **other) == "Failed to delete tags"
    assert tags_of(cloud, vm) == tags
    cloud.done("deleteTags", **{**one, "tags[0].value": tags[key]})
    assert key not in tags_of(cloud, vm)


def test_a_kind_or_a_thing_that_is_none_is_refused(cloud: Cloud) -> None:
    kind = {"resourcetype": "Bogus", "resourceids": NOBODY, "tags": {"a": "b"}}
    outcome = cloud.call("createTags", **kind)
    assert outcome.status == 431 or cloud.failed("createTags", 431, **kind)
    thing = {"resourcetype": "UserVm", "resourceids": NOBODY, "tags": {"a": "b"}}
    assert NOBODY in cloud.failed("createTags", 431, **thing)


def test_anothers_thing_is_not_to_be_tagged(other: Cloud, vms: list[Json]) -> None:
    cloud_tags = {"resourcetype": "UserVm", "resourceids": vms[0]["id"], "tags": {"a": "b"}}
    other.failed("createTags", 531, **cloud_tags)


def test_a_free_address_is_not_to_be_tagged(cloud: Cloud, zone: Json) -> None:
    free = cloud.list(
        "listPublicIpAddresses",
        "publicipaddress",
        state="Free",
        zoneid=zone["id"],
        page=1,
        pagesize=1,
    )
    if not free:
        pytest.skip("the zone has no free public address")
    wanted = {"resourcetype": "PublicIpAddress", "resourceids": free[0]["id"]}
    job = cloud.job("createTags", tags={"a": "b"}, **wanted)
    assert job["jobstatus"] == 2
