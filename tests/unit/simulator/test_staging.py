"""What tests set outside of the API."""

from typing import Any

import pytest
import requests

from simulator.server import Simulator
from simulator.staging import StagingError
from tests.contract.cloud import Cloud, Json
from tests.controlplane.polling import PATIENCE


def vm(user: Cloud, name: str = "node-1") -> list[Json]:
    return user.list("listVirtualMachines", "virtualmachine", name=name)


def test_a_vm_dies_comes_back_and_is_gone(simulator: Simulator, user: Cloud) -> None:
    for state in ("Stopped", "Unknown", "Running"):
        simulator.control.stage("virtualmachine", "node-1", state=state)
        assert [one["state"] for one in vm(user)] == [state]
    [one] = vm(user)
    simulator.control.stage("virtualmachine", one["id"], state="Expunging")
    assert vm(user) == []
    assert user.ok("listVirtualMachines", id=one["id"]) == {}


def test_a_state_that_is_shown_is_not_the_true_one(simulator: Simulator, user: Cloud) -> None:
    simulator.control.stage("virtualmachine", "node-1", shows="Stopped")
    [one] = vm(user)
    assert one["state"] == "Stopped"
    assert user.ok("listVirtualMachines", name="node-1", state="Running") == {}
    assert "already running" in user.failed("startVirtualMachine", 431, id=one["id"])
    simulator.control.stage("virtualmachine", "node-1", shows=None)
    assert vm(user)[0]["state"] == "Running"


def test_a_role_can_lack_a_command(simulator: Simulator, user: Cloud, admin: Cloud) -> None:
    [one] = vm(user)
    simulator.control.stage("account", "user", denied=["rebootVirtualMachine"])
    text = user.refused("rebootVirtualMachine", 432, id=one["id"])
    assert text.startswith("The API [rebootVirtualMachine] does not exist or is not available")
    user.refused("listApis", 530, name="rebootVirtualMachine")
    assert user.ok("listApis", name="stopVirtualMachine")["count"] == 1
    assert admin.ok("listApis", name="rebootVirtualMachine")["count"] == 1
    simulator.control.stage("account", "user", denied=[])
    assert user.done("rebootVirtualMachine", id=one["id"])


def test_it_is_staged_over_http_as_well(simulator: Simulator, user: Cloud) -> None:
    url = simulator.url.replace("/client/api", "/simulator/stage")
    document = {"kind": "virtualmachine", "name": "node-1", "state": "Stopped"}
    assert requests.post(url, json=document, timeout=PATIENCE).json() == {"ok": True}
    assert vm(user)[0]["state"] == "Stopped"
    answer = requests.post(url, json={"kind": "node"}, timeout=PATIENCE)
    assert (answer.status_code, "kind: 'node' is none of" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("kind", "name", "fields", "text"),
    [
        ("node", "node-1", {}, "kind: 'node' is none of virtualmachine,"),
        ("virtualmachine", "nobody", {}, "name: 0 virtualmachines have the name or id 'nobody'"),
        ("virtualmachine", "node-1", {"state": "Dead"}, "state: 'Dead' is none of Destroyed,"),
        ("virtualmachine", "node-1", {"size": 2}, "size: not a field of a virtualmachine; known:"),
        ("account", "user", {"denied": ["bogus"]}, "denied: a list of commands, not ['bogus']"),
    ],
)
def test_what_cannot_be_staged_says_why(
    simulator: Simulator, kind: str, name: str, fields: dict[str, Any], text: str
) -> None:
    with pytest.raises(StagingError, match=text.replace("[", r"\[").replace("]", r"\]")):
        simulator.control.stage(kind, name, **fields)
