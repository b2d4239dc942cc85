"""Two shards of the operator on one API server, by their guide: each looks after its own."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.names import CONTROLLER_FINALIZER
from simulator.server import Simulator
from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object
from tests.deploy.checkout import make_checkout
from tests.deploy.pods import secret_of_files
from tests.deploy.reader import Reader, move
from tests.documented.pages import sections
from tests.documented.runs import SHARDS
from tests.e2e.targets import GROUP_VERSION, NAMESPACE, add_node, kubeconfig_of, says
from tests.serving import write_cloud_config

pytestmark = pytest.mark.usefixtures("helm_program")

ITSELF = (NAMESPACE, "target-cluster-operator")
SHARD = (NAMESPACE, "target-cluster-operator-shard-a")
LABEL = {"targetcluster.example.com/shard": "a"}


@pytest.fixture
def reader(empty_cluster: ControlPlane, helm_program: Path, tmp_path: Path) -> Iterator[Reader]:
    """Lay out what the reader has."""
    folder = make_checkout(tmp_path / "checkout", empty_cluster)
    (folder / "bin" / "helm").symlink_to(helm_program)
    with Simulator() as simulator:
        write_cloud_config(folder / "cloud-config", simulator)
        yield Reader(empty_cluster, simulator, folder, guide=SHARDS)


@pytest.fixture
def target(empty_cluster: ControlPlane) -> Iterator[Cluster]:
    with empty_cluster.target_cluster("shop", audit=True) as running:
        add_node(running, "worker-1")
        for name in ("plain", "labelled"):
            running.kubectl("create", "namespace", name)
        yield running


def make(reader: Reader, name: str, labels: dict[str, str]) -> None:
    """Create a TargetCluster, and what it brings into the namespace of its name on the target."""
    reader.resource("v1", "configmaps").create(source(name, "1"))
    reader.resource(GROUP_VERSION, "targetclusters").create(
        {
            "apiVersion": GROUP_VERSION,
            "kind": "TargetCluster",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
            "spec": {
                "monitorInterval": "1s",
                "deletionPolicy": "Delete",
                "resourceSyncPolicy": {
                    "enabled": True,
                    "syncInterval": "1s",
                    "targetNamespace": name,
                    "sources": [{"kind": "ConfigMap", "name": name}],
                },
            },
        }
    )


def source(name: str, number: str) -> Object:
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "data": {"number": number}}


def until_brought(reader: Reader, target: Cluster, number: str) -> None:
    """Give both sources another number, and wait until it is on the target."""
    for name in ("plain", "labelled"):
        reader.resource("v1", "configmaps").patch(name, source(name, number), NAMESPACE)

    def brought() -> bool:
        found = target.api.resource("v1", "configmaps")
        there = [found.find(name, name) for name in ("plain", "labelled")]
        return all(each and each["data"] == {"number": number} for each in there)

    polling.until(brought, f"{number} is on the target")


def until_held_by(reader: Reader, **controllers: str) -> None:
    """Wait until each TargetCluster is well, and has the finalizer of its controller alone."""
    clusters = reader.resource(GROUP_VERSION, "targetclusters")

    def held() -> bool:
        found = {name: clusters.get(name, NAMESPACE) for name in controllers}
        return all(
            found[name]["metadata"].get("finalizers") == [CONTROLLER_FINALIZER + controller]
            and says(found[name], "Ready") == "True Healthy"
            for name, controller in controllers.items()
        )

    polling.until(held, f"each TargetCluster is held by its controller: {controllers}")


def writers(target: Cluster) -> dict[str, set[str]]:
    """Return who wrote into the namespaces on the target so far, and deletions by verb."""
    found = defaultdict(set)
    for entry in target.audited():
        namespace, verb = entry["objectRef"].get("namespace", ""), entry["verb"]
        if namespace in ("plain", "labelled") and entry["objectRef"]["resource"] == "configmaps":
            deleted = " deleted" if verb.startswith("delete") else ""
            found[namespace].add(entry["userAgent"] + deleted)
    return {
        name: {who for who in agents if who.startswith("ours-")} for name, agents in found.items()
    }


def test_two_shards_never_touch_each_others_clusters(reader: Reader, target: Cluster) -> None:
    files = reader.folder / "deploy" / "chart" / "files"
    for part in (slice(0, 1), slice(1, 2)):
        move(files)  # the pods share a machine
        reader.does("Add a shard", part)
    reader.cluster.start_controllers()
    file = reader.folder / "kubeconfig"
    file.write_text(kubeconfig_of(target))
    secret_of_files(reader.cluster, NAMESPACE, "target-cluster-kubeconfig", [file])
    with reader.running(ITSELF, OPERATOR_NAME="ours-itself"):
        with reader.running(SHARD, OPERATOR_NAME="ours-shard-a"):
            make(reader, "plain", {})
            make(reader, "labelled", LABEL)
            until_held_by(reader, plain="targetclusters", labelled="targetclusters-a")
            until_brought(reader, target, "2")
            assert writers(target) == {"plain": {"ours-itself"}, "labelled": {"ours-shard-a"}}
            reader.does("Choose its TargetClusters")
            until_held_by(reader, plain="targetclusters-a", labelled="targetclusters-a")
            until_brought(reader, target, "3")
            before = len(target.audited())
            until_brought(reader, target, "4")
            assert {
                entry["userAgent"]
                for entry in target.audited()[before:]
                if entry["userAgent"].startswith("ours-")
            } == {"ours-shard-a"}
            reader.does("Remove a shard", slice(0, 1))
            until_held_by(reader, plain="targetclusters", labelled="targetclusters")
        reader.does("Remove a shard", slice(1, None))
        until_brought(reader, target, "5")
        assert writers(target) == {
            "plain": {"ours-itself", "ours-shard-a"},
            "labelled": {"ours-itself", "ours-shard-a"},
        }


def test_every_section_of_the_guide_that_has_commands_is_followed_here() -> None:
    followed = set(re.findall(r'\.does\("(.+?)"', Path(__file__).read_text()))
    assert followed == {section for section, found in sections(SHARDS).items() if found}
