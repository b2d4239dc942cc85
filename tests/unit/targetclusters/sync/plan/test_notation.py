import time

import pytest

from hooks.targetclusters.sync.plan.notation import FIELDS_NAMED, set_otherwise


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        pytest.param("1000m", "1", id="a quantity"),
        pytest.param("1024Mi", "1Gi", id="a quantity of bytes"),
        pytest.param("60s", "1m", id="a duration"),
        pytest.param("2026-11-29T00:00:00Z", "2026-11-29T00:00:00.000000Z", id="a time"),
        pytest.param("2001:DB8:0::1", "2001:db8::1", id="an address"),
        pytest.param("10.0.0.1", "10.0.0.1/32", id="an address with its length"),
        pytest.param("eA==\n", "eA==", id="whitespace"),
        pytest.param("tcp", "TCP", id="case"),
        pytest.param(80, "80", id="another type"),
        pytest.param(1, 1.0, id="a number"),
        pytest.param(None, "default", id="null"),
        pytest.param(["b", "a"], ["a", "b", "c"], id="a list that is added to"),
        pytest.param([{"name": "b"}], [{"name": "a"}, {"name": "b", "x": 1}], id="named items"),
        pytest.param([{"port": 80}], [{"port": 80, "protocol": "TCP"}], id="defaults in items"),
    ],
)
def test_another_notation_is_no_other_value(wanted: object, live: object) -> None:
    assert set_otherwise({"a": wanted}, {"a": live}, shows_values=True) == ()


@pytest.mark.parametrize("value", [None, "", 0, False, [], {}, {"limits": {}}])
def test_what_is_empty_may_be_left_out(value: object) -> None:
    assert set_otherwise({"a": value}, {}, shows_values=True) == ()


@pytest.mark.parametrize(
    ("wanted", "live", "named"),
    [
        pytest.param({"replicas": 5}, {"replicas": 1}, "replicas to 1", id="a number"),
        pytest.param({"cpu": "2"}, {"cpu": "1500m"}, 'cpu to "1500m"', id="a quantity"),
        pytest.param({"on": True}, {"on": False}, "on to false", id="a truth"),
        pytest.param({"a": {"b": "x"}}, {"a": {}}, "a.b to nothing", id="taken out"),
        pytest.param({"a": ["x", "y"]}, {"a": ["x"]}, 'a to ["x"]', id="a list"),
        pytest.param({"a": ["x"]}, {"a": ["y"]}, 'a[0] to "y"', id="an item"),
        pytest.param(
            {"c": [{"name": "web", "pull": "Never"}]},
            {"c": [{"name": "proxy"}, {"name": "web", "pull": "Always"}]},
            'c.web.pull to "Always"',
            id="a named item",
        ),
    ],
)
def test_another_value_is_named(wanted: dict[str, object], live: object, named: str) -> None:
    assert isinstance(live, dict)
    assert set_otherwise(wanted, live, shows_values=True) == (named,)


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    found = set_otherwise(
        {"data": {"p": "b3Vycw=="}}, {"data": {"p": "dGhlaXJz"}}, shows_values=False
    )
    assert found == ("data.p to another value",)


def test_few_fields_are_named() -> None:
    wanted, live = {str(n): 1 for n in range(50)}, {str(n): 2 for n in range(50)}
    assert len(set_otherwise(wanted, live, shows_values=True)) == FIELDS_NAMED


@pytest.mark.parametrize("nested", [False, True])
def test_what_a_target_makes_large_is_not_compared_to_its_end(nested: bool) -> None:
    items: object = [{"x": n} for n in range(5_000)]
    others: object = [{"x": -n} for n in range(5_000)]
    for _ in range(100 if nested else 0):
        items, others = [items, 1], [others, 2]
    began = time.process_time()
    set_otherwise({"a": items}, {"a": others}, shows_values=True)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        pytest.param(["a"] * 130_000, [1] * 130_000, id="other types"),
        pytest.param([{"a": dict.fromkeys(map(str, range(450)))}] * 450, [{}] * 450, id="empty"),
        pytest.param(["a" * 3_000] * 450, ["b" * 3_000] * 450, id="long texts"),
    ],
)
def test_each_item_may_be_looked_for_among_all_within_the_same_bound(
    wanted: list[object], live: list[object]
) -> None:
    began = time.process_time()
    set_otherwise({"a": [*wanted, 1]}, {"a": [*live, 2]}, shows_values=True)
    assert time.process_time() - began < 20
