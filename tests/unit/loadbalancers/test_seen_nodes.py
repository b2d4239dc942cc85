"""What a process remembers of Nodes, so that a scale-down asks for each but once a minute."""

import msgspec

from hooks.loadbalancers.instances import Instance
from hooks.loadbalancers.seen_nodes import GONE_FOR, SeenNodes

NOW = 1000.0


def instance(name: str, vm_id: str) -> Instance:
    shown = {"metadata": {"name": name}, "spec": {"instanceID": vm_id}}
    return msgspec.convert(shown, Instance)


def test_a_node_may_have_another_name_than_its_vm() -> None:
    seen = SeenNodes()
    seen.note([instance("worker-1.example", "vm-1")])
    assert seen.name_of("vm-1") == "worker-1.example"
    assert seen.name_of("vm-2") is None


def test_a_node_that_is_gone_is_not_asked_for_again_for_a_while() -> None:
    seen = SeenNodes()
    seen.note_gone("vm-1", NOW)
    assert seen.is_gone("vm-1", NOW + GONE_FOR - 1)
    assert not seen.is_gone("vm-1", NOW + GONE_FOR)
    assert not seen.is_gone("vm-2", NOW)


def test_a_node_that_is_seen_again_is_not_gone() -> None:
    seen = SeenNodes()
    seen.note_gone("vm-1", NOW)
    seen.note([instance("worker-1", "vm-1")])
    assert not seen.is_gone("vm-1", NOW)
