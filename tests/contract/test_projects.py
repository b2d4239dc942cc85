"""Projects: without `projectid` what belongs to one seems not to be there."""

from collections.abc import Iterator

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import REAL_URL, Maker, unique


@pytest.fixture(scope="module")
def project(cloud: Cloud, capability: Json) -> Iterator[Json]:
    if not capability["allowusercreateprojects"]:
        pytest.skip("users may not create projects here")
    if REAL_URL is not None and not capability["allowuserexpungerecovervm"]:
        pytest.skip("users may not expunge VMs here: the project could not be deleted afterwards")
    answer = cloud.done("createProject", name=unique("project"), displaytext="contract test")
    yield answer["project"]
    cloud.job("deleteProject", id=answer["project"]["id"], cleanup=True)


@pytest.fixture(scope="module")
def project_network(maker: Maker, project: Json) -> Json:
    return maker.network(projectid=project["id"])


@pytest.fixture(scope="module")
def project_vm(maker: Maker, project: Json, project_network: Json) -> Json:
    return maker.vm(project_network, projectid=project["id"])


@pytest.fixture(scope="module")
def project_address(maker: Maker, project: Json, project_network: Json, project_vm: Json) -> Json:
    assert project_vm["state"] == "Running"
    return maker.address(project_network, projectid=project["id"])


@pytest.fixture(scope="module")
def project_rule(cloud: Cloud, project_address: Json) -> Json:
    return dict(
        cloud.done(
            "createLoadBalancerRule",
            name="p-tcp-80",
            algorithm="roundrobin",
            publicport=80,
            privateport=30080,
            publicipid=project_address["id"],
            openfirewall=False,
        )["loadbalancer"]
    )


def test_a_project_is_made_with_the_callers_account_as_owner(cloud: Cloud, project: Json) -> None:
    assert project["owner"][0]["account"] == cloud.list("listAccounts", "account")[0]["name"]
    assert project["state"] == "Active"
    assert isinstance(project["iplimit"], str)
    assert isinstance(project["iptotal"], int)
    found = cloud.list("listProjects", "project", id=project["id"])
    assert [one["name"] for one in found] == [project["name"]]


def test_a_projects_name_is_taken_once(cloud: Cloud, project: Json) -> None:
    outcome = cloud.call("createProject", name=project["name"], displaytext="x")
    assert outcome.status == 431


def test_what_belongs_to_a_project_names_it_and_no_account(
    project: Json, project_network: Json, project_vm: Json, project_address: Json
) -> None:
    for thing in (project_network, project_vm, project_address):
        assert (thing["projectid"], thing["project"]) == (project["id"], project["name"])
        assert "account" not in thing


@pytest.mark.parametrize(
    "listing",
    [
        ("listVirtualMachines", "virtualmachine", "project_vm"),
        ("listNetworks", "network", "project_network"),
        ("listPublicIpAddresses", "publicipaddress", "project_address"),
        ("listLoadBalancerRules", "loadbalancerrule", "project_rule"),
    ],
    ids=lambda listing: listing[0],
)
def test_a_list_by_id_finds_nothing_without_the_project(
    cloud: Cloud, project: Json, listing: tuple[str, str, str], request: pytest.FixtureRequest
) -> None:
    command, key, fixture = listing
    thing = request.getfixturevalue(fixture)
    assert cloud.ok(command, id=thing["id"]) == {}
    assert cloud.ok(command, id=thing["id"], listall=True) == {}
    found = cloud.list(command, key, id=thing["id"], projectid=project["id"])
    assert [one["id"] for one in found] == [thing["id"]]


def test_tags_in_a_project_are_found_with_the_project_alone(
    cloud: Cloud, project: Json, project_address: Json
) -> None:
    tag = {"example.com/key": unique("value")}
    wanted = {"resourcetype": "PublicIpAddress", "resourceids": project_address["id"]}
    cloud.done("createTags", tags=tag, **wanted)
    assert cloud.ok("listPublicIpAddresses", listall=True, tags=tag) == {}
    found = cloud.list(
        "listPublicIpAddresses", "publicipaddress", projectid=project["id"], tags=tag
    )
    assert [one["id"] for one in found] == [project_address["id"]]


def test_rules_and_members_in_a_project_work_without_naming_it(
    cloud: Cloud, project_rule: Json, project_vm: Json
) -> None:
    cloud.done(
        "assignToLoadBalancerRule", id=project_rule["id"], virtualmachineids=project_vm["id"]
    )
    members = cloud.list(
        "listLoadBalancerRuleInstances", "loadbalancerruleinstance", id=project_rule["id"]
    )
    assert [member["id"] for member in members] == [project_vm["id"]]


def test_all_projects_at_once_are_minus_one(cloud: Cloud, project_vm: Json) -> None:
    found = cloud.list("listVirtualMachines", "virtualmachine", projectid=-1)
    assert project_vm["id"] in [one["id"] for one in found]


def test_anothers_project_is_not_to_be_looked_into(other: Cloud, project: Json) -> None:
    text = other.refused("listVirtualMachines", 531, projectid=project["id"])
    assert f"can't access project id={project['id']}" in text


def test_a_project_with_vms_cannot_be_deleted(
    cloud: Cloud, project: Json, project_vm: Json
) -> None:
    assert project_vm["projectid"] == project["id"]
    text = cloud.failed("deleteProject", 530, id=project["id"])
    assert text.startswith("Can't delete the project yet because it has 1 VirtualMachine")
