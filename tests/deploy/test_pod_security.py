"""Which level of Pod Security each pod needs: a real API server admits it there and no further."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.cluster import KubectlError
from tests.deploy.charts import CLOUD, OPERATOR, deployment, of_chart, values
from tests.deploy.rendering import read
from tests.documented.runs import GUIDES
from tools import helm

pytestmark = pytest.mark.usefixtures("control_plane_binaries", "helm_program")

LEVELS = ("privileged", "baseline", "restricted")
CLUSTERS = {f"{CLOUD}.metacontroller": "cluster"}
WITH_OPERATOR = {f"{OPERATOR}.enabled": True}
#: Values, the Deployment, and the strictest level that it fits.
PODS: dict[str, tuple[dict[str, Any], str, str]] = {
    "the cloud controller": ({}, "cloudstack-cloud-controller", "privileged"),
    "with the cluster's Metacontroller": (CLUSTERS, "cloudstack-cloud-controller", "restricted"),
    "with TLS": (
        {**CLUSTERS, f"{CLOUD}.tls": "mutual"},
        "cloudstack-cloud-controller",
        "restricted",
    ),
    "the target-cluster-operator": (WITH_OPERATOR, "target-cluster-operator", "restricted"),
    "with its own Metacontroller": (
        {**WITH_OPERATOR, f"{OPERATOR}.metacontroller": "own"},
        "target-cluster-operator",
        "restricted",
    ),
    "the status page": ({"statusPage.enabled": True}, "cloudstack-status-page", "restricted"),
}


@pytest.fixture(scope="module")
def levels(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """Make a namespace for each level."""
    for level in LEVELS:
        labels = {"pod-security.kubernetes.io/enforce": level}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": level}}
        namespace["metadata"]["labels"] = labels  # type: ignore[index]
        cluster.apply(yaml.safe_dump(namespace))
        cluster.kubectl("-n", level, "create", "serviceaccount", "pod")
    yield cluster
    cluster.kubectl("delete", "namespace", *LEVELS, "--wait=false")


def strictest(cluster: ControlPlane, spec: Object) -> tuple[str, str]:
    """Return the strictest level that admits a pod, and why the next refuses it."""
    admitted, why = "", ""
    for level in LEVELS:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": level},
            "spec": {**spec, "serviceAccountName": "pod", "priorityClassName": ""},
        }
        try:
            cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
        except KubectlError as error:
            why = why or str(error)
        else:
            admitted = level
    return admitted, why


@pytest.mark.parametrize("name", PODS)
def test_a_pod_fits_the_level_that_the_guide_names(
    levels: ControlPlane, tmp_path: Path, name: str
) -> None:
    flat, of, level = PODS[name]
    spec = deployment(of_chart(*values(tmp_path, flat)), of)["spec"]["template"]["spec"]
    admitted, why = strictest(levels, spec)
    assert (admitted, "host namespaces" in why) == (level, level == "privileged"), why


def test_the_pod_of_helm_test_is_restricted(levels: ControlPlane) -> None:
    [pod] = read(helm.template(crds=False)).of("Pod")
    assert strictest(levels, pod["spec"])[0] == "restricted"


def test_the_guide_says_so() -> None:
    table = (GUIDES / "pod-security.md").read_text()
    said = dict(re.findall(r"^\| (.*?) \| `(\w+)`", table, re.MULTILINE))
    assert said == {
        "the cloud controller": "privileged",
        "the cloud controller with the cluster's Metacontroller": "restricted",
        "the target-cluster-operator, in any mode": "restricted",
        "the status page, and the pod of `helm test`": "restricted",
    }
