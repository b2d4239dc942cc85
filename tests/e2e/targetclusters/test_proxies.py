"""A real cluster behind a real proxy, reached only where the operator's setting allows that."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.controlplane import Cluster, ControlPlane
from tests.e2e import targets
from tests.e2e.targets import NAMESPACE, add_node, condition, kubeconfig_of, source
from tests.unit.http.proxies import proxying


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("proxied") as running:
        add_node(running, "worker-1")
        yield running


def behind(target: Cluster, proxy: str) -> str:
    """Return the target's kubeconfig with a proxy in it."""
    config = json.loads(kubeconfig_of(target))
    config["clusters"][0]["cluster"]["proxy-url"] = proxy
    return json.dumps(config)


def test_a_cluster_behind_a_proxy_that_is_allowed_is_watched_and_synced(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path
) -> None:
    with (
        proxying() as proxy,
        targets.running(
            control_plane, tmp_path, TARGET_CLUSTER_ALLOWED_PROXIES="127.0.0.1"
        ) as platform,
    ):
        platform.put_secret("target", behind(target, proxy.url))
        platform.config_maps.create(source("through"))
        platform.make("proxied", resourceSyncPolicy={"enabled": True})
        platform.until_says("proxied", "Ready", "True Healthy")
        platform.until_says("proxied", "ResourcesSynced", "True Synced")
        assert target.api.resource("v1", "configmaps").get("through", NAMESPACE)
        assert set(proxy.requests) == {f"CONNECT {urlsplit(target.url).netloc}"}


def test_a_proxy_that_no_setting_allows_is_not_asked(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path
) -> None:
    with proxying() as proxy, targets.running(control_plane, tmp_path) as platform:
        platform.put_secret("target", behind(target, proxy.url))
        platform.make("proxied")
        cluster = platform.until_says("proxied", "CredentialsValid", "False ProxyRefused")
        assert f"proxy-url: is '{proxy.url}'" in condition(cluster, "CredentialsValid")["message"]
        platform.until_says("proxied", "Stalled", "True ProxyRefused")
        assert proxy.requests == []
