"""The files that guide contributors fit the repository."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.documentation

PROJECT = Path(__file__).resolve().parents[1]
GITHUB = PROJECT / ".github"
FORMS = [
    file for file in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) if "config" not in file.name
]
FOLDERS = (
    "crds",
    "deploy",
    "docs",
    "examples",
    "hooks",
    "metacontroller",
    "simulator",
    "tests",
    "tools",
)
SUFFIXES = {".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def test_pre_commit_runs_make_targets_that_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    hooks = load(PROJECT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["make format", "make check"]
    assert {hook["entry"].removeprefix("make ") for hook in hooks} <= set(targets)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_an_issue_form_asks_for_no_secrets(form: Path) -> None:
    fields = load(form)["body"]
    ids = [field["id"] for field in fields if field["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    assert "Remove secrets" in form.read_text()


def test_the_form_for_bugs_asks_for_versions_and_objects() -> None:
    required = {
        field["id"]
        for field in load(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
        if field.get("validations", {}).get("required")
    }
    assert {"version", "kubernetes", "cloudstack", "metacontroller", "objects"} <= required


def text_files() -> list[Path]:
    files = [file for file in PROJECT.iterdir() if file.is_file()]
    files += [file for folder in FOLDERS for file in (PROJECT / folder).rglob("*")]
    return [file for file in files if file.suffix in SUFFIXES or file.name == "Makefile"]


def test_files_are_as_editorconfig_says() -> None:
    """It says: spaces but in Makefile, no blanks at the end of a line, a newline at the end."""
    found = {str(file): file.read_text() for file in text_files()}
    assert len(found) > 500
    assert [
        name for name, text in found.items() if re.search(r"[ \t\r]+$", text, re.MULTILINE)
    ] == []
    assert [name for name, text in found.items() if text and not text.endswith("\n")] == []
    tabs = [name for name, text in found.items() if re.search(r"^ *\t", text, re.MULTILINE)]
    assert tabs == [str(PROJECT / "Makefile")]
