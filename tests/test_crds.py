"""Every text, list and map of the CRDs has a bound, and the largest that we write keeps within."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from hooks.http.bounded_json import Json
from hooks.http.texts import MARK
from hooks.kube.field_paths import MAX_PATH, field_path, join_path
from hooks.kube.quantities import RESOURCES, add_quantities, write_quantities
from hooks.nodes.plan.instance import missing_instance, present_instance
from tests.schemas import CRDS, crd, schema_of
from tests.unit.nodes.objects import make_facts, make_initialised_node, make_nic, make_vm

PLURALS = sorted(path.stem for path in CRDS.glob("*s.yaml"))
#: Fields of any object, whose bounds are Kubernetes' own.
OWN = ("apiVersion", "kind", "metadata")


def unbounded(schema: Json, path: str = "") -> Iterator[str]:
    """Yield the fields without a bound, and the bound that each lacks."""
    wanted = {"string": "maxLength", "array": "maxItems"}.get(schema.get("type", "string"))
    if "additionalProperties" in schema:
        wanted = "maxProperties"
        yield from unbounded(schema["additionalProperties"], f"{path}.*")
    is_bounded = "enum" in schema or schema.get("format") == "date-time"
    if wanted and wanted not in schema and not is_bounded:
        yield f"{path}: {wanted}"
    for name, field in schema.get("properties", {}).items():
        if path or name not in OWN:
            yield from unbounded(field, f"{path}.{name}")
    if "items" in schema:
        yield from unbounded(schema["items"], f"{path}[]")


def test_there_are_crds() -> None:
    assert PLURALS == ["cloudstackinstances", "cloudstackloadbalancers", "targetclusters"]


@pytest.mark.parametrize("plural", PLURALS)
def test_every_text_list_and_map_has_a_bound(plural: str) -> None:
    for version in crd(plural)["spec"]["versions"]:
        assert list(unbounded(version["schema"]["openAPIV3Schema"])) == []


@pytest.mark.parametrize("project", ["", "p" * 4096], ids=["account", "project"])
def test_a_vm_of_longest_texts_fits_its_instance(project: str) -> None:
    long = "\x1b" * 4096
    vm = make_vm(
        state=long,
        zone_id=long,
        zone_name=long,
        offering_name=long,
        account=long,
        domain_id=long,
        project_id=project,
        name=long,
        nics=tuple(make_nic(ip6="2001:db8::1") for _ in range(100)),
    )
    facts = make_facts(make_initialised_node(name="n" * 253))
    made = present_instance(facts, vm, {})
    schema = schema_of("cloudstackinstances")
    assert schema.problems(made) == []
    assert made["observed"]["state"] == MARK * 63 + "…"
    missing = missing_instance(facts, "v" * 64, ready=True, rebuilt=False)
    assert schema.problems(missing) == []


def test_the_path_of_a_field_is_bounded() -> None:
    path = ""
    for _ in range(200):
        path = join_path(path, "k" * 300)
    for text in (path, field_path(["k" * 300] * 200), field_path(["a.b/" * 99] * 200)):
        assert len(text) == MAX_PATH
        assert text.endswith("…")


def test_the_largest_capacity_fits() -> None:
    totals: dict[str, Decimal] = {}
    for quantity in ("9" * 20 + "." + "9" * 12 + "e99", "9" * 20 + "Ei", "0.000001"):
        for _ in range(100):
            add_quantities(totals, dict.fromkeys(RESOURCES, quantity))
    written = write_quantities(totals)
    assert schema_of("targetclusters")["status"].problems({"capacity": written}) == []
