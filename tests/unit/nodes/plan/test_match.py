import pytest

from hooks.cloudstack.models.compute import Snapshot, VirtualMachine
from hooks.nodes.plan.match import Ambiguous, Foreign, Found, Match, Missing, match_vm
from tests.unit.nodes.objects import make_vm

A = make_vm(id="a", name="node-1")
B = make_vm(id="b", name="Node-1")
C = make_vm(id="c", name="node-1.example.com")
D = make_vm(id="d", name="node-1.other.org")
TWIN = make_vm(id="twin", name="node-1")
GONE = make_vm(id="gone", name="node-1", state="Destroyed")


@pytest.mark.parametrize(
    ("name", "provider_id", "vms", "expected"),
    [
        pytest.param("node-1", "", (A, B, C), Found(A), id="an exact name wins"),
        pytest.param("node-1", "", (B, C), Found(B), id="then one that differs in case"),
        pytest.param("node-1", "", (C,), Found(C), id="then one without the VM's domain"),
        pytest.param("node-1.example.com", "", (A,), Found(A), id="or without the node's domain"),
        pytest.param("node-1.example.com", "", (C, D), Found(C), id="a whole FQDN is exact"),
        pytest.param("node-1", "", (C, D), Ambiguous((C, D)), id="two hosts in two domains"),
        pytest.param("node-1", "", (A, TWIN), Ambiguous((A, TWIN)), id="two of one name"),
        pytest.param("node-1", "", (GONE, A), Found(A), id="a destroyed namesake does not count"),
        pytest.param("node-1", "", (GONE,), Missing(None), id="a destroyed VM is no match"),
        pytest.param("node-1", "", (), Missing(None), id="no VM at all"),
        pytest.param("node-10", "", (A,), Missing(None), id="a prefix is no match"),
        pytest.param("x", "cloudstack:///b", (A, B), Found(B), id="by id, whatever the name"),
        pytest.param("x", "cloudstack:///B", (B,), Found(B), id="ids in either case"),
        pytest.param(
            "node-1",
            "cloudstack:///z",
            (A,),
            Missing("z"),
            id="an unknown id is not matched by name",
        ),
        pytest.param(
            "node-1", "cloudstack:///gone", (GONE,), Missing("gone"), id="a destroyed VM is missing"
        ),
        pytest.param(
            "node-1", "aws:///i-1", (A,), Foreign("aws:///i-1"), id="another cloud's node"
        ),
    ],
)
def test_finds_the_vm_of_a_node(
    name: str, provider_id: str, vms: tuple[VirtualMachine, ...], expected: Match
) -> None:
    assert match_vm(name, provider_id, Snapshot.of(vms, taken_at=0, taken_monotonic=0)) == expected


@pytest.mark.parametrize("state", ["Destroyed", "Expunging", "Error"])
def test_a_vm_on_its_way_out_is_absent(state: str) -> None:
    assert match_vm(
        "node-1", "", Snapshot.of([make_vm(state=state)], taken_at=0, taken_monotonic=0)
    ) == Missing(None)


@pytest.mark.parametrize("state", ["Running", "Stopped", "Starting", "Migrating", "Unknown"])
def test_any_other_state_is_present(state: str) -> None:
    vm = make_vm(state=state)
    assert match_vm("node-1", "", Snapshot.of([vm], taken_at=0, taken_monotonic=0)) == Found(vm)
