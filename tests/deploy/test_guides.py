"""The commands of the guides, run in the order in which they stand there.

A block of commands is run, or a comment before it says why it cannot be (tests/test_docs_code.py
holds every page to that). There is no kubelet: what needs running pods is of the second sort, and
tests/deploy/test_acceptance.py runs the pods.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.deploy import installed
from tests.deploy.checkout import make_checkout, run
from tests.deploy.pods import Moved
from tests.deploy.rendering import CLOUD_CONTROLLER, DEPLOY, render, text
from tests.documented.pages import Block, blocks, sections
from tests.documented.runs import FRESH, INSTALLED, runner
from tests.serving import write_cloud_config

HERE = "tests/deploy/test_guides.py"
BOTH = DEPLOY / "overlays" / "both-operators"


@contextmanager
def checkout_of(cluster: ControlPlane, folder: Path) -> Iterator[Path]:
    """Lay out what a reader has, with a cloud-config."""
    checkout = make_checkout(folder / "checkout", cluster)
    with Simulator() as simulator:
        write_cloud_config(checkout / "cloud-config", simulator)
        yield checkout


@pytest.mark.parametrize("page", FRESH, ids=lambda page: page.stem)
def test_the_commands_work_on_a_cluster_that_has_nothing(
    page: Path, empty_cluster: ControlPlane, tmp_path: Path
) -> None:
    with checkout_of(empty_cluster, tmp_path) as checkout:
        assert run_all(blocks(page, "sh"), checkout, empty_cluster)
    for obj in render(CLOUD_CONTROLLER).of("Deployment"):
        name = obj["metadata"]["name"]
        empty_cluster.kubectl("-n", "kube-system", "get", "deployment", name)


@pytest.fixture(scope="module")
def lived_in(cluster: ControlPlane) -> ControlPlane:
    """Start a cluster that has a node."""
    cluster.start_controllers()
    nodes = cluster.api.resource("v1", "nodes", namespaced=False)
    nodes.create({"metadata": {"name": "node-1"}})
    return cluster


@pytest.mark.parametrize("page", INSTALLED, ids=lambda page: page.stem)
def test_the_commands_of_each_section_work_where_both_operators_are_installed(
    page: Path, lived_in: ControlPlane, tmp_path: Path
) -> None:
    found = [runnable(section) for section in sections(page).values()]
    assert any(found)
    with checkout_of(lived_in, tmp_path) as checkout:
        for section in filter(None, found):
            installed.apply(lived_in, Moved(text(BOTH), {}))
            run_all(section, checkout, lived_in)


def runnable(found: Iterable[Block]) -> list[Block]:
    """Return the blocks that can be run here."""
    return [block for block in found if runner(block) == HERE]


def run_all(found: Iterable[Block], checkout: Path, cluster: ControlPlane) -> int:
    """Run what can be run; return how many blocks that were."""
    ready = runnable(found)
    for block in ready:
        run(block.code, checkout, cluster.kubeconfig)
    return len(ready)
