"""VMs: deployed, listed, resized, renamed, destroyed."""

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker, shown, unique

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_a_deployed_vm_runs_with_an_address_in_its_network(vm: Json, network: Json) -> None:
    assert vm["state"] == "Running"
    [nic] = vm["nic"]
    assert (nic["networkid"], nic["isdefault"], nic["type"]) == (network["id"], True, "Isolated")
    assert vm["ipaddress"] == nic["ipaddress"]
    assert nic["secondaryip"] == []


def test_deploying_answers_the_id_at_once(cloud: Cloud, maker: Maker, network: Json) -> None:
    answer = cloud.ok(
        "deployVirtualMachine",
        name=unique("vm"),
        networkids=network["id"],
        startvm=False,
        **maker.place,
    )
    assert set(answer) == {"id", "jobid"}
    maker.made.append(("destroyVirtualMachine", {"id": answer["id"]}))
    assert shown(cloud, answer)["state"] == "Stopped"


def test_a_name_is_taken_once_in_a_network(
    cloud: Cloud, maker: Maker, vm: Json, network: Json
) -> None:
    text = cloud.refused(
        "deployVirtualMachine", 431, name=vm["name"], networkids=network["id"], **maker.place
    )
    assert text.startswith(f"The vm with hostName {vm['name']} already exists in the network")


def test_deploying_from_nothing_is_refused(cloud: Cloud, maker: Maker, network: Json) -> None:
    wanted = {**maker.place, "templateid": NOBODY}
    cloud.refused("deployVirtualMachine", 431, networkids=network["id"], **wanted)


def test_deploying_into_anothers_network_is_refused(
    other: Cloud, maker: Maker, network: Json
) -> None:
    text = other.refused("deployVirtualMachine", 531, networkids=network["id"], **maker.place)
    assert text == f"Unable to use network with id= {network['id']}, permission denied"


@pytest.mark.parametrize("field", ["id", "ids", "name"])
def test_a_vm_is_found_by(cloud: Cloud, vm: Json, field: str) -> None:
    value = vm["name"] if field == "name" else vm["id"]
    found = cloud.list("listVirtualMachines", "virtualmachine", **{field: value})
    assert [one["id"] for one in found] == [vm["id"]]


def test_a_keyword_finds_parts_of_names_and_a_name_only_itself(cloud: Cloud, vm: Json) -> None:
    part = vm["name"][:-2]
    by_keyword = cloud.list("listVirtualMachines", "virtualmachine", keyword=part)
    assert vm["id"] in [one["id"] for one in by_keyword]
    assert cloud.ok("listVirtualMachines", name=part) == {}


def test_vms_are_filtered_by_state_zone_and_network(
    cloud: Cloud, running: Json, zone: Json, network: Json
) -> None:
    for wanted in ({"state": "Running"}, {"zoneid": zone["id"]}, {"networkid": network["id"]}):
        found = cloud.list("listVirtualMachines", "virtualmachine", **wanted)
        assert running["id"] in [one["id"] for one in found]
    stopped = cloud.list("listVirtualMachines", "virtualmachine", state="Stopped")
    assert running["id"] not in [one["id"] for one in stopped]


def test_details_decide_which_fields_are_shown(cloud: Cloud, running: Json) -> None:
    everything = shown(cloud, running)
    assert {"serviceofferingname", "templatename", "rootdeviceid", "ipaddress"} <= set(everything)
    least = shown(cloud, running, details="min")
    assert not {"serviceofferingname", "templatename", "rootdeviceid", "ipaddress"} & set(least)
    assert least["nic"] == []
    assert {"id", "name", "state", "zonename", "tags", "account"} <= set(least)
    some = shown(cloud, running, details="nics,servoff")
    assert {"serviceofferingname", "ipaddress"} <= set(some)
    assert not {"templatename", "rootdeviceid"} & set(some)


def test_a_detail_that_is_none_is_refused(cloud: Cloud) -> None:
    text = cloud.refused("listVirtualMachines", 431, details="bogus")
    assert "The details parameter contains a non permitted value" in text


def test_a_user_is_not_told_the_hypervisors_host(cloud: Cloud, running: Json) -> None:
    assert not {"hostid", "hostname", "instancename"} & set(shown(cloud, running))


def test_anothers_vm_is_not_listed_and_not_to_be_touched(other: Cloud, vm: Json) -> None:
    assert other.ok("listVirtualMachines", id=vm["id"]) == {}
    text = other.refused("stopVirtualMachine", 531, id=vm["id"])
    assert text == "Caller does not have permission to operate with provided resource."


def test_a_stopped_vm_is_plugged_nowhere(cloud: Cloud, stopped: Json) -> None:
    [nic] = shown(cloud, stopped)["nic"]
    assert "broadcasturi" not in nic
    assert nic["ipaddress"]


def test_the_size_that_a_vm_has_is_refused(cloud: Cloud, running: Json) -> None:
    text = cloud.failed(
        "scaleVirtualMachine",
        431,
        id=running["id"],
        serviceofferingid=running["serviceofferingid"],
    )
    assert "since it already has the requested service offering" in text


def test_a_stopped_vm_takes_another_size(
    cloud: Cloud, stopped: Json, offerings: list[Json]
) -> None:
    if len(offerings) < 2:
        pytest.skip("there is one service offering only")
    small, large = offerings
    scaled = cloud.done("scaleVirtualMachine", id=stopped["id"], serviceofferingid=large["id"])
    assert scaled["virtualmachine"]["serviceofferingname"] == large["name"]
    back = cloud.ok(
        "changeServiceForVirtualMachine", id=stopped["id"], serviceofferingid=small["id"]
    )
    assert back["virtualmachine"]["serviceofferingname"] == small["name"]


def test_a_vm_takes_another_name_stopped_or_running(cloud: Cloud, stopped: Json) -> None:
    name = unique("renamed")
    changed = cloud.ok("updateVirtualMachine", id=stopped["id"], name=name, displayname="shown")
    assert (changed["virtualmachine"]["name"], changed["virtualmachine"]["displayname"]) == (
        name,
        "shown",
    )
    cloud.done("startVirtualMachine", id=stopped["id"])
    name = unique("again")
    changed = cloud.ok("updateVirtualMachine", id=stopped["id"], name=name)
    assert changed["virtualmachine"]["name"] == name


def test_nics_are_listed_added_and_removed(cloud: Cloud, vm: Json, stranger: Json) -> None:
    second = stranger["nic"][0]["networkid"]
    added = cloud.done("addNicToVirtualMachine", virtualmachineid=vm["id"], networkid=second)
    assert len(added["virtualmachine"]["nic"]) == 2
    nics = cloud.list("listNics", "nic", virtualmachineid=vm["id"])
    assert {nic["virtualmachineid"] for nic in nics} == {vm["id"]}
    [extra] = [nic for nic in nics if nic["networkid"] == second]
    assert extra["isdefault"] is False
    again = {"virtualmachineid": vm["id"], "networkid": second}
    assert cloud.job("addNicToVirtualMachine", **again)["jobstatus"] == 2
    gone = cloud.done("removeNicFromVirtualMachine", virtualmachineid=vm["id"], nicid=extra["id"])
    assert len(gone["virtualmachine"]["nic"]) == 1
    default = gone["virtualmachine"]["nic"][0]["id"]
    job = cloud.job("removeNicFromVirtualMachine", virtualmachineid=vm["id"], nicid=default)
    assert job["jobstatus"] == 2


def test_a_destroyed_vm_is_gone_for_its_user(cloud: Cloud, maker: Maker, network: Json) -> None:
    doomed = maker.vm(network)
    maker.made.pop()
    destroyed = cloud.done("destroyVirtualMachine", id=doomed["id"])
    assert destroyed["virtualmachine"]["state"] == "Destroyed"
    assert cloud.ok("listVirtualMachines", id=doomed["id"]) == {}


def test_expunging_and_recovering_are_for_those_who_may(
    cloud: Cloud, maker: Maker, network: Json, capability: Json
) -> None:
    doomed = maker.vm(network)
    if capability["allowuserexpungerecovervm"]:
        cloud.done("destroyVirtualMachine", id=doomed["id"])
        assert cloud.ok("recoverVirtualMachine", id=doomed["id"])
        cloud.done("destroyVirtualMachine", id=doomed["id"])
        cloud.done("expungeVirtualMachine", id=doomed["id"])
        maker.made.pop()
        return
    for command in ("expungeVirtualMachine", "recoverVirtualMachine"):
        assert cloud.call(command, id=doomed["id"]).status in {431, 432, 531}
    text = cloud.failed("destroyVirtualMachine", 530, id=doomed["id"], expunge=True)
    assert text == "Account does not have permission for expunging."
    assert shown(cloud, doomed)["state"] == "Running"
