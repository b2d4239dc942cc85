"""The manifests on a real API server: they are taken, twice without a change, and admitted."""

import copy
import json
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.api import ApiError, Object
from tests.deploy import installed
from tests.deploy.pods import Moved
from tests.deploy.rendering import (
    CLOUD_CONTROLLER,
    DEPLOY,
    ONE_FILE,
    OPERATORS,
    TARGET_CLUSTER_OPERATOR,
    composed,
    container,
    render,
    text,
)
from tools.manifests import COMBINATIONS

ALONE = DEPLOY / "overlays" / "target-cluster-operator-alone"
QUICK_START = DEPLOY / "overlays" / "quick-start"
RESTRICTED = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def applied(cluster: ControlPlane) -> ControlPlane:
    """Apply both operators; the cloud controller brings what the other one's controller needs."""
    for folder in OPERATORS:
        installed.apply(cluster, Moved(text(folder), {}))
    return cluster


def versions(cluster: ControlPlane) -> dict[str, str]:
    """Return the resourceVersion of every object that was applied."""
    found: dict[str, str] = {}
    for folder in OPERATORS:
        objects = json.loads(cluster.kubectl("get", "-k", folder, "-o", "json"))["items"]
        assert len(objects) == len(render(folder).objects)
        found |= {obj["metadata"]["uid"]: obj["metadata"]["resourceVersion"] for obj in objects}
    return found


def test_applying_twice_changes_nothing(applied: ControlPlane) -> None:
    before = versions(applied)
    for folder in OPERATORS:
        said = applied.kubectl("apply", "-k", folder).splitlines()
        assert [line for line in said if not line.endswith(" unchanged")] == []
    assert versions(applied) == before


def test_applying_twice_as_flux_and_argo_cd_do_changes_nothing(applied: ControlPlane) -> None:
    """Both apply on the server's side, under names of their own, and again every few minutes."""
    for manager in ("kustomize-controller", "argocd-controller"):
        apply = ("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "-k")
        for folder in OPERATORS:
            applied.kubectl(*apply, folder)
        before = versions(applied)
        for folder in OPERATORS:
            applied.kubectl(*apply, folder)
        assert versions(applied) == before, manager


@pytest.mark.parametrize("folder", OPERATORS, ids=lambda folder: folder.name)
def test_nothing_is_said_that_the_api_server_does_not_know(
    applied: ControlPlane, folder: Path
) -> None:
    applied.kubectl("apply", "--validate=strict", "--dry-run=server", "-k", folder)


def admit(cluster: ControlPlane, namespace: str, spec: Object) -> None:
    """Have a pod judged by admission, as if it were to be created."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = {"metadata": {"name": "judged"}, "spec": spec}
    cluster.api.call("POST", path, pod, params={"dryRun": "All"})


@pytest.mark.parametrize("folder", [TARGET_CLUSTER_OPERATOR, ALONE], ids=lambda one: one.name)
def test_the_target_cluster_operators_pod_is_admitted_as_restricted(
    applied: ControlPlane, folder: Path
) -> None:
    rendered = render(folder)
    namespace = rendered.one("Namespace", "target-cluster-system")
    assert namespace["metadata"]["labels"][RESTRICTED] == "restricted"
    admit(applied, "target-cluster-system", rendered.pod())
    # The judge is awake.
    open_pod = copy.deepcopy(rendered.pod())
    del container(open_pod, "hooks")["securityContext"]["capabilities"]
    with pytest.raises(ApiError, match="unrestricted capabilities"):
        admit(applied, "target-cluster-system", open_pod)


def test_with_the_clusters_metacontroller_the_cloud_controllers_pod_is_restricted(
    applied: ControlPlane, tmp_path: Path
) -> None:
    combination = COMBINATIONS["the cloud controller with the cluster's"]
    spec = render(composed(tmp_path, CLOUD_CONTROLLER, *combination.components)).pod()
    # Its priority is for kube-system alone, which is not what is judged here.
    admit(applied, "target-cluster-system", {**spec, "priorityClassName": ""})


@pytest.mark.parametrize(
    "folder", [CLOUD_CONTROLLER, ONE_FILE, QUICK_START], ids=lambda one: one.name
)
def test_only_the_hosts_network_keeps_the_cloud_controllers_pod_from_being_restricted(
    applied: ControlPlane, folder: Path
) -> None:
    spec = copy.deepcopy(render(folder).pod())
    admit(applied, "kube-system", spec)
    with pytest.raises(ApiError, match="host namespaces") as refused:
        admit(applied, "target-cluster-system", spec)
    reasons = refused.value.message
    assert "hostPort" in reasons
    spec["hostNetwork"] = False
    spec.pop("priorityClassName")
    for each in spec["containers"]:
        for probe in {"startupProbe", "livenessProbe", "readinessProbe"} & set(each):
            each[probe]["httpGet"].pop("host")
    admit(applied, "target-cluster-system", spec)
