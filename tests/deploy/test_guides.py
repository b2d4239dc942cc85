"""The commands of the guides, run in the order in which they stand there.

A block of commands is run, or a comment before it says why it cannot be. There is no kubelet: what
needs running pods is of the second sort, and tests/deploy/test_acceptance.py runs the pods.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.deploy import installed
from tests.deploy.pods import Moved
from tests.deploy.rendering import CLOUD_CONTROLLER, PROJECT, render, text
from tests.serving import write_cloud_config

GUIDES = PROJECT / "docs" / "guides"
FRESH = (PROJECT / "docs" / "tutorials" / "first-address.md", GUIDES / "install.md")
INSTALLED = (
    GUIDES / "cloudstack-kubernetes-service.md",
    GUIDES / "cluster-api.md",
    GUIDES / "troubleshooting.md",
    GUIDES / "upgrade.md",
    GUIDES / "uninstall.md",
)
BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- Not run by the tests: (?P<reason>.+?) -->\n *)?"
    r"```sh\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
#: Less than a test may take, so that a command that hangs is named.
SECONDS = 120


@dataclass(frozen=True)
class Block:
    """Commands of a page; `reason` says why they are not run, if they are not."""

    code: str
    reason: str


def blocks(markdown: str) -> list[Block]:
    """Return the blocks of commands, in their order."""
    found = []
    for match in BLOCK.finditer(markdown):
        lines = match["code"].splitlines()
        indent = len(match["indent"])
        code = "\n".join(line[indent:] for line in lines)
        found.append(Block(code, match["reason"] or ""))
    return found


def kinds_are_there(block: Block) -> bool:
    """Tell whether the kinds that the commands are about are among the manifests."""
    crds = render(CLOUD_CONTROLLER).of("CustomResourceDefinition")
    short = {name for crd in crds for name in crd["spec"]["names"].get("shortNames", [])}
    return "cslb" in short or "cslb" not in block.code


@pytest.fixture
def desk(tmp_path: Path, empty_cluster: ControlPlane) -> Iterator[Path]:
    """Lay out what a reader has: the repository, kubectl, and a cloud-config."""
    folder = tmp_path / "desk"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "kubectl").symlink_to(empty_cluster.programs.kubectl)
    for name in ("crds", "deploy", "metacontroller", "provider.yaml"):
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder)
    with Simulator() as simulator:
        write_cloud_config(folder / "cloud-config", simulator)
        yield folder


def run(code: str, desk: Path, cluster: ControlPlane) -> None:
    """Run commands as a reader's shell does; the first that fails ends them."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=desk,
        env={
            "PATH": f"{desk / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "KUBECONFIG": str(cluster.kubeconfig),
            "HOME": str(desk),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", FRESH, ids=lambda page: page.stem)
def test_the_commands_work_on_a_cluster_that_has_nothing(
    page: Path, desk: Path, empty_cluster: ControlPlane
) -> None:
    assert run_all(page.read_text(), desk, empty_cluster)
    for obj in render(CLOUD_CONTROLLER).of("Deployment"):
        name = obj["metadata"]["name"]
        empty_cluster.kubectl("-n", "kube-system", "get", "deployment", name)


@pytest.mark.parametrize("page", INSTALLED, ids=lambda page: page.stem)
def test_the_commands_of_each_section_work_where_the_cloud_controller_is_installed(
    page: Path, desk: Path, empty_cluster: ControlPlane
) -> None:
    empty_cluster.start_controllers()
    empty_cluster.api.resource("v1", "nodes", namespaced=False).create(
        {"metadata": {"name": "node-1"}}
    )
    ran = 0
    for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE):
        installed.apply(empty_cluster, Moved(text(CLOUD_CONTROLLER), {}))
        ran += run_all(section, desk, empty_cluster)
    assert ran


def run_all(markdown: str, desk: Path, cluster: ControlPlane) -> int:
    """Run what can be run; return how many blocks that were."""
    ready = [block for block in blocks(markdown) if not block.reason and kinds_are_there(block)]
    for block in ready:
        run(block.code, desk, cluster)
    return len(ready)


def test_every_block_of_commands_is_seen() -> None:
    for page in (*FRESH, *INSTALLED):
        markdown = page.read_text()
        fences = len(re.findall(r"^ *```sh$", markdown, re.MULTILINE))
        assert len(blocks(markdown)) == fences, page
        marked = markdown.count("<!-- Not run by the tests: ")
        assert len([block for block in blocks(markdown) if block.reason]) == marked, page
