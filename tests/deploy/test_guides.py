"""The commands of the guides, run in the order in which they stand there.

A block of commands is run, or a comment before it says why it cannot be (tests/test_docs_code.py
holds every page to that). There is no kubelet: what needs running pods is of the second sort, and
tests/deploy/test_acceptance.py runs the pods.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.deploy import installed
from tests.deploy.desk import lay_out, run
from tests.deploy.pods import Moved
from tests.deploy.rendering import CLOUD_CONTROLLER, DEPLOY, render, text
from tests.documented.pages import Block, blocks, sections
from tests.documented.runs import FRESH, INSTALLED, runner
from tests.serving import write_cloud_config

HERE = "tests/deploy/test_guides.py"
BOTH = DEPLOY / "overlays" / "both-operators"


@pytest.fixture
def desk(tmp_path: Path, empty_cluster: ControlPlane) -> Iterator[Path]:
    """Lay out what a reader has, with a cloud-config."""
    folder = lay_out(tmp_path / "desk", empty_cluster)
    with Simulator() as simulator:
        write_cloud_config(folder / "cloud-config", simulator)
        yield folder


@pytest.mark.parametrize("page", FRESH, ids=lambda page: page.stem)
def test_the_commands_work_on_a_cluster_that_has_nothing(
    page: Path, desk: Path, empty_cluster: ControlPlane
) -> None:
    assert run_all(blocks(page, "sh"), desk, empty_cluster)
    for obj in render(CLOUD_CONTROLLER).of("Deployment"):
        name = obj["metadata"]["name"]
        empty_cluster.kubectl("-n", "kube-system", "get", "deployment", name)


@pytest.mark.parametrize("page", INSTALLED, ids=lambda page: page.stem)
def test_the_commands_of_each_section_work_where_both_operators_are_installed(
    page: Path, desk: Path, empty_cluster: ControlPlane
) -> None:
    empty_cluster.start_controllers()
    empty_cluster.api.resource("v1", "nodes", namespaced=False).create(
        {"metadata": {"name": "node-1"}}
    )
    ran = 0
    for section in sections(page):
        installed.apply(empty_cluster, Moved(text(BOTH), {}))
        ran += run_all(section, desk, empty_cluster)
    assert ran


def run_all(found: Iterable[Block], desk: Path, cluster: ControlPlane) -> int:
    """Run what can be run; return how many blocks that were."""
    ready = [block for block in found if runner(block) == HERE]
    for block in ready:
        run(block.code, desk, cluster.kubeconfig)
    return len(ready)
