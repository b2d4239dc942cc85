"""Every command of the simulator is held to the contract by a test that calls it."""

import ast
from pathlib import Path

import pytest

from simulator.registry import REGISTRY
from tests.contract.coverage import COVERED

FOLDER = Path(__file__).parent


def functions(module: str) -> dict[str, str]:
    """Return the source of each function of a test module."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_command_has_its_row() -> None:
    assert set(COVERED) == set(REGISTRY)


@pytest.mark.parametrize(("command", "test"), COVERED.items(), ids=COVERED)
def test_the_test_of_a_row_is_there_and_calls_the_command(command: str, test: str) -> None:
    module, name = test.split("::")
    source = functions(module).get(name)
    assert source is not None, f"{test} is no test"
    fixtures = functions("conftest") if command == "listCapabilities" else {}
    assert f"'{command}'" in source + fixtures.get("capability", ""), f"{test} never calls it"
