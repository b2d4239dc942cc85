"""Each variable of the target-cluster-operator does what it says, and a bad value is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.processes import ProcessEndedError
from tests.e2e import targets
from tests.e2e.targets import NAMESPACE, TargetHooks, add_node, kubeconfig_of, says


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("set", audit=True) as running:
        add_node(running, "worker-1")
        yield running


@pytest.mark.parametrize(
    ("watched", "looked_after"),
    [
        pytest.param("", {NAMESPACE, "other-1", "other-2"}, id="empty-is-all"),
        pytest.param("other-1", {"other-1"}, id="one"),
        pytest.param("other-1, other-2", {"other-1", "other-2"}, id="several"),
        pytest.param(None, {"other-2"}, id="left-out-is-its-own"),
    ],
)
def test_watch_namespace_says_where(
    control_plane: ControlPlane,
    target: Cluster,
    tmp_path: Path,
    watched: str | None,
    looked_after: set[str],
) -> None:
    settings = {"POD_NAMESPACE": "other-2"}
    if watched is not None:
        settings["WATCH_NAMESPACE"] = watched
    with targets.running(control_plane, tmp_path, **settings) as platform:
        for namespace in (NAMESPACE, "other-1", "other-2"):
            platform.namespace(namespace)
            platform.put_secret("target", kubeconfig_of(target), namespace)
            platform.make("everywhere", namespace)
        for namespace in sorted(looked_after):
            platform.until(
                "everywhere", lambda c: says(c, "Ready") == "True Healthy", namespace=namespace
            )
        for namespace in sorted({NAMESPACE, "other-1", "other-2"} - looked_after):
            cluster = platform.until(
                "everywhere",
                lambda c: "observedGeneration" in c.get("status", {}),
                namespace=namespace,
            )
            assert set(cluster["status"]) == {"observedGeneration"}
            platform.clusters.delete("everywhere", namespace)
            platform.until_gone("everywhere", namespace)


def test_the_default_secret_is_the_one_that_the_setting_names(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path
) -> None:
    settings = {"TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET": "the-default"}
    with targets.running(control_plane, tmp_path, **settings) as platform:
        platform.put_secret("the-default", kubeconfig_of(target))
        platform.make("defaulted", kubeconfigSecret=None)
        platform.until_says("defaulted", "Ready", "True Healthy")


def test_pod_and_operator_sign_what_they_do(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path
) -> None:
    settings = {"OPERATOR_NAME": "my-operator", "POD_NAME": "my-pod"}
    with targets.running(control_plane, tmp_path, **settings) as platform:
        platform.put_secret("target", kubeconfig_of(target))
        platform.make("signed", resourceSyncPolicy={"enabled": True})
        platform.config_maps.create(targets.source("signed"))
        platform.until_says("signed", "ResourcesSynced", "True Synced")
        event = platform.until_event("signed", "ClusterReady")
        assert event["source"] == {"component": "my-operator", "host": "my-pod"}
        assert (event["reportingComponent"], event["reportingInstance"]) == (
            "my-operator",
            "my-pod",
        )
        agents = {entry.get("userAgent") for entry in target.audited()}
        assert "my-operator" in agents


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        pytest.param("debug", {"debug", "info", "warn"}, id="debug"),
        pytest.param("info", {"info", "warn"}, id="info"),
        pytest.param("warn", {"warn"}, id="warn"),
        pytest.param("error", set(), id="error"),
    ],
)
def test_the_log_tells_what_its_level_asks_for(
    control_plane: ControlPlane, target: Cluster, tmp_path: Path, level: str, levels: set[str]
) -> None:
    with targets.running(control_plane, tmp_path, LOG_LEVEL=level) as platform:
        platform.put_secret("target", kubeconfig_of(target))
        platform.make("good")
        platform.make("bad", kubeconfigSecret="nowhere")
        platform.until_says("good", "Ready", "True Healthy")
        platform.until_says("bad", "Ready", "False SecretNotFound")
        logged = {
            line["level"]
            for line in platform.hooks.log()
            if line["logger"] == "hooks.targetclusters"
        }
        assert logged == levels


def test_every_bad_value_is_named_at_the_start(control_plane: ControlPlane, tmp_path: Path) -> None:
    bad = {
        "WATCH_NAMESPACE": "good,Bad_one",
        "POD_NAME": "two words",
        "OPERATOR_NAME": "a/b",
        "TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET": "../secret",
        "LOG_LEVEL": "loud",
        "METRICS_PORT": "65536",
    }
    hooks = TargetHooks(control_plane, tmp_path, **bad)
    hooks.process.start()
    with pytest.raises(ProcessEndedError, match="ended with 2"):
        polling.until(hooks.is_ready, "the process ends")
    problems = {line["problem"].partition(": ")[0]: line["problem"] for line in hooks.log()}
    assert problems.keys() == bad.keys()
    for variable, value in bad.items():
        assert value.rpartition(",")[2] in problems[variable]
