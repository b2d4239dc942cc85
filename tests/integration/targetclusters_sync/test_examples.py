"""The examples of syncing, as people apply them: Metacontroller, the hooks, a second API server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.names import LABEL_MEMBER_OF
from tests.controlplane import polling
from tests.controlplane.cluster import Cluster, ControlPlane
from tests.e2e import targets
from tests.e2e.targets import NAMESPACE, TargetPlatform, kubeconfig_of, says

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module", autouse=True)
def controllers(target: Cluster) -> None:
    """Start the controllers that finish the deletion of namespaces on the target."""
    target.start_controllers()


@pytest.fixture
def platform(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path
) -> Iterator[TargetPlatform]:
    """Run everything, with the Secret that the examples speak of; clear away what they applied."""
    with targets.running(control_plane, tmp_path) as running:
        running.put_secret("shop-kubeconfig", kubeconfig_of(target))
        yield running
        if running.clusters.find("shop", NAMESPACE):
            running.clusters.delete("shop", NAMESPACE)
        gone(running)
    for kind, name in (
        ("configmaps", "shop-settings"),
        ("configmaps", "shop-manifests"),
        ("secrets", "shop-login"),
    ):
        resource = control_plane.api.resource("v1", kind)
        if resource.find(name, NAMESPACE):
            resource.delete(name, NAMESPACE)
    for kind in ("configmaps", "secrets"):
        for obj in target.api.resource("v1", kind).list("shop"):
            target.api.resource("v1", kind).delete(obj["metadata"]["name"], "shop")


def start(platform: TargetPlatform, example: str) -> None:
    """Apply an example, and wait until its resources are on the target."""
    platform.plane.apply(EXAMPLES / example)
    platform.until_says("shop", "ResourcesSynced", "True Synced")


def gone(platform: TargetPlatform) -> None:
    """Wait until there is no TargetCluster of the examples any more."""
    polling.until(
        lambda: platform.clusters.find("shop", NAMESPACE) is None,
        "the TargetCluster is gone",
    )


def on_target(target: Cluster, name: str, plural: str = "configmaps") -> Any:
    return target.api.resource("v1", plural).find(name, "shop")


def test_config_maps_and_secrets_are_copied_and_follow_their_sources(
    platform: TargetPlatform, target: Cluster
) -> None:
    start(platform, "11-config-maps-synced")
    assert on_target(target, "shop-settings")["data"]["currency"] == "EUR"
    assert on_target(target, "shop-login", "secrets")["data"]["username"] == "c2hvcA=="
    assert on_target(target, "shop-kubeconfig", "secrets") is None
    inventory = platform.config_maps.get("shop-inventory", NAMESPACE)["data"]["entries.jsonl"]
    names = {json.loads(line)["name"] for line in inventory.splitlines()}
    assert names == {"shop-settings", "shop-login"}

    platform.clusters.patch("shop", {"spec": {"monitorInterval": "1s"}}, NAMESPACE)
    platform.config_maps.patch("shop-settings", {"data": {"currency": "USD"}}, NAMESPACE)
    polling.until(
        lambda: on_target(target, "shop-settings")["data"]["currency"] == "USD",
        "the copy follows",
    )
    platform.config_maps.delete("shop-settings", NAMESPACE)
    polling.until(lambda: not on_target(target, "shop-settings"), "the copy goes")
    assert on_target(target, "shop-login", "secrets")


def test_manifests_are_applied_and_go_with_the_target_cluster(
    platform: TargetPlatform, target: Cluster
) -> None:
    start(platform, "12-manifests-synced")
    deployments = target.api.resource("apps/v1", "deployments")
    assert deployments.get("web", "shop-web")["spec"]["replicas"] == 2
    assert target.api.resource("v1", "services").find("web", "shop-web")
    banners = target.api.resource("shop.example.com/v1", "banners")
    assert banners.get("night", "shop-web")["spec"] == {"text": "Open all night"}
    assert "web" in {one["metadata"]["name"] for one in deployments.list(labels=LABEL_MEMBER_OF)}

    platform.clusters.delete("shop", NAMESPACE)
    gone(platform)
    assert deployments.find("web", "shop-web") is None
    assert target.api.resource("v1", "namespaces").find("shop-web") is None
    crds = target.api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
    assert crds.find("banners.shop.example.com") is None


def test_drift_is_reported_as_the_readme_shows_it_and_left_alone(
    platform: TargetPlatform, target: Cluster
) -> None:
    start(platform, "13-drift-reported")
    platform.clusters.patch(
        "shop", {"spec": {"resourceSyncPolicy": {"syncInterval": "1s"}}}, NAMESPACE
    )
    edit = {"data": {"currency": "USD"}}
    target.api.resource("v1", "configmaps").patch("shop-settings", edit, "shop")
    platform.until_says("shop", "ResourcesSynced", "False Drifted")

    def told(cluster: Json) -> bool:
        return bool(cluster["status"]["sync"]["results"] == shown("13-drift-reported"))

    cluster = platform.until("shop", told)
    assert on_target(target, "shop-settings")["data"]["currency"] == "USD"
    assert says(cluster, "ResourcesSynced") == "False Drifted"

    correct = {"spec": {"resourceSyncPolicy": {"driftPolicy": "Correct"}}}
    platform.clusters.patch("shop", correct, NAMESPACE)
    platform.until_says("shop", "ResourcesSynced", "True Synced")
    assert on_target(target, "shop-settings")["data"]["currency"] == "EUR"


def shown(example: str) -> object:
    """Read what an example's README shows as JSON."""
    (block,) = re.findall(
        r"```json\n(.*?)```", (EXAMPLES / example / "README.md").read_text(), re.S
    )
    return json.loads(block)
