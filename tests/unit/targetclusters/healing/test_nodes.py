"""What is read of a node, whatever the target writes there."""

import pytest

from hooks.targetclusters.healing.nodes import read_node
from tests.targets.fake_cluster import node


@pytest.mark.parametrize("name", ["n", "n-1", "ip-10-0-0-1.example.com", "n" * 253])
def test_a_name_is_read_as_it_is(name: str) -> None:
    assert read_node(node(name)).name == name


@pytest.mark.parametrize(
    "name",
    ["", "N", "n/../../secrets", "n?x=y", "-n", "n-", "n" * 254, "n\n", "\ud800", "\U0001f600"],
)
def test_what_is_no_name_names_no_node(name: str) -> None:
    read = read_node(node(name)).name
    assert read != name
    assert read.startswith("not-a-name-")
    assert len(read) < 40
    assert read_node(node(name)).name == read
    assert read_node(node(name + "x" * 300)).name != read
