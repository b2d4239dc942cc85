"""Faults on request: how each goes wrong, how often, and what it leaves behind."""

import time
from typing import Any

import pytest
import requests

from simulator.server import Simulator
from tests.contract.cloud import Cloud, Json
from tests.controlplane.polling import PATIENCE


def node(user: Cloud, name: str = "node-1") -> Json:
    [vm] = user.list("listVirtualMachines", "virtualmachine", name=name)
    return vm


def network_id(user: Cloud) -> str:
    return str(user.list("listNetworks", "network", keyword="net-1")[0]["id"])


def rule_wish(address: Json) -> dict[str, Any]:
    return {
        "name": "a-tcp-80",
        "algorithm": "roundrobin",
        "publicport": 80,
        "privateport": 30080,
        "publicipid": address["id"],
    }


def test_an_error_strikes_once_unless_told_otherwise(simulator: Simulator, user: Cloud) -> None:
    simulator.control.fault("listZones", "error", code=530, text="boom")
    outcome = user.call("listZones")
    assert (outcome.status, outcome.envelope, outcome.error) == (530, "listzonesresponse", "boom")
    assert outcome.headers["X-Description"] == "boom"
    assert user.call("listZones").status == 200


def test_a_fault_strikes_as_often_as_told_and_for_ever_until_disarmed(
    simulator: Simulator, user: Cloud
) -> None:
    simulator.control.fault("listZones", "error", times=2)
    assert [user.call("listZones").status for _ in range(3)] == [530, 530, 200]
    simulator.control.fault("listZones", "error", times=None)
    assert {user.call("listZones").status for _ in range(5)} == {530}
    simulator.control.clear_faults()
    assert user.call("listZones").status == 200


def test_a_fault_skips_calls_and_looks_at_parameters(simulator: Simulator, user: Cloud) -> None:
    simulator.control.fault("listVirtualMachines", "error", skip=1, when={"page": 2})
    pages = [
        user.call("listVirtualMachines", page=page, pagesize=2).status for page in (1, 2, 1, 2, 2)
    ]
    assert pages == [200, 200, 200, 530, 200]
    assert user.call("listZones").status == 200


def test_every_command_may_be_struck(simulator: Simulator, user: Cloud) -> None:
    simulator.control.fault("*", "error", code=401, times=2)
    for command in ("listZones", "listNetworks"):
        outcome = user.call(command)
        assert outcome.status == 401
        assert "cserrorcode" not in outcome.body


def test_the_servers_own_limiter_answers_429_with_the_wait_in_its_text(
    simulator: Simulator, user: Cloud
) -> None:
    simulator.control.fault("listZones", "throttled", seconds=0.7)
    outcome = user.call("listZones")
    assert (outcome.status, outcome.envelope) == (429, "errorresponse")
    assert outcome.body["errorcode"] == 429
    assert outcome.error.endswith("please retry after 700 ms.")


@pytest.mark.parametrize("kind", ["error", "html"])
def test_a_proxys_429_says_when_to_come_again(simulator: Simulator, user: Cloud, kind: str) -> None:
    simulator.control.fault("listZones", kind, code=429, seconds=3)
    outcome = user.call("listZones")
    assert (outcome.status, outcome.headers["Retry-After"]) == (429, "3")


def test_html_is_a_proxys_page(simulator: Simulator, user: Cloud) -> None:
    simulator.control.fault("listZones", "html")
    outcome = user.call("listZones")
    assert outcome.status == 502
    assert outcome.headers["Content-Type"].startswith("text/html")
    assert outcome.text.startswith("<html>")


def test_empty_is_200_and_nothing(simulator: Simulator) -> None:
    simulator.control.fault("listZones", "empty")
    answer = requests.get(simulator.url, params={"command": "listZones"}, timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (200, b"")


def test_slow_is_answered_late(simulator: Simulator, user: Cloud) -> None:
    simulator.control.fault("listZones", "slow", seconds=0.15)
    began = time.monotonic()
    assert user.call("listZones").status == 200
    assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize("executed", [False, True], ids=["lost on the way", "answer lost"])
def test_a_timeout_cuts_the_connection_after_doing_the_work_or_not(
    simulator: Simulator, user: Cloud, *, executed: bool
) -> None:
    network = network_id(user)
    before = len(simulator.control.state()["addresses"])
    simulator.control.fault("associateIpAddress", "timeout", seconds=0.05, executed=executed)
    with pytest.raises(requests.ConnectionError):
        user.call("associateIpAddress", networkid=network)
    assert len(simulator.control.state()["addresses"]) - before == int(executed)


@pytest.mark.parametrize("kind", ["error", "html", "empty"])
def test_an_answer_that_goes_wrong_may_hide_work_that_was_done(
    simulator: Simulator, user: Cloud, kind: str
) -> None:
    vm = node(user)
    simulator.control.fault("stopVirtualMachine", kind, executed=True)
    params = {"command": "stopVirtualMachine", "id": vm["id"], "response": "json"}
    requests.post(simulator.url, data=user.sign(params), timeout=PATIENCE)
    simulator.control.settings(advance=1)
    assert node(user)["state"] == "Stopped"


def test_a_job_that_fails_undoes_what_the_call_began(simulator: Simulator, user: Cloud) -> None:
    network = network_id(user)
    before = simulator.control.state()
    simulator.control.fault("associateIpAddress", "job-failed", code=530, text="no")
    assert user.failed("associateIpAddress", 530, networkid=network) == "no"
    assert simulator.control.state()["addresses"] == before["addresses"]

    address = user.done("associateIpAddress", networkid=network)["ipaddress"]
    for command in ("createLoadBalancerRule", "createFirewallRule"):
        simulator.control.fault(command, "job-failed")
    user.failed("createLoadBalancerRule", 530, **rule_wish(address))
    wish = {"ipaddressid": address["id"], "protocol": "tcp", "startport": 80}
    user.failed("createFirewallRule", 530, **wish)
    state = simulator.control.state()
    assert (state["loadbalancerrules"], state["firewallrules"]) == ([], [])

    simulator.control.fault("stopVirtualMachine", "job-failed", text="agent")
    assert user.failed("stopVirtualMachine", 530, id=node(user)["id"]) == "agent"
    assert node(user)["state"] == "Running"


def test_a_failed_deployment_leaves_a_vm_in_error(simulator: Simulator, user: Cloud) -> None:
    template = user.list("listTemplates", "template", templatefilter="executable")[0]
    vm = node(user)
    wish = {
        "name": "broken",
        "serviceofferingid": vm["serviceofferingid"],
        "templateid": template["id"],
        "zoneid": vm["zoneid"],
        "networkids": network_id(user),
    }
    simulator.control.fault("deployVirtualMachine", "job-failed", code=533)
    user.failed("deployVirtualMachine", 533, **wish)
    assert node(user, "broken")["state"] == "Error"


def test_a_size_that_no_host_has_room_for_fails_in_the_job(user: Cloud) -> None:
    vm = node(user)
    template = user.list("listTemplates", "template", templatefilter="executable")[0]
    [huge] = user.list("listServiceOfferings", "serviceoffering", keyword="Huge")
    text = user.failed(
        "deployVirtualMachine",
        533,
        serviceofferingid=huge["id"],
        templateid=template["id"],
        zoneid=vm["zoneid"],
        networkids=network_id(user),
    )
    assert text.startswith("No destination found for a deployment for VM instance")


def test_a_job_that_never_ends_stays_pending(simulator: Simulator, user: Cloud) -> None:
    simulator.control.fault("stopVirtualMachine", "job-never-ends")
    job = user.ok("stopVirtualMachine", id=node(user)["id"])["jobid"]
    simulator.control.settings(advance=100_000)
    assert user.ok("queryAsyncJobResult", jobid=job)["jobstatus"] == 0
    assert simulator.control.state()["jobs"]["pending"] == [job]


@pytest.mark.parametrize("executed", [False, True], ids=["write lost", "answer lost"])
def test_the_world_stops_after_so_many_writes_and_goes_on_when_disarmed(
    simulator: Simulator, user: Cloud, *, executed: bool
) -> None:
    vms = [node(user, f"node-{index}")["id"] for index in (1, 2, 3)]
    simulator.control.fault("*", "stop-after", skip=2, executed=executed)
    for vm in vms[:2]:
        user.ok("stopVirtualMachine", id=vm)
        user.ok("listZones")
    for command in ("stopVirtualMachine", "listZones", "startVirtualMachine"):
        with pytest.raises(requests.ConnectionError):
            user.call(command, id=vms[2])
    assert [call["status"] for call in simulator.control.calls()][-3:] == [0, 0, 0]
    simulator.control.clear_faults()
    simulator.control.settings(advance=1)
    states = [node(user, f"node-{index}")["state"] for index in (1, 2, 3)]
    assert states == ["Stopped", "Stopped", "Stopped" if executed else "Running"]
