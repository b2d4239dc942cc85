"""What the values lay over the chart's objects, and that a real API server takes all of it."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.deploy.charts import CI, CLOUD, OF_A_RELEASE, OPERATOR, deployment, of_chart, values
from tests.deploy.rendering import CLOUD_CONTROLLER, container, read, render
from tests.documented.pages import blocks
from tests.documented.runs import GUIDES
from tools import helm
from tools.chart_values import CHART, schema

pytestmark = pytest.mark.usefixtures("control_plane_binaries", "helm_program")

NAME = "cloudstack-cloud-controller"
#: Kinds that come with other software; the API server of the tests has not got them.
OF_OTHERS = {"Certificate", "Issuer", "PodMonitor", "ServiceMonitor", "PrometheusRule"}


def pod_with(folder: Path, flat: dict[str, Any]) -> Object:
    """Return the cloud controller's pod, as values make it."""
    template = deployment(of_chart(*values(folder, flat)), NAME)["spec"]["template"]
    return dict(template)


def test_affinity_takes_the_place_of_the_charts_own(tmp_path: Path) -> None:
    term = {"matchExpressions": [{"key": "example.com/pool", "operator": "In", "values": ["a"]}]}
    wanted = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}
        }
    }
    assert pod_with(tmp_path, {f"{CLOUD}.affinity": wanted})["spec"]["affinity"] == wanted


def test_pods_are_spread_as_asked_for_by_the_labels_of_the_deployment(tmp_path: Path) -> None:
    rack = {"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}
    flat = {f"{CLOUD}.topologySpreadConstraints": [rack], f"{CLOUD}.replicas": 2}
    [constraint] = pod_with(tmp_path, flat)["spec"]["topologySpreadConstraints"]
    selected = {"matchLabels": {"app.kubernetes.io/name": NAME}}
    assert constraint == {**rack, "labelSelector": selected}


def test_labels_annotations_and_priority_are_the_pods(tmp_path: Path) -> None:
    own = render(CLOUD_CONTROLLER).deployment()["spec"]["template"]
    flat = {
        f"{CLOUD}.podLabels": {"example.com/team": "platform"},
        f"{CLOUD}.priorityClassName": "system-node-critical",
        "commonLabels": {"example.com/cost": "7"},
    }
    pod = pod_with(tmp_path, flat)
    assert pod["metadata"]["labels"] == own["metadata"]["labels"] | {"example.com/team": "platform"}
    assert pod["spec"]["priorityClassName"] == "system-node-critical"


def test_an_authority_and_a_secret_reach_the_hooks_and_not_metacontroller(tmp_path: Path) -> None:
    secret = {"secretKeyRef": {"name": "proxy", "key": "url"}}
    volume = {"name": "authority", "configMap": {"name": "private-authority"}}
    mount = {"name": "authority", "mountPath": "/etc/authority", "readOnly": True}
    flat = {
        f"{CLOUD}.extraEnv": [{"name": "HTTPS_PROXY", "valueFrom": secret}],
        f"{CLOUD}.settings": {"REQUESTS_CA_BUNDLE": "/etc/authority/ca.crt"},
        f"{CLOUD}.extraVolumes": [volume],
        f"{CLOUD}.extraVolumeMounts": [mount],
    }
    spec = pod_with(tmp_path, flat)["spec"]
    hooks, other = container(spec, "hooks"), container(spec, "metacontroller")
    assert {"name": "HTTPS_PROXY", "valueFrom": secret} in hooks["env"]
    assert volume in spec["volumes"]
    assert mount in hooks["volumeMounts"]
    assert not {"env", "volumeMounts"} & set(other)


def test_the_account_has_its_annotations_and_no_other_does(tmp_path: Path) -> None:
    flat = {
        f"{CLOUD}.serviceAccount.annotations": {"example.com/role": "cloud"},
        f"{OPERATOR}.enabled": True,
    }
    annotated = {
        (kind, name)
        for (kind, _, name), obj in of_chart(*values(tmp_path, flat)).items()
        if "example.com/role" in obj["metadata"].get("annotations", {})
    }
    assert annotated == {("ServiceAccount", NAME)}


@pytest.mark.parametrize(
    ("flat", "images"),
    [
        pytest.param(
            {"image.digest": f"sha256:{'a' * 64}"},
            f"cloudstack-metacontroller:0.1.0@sha256:{'a' * 64}",
            id="digest",
        ),
        pytest.param(
            {"global.imageRegistry": "registry.example.com:5000"},
            "registry.example.com:5000/cloudstack-metacontroller:0.1.0",
            id="registry of a name without one",
        ),
        pytest.param(
            {
                "global.imageRegistry": "registry.example.com/mirror",
                "image.repository": "quay.io/us/hooks",
            },
            "registry.example.com/mirror/us/hooks:0.1.0",
            id="registry in the place of another",
        ),
        pytest.param(
            {"global.imageRegistry": "r.example.com", "image.repository": "us/hooks"},
            "r.example.com/us/hooks:0.1.0",
            id="a name's first part is no registry",
        ),
    ],
)
def test_an_image_is_named_by_registry_tag_and_digest(
    tmp_path: Path, flat: dict[str, Any], images: str
) -> None:
    assert container(pod_with(tmp_path, flat)["spec"], "hooks")["image"] == images


def test_one_registry_is_that_of_every_image(tmp_path: Path) -> None:
    flat = {"global.imageRegistry": "registry.example.com", f"{OPERATOR}.enabled": True}
    flat |= {f"{OPERATOR}.metacontroller": "own", "statusPage.enabled": True}
    whole = helm.template(*values(tmp_path, flat), crds=False)
    images = [line.split("image: ")[1] for line in whole.splitlines() if " image: " in line]
    assert len(images) >= 6
    assert {image.partition("/")[0] for image in images} == {"registry.example.com"}


def test_a_cloud_config_among_the_values_is_a_secret_that_the_pod_mounts(tmp_path: Path) -> None:
    text = "[Global]\napi-url = https://cloud.example.com/client/api\napi-key = k\n"
    flat = {f"{CLOUD}.cloudConfig": text, f"{CLOUD}.cloudConfigSecret": "east"}
    found = of_chart(*values(tmp_path, flat))
    secret = found["Secret", "kube-system", "east"]
    assert base64.b64decode(secret["data"]["cloud-config"]).decode() == text
    volumes = deployment(found, NAME)["spec"]["template"]["spec"]["volumes"]
    [mounted] = [one["secret"]["secretName"] for one in volumes if "secret" in one]
    assert mounted == "east"
    assert not [key for key in of_chart() if key[0] == "Secret"]


def test_monitors_rules_and_dashboards_are_found_as_prometheus_and_grafana_look(
    tmp_path: Path,
) -> None:
    flat: dict[str, Any] = {
        "monitoring.labels": {"release": "prometheus"},
        "monitoring.interval": "15s",
        "monitoring.scrapeTimeout": "10s",
        "monitoring.dashboardAnnotations": {"grafana_folder": "CloudStack"},
        f"{CLOUD}.podMonitor": True,
        f"{OPERATOR}.enabled": True,
        f"{OPERATOR}.serviceMonitor": True,
    }
    flat |= {
        f"{each}.{what}": True for each in (CLOUD, OPERATOR) for what in ("alerts", "dashboards")
    }
    found = of_chart(*values(tmp_path, flat))
    labelled = [kind for (kind, _, _), obj in found.items() if _label(obj, "release")]
    assert sorted(labelled) == ["PodMonitor", "PrometheusRule", "PrometheusRule", "ServiceMonitor"]
    for (kind, _, _), obj in found.items():
        for endpoint in obj.get("spec", {}).get(
            {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}.get(kind, ""), []
        ):
            assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
            assert endpoint["honorLabels"] is True
    dashboards = [obj["metadata"] for obj in found.values() if _label(obj, "grafana_dashboard")]
    assert dashboards
    assert {one["annotations"]["grafana_folder"] for one in dashboards} == {"CloudStack"}


def _label(obj: Object, name: str) -> object:
    return obj["metadata"].get("labels", {}).get(name)


def of_the_chart() -> Iterator[Any]:
    """Yield the values that guides show."""
    known = set(schema()["properties"])
    for page in sorted(GUIDES.glob("*.md")):
        for block in blocks(page, "yaml"):
            shown = yaml.safe_load(block.code)
            if isinstance(shown, dict) and shown and set(shown) <= known:
                yield pytest.param(block.code, id=f"{page.stem}:{block.line}")


@pytest.mark.parametrize("shown", list(of_the_chart()))
def test_values_that_guides_show_are_taken(tmp_path: Path, shown: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(shown)
    both = values(tmp_path / "both", {f"{OPERATOR}.enabled": True})
    assert of_chart(*both, "--values", file) != of_chart(*both)


def test_guides_show_values() -> None:
    assert len(list(of_the_chart())) >= 3


def test_every_object_says_of_which_release_it_is(tmp_path: Path) -> None:
    arguments = values(tmp_path, {"commonLabels": {"example.com/cost": "7"}})
    objects = read(helm.template("--values", CI / "everything-values.yaml", *arguments)).objects
    for obj in objects:
        labels = obj["metadata"]["labels"]
        if obj["metadata"]["name"].endswith(".metacontroller.k8s.io"):
            assert not OF_A_RELEASE & set(labels)  # it may be somebody else's
            continue
        assert set(labels) >= {*OF_A_RELEASE, "example.com/cost", "app.kubernetes.io/name"}
        assert labels["app.kubernetes.io/instance"] == "cloudstack-metacontroller"


def test_a_real_api_server_takes_every_object_of_every_set_of_values(
    empty_cluster: ControlPlane,
) -> None:
    empty_cluster.apply(CHART / "crds")
    for file in helm.VALUE_SETS:
        objects = read(helm.template("--values", file, crds=False)).objects
        ours = [obj for obj in objects if obj["kind"] not in OF_OTHERS]
        assert len(ours) > 10
        empty_cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(ours)
        )
        empty_cluster.kubectl("-n", "kube-system", "delete", "pod", "cloudstack-check", "--now")
