"""The page on compatibility says what is really tested: each version has a source to agree with."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.world import NEWEST
from tests.contract.conftest import WORLDS
from tests.deploy.rendering import CLOUD_CONTROLLER
from tools import binaries, helm

pytestmark = pytest.mark.documentation

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "reference" / "compatibility.md"


def row(name: str) -> list[str]:
    """Return what is promised, tested and seen of something."""
    [line] = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def read(path: str) -> Any:
    return yaml.safe_load((PROJECT / path).read_text())


def versions(text: str, pattern: str = r"\d+\.\d+(?:\.\d+)?") -> list[str]:
    return re.findall(pattern, text)


def test_kubernetes_is_promised_as_the_guide_and_the_chart_do_and_tested_as_it_is_built() -> None:
    promised, tested, _ = row("Kubernetes")
    oldest, policies = versions(promised)
    assert read("deploy/chart/Chart.yaml")["kubeVersion"] == f">={oldest}.0-0"
    guide = (PROJECT / "docs" / "guides" / "install.md").read_text()
    assert f"It works on Kubernetes {oldest} and newer. Before {policies}, leave out" in guide
    templates = (PROJECT / "deploy" / "chart" / "templates" / "cloud-controller.yaml").read_text()
    assert f'semverCompare "<{policies}.0-0"' in templates
    assert [f"v{version}" for version in versions(tested)] == [binaries.MODULE.version()]
    assert row("Target clusters")[0].startswith(f"Kubernetes {oldest} and newer")


def test_cloudstack_is_tested_from_the_oldest_that_is_promised_to_the_one_that_was_seen() -> None:
    promised, tested, seen = row("CloudStack")
    [oldest] = versions(promised)
    listed = tested.partition(":")[0]
    imitated = [world.partition(" of ")[2] or NEWEST for world in WORLDS]
    assert versions(listed) == sorted(set(imitated))
    assert (versions(listed)[0], versions(seen)) == (oldest, [NEWEST])
    guide = (PROJECT / "docs" / "guides" / "install.md").read_text()
    assert f"It works with CloudStack {oldest} and newer." in guide


def test_metacontroller_is_the_version_that_is_deployed_and_a_job_runs_the_real_one() -> None:
    [deployed] = [
        image["newTag"]
        for image in yaml.safe_load((CLOUD_CONTROLLER / "kustomization.yaml").read_text())["images"]
        if image["name"].endswith("/metacontroller")
    ]
    assert {
        found for cell in row("Metacontroller") for found in versions(cell, r"v\d+\.\d+\.\d+")
    } == {deployed}
    steps = read(".github/workflows/ci.yml")["jobs"]["real-metacontroller"]["steps"]
    assert any("make test-clusters METACONTROLLER_BIN=" in step.get("run", "") for step in steps)


def test_python_is_what_the_project_the_workflow_and_the_image_have() -> None:
    promised, tested, _ = row("Python")
    oldest, image = versions(promised)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={oldest}"
    matrix = read(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == [*versions(tested), "3.x"]
    assert f"/python:{image}." in (PROJECT / "Dockerfile").read_text()


def test_helm_is_what_renders_the_chart_in_the_tests() -> None:
    promised, tested, _ = row("Helm")
    assert [f"v{version}" for version in versions(tested)] == [helm.MODULE.version()]
    guide = (PROJECT / "docs" / "guides" / "helm.md").read_text()
    assert f"for Helm {versions(promised)[0]} and newer" in guide


def test_the_image_is_built_for_the_machines_that_the_page_names() -> None:
    release = (PROJECT / ".github" / "workflows" / "release.yml").read_text()
    assert "linux/amd64,linux/arm64" in release
    assert "**Machines.** The image is built for amd64 and arm64." in PAGE.read_text()
