"""Where the VM of a node is looked for: by its id everywhere, by its name where it is meant."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from simulator.server import Simulator
from tests.integration.nodes.running import kube_with, make_hook, request_for, shown
from tests.integration.nodes.worlds import machine, write_world
from tests.memory_kube import MemoryKube

TWO_ACCOUNTS = [
    machine("node-1"),
    machine("node-1", account="other"),
    machine("node-9", account="other"),
]
TWO_ZONES = [
    machine("node-1"),
    machine("node-2", zone="zone-2"),
    machine("both"),
    machine("both", zone="zone-2"),
]


def test_zone_hides_no_vm_from_its_node(tmp_path: Path) -> None:
    with Simulator(write_world(tmp_path, TWO_ZONES)) as simulator:
        ids = ids_of(simulator)
        where: dict[str, Any] = {"account": "user", "zone": "zone-1"}
        request = request_for("node-2", providerID=ids["node-2", "user"])
        assert zone_of(answered(simulator, request, **where)) == "zone-2"
        assert zone_of(answered(simulator, request_for("node-2"), **where)) == "zone-2"


@pytest.mark.parametrize("zone", ["zone-1", "zone-2"])
def test_zone_chooses_among_vms_of_one_name(tmp_path: Path, zone: str) -> None:
    with Simulator(write_world(tmp_path, TWO_ZONES)) as simulator:
        where: dict[str, Any] = {"account": "user", "zone": zone}
        assert zone_of(answered(simulator, request_for("both"), **where)) == zone


@pytest.mark.parametrize(("name", "lists"), [("Tokyo-1", 0), ("Tokyo 1", 1), ("東京", 1)])
def test_zones_are_listed_where_a_label_cannot_hold_the_name_of_one(
    tmp_path: Path, name: str, lists: int
) -> None:
    with Simulator(write_world(tmp_path, TWO_ZONES)) as simulator:
        first, second = simulator.world.zones
        first.name, second.name = name, "Tokyo1"
        answer = answered(simulator, request_for("node-1"), account="user")
        label = answer["labels"]["topology.kubernetes.io/zone"]
        value = {"Tokyo-1": "Tokyo-1", "Tokyo 1": f"Tokyo1-{first.id[:8]}"}
        assert label == value.get(name, f"zone-{first.id[:8]}")
        assert len(simulator.control.calls("listZones")) == lists


def test_an_administrators_key_takes_no_other_accounts_vm_by_its_name(tmp_path: Path) -> None:
    with Simulator(write_world(tmp_path, TWO_ACCOUNTS)) as simulator:
        kube = kube_with(request_for("node-9"))
        assert answered(simulator, request_for("node-9"), kube=kube)["attachments"] == []
        [event] = kube.events
        assert event.reason == "NodeNotInitialised"
        assert "in account admin, domain" in event.message
        assert "account other of domain ROOT has one" in event.message


def test_an_administrators_key_finds_the_vms_of_the_account_that_is_named(tmp_path: Path) -> None:
    with Simulator(write_world(tmp_path, TWO_ACCOUNTS)) as simulator:
        ids = ids_of(simulator)
        for account in ("user", "other"):
            answer = answered(simulator, request_for("node-1"), account=account)
            assert provider_id_of(answer) == ids["node-1", account]


def test_an_administrators_key_finds_every_vm_by_its_id(tmp_path: Path) -> None:
    with Simulator(write_world(tmp_path, TWO_ACCOUNTS)) as simulator:
        provider_id = ids_of(simulator)["node-9", "other"]
        answer = answered(simulator, request_for("node-9", providerID=provider_id))
        assert provider_id_of(answer) == provider_id


def answered(
    simulator: Simulator, request: Json, *, kube: MemoryKube | None = None, **config: Any
) -> Json:
    """Call the hook with the administrator's keys."""
    user, kube = simulator.admin, kube or kube_with(request)
    given = CloudConfig(simulator.url, user.api_key, user.secret_key, **config)
    with closing(Cloud(given)) as cloud:
        return shown(make_hook(cloud, kube=kube).sync(request, Deadline(8)))


def ids_of(simulator: Simulator) -> dict[tuple[str, str], str]:
    return {
        (vm.name, vm.account.name): f"external-cloudstack://{vm.id}" for vm in simulator.world.vms
    }


def zone_of(answer: Json) -> Any:
    [instance] = answer["attachments"]
    return instance["observed"]["zone"]


def provider_id_of(answer: Json) -> Any:
    [instance] = answer["attachments"]
    return instance["spec"]["providerID"]
