"""The values of the Helm chart: each is documented, checked, and changes something."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hooks.settings.cloud_config import CA_VARIABLES
from hooks.settings.config import settings
from tests.controlplane.api import Object
from tests.deploy.charts import CI, CLOUD, OPERATOR, Identity, deployment, nested, of_chart, values
from tests.deploy.rendering import (
    CLOUD_CONTROLLER,
    TARGET_CLUSTER_OPERATOR,
    container,
    environment,
    render,
)
from tools import helm
from tools.chart_values import CHART, VALUES, described, schema

pytestmark = pytest.mark.usefixtures("control_plane_binaries", "helm_program")

#: The value that Helm reads, where another chart names it as a condition.
CONDITION = "enabled"


def leaves() -> list[str]:
    return [
        value.name for value in described(schema()) if not value.group and value.name != CONDITION
    ]


def test_values_yaml_holds_every_value_of_the_schema_and_what_it_is() -> None:
    lines = VALUES.read_text().splitlines()
    text = " ".join(line.strip().removeprefix("# ") for line in lines)
    defaults = {}
    for value in described(schema()):
        sentences = value.field["description"]
        assert sentences.endswith(".")
        assert sentences in text, value.name
        if not value.group:
            defaults[value.name] = value.field["default"]
    assert yaml.safe_load(VALUES.read_text()) == nested(defaults)


def objects_of(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every schema of an object."""
    if part.get("type") == "object":
        yield part
    inner = [*part.get("properties", {}).values(), *part.get("definitions", {}).values()]
    for each in [*inner, *([part["items"]] if "items" in part else [])]:
        yield from objects_of(each)


def test_the_schema_lets_nothing_pass_that_it_does_not_know() -> None:
    whole = schema()
    found = list(objects_of(whole))
    assert len(found) > 10
    of_other_charts = whole["properties"]["global"]
    for part in found:
        if part is not of_other_charts:
            assert part["additionalProperties"] is not True, part
            assert part["additionalProperties"] is False or part["additionalProperties"]["type"]
    for value in described(whole):
        if value.group:
            assert value.field["required"] == list(value.field["properties"])


SPREAD = {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
#: Another value than the default for each that all pods have.
OF_PODS: dict[str, Any] = {
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "rack", "labelSelector": {"matchLabels": {"app": "noisy"}}}
            ]
        }
    },
    "priorityClassName": "system-node-critical",
    "podLabels": {"example.com/team": "platform"},
    "serviceAccount.annotations": {"example.com/role": "cloud"},
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraVolumes": [{"name": "authority", "configMap": {"name": "private-authority"}}],
    "extraVolumeMounts": [{"name": "tmp", "mountPath": "/var/spool"}],
}
#: Another value than the default for each.
OTHER: dict[str, Any] = {
    **{
        f"{group}.{name}": value
        for group in (CLOUD, OPERATOR, "statusPage")
        for name, value in OF_PODS.items()
    },
    f"{CLOUD}.topologySpreadConstraints": [SPREAD],
    f"{OPERATOR}.topologySpreadConstraints": [SPREAD],
    f"{CLOUD}.cloudConfig": "[Global]\napi-url = https://cloud.example.com/client/api\n",
    f"{CLOUD}.cloudConfigSecret": "cloud-of-the-east",
    f"{CLOUD}.enabled": False,
    f"{CLOUD}.metacontroller": "cluster",
    f"{CLOUD}.replicas": 0,
    f"{CLOUD}.settings": {"NODE_MISSING_GRACE": "5m"},
    f"{CLOUD}.tls": "mutual",
    f"{CLOUD}.networkPolicy": True,
    f"{CLOUD}.alerts": True,
    f"{CLOUD}.dashboards": True,
    f"{CLOUD}.podMonitor": True,
    f"{CLOUD}.scrapeAnnotations": True,
    f"{CLOUD}.validation": True,
    f"{CLOUD}.certificates": True,
    f"{CLOUD}.protection": False,
    f"{CLOUD}.metacontrollerAccount": "operators:metacontroller-helm",
    f"{CLOUD}.resources": {"requests": {"cpu": 1}},
    f"{CLOUD}.nodeSelector": {"example.com/pool": "system"},
    f"{CLOUD}.tolerations": [{"key": "example.com/reserved", "operator": "Exists"}],
    f"{CLOUD}.podAnnotations": {"example.com/team": "platform"},
    f"{OPERATOR}.enabled": False,
    f"{OPERATOR}.shard": "a1",
    f"{OPERATOR}.metacontroller": "own",
    f"{OPERATOR}.replicas": 3,
    f"{OPERATOR}.settings": {"LOG_LEVEL": "debug"},
    f"{OPERATOR}.tls": "server",
    f"{OPERATOR}.networkPolicy": True,
    f"{OPERATOR}.validation": True,
    f"{OPERATOR}.alerts": True,
    f"{OPERATOR}.dashboards": True,
    f"{OPERATOR}.serviceMonitor": True,
    f"{OPERATOR}.resources": {"limits": {"memory": "1Gi"}},
    f"{OPERATOR}.nodeSelector": {"example.com/pool": "system"},
    f"{OPERATOR}.tolerations": [{"key": "example.com/reserved", "effect": "NoSchedule"}],
    f"{OPERATOR}.podAnnotations": {"example.com/team": "platform"},
    "statusPage.enabled": False,
    "statusPage.settings": {"LOG_LEVEL": "debug"},
    "statusPage.tokenSecret": "status-page-token",
    "statusPage.tlsSecret": "status-page-tls",
    "statusPage.resources": {"limits": {"memory": "1Gi"}},
    "statusPage.nodeSelector": {"example.com/pool": "system"},
    "statusPage.tolerations": [{"key": "example.com/reserved", "operator": "Exists"}],
    "statusPage.podAnnotations": {"example.com/team": "platform"},
    "image.repository": "registry.example.com/cloudstack-metacontroller",
    "image.tag": "0.2.0",
    "image.digest": f"sha256:{'0' * 64}",
    "image.pullPolicy": "Always",
    "metacontroller.image.repository": "registry.example.com/metacontroller",
    "metacontroller.image.tag": "v4.17.3",
    "metacontroller.image.digest": f"sha256:{'1' * 64}",
    "metacontroller.image.pullPolicy": "Always",
    "metacontroller.resources": {"requests": {"memory": "96Mi"}},
    "imagePullSecrets": ["registry"],
    "apiServer.host": "192.0.2.10",
    "apiServer.port": 443,
    "commonLabels": {"example.com/team": "platform"},
    "monitoring.labels": {"release": "prometheus"},
    "monitoring.interval": "15s",
    "monitoring.scrapeTimeout": "10s",
    "monitoring.dashboardLabels": {"example.com/grafana": "main"},
    "monitoring.dashboardAnnotations": {"grafana_folder": "CloudStack"},
    "global.imageRegistry": "registry.example.com/mirror",
}


#: With these, each of the others has something to change.
BEFORE: dict[str, Any] = {
    f"{OPERATOR}.enabled": True,
    "statusPage.enabled": True,
    "apiServer.host": "api.example.com",
    f"{CLOUD}.podMonitor": True,
    f"{CLOUD}.dashboards": True,
}
WITH_CLUSTERS: dict[str, Any] = {**BEFORE, f"{CLOUD}.metacontroller": "cluster"}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[Identity, Object]]:
    """Render what the values are changed from, by who runs Metacontroller."""
    folder = tmp_path_factory.mktemp("before")
    return {
        runs: of_chart(*values(folder, flat))
        for runs, flat in {"own": BEFORE, "cluster": WITH_CLUSTERS}.items()
    }


def _other(before: Mapping[str, Any], name: str) -> Any:
    """Return another value than the one before."""
    return not before[name] if isinstance(before.get(name), bool) else OTHER[name]


@pytest.mark.parametrize("name", leaves())
def test_each_value_changes_what_is_rendered(
    tmp_path: Path, rendered: dict[str, dict[Identity, Object]], name: str
) -> None:
    only_cluster = ("tls", "networkPolicy", "metacontrollerAccount")
    behind_a_service = name in {f"{CLOUD}.{value}" for value in only_cluster}
    before = WITH_CLUSTERS if behind_a_service else BEFORE
    changed = of_chart(*values(tmp_path, {**before, name: _other(before, name)}))
    assert changed != rendered["cluster" if behind_a_service else "own"]


@pytest.mark.parametrize("enabled", [True, False])
def test_it_may_be_a_dependency_with_a_condition(tmp_path: Path, enabled: bool) -> None:
    name = "cloudstack-metacontroller"
    entry = {"name": name, "version": ">=0.0.0-0", "condition": f"{name}.{CONDITION}"}
    chart = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [entry]}
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts" / name)
    (parent / "Chart.yaml").write_text(yaml.safe_dump(chart))
    given = values(tmp_path / "given", {f"{name}.{CONDITION}": enabled, "global.ours": "foreign"})
    found = of_chart(*given, chart=parent, crds=False)
    assert bool(found) == enabled


def test_every_value_has_another_one_here() -> None:
    assert set(OTHER) == set(leaves())


def test_everything_chosen_is_laid_over_the_deployments() -> None:
    found = of_chart("--values", CI / "everything-values.yaml")
    cloud = deployment(found, "cloudstack-cloud-controller")["spec"]["template"]
    hooks = container(cloud["spec"], "hooks")
    variables = environment(hooks)
    assert (variables["LOG_LEVEL"], variables["DEFAULT_LOAD_BALANCER_CLASS"]) == ("debug", "false")
    assert variables["METRICS_BIND"] == "0.0.0.0"
    assert variables["KUBERNETES_SERVICE_HOST"] == "api.example.com"
    assert variables["KUBERNETES_SERVICE_PORT"] == "6443"
    assert len(variables) == len(
        hooks["env"]
    )  # Helm 4 applies server-side, where none may be twice
    name, _, digest = hooks["image"].partition("@sha256:")
    assert name == "registry.example.com/mirror/cloudstack-metacontroller:0.1.0"
    assert len(digest) == 64
    assert hooks["imagePullPolicy"] == "Always"
    assert cloud["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    own = render(CLOUD_CONTROLLER).deployment()["spec"]["template"]
    assert cloud["spec"]["tolerations"][:-1] == own["spec"]["tolerations"]
    assert cloud["spec"]["tolerations"][-1]["key"] == "example.com/reserved"
    annotations = {**own["metadata"]["annotations"], "example.com/team": "platform"}
    assert cloud["metadata"]["annotations"] == annotations
    operator = deployment(found, "target-cluster-operator")["spec"]["template"]
    variables = environment(container(operator["spec"], "hooks"))
    assert variables["WATCH_NAMESPACE"] == "target-cluster-system,shop"
    assert variables["TLS_CLIENT_CA_FILE"]
    assert "nodeSelector" not in operator["spec"]


def test_the_notes_ask_for_no_secret_that_the_chart_makes(tmp_path: Path) -> None:
    arguments = values(tmp_path, {f"{CLOUD}.cloudConfig": OTHER[f"{CLOUD}.cloudConfig"]})
    said = helm.run("install", "any", CHART, "--dry-run=client", *arguments)
    assert "create secret" not in said.partition("\nNOTES:\n")[2]


def test_the_protection_knows_the_account_of_the_clusters_metacontroller(tmp_path: Path) -> None:
    flat = {**WITH_CLUSTERS, f"{CLOUD}.metacontrollerAccount": "operators:metacontroller-helm"}
    found = of_chart(*values(tmp_path, flat))
    policy = found["ValidatingAdmissionPolicy", "", "cloudstack-object-protection"]
    [writers] = [one for one in policy["spec"]["variables"] if one["name"] == "writers"]
    assert "'system:serviceaccount:operators:metacontroller-helm'" in writers["expression"]
    assert "metacontroller:metacontroller'" not in writers["expression"]


def test_the_validation_knows_the_namespaces_that_are_watched(tmp_path: Path) -> None:
    flat: dict[str, Any] = {f"{OPERATOR}.enabled": True, f"{OPERATOR}.validation": True}
    flat[f"{OPERATOR}.settings"] = {"WATCH_NAMESPACE": "shop, target-cluster-system"}
    found = of_chart(*values(tmp_path, flat))
    policy = found["ValidatingAdmissionPolicy", "", "target-clusters-without-effect"]
    expressions = [each["expression"] for each in policy["spec"]["validations"]]
    assert "object.metadata.namespace in ['shop', 'target-cluster-system']" in expressions


def test_the_settings_that_may_be_made_are_those_that_the_manifests_leave_open() -> None:
    known = {setting.variable for setting in settings().values()}
    usual = {*CA_VARIABLES, "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}
    given: set[str] = set()
    for values_of_operator, base in (
        (CLOUD, CLOUD_CONTROLLER),
        (OPERATOR, TARGET_CLUSTER_OPERATOR),
    ):
        open_ones = set(schema()["definitions"][f"{values_of_operator}Settings"]["properties"])
        fixed = set(environment(container(render(base).pod(), "hooks")))
        assert open_ones - known == (usual if values_of_operator == CLOUD else set())
        assert not open_ones & fixed
        given |= open_ones | fixed
    # Those of the status page mean the same in an operator.
    assert set(schema()["definitions"]["statusPageSettings"]["properties"]) <= given
    # What names a file needs a volume, too: the chart has values for those that it mounts.
    assert {name for name in known - given if not name.endswith("_FILE")} == set()


@pytest.mark.parametrize(
    "flat",
    [
        pytest.param({}, id="default"),
        pytest.param({f"{CLOUD}.metacontroller": "cluster"}, id="cluster's Metacontroller"),
        pytest.param({f"{CLOUD}.cloudConfigSecret": "east"}, id="another Secret"),
        pytest.param({f"{CLOUD}.enabled": False, f"{OPERATOR}.enabled": True}, id="operator"),
        pytest.param(
            {f"{OPERATOR}.enabled": True, f"{OPERATOR}.metacontroller": "own"}, id="both operators"
        ),
        pytest.param(
            {f"{CLOUD}.enabled": False, f"{OPERATOR}.enabled": True, f"{OPERATOR}.shard": "a"},
            id="shard",
        ),
    ],
)
def test_the_notes_name_the_secrets_that_are_the_readers_to_make(
    tmp_path: Path, flat: dict[str, Any]
) -> None:
    arguments = values(tmp_path, flat)
    mounted = {
        (obj["metadata"]["namespace"], volume["secret"]["secretName"])
        for obj in of_chart(*arguments).values()
        if obj["kind"] == "Deployment"
        for volume in obj["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume and not volume["secret"].get("optional")
    }
    said = helm.run("install", "any", CHART, "--dry-run=client", *arguments)
    notes = said.partition("\nNOTES:\n")[2]
    made = re.findall(r"kubectl -n (\S+) create secret generic (\S+) ", notes)
    assert set(made) == mounted
