import pytest

from hooks.http.bounded_json import Json
from tests.unit.loadbalancers.builders import NET, NODES, chosen, instance, recorded, request


@pytest.mark.parametrize(
    ("nodes", "status", "network"),
    [
        pytest.param({}, None, "", id="no nodes"),
        pytest.param(NODES, None, NET, id="one network"),
        pytest.param(
            {"a": instance("a", "x", "y"), "b": instance("b", "y")}, None, "y", id="most are on it"
        ),
        pytest.param(
            {"a": instance("a", "x", "y"), "b": instance("b", "x", "y")},
            None,
            "x",
            id="of equals, the default one",
        ),
        pytest.param(
            {"a": instance("a", "x"), "b": instance("b", "y")},
            {"networkID": "x"},
            "x",
            id="of equals, the one in use",
        ),
        pytest.param(
            {"a": instance("a", "x", "y"), "b": instance("b", "x")},
            {"networkID": "y"},
            "y",
            id="the one in use before another",
        ),
        pytest.param(
            {"a": instance("a", "x")}, {"networkID": "y"}, "x", id="the one in use has no node"
        ),
        pytest.param({"a": instance("a", "x")}, recorded(), NET, id="the address has one"),
        pytest.param({"a": instance("a", "x")}, chosen(), "x", id="a mere choice has none"),
        pytest.param(
            {"a": instance("a", "x"), "b": instance("b", "y", servesLoadBalancers=False)},
            None,
            "x",
            id="those that serve decide",
        ),
        pytest.param(
            {"b": instance("b", "y", servesLoadBalancers=False)}, None, "y", id="none serves"
        ),
    ],
)
def test_the_network_is_the_one_that_most_nodes_are_on(
    nodes: dict[str, Json], status: Json | None, network: str
) -> None:
    assert request(nodes=nodes, status=status).network_id == network


def test_nodes_serve_that_are_in_the_stable_set_and_in_the_selector() -> None:
    nodes = {
        "in": instance("in"),
        "missing": instance("missing", missing={}),
        "excluded": instance("excluded", servesLoadBalancers=False),
        "elsewhere": instance("elsewhere", "other"),
        "other-pool": instance("other-pool"),
    }
    for name, node in nodes.items():
        node["metadata"]["labels"]["pool"] = "b" if name == "other-pool" else "a"
    found = request(nodes=nodes, nodeSelector={"pool": "a"}).serving_nodes
    assert [each.name for each in found] == ["elsewhere", "in", "missing"]
