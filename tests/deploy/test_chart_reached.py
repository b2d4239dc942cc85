"""What the chart opens: metrics for a Prometheus without the Operator, and the status page."""

from pathlib import Path

import pytest
import requests

from tests.controlplane import ControlPlane
from tests.deploy.charts import CLOUD, deployment, of_chart, values
from tests.deploy.pods import Pod, moved, secret_of_files
from tests.deploy.rendering import container, environment
from tests.serving import LOOPBACK
from tools import helm

pytestmark = pytest.mark.usefixtures("control_plane_binaries", "helm_program")


def test_a_prometheus_without_the_operator_is_told_where_the_metrics_are(tmp_path: Path) -> None:
    flat = {f"{CLOUD}.scrapeAnnotations": True, f"{CLOUD}.podAnnotations": {"team": "platform"}}
    template = deployment(of_chart(*values(tmp_path, flat)), "cloudstack-cloud-controller")
    pod = template["spec"]["template"]
    hooks = container(pod["spec"], "hooks")
    [port] = [one["containerPort"] for one in hooks["ports"] if one["name"] == "metrics"]
    said = pod["metadata"]["annotations"]
    assert (said["prometheus.io/scrape"], said["prometheus.io/port"]) == ("true", str(port))
    assert said["team"] == "platform"
    variables = environment(hooks)
    assert (variables["METRICS_BIND"], variables["METRICS_PORT"]) == ("0.0.0.0", str(port))


def test_the_status_page_asks_for_the_token_of_its_secret(
    empty_cluster: ControlPlane, tmp_path: Path
) -> None:
    flat = {"statusPage.enabled": True, "statusPage.tokenSecret": "page-token"}
    text = helm.template(*values(tmp_path, flat), "--skip-tests", crds=False)
    manifests = moved(text)
    [page] = [
        one
        for one in manifests.rendered.of("Deployment")
        if one["metadata"]["name"] == "cloudstack-status-page"
    ]
    [account] = [
        one
        for one in manifests.rendered.of("ServiceAccount")
        if one["metadata"]["name"] == "cloudstack-status-page"
    ]
    empty_cluster.api.resource("v1", "serviceaccounts").create(account)
    token = tmp_path / "token"
    token.write_text("TOKEN-1")
    secret_of_files(empty_cluster, "kube-system", "page-token", [token])
    pod = Pod(empty_cluster, page, tmp_path / "pod", settings={"METRICS_BIND": "127.0.0.1"})
    with pod.running():
        url = f"http://{LOOPBACK}:{manifests.ports[8080]}/status.json"
        assert requests.get(url, timeout=30).status_code == 401
        bearer = {"Authorization": "Bearer TOKEN-1"}
        assert requests.get(url, headers=bearer, timeout=30).status_code == 200
