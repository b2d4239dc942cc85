"""How a snapshot finds machines."""

import pytest

from hooks.cloudstack.models.compute import Snapshot, VirtualMachine, host_part


def machine(id_: str, name: str) -> VirtualMachine:
    return VirtualMachine(id=id_, name=name, state="Running")


def test_a_snapshot_finds_machines_by_id_and_by_host_name() -> None:
    one = machine("A", "Node-1.example.com")
    two = machine("2", "node-1")
    three = machine("3", "node-1")
    snapshot = Snapshot.of([one, two, three], taken_at=7.0, taken_monotonic=2.0)
    assert (snapshot.taken_at, snapshot.taken_monotonic) == (7.0, 2.0)
    assert snapshot.vms == (one, two, three)
    assert snapshot.find("a") is snapshot.find("A") is one
    assert (snapshot.find("2"), snapshot.find("4")) == (two, None)
    assert snapshot.by_host["node-1"] == (one, two, three)
    assert "node-2" not in snapshot.by_host


@pytest.mark.parametrize(
    ("name", "host"), [("node-1", "node-1"), ("Node-1.a.b", "node-1"), ("", "")]
)
def test_the_host_part_is_what_stands_before_the_domain(name: str, host: str) -> None:
    assert host_part(name) == host
