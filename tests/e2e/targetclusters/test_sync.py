"""Resources on real clusters, synced by hooks under gunicorn and Metacontroller."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hooks.names import FIELD_MANAGER, LABEL_MEMBER_OF, LABEL_SYNC
from hooks.targetclusters.sync.plan.inventory import Inventory
from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object, Resource
from tests.e2e.targets import NAMESPACE, TargetPlatform, add_node, kubeconfig_of, says, source

QUICK = {"enabled": True, "syncInterval": "2s"}
MANY = 300


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("synced", audit=True) as running:
        add_node(running, "worker-1")
        yield running


def config_maps(cluster: Cluster) -> Resource:
    return cluster.api.resource("v1", "configmaps")


def on_target(target: Cluster, namespace: str = NAMESPACE) -> dict[str, Object]:
    """Return the ConfigMaps of ours on a target."""
    found = config_maps(target).list(namespace, labels=LABEL_MEMBER_OF)
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
    """Count the operator's writes in the target's audit log; a review only asks who we are."""
    return sum(
        entry.get("userAgent") == FIELD_MANAGER
        and entry["objectRef"]["resource"] != "selfsubjectreviews"
        for entry in target.audited()
    )


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
    platform.until_gone("many")
    assert on_target(target) == {}


def until_there(target: Cluster, numbers: range) -> None:
    """Wait until the objects of ours on a target are of these numbers."""
    polling.until(
        lambda: len(on_target(target)) in numbers,
        f"there are {numbers} objects",
        every=0.01,
    )


def until_synced(platform: TargetPlatform, name: str, number: int) -> None:
    """Wait until so many objects are on the target, and no other of ours."""

    def synced(cluster: Object) -> bool:
        sync = cluster.get("status", {}).get("sync", {})
        return says(cluster, "ResourcesSynced") == "True Synced" and sync["objects"] == number

    platform.until(name, synced)


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


def manifests(**bodies: Object) -> Object:
    """Return a ConfigMap that holds manifests."""
    data = {f"{key}.json": json.dumps(body) for key, body in bodies.items()}
    return {"metadata": {"name": "manifests", "namespace": NAMESPACE}, "data": data}


GOOD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good"}}
BAD = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": {"ports": 7}}


#: What is changed, and what each number is in the end; that of many-001 goes with its source.
ENDED = {"foreign": "F", "many-000": "changed", "many-002": "2", "many-003": "3"}
TOUCHED = {*ENDED, "many-001"}


def bring_300_and_manifests(platform: TargetPlatform) -> None:
    add_many(platform, MANY)
    platform.config_maps.create(manifests(good=GOOD))
    labelled = {"kind": "ConfigMap", "selector": {"matchLabels": {LABEL_SYNC: "true"}}}
    described = {"kind": "ConfigMap", "name": "manifests", "as": "Manifests"}
    platform.make("mixed", resourceSyncPolicy={**QUICK, "sources": [labelled, described]})
    until_synced(platform, "mixed", MANY + 1)


def change_on_both_sides(platform: TargetPlatform, there: Resource) -> None:
    foreign = {"metadata": {"name": "foreign", "namespace": NAMESPACE}, "data": {"number": "F"}}
    there.create(foreign)
    platform.config_maps.create(source("foreign", number="ours"))
    platform.config_maps.patch("many-000", {"data": {"number": "changed"}}, NAMESPACE)
    platform.config_maps.delete("many-001", NAMESPACE)
    there.patch("many-002", {"data": {"number": "edited"}}, NAMESPACE)
    there.delete("many-003", NAMESPACE)
    platform.config_maps.patch("manifests", manifests(good=GOOD, bad=BAD), NAMESPACE)


@pytest.mark.timeout(240)
def test_each_of_300_objects_ends_as_the_policies_say(
    platform: TargetPlatform, target: Cluster
) -> None:
    there = config_maps(target)

    def numbers() -> dict[str, str]:
        found = {obj["metadata"]["name"]: obj for obj in there.list(NAMESPACE)}
        return {name: found[name]["data"]["number"] for name in TOUCHED & found.keys()}

    bring_300_and_manifests(platform)
    before = untouched(target)
    change_on_both_sides(platform, there)
    polling.until(lambda: numbers() == ENDED, "each ends as the policies say")
    wanted = {
        ("Failed", f"Service {NAMESPACE}/bad"),
        ("Conflict", f"ConfigMap {NAMESPACE}/foreign"),
    }
    platform.until("mixed", lambda cluster: in_trouble(cluster) == wanted)
    platform.until_event("mixed", "ResourcesNotSynced")
    assert len(before) == MANY + 1 - 4
    assert untouched(target) == before
    assert set(on_target(target)) <= recorded(platform, "mixed")
    change(platform, "mixed", resourceSyncPolicy={"conflictPolicy": "Overwrite"})
    polling.until(lambda: numbers()["foreign"] == "ours", "the foreign object is taken over")
    change(platform, "mixed", deletionPolicy="Delete")
    platform.clusters.delete("mixed", NAMESPACE)
    platform.until_gone("mixed")
    platform.config_maps.delete("manifests", NAMESPACE)


def untouched(target: Cluster) -> dict[str, str]:
    """Return the versions of the objects that nothing was changed about."""
    return {
        name: obj["metadata"]["resourceVersion"]
        for name, obj in on_target(target).items()
        if name not in TOUCHED
    }


def in_trouble(cluster: Object) -> set[tuple[str, str]]:
    """Return the outcomes that a status names, each with its object."""
    results = cluster["status"].get("sync", {}).get("results", [])
    return {(result["outcome"], result["object"]) for result in results}


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
    polling.until(lambda: namespaces.find(namespace) is None, "the namespace is gone")


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
        platform.until_gone("dying")
        platform.until_event("dying", "ResourcesOrphaned")
    finally:
        target.start_api_server()
    assert "orphan" in on_target(target)
