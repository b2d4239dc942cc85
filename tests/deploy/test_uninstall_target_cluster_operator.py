"""Both ways to take the target-cluster-operator away, in the right order and in the wrong one.

Each test has nothing left in the end, and the next one goes on with the same API servers.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object
from tests.deploy import installed
from tests.deploy.checkout import run_block
from tests.deploy.pods import Moved, moved
from tests.deploy.rendering import text
from tests.deploy.watched import ALONE, Watched, supply
from tests.documented.runs import GUIDES
from tests.e2e.targets import NAMESPACE, add_node


@pytest.fixture(scope="module")
def target(cluster: ControlPlane) -> Iterator[Cluster]:
    with cluster.target_cluster("shop") as running:
        add_node(running, "worker-1")
        yield running


@pytest.fixture
def watched(cluster: ControlPlane, target: Cluster, tmp_path: Path) -> Iterator[Watched]:
    yield Watched(cluster, target, tmp_path)
    target.api.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/configmaps")


@pytest.fixture
def manifests(watched: Watched) -> Moved:
    """Install the operator."""
    assert not left(watched)
    found = moved(text(ALONE))
    installed.apply(watched.cluster, found)
    watched.cluster.start_controllers()
    return found


def delete(watched: Watched, manifests: Moved) -> None:
    """Delete what was applied; what holds back is not waited for."""
    arguments = ["--ignore-not-found", "--wait=false", "-f", "-"]
    watched.cluster.kubectl("delete", *arguments, stdin=manifests.text)


def left(watched: Watched) -> list[str]:
    """Name what is left of the operator, as far as it can hold anything back."""
    api = watched.cluster.api
    crds = api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
    namespaces = api.resource("v1", "namespaces", namespaced=False)
    found = [obj["metadata"]["name"] for obj in [*crds.list(), *namespaces.list()]]
    return [name for name in found if name == NAMESPACE or name.endswith(".example.com")]


def until_nothing_is_left(watched: Watched) -> None:
    polling.until(lambda: not left(watched), "nothing is left")


def without_finalizers(watched: Watched) -> None:
    """Let the TargetClusters go by the guide's own command."""
    checkout = watched.folder / "checkout"
    run_block("patch targetcluster ", GUIDES / "uninstall.md", checkout, watched.cluster)


def same(one: Object | None, other: Object | None) -> bool:
    """Tell whether two are the same object, as it was."""
    return bool(one and other) and one == other


def let_go(watched: Watched) -> None:
    """Delete the TargetCluster while the operator runs; what it brought goes too."""
    watched.clusters.delete("shop", NAMESPACE)
    polling.until(lambda: not watched.clusters.list(), "the TargetCluster goes")
    assert watched.copy() is None


def test_what_was_brought_goes_where_the_target_clusters_go_first(
    watched: Watched, manifests: Moved
) -> None:
    with watched.pod(manifests).running():
        supply(watched)
        watched.until_ready()
        assert watched.copy()
        let_go(watched)
    delete(watched, manifests)
    until_nothing_is_left(watched)


def test_what_was_brought_stays_where_the_operator_stops_first(
    watched: Watched, manifests: Moved
) -> None:
    with watched.pod(manifests).running():
        supply(watched)
        watched.until_ready()
    brought = watched.copy()
    without_finalizers(watched)
    delete(watched, manifests)
    until_nothing_is_left(watched)
    assert same(watched.copy(), brought)
    # Installed again, it takes up what is there.
    installed.apply(watched.cluster, manifests)
    watched.cluster.start_controllers()
    with watched.pod(manifests).running():
        supply(watched)
        watched.until_ready()
        found = watched.copy()
        assert found
        assert brought
        assert found["metadata"]["uid"] == brought["metadata"]["uid"]
        let_go(watched)
    delete(watched, manifests)
    until_nothing_is_left(watched)


def test_the_wrong_order_is_put_right_as_the_guide_says(watched: Watched, manifests: Moved) -> None:
    with watched.pod(manifests).running():
        supply(watched)
        watched.until_ready()
    brought = watched.copy()
    # The pod is gone, and only then everything that was applied, with all TargetClusters.
    delete(watched, manifests)
    polling.until(lambda: watched.shop()["metadata"].get("deletionTimestamp"), "it is held")
    assert left(watched)
    without_finalizers(watched)
    until_nothing_is_left(watched)
    assert same(watched.copy(), brought)
    assert brought
    assert "targetcluster.example.com/member-of" in brought["metadata"]["labels"]
