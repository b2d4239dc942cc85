"""Resources on real clusters, brought there by hooks under gunicorn and Metacontroller."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hooks.names import FIELD_MANAGER, LABEL_APPLYSET_PART_OF
from hooks.targetclusters.inventory import Inventory
from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object, Resource
from tests.e2e import targets
from tests.e2e.targets import NAMESPACE, TargetPlatform, add_node, kubeconfig_of, says, source

QUICK = {"enabled": True, "syncInterval": "2s"}
MANY = 300


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("synced", audit=True) as running:
        add_node(running, "worker-1")
        yield running


@pytest.fixture
def platform(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path
) -> Iterator[TargetPlatform]:
    with targets.running(control_plane, tmp_path) as running:
        running.put_secret("target", kubeconfig_of(target))
        yield running


def config_maps(cluster: Cluster) -> Resource:
    return cluster.api.resource("v1", "configmaps")


def on_target(target: Cluster, namespace: str = NAMESPACE) -> dict[str, Object]:
    """Return the ConfigMaps of ours on a target."""
    found = config_maps(target).list(namespace, labels=LABEL_APPLYSET_PART_OF)
    return {obj["metadata"]["name"]: obj for obj in found}


def recorded(platform: TargetPlatform, name: str) -> set[str]:
    """Return the names that the inventory of a TargetCluster holds."""
    found = platform.config_maps.find(f"{name}-inventory", NAMESPACE)
    inventory = Inventory.from_config_maps([found] if found else [])
    return {key.name for key in inventory.by_key}


def add_many(platform: TargetPlatform, number: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        bodies = [source(f"many-{i:03}", number=str(i)) for i in range(number)]
        list(pool.map(platform.config_maps.create, bodies))


def remove_many(platform: TargetPlatform, numbers: range) -> None:
    def remove(number: int) -> None:
        platform.config_maps.delete(f"many-{number:03}", NAMESPACE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remove, numbers))


def writes_of_ours(target: Cluster) -> int:
    """Count what the target's audit log says that the operator wrote."""
    return sum(entry.get("userAgent") == FIELD_MANAGER for entry in target.audited())


@pytest.mark.timeout(240)
def test_300_objects_come_and_go_although_the_operator_is_killed_again_and_again(
    platform: TargetPlatform, target: Cluster
) -> None:
    add_many(platform, MANY)
    platform.make("many", resourceSyncPolicy={"enabled": True})
    for reached in (1, MANY // 3, MANY * 2 // 3):
        until_there(target, range(reached, MANY + 1))
        kill(platform, target, "many")
    until_synced(platform, "many", MANY)
    assert set(on_target(target)) == {f"many-{i:03}" for i in range(MANY)}
    kept = MANY // 2
    remove_many(platform, range(kept, MANY))
    until_there(target, range(MANY))
    kill(platform, target, "many")
    until_synced(platform, "many", kept)
    assert set(on_target(target)) == {f"many-{i:03}" for i in range(kept)}
    change(platform, "many", deletionPolicy="Delete")
    platform.clusters.delete("many", NAMESPACE)
    until_there(target, range(kept))
    kill(platform, target, "many")
    platform.until_gone("many", within=60)
    assert on_target(target) == {}


def until_there(target: Cluster, numbers: range) -> None:
    """Wait until the objects of ours on a target are of these numbers."""
    polling.until(
        lambda: len(on_target(target)) in numbers,
        f"there are {numbers} objects",
        within=60,
        every=0.01,
    )


def until_synced(platform: TargetPlatform, name: str, number: int) -> None:
    """Wait until so many objects are on the target, and no other of ours."""

    def synced(cluster: Object) -> bool:
        sync = cluster["status"].get("sync", {})
        return says(cluster, "ResourcesSynced") == "True Synced" and sync["objects"] == number

    platform.until(name, synced, within=60)


def kill(platform: TargetPlatform, target: Cluster, name: str) -> None:
    """Kill the operator with -9, see that nothing is lost, and start it again."""
    platform.hooks.kill()
    assert set(on_target(target)) <= recorded(platform, name)
    platform.hooks.start()


def change(platform: TargetPlatform, name: str, **spec: Any) -> None:
    """Change a spec, and wait until the operator has seen it."""
    platform.change(name, **spec)
    platform.until(
        name,
        lambda c: c["status"]["probe"].get("observedGeneration") == c["metadata"]["generation"],
    )


def test_each_change_ends_as_the_policies_say(platform: TargetPlatform, target: Cluster) -> None:
    for name in ("changed", "deleted", "edited", "removed"):
        platform.config_maps.create(source(name))
    platform.make("mixed", resourceSyncPolicy=QUICK, deletionPolicy="Delete")
    platform.until_says("mixed", "ResourcesSynced", "True Synced")
    there = config_maps(target)
    there.create(
        {"metadata": {"name": "foreign", "namespace": NAMESPACE}, "data": {"colour": "green"}}
    )
    platform.config_maps.create(source("foreign"))
    platform.config_maps.patch("changed", {"data": {"colour": "blue"}}, NAMESPACE)
    platform.config_maps.delete("deleted", NAMESPACE)
    there.patch("edited", {"data": {"colour": "pink"}}, NAMESPACE)
    there.delete("removed", NAMESPACE)

    def colours() -> dict[str, str]:
        found = {obj["metadata"]["name"]: obj for obj in there.list(NAMESPACE)}
        names = ("changed", "deleted", "edited", "removed", "foreign")
        return {name: found[name]["data"]["colour"] for name in names if name in found}

    polling.until(
        lambda: (
            colours() == {"changed": "blue", "edited": "red", "removed": "red", "foreign": "green"}
        ),
        "each ends as the policies say",
        within=20,
    )
    cluster = platform.until_says("mixed", "ResourcesSynced", "False Conflict")
    [named] = cluster["status"]["sync"]["results"]
    assert (named["outcome"], named["object"]) == ("Conflict", f"ConfigMap {NAMESPACE}/foreign")
    platform.until_event("mixed", "ResourcesNotSynced")
    change(platform, "mixed", resourceSyncPolicy={"conflictPolicy": "Overwrite"})
    platform.until_says("mixed", "ResourcesSynced", "True Synced")
    assert colours()["foreign"] == "red"


def test_drift_is_reported_with_its_fields_and_left_alone(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.config_maps.create(source("reported"))
    policy = {**QUICK, "driftPolicy": "Report"}
    platform.make("reporting", resourceSyncPolicy=policy, deletionPolicy="Delete")
    platform.until_says("reporting", "ResourcesSynced", "True Synced")
    config_maps(target).patch("reported", {"data": {"colour": "pink"}}, NAMESPACE)
    cluster = platform.until_says("reporting", "ResourcesSynced", "False Drifted")
    [named] = cluster["status"]["sync"]["results"]
    assert named["outcome"] == "Drifted"
    assert any("colour" in field for field in named["fields"])
    assert on_target(target)["reported"]["data"] == {"colour": "pink"}


def test_an_invalid_object_is_named_and_the_others_arrive(
    platform: TargetPlatform, target: Cluster
) -> None:
    manifests = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": {"ports": 7}},
    ]
    data = {f"{number}.json": json.dumps(body) for number, body in enumerate(manifests)}
    platform.config_maps.create(
        {"metadata": {"name": "manifests", "namespace": NAMESPACE}, "data": data}
    )
    sources = [{"kind": "ConfigMap", "name": "manifests", "as": "Manifests"}]
    policy = {**QUICK, "sources": sources}
    platform.make("partly", resourceSyncPolicy=policy, deletionPolicy="Delete")
    cluster = platform.until_says("partly", "ResourcesSynced", "False Failed")
    [named] = cluster["status"]["sync"]["results"]
    assert named["outcome"] == "Failed"
    assert "bad" in named["object"]
    assert "good" in on_target(target)
    platform.config_maps.delete("manifests", NAMESPACE)


def test_a_stopped_cluster_comes_back_and_nothing_is_written_twice(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.config_maps.create(source("steady"))
    platform.make("steady", resourceSyncPolicy=QUICK, healthChecks={"timeout": "1s"})
    platform.until_says("steady", "ResourcesSynced", "True Synced")
    version = on_target(target)["steady"]["metadata"]["resourceVersion"]
    before = writes_of_ours(target)
    target.api_server.kill()
    try:
        platform.until_says("steady", "ResourcesSynced", "Unknown Unreachable")
    finally:
        target.start_api_server()
    platform.until_says("steady", "ResourcesSynced", "True Synced")
    assert on_target(target)["steady"]["metadata"]["resourceVersion"] == version
    assert writes_of_ours(target) == before


def until_probed(platform: TargetPlatform, name: str) -> None:
    """Wait until another probe has ended."""
    before = platform.clusters.get(name, NAMESPACE)["status"]["probe"]
    platform.until(name, lambda cluster: bool(cluster["status"]["probe"] != before))


def test_suspended_not_one_write_reaches_the_cluster(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.config_maps.create(source("held"))
    platform.make("held", resourceSyncPolicy=QUICK)
    platform.until_says("held", "ResourcesSynced", "True Synced")
    change(platform, "held", suspend=True)
    platform.until_says("held", "ResourcesSynced", "Unknown Suspended")
    before = writes_of_ours(target)
    assert before > 0
    config_maps(target).patch("held", {"data": {"colour": "pink"}}, NAMESPACE)
    platform.config_maps.create(source("new"))
    for _ in range(5):  # seconds, in which two rounds would be due
        until_probed(platform, "held")
    later = platform.clusters.get("held", NAMESPACE)
    assert says(later, "Ready") == "True Healthy"
    assert says(later, "ResourcesSynced") == "Unknown Suspended"
    assert writes_of_ours(target) == before
    change(platform, "held", suspend=False, deletionPolicy="Delete")
    platform.until(
        "held",
        lambda c: (
            c["status"]["sync"]["objects"] == 2 and says(c, "ResourcesSynced") == "True Synced"
        ),
    )


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        pytest.param("Orphan", {"ours", "foreign"}, id="orphan-leaves-all"),
        pytest.param("Delete", {"foreign"}, id="delete-removes-exactly-the-inventory"),
    ],
)
def test_what_stays_when_the_target_cluster_goes(
    platform: TargetPlatform, target: Cluster, policy: str, left: set[str]
) -> None:
    name = policy.lower()
    config_maps(target).create({"metadata": {"name": f"foreign-{name}", "namespace": NAMESPACE}})
    platform.config_maps.create(source(f"ours-{name}"))
    platform.make(name, resourceSyncPolicy=QUICK, deletionPolicy=policy)
    platform.until_says(name, "ResourcesSynced", "True Synced")
    platform.clusters.delete(name, NAMESPACE)
    platform.until_gone(name)
    there = {obj["metadata"]["name"] for obj in config_maps(target).list(NAMESPACE)}
    assert {n.partition("-")[0] for n in there if n.endswith(f"-{name}")} == left


def test_a_namespace_deleted_with_everything_in_it_does_not_hang(
    platform: TargetPlatform, target: Cluster
) -> None:
    namespace = platform.namespace("going")
    platform.put_secret("target", kubeconfig_of(target), namespace)
    platform.config_maps.create(source("left-behind", namespace))
    platform.make("going", namespace, resourceSyncPolicy=QUICK, deletionPolicy="Delete")
    platform.until(
        "going", lambda c: says(c, "ResourcesSynced") == "True Synced", namespace=namespace
    )
    namespaces = platform.plane.api.resource("v1", "namespaces", namespaced=False)
    namespaces.delete(namespace)
    polling.until(lambda: namespaces.find(namespace) is None, "the namespace is gone", within=40)


def test_a_cluster_that_is_dead_holds_its_deletion_no_longer_than_the_bound(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.config_maps.create(source("orphan"))
    platform.make(
        "dying",
        resourceSyncPolicy=QUICK,
        deletionPolicy="Delete",
        finalizeTimeout="3s",
        healthChecks={"timeout": "1s"},
    )
    platform.until_says("dying", "ResourcesSynced", "True Synced")
    target.api_server.kill()
    try:
        platform.clusters.delete("dying", NAMESPACE)
        platform.until_gone("dying", within=10)
        platform.until_event("dying", "ResourcesOrphaned")
    finally:
        target.start_api_server()
    assert "orphan" in on_target(target)
