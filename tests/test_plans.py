"""What a plan may not call; the import contracts in pyproject.toml hold what it may not import."""

import ast
from pathlib import Path

import pytest

from tests.serving import PROJECT

pytestmark = pytest.mark.documentation

FORBIDDEN = {"open", "print", "input", "breakpoint", "__import__", "urllib.request"}
PLANS = sorted(file for file in (PROJECT / "hooks").rglob("*.py") if "plan" in file.parts)


def names(file: Path) -> set[str]:
    """Return every name that a module uses, and every module that it imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Name():
                found.add(node.id)
            case ast.Import():
                found |= {each.name for each in node.names}
            case ast.ImportFrom():
                found |= {str(node.module), *(f"{node.module}.{each.name}" for each in node.names)}
    return found


@pytest.mark.parametrize("file", PLANS, ids=lambda file: str(file.relative_to(PROJECT / "hooks")))
def test_a_plan_reads_and_writes_nothing(file: Path) -> None:
    assert not names(file) & FORBIDDEN


def test_what_reads_or_writes_is_found(tmp_path: Path) -> None:
    file = tmp_path / "plan.py"
    file.write_text("from urllib import request\nprint(open('x'))\n")
    assert names(file) & FORBIDDEN == {"open", "print", "urllib.request"}
