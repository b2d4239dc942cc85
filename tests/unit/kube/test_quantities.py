from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.kube.quantities import add_quantities, read_quantity, write_quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", Decimal(4)),
        ("3920m", Decimal("3.92")),
        ("0.5", Decimal("0.5")),
        ("8Gi", Decimal(8 * 1024**3)),
        ("8145636Ki", Decimal(8145636 * 1024)),
        ("1G", Decimal(10**9)),
        ("2E", Decimal(2 * 10**18)),
        ("1e3", Decimal(1000)),
        ("12E2", Decimal(1200)),
        ("7u", Decimal("0.000007")),
    ],
)
def test_a_quantity_is_read(text: str, value: Decimal) -> None:
    assert read_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "4 ", "-1", "1e999999999", "1" * 21, "4KB", "½", "٣", None, 4, {"a": 1}]
)
def test_what_is_no_quantity_is_none(text: object) -> None:
    assert read_quantity(text) is None


@pytest.mark.parametrize(
    ("resource", "texts", "total"),
    [
        pytest.param("cpu", ["4", "3920m"], "7920m", id="cores-that-are-not-whole"),
        pytest.param("cpu", ["500m", "500m"], "1", id="cores-that-add-up"),
        pytest.param("cpu", ["1u"], "1m", id="rounded-up-to-thousandths"),
        pytest.param("memory", ["8Gi", "8Gi"], "16Gi", id="memory-in-its-unit"),
        pytest.param("memory", ["8145636Ki", "8Gi"], "16534244Ki", id="memory-of-mixed-units"),
        pytest.param("memory", ["1G"], "1000000000", id="memory-that-no-unit-fits"),
        pytest.param("pods", ["110", "110"], "220", id="pods"),
        pytest.param("memory", ["0"], "0", id="nothing"),
    ],
)
def test_quantities_add_up_as_kubernetes_writes_them(
    resource: str, texts: list[str], total: str
) -> None:
    totals: dict[str, Decimal] = {}
    for text in texts:
        add_quantities(totals, {resource: text})
    assert write_quantities(totals) == {resource: total}


@pytest.mark.parametrize("quantities", [None, "cpu", [], {"cpu": []}, {"gpu": "1"}])
def test_what_nodes_should_not_say_is_left_out(quantities: object) -> None:
    totals: dict[str, Decimal] = {}
    add_quantities(totals, quantities)
    assert write_quantities(totals) == {}


@given(st.lists(st.integers(0, 2**60), min_size=1, max_size=8))
def test_no_byte_is_lost(sizes: list[int]) -> None:
    totals: dict[str, Decimal] = {}
    for size in sizes:
        add_quantities(totals, {"memory": str(size)})
    assert read_quantity(write_quantities(totals)["memory"]) == sum(sizes)
