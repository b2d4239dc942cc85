"""Which VM is a node's: with no doubt, or none."""

from typing import Any

import pytest

from hooks.cloudstack.models.compute import Nic, Scope, VirtualMachine
from hooks.targetclusters.healing.plan.model import NodeState
from hooks.targetclusters.healing.plan.vms import find_vm_of

ID = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER = "0a1b2c3d-0000-4000-8000-000000000002"
MINE = Scope(account="mine", domain="d")


def vm(name: str = "n-1", vm_id: str = ID, **fields: Any) -> VirtualMachine:
    nics = (Nic("nic-1", "net-1", "10.0.0.7", "2001:db8::7"),)
    known = {"state": "Running", "account": "mine", "domain_id": "d", "nics": nics} | fields
    return VirtualMachine(vm_id, name, **known)


def node(name: str = "n-1", provider_id: str = "", **fields: Any) -> NodeState:
    known = {"addresses": ("10.0.0.7",)} | fields
    return NodeState(name, f"uid-of-{name}", is_ready=False, provider_id=provider_id, **known)


def found(one: NodeState, *vms: VirtualMachine, nodes: tuple[NodeState, ...] = ()) -> Any:
    return find_vm_of(one, (one, *nodes), vms, MINE)


@pytest.mark.parametrize(
    "provider_id", [f"external-cloudstack://{ID}", f"cloudstack:///{ID}", f"cloudstack://r/{ID}"]
)
def test_by_provider_id_whatever_its_name(provider_id: str) -> None:
    assert found(node(provider_id=provider_id), vm("another"), vm(vm_id=OTHER)).id == ID


def test_by_name_if_it_is_the_only_one() -> None:
    assert found(node(), vm(), vm("n-2", OTHER)).id == ID


@pytest.mark.parametrize(
    "witness",
    [
        {"addresses": ("192.0.2.1", "10.0.0.7")},
        {"addresses": ("2001:db8::7",)},
        {"addresses": (), "system_uuid": ID.upper()},
    ],
)
def test_by_name_with_an_address_or_the_id_that_its_firmware_says(witness: Any) -> None:
    assert found(node(**witness), vm()).id == ID


@pytest.mark.parametrize("provider_id", ["", f"cloudstack:///{ID}"])
def test_a_vm_that_is_no_member_of_the_named_cluster_is_left_alone(provider_id: str) -> None:
    one = node(provider_id=provider_id)
    for members in (frozenset[str](), frozenset({OTHER})):
        why = find_vm_of(one, (one,), (vm(),), MINE, members)
        assert "not one of the Kubernetes" in str(why)
    assert find_vm_of(one, (one,), (vm(),), MINE, frozenset({ID})) == vm()


@pytest.mark.parametrize(
    ("one", "vms", "nodes", "why"),
    [
        pytest.param(node(), (), (), "0 VMs have its name", id="nobody's name"),
        pytest.param(node("N-1"), (vm(),), (), "0 VMs have its name", id="another case"),
        pytest.param(
            node("n-1.example"), (vm(),), (), "0 VMs have its name", id="a domain of its own"
        ),
        pytest.param(
            node(addresses=("172.16.9.9",), system_uuid=OTHER),
            (vm(),),
            (),
            "none of its addresses",
            id="its name alone, in another network",
        ),
        pytest.param(node(addresses=()), (vm(),), (), "none of its addresses", id="no witness"),
        pytest.param(node(), (vm(), vm(vm_id=OTHER)), (), "2 VMs have its name", id="two names"),
        pytest.param(node(), (vm(vm_id="f" * 65),), (), "longer than one", id="an endless id"),
        pytest.param(
            node(), (vm(account="yours"),), (), "0 VMs have its name", id="another account's name"
        ),
        pytest.param(
            node(provider_id=f"cloudstack:///{ID}"),
            (vm(account="yours"),),
            (),
            "another account",
            id="another account's id",
        ),
        pytest.param(
            node(provider_id=f"cloudstack:///{ID}"),
            (vm("n-1", OTHER),),
            (),
            "gone",
            id="an id that is gone, and a namesake",
        ),
        pytest.param(
            node(provider_id=f"cloudstack:///{ID}"),
            (vm(state="Expunging"),),
            (),
            "gone",
            id="an id that is going",
        ),
        pytest.param(node(provider_id="aws:///i-1"), (vm(),), (), "provider id", id="elsewhere"),
        pytest.param(
            node(provider_id=f"cloudstack:///{ID}"),
            (vm(),),
            (node("n-2", f"external-cloudstack://{ID.upper()}"),),
            "claimed by the node n-2",
            id="two nodes, one id",
        ),
        pytest.param(
            node(),
            (vm(),),
            (node("n-2", f"cloudstack:///{ID}"),),
            "claimed by the node n-2",
            id="a name, and another's id",
        ),
        pytest.param(
            node("n-2", f"cloudstack:///{ID}"),
            (vm(),),
            (node("n-1"),),
            "claimed by the node n-1",
            id="an id, and another's name",
        ),
    ],
)
def test_no_vm_on_doubt(
    one: NodeState, vms: tuple[VirtualMachine, ...], nodes: tuple[NodeState, ...], why: str
) -> None:
    assert why in found(one, *vms, nodes=nodes)
