"""The workflows pass actionlint, run only what is pinned, and call make targets that exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import actionlint

PROJECT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}|\./\.github/workflows/[\w.]+")


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(file.read_text())["jobs"].values():
        yield from job.get("steps", ())


@pytest.mark.usefixtures("actionlint_program")
def test_actionlint_finds_nothing() -> None:
    assert actionlint.lint() == ""


@pytest.mark.usefixtures("actionlint_program")
def test_actionlint_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\n"
        "jobs: {one: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ nothing.there }}'}]}}\n"
    )
    assert 'undefined variable "nothing"' in actionlint.lint(wrong)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_its_commit(file: Path) -> None:
    used = [step["uses"] for step in steps(file) if "uses" in step]
    assert used
    assert [name for name in used if not PINNED.fullmatch(name)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_every_make_target_exists(file: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    called = {
        target
        for step in steps(file)
        for target in re.findall(r"\bmake ([a-z0-9-]+)", step.get("run", ""))
    }
    assert called
    assert called <= targets


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_may_read_and_nothing_else_by_default(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_every_job_has_a_limit_of_time(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text())["jobs"]
    assert [
        name for name, job in jobs.items() if "uses" not in job and "timeout-minutes" not in job
    ] == []
