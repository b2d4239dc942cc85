import pytest

from hooks.cloudstack.models.compute import Scope, Snapshot, VirtualMachine
from hooks.nodes.plan.match import Ambiguous, Foreign, Found, Malformed, Match, Missing, match_vm
from tests.unit.nodes.objects import VM_ID, make_vm

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
        pytest.param("node-1.example.com", "", (D,), Missing(None), id="another domain's host"),
        pytest.param(
            "node-1.example.com",
            f"cloudstack:///{VM_ID}",
            (D,),
            Missing(VM_ID),
            id="another domain's host is no namesake",
        ),
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
            f"cloudstack:///{VM_ID}",
            (A,),
            Missing(VM_ID, (A,)),
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
    assert matched(name, provider_id, vms) == expected


@pytest.mark.parametrize(
    "provider_id",
    [
        pytest.param("cloudstack:///node-1", id="a name in an id's place"),
        pytest.param("external-cloudstack://", id="no id"),
        pytest.param("external-cloudstack:///", id="no id, empty region"),
        pytest.param(f"cloudstack:{VM_ID}", id="no slashes"),
        pytest.param(f"cloudstack://a/b/{VM_ID}", id="too many parts"),
        pytest.param(f"cloudstack://{VM_ID}/", id="a slash at the end"),
        pytest.param(f"cloudstack:///{VM_ID} ", id="a space at the end"),
        pytest.param(f" cloudstack:///{VM_ID}", id="a space in front"),
        pytest.param(f"CloudStack:///{VM_ID}", id="another case"),
        pytest.param(f"cloudstack:///{VM_ID[:-1]}", id="a digit too few"),
        pytest.param("cloudstack:///${INSTANCE_ID}", id="a variable that nobody replaced"),
    ],
)
def test_a_provider_id_of_ours_that_can_name_no_vm_is_malformed(provider_id: str) -> None:
    assert matched("node-1", provider_id, (A,)) == Malformed(provider_id, (A,))


@pytest.mark.parametrize("provider_id", ["xcloudstack://a", "cloudstack-eu://a", VM_ID, "kind://a"])
def test_a_provider_id_of_another_scheme_is_foreign(provider_id: str) -> None:
    assert matched("node-1", provider_id, (A,)) == Foreign(provider_id)


@pytest.mark.parametrize("state", ["Destroyed", "Expunging", "Error"])
def test_a_vm_on_its_way_out_is_absent(state: str) -> None:
    assert matched("node-1", "", (make_vm(state=state),)) == Missing(None)


@pytest.mark.parametrize("state", ["Running", "Stopped", "Starting", "Migrating", "Unknown"])
def test_any_other_state_is_present(state: str) -> None:
    vm = make_vm(state=state)
    assert matched("node-1", "", (vm,)) == Found(vm)


WEST = make_vm(id="west", name="node-1", zone_id="west")
EAST = make_vm(id="east", name="node-1", zone_id="east")
OWN = make_vm(id="own", name="node-1", account="user", domain_id="d", domain_path="ROOT/d")
OTHERS = make_vm(id="others", name="node-1", account="other", domain_id="d", domain_path="ROOT/d")


@pytest.mark.parametrize(
    ("vms", "scope", "expected"),
    [
        pytest.param((WEST, EAST), Scope(zone_id="west"), Found(WEST), id="the zone's of two"),
        pytest.param(
            (EAST,), Scope(zone_id="west"), Found(EAST), id="another zone's where it is alone"
        ),
        pytest.param(
            (WEST, make_vm(id="exact", name="Node-1", zone_id="east")),
            Scope(zone_id="east"),
            Found(WEST),
            id="an exact name before the zone",
        ),
        pytest.param((WEST, EAST), Scope(), Ambiguous((WEST, EAST)), id="two, and no zone"),
        pytest.param((OTHERS, OWN), Scope("user", "d"), Found(OWN), id="the own account's"),
        pytest.param((OTHERS, OWN), Scope("User", "root/D"), Found(OWN), id="names in any case"),
        pytest.param(
            (OTHERS,),
            Scope("user", "d"),
            Missing(None, (OTHERS,), Scope("user", "d")),
            id="another account's alone is not taken",
        ),
        pytest.param((OTHERS, OWN), Scope("other"), Found(OTHERS), id="a configured account's"),
        pytest.param(
            (OWN,),
            Scope(domain="e"),
            Missing(None, (OWN,), Scope(domain="e")),
            id="another domain's is not taken",
        ),
        pytest.param((OTHERS, OWN), Scope(), Ambiguous((OTHERS, OWN)), id="an unknown account"),
    ],
)
def test_a_name_is_looked_for_in_the_scope(
    vms: tuple[VirtualMachine, ...], scope: Scope, expected: Match
) -> None:
    assert matched("node-1", "", vms, scope) == expected


def test_an_id_is_found_whoever_has_the_vm_and_wherever() -> None:
    scope = Scope("user", "d", zone_id="elsewhere")
    assert matched("node-1", "cloudstack:///others", (OTHERS,), scope) == Found(OTHERS)


def test_a_living_vm_with_the_name_of_a_missing_one_is_told() -> None:
    found = matched("node-1", "cloudstack:///gone", (GONE, OWN, OTHERS), Scope("user"))
    assert found == Missing("gone", (OWN,), Scope("user"))


def matched(
    name: str, provider_id: str, vms: tuple[VirtualMachine, ...], scope: Scope | None = None
) -> Match:
    snapshot = Snapshot.of(vms, taken_at=0, taken_monotonic=0)
    return match_vm(name, provider_id, snapshot, lambda: scope or Scope())
