"""What each component changes, and that they go together."""

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.deploy.rendering import (
    DEPLOY,
    PROJECT,
    Rendered,
    composed,
    container,
    environment,
    render,
    webhooks,
)
from tools.manifests import (
    ADDED,
    CLOUD_CONTROLLER,
    COMBINATIONS,
    TARGET_CLUSTER_OPERATOR,
)

pytestmark = pytest.mark.usefixtures("control_plane_binaries")

NAME = "target-cluster-operator"
CLUSTERS_OWN = "cloud-controller-cluster-metacontroller"
PROTECTION = "cloudstack-object-protection"
SIDECAR = "target-cluster-operator-sidecar"
WHOLE = {
    CLOUD_CONTROLLER: ADDED[CLOUD_CONTROLLER],
    TARGET_CLUSTER_OPERATOR: COMBINATIONS[
        "the target-cluster-operator with the cluster's"
    ].components,
}


def with_components(folder: Path, base: str, *components: str) -> Rendered:
    return render(composed(folder, DEPLOY / base, *components))


def everything(folder: Path, base: str) -> Rendered:
    """Render an operator with all that goes with a Metacontroller that is not beside it."""
    return with_components(folder, base, *WHOLE[base])


def test_every_component_is_judged_here() -> None:
    there = {folder.parent.name for folder in (DEPLOY / "components").glob("*/kustomization.yaml")}
    combined = {name for one in COMBINATIONS.values() for name in one.components}
    left_out = {"without-metacontroller-crds", "cloud-controller-without-protection"}
    assert there == {*combined, *left_out, "crds-kept"}
    table = (PROJECT / "docs" / "guides" / "install.md").read_text()
    assert [name for name in sorted(combined | left_out) if f"| `{name}` |" not in table] == []


@pytest.mark.parametrize("name", COMBINATIONS)
def test_what_may_be_chosen_at_once_renders_to_objects_of_which_each_is_there_once(
    name: str, tmp_path: Path
) -> None:
    chosen = COMBINATIONS[name]
    objects = with_components(tmp_path, chosen.base, *chosen.components).objects
    names = Counter((obj["kind"], obj["metadata"]["name"]) for obj in objects)
    assert [one for one, count in names.items() if count > 1] == []


@pytest.mark.parametrize("base", WHOLE)
def test_all_components_of_an_operator_go_together(tmp_path: Path, base: str) -> None:
    rendered = everything(tmp_path, base)
    pod = rendered.pod()
    assert rendered.deployment()["spec"]["replicas"] == 2
    [budget] = rendered.of("PodDisruptionBudget")
    labels = rendered.deployment()["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for spread in pod["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
    for monitor in rendered.of("PodMonitor"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    names = {volume["name"] for volume in pod["volumes"]}
    mounted = [mount["name"] for mount in container(pod, "hooks")["volumeMounts"]]
    assert set(mounted) == names


def test_with_the_clusters_metacontroller_the_hooks_want_a_token(tmp_path: Path) -> None:
    rendered = with_components(tmp_path, CLOUD_CONTROLLER, CLUSTERS_OWN)
    pod = rendered.pod()
    hooks = container(pod, "hooks")
    assert [each["name"] for each in pod["containers"]] == ["hooks"]
    assert pod["hostNetwork"] is False
    assert environment(hooks)["HOOKS_TOKEN_FILE"] == "/etc/hooks/token"
    host = "cloudstack-cloud-controller.kube-system:8080"
    for controller in rendered.controllers():
        [endpoint] = controller["spec"]["endpointConfigs"]
        assert endpoint["host"] == host
        assert {urlsplit(hook["url"]).netloc for hook in webhooks(controller)} == {host}
    service = rendered.one("Service", "cloudstack-cloud-controller")
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    assert environment(hooks)["BIND"].endswith(f":{service['spec']['ports'][0]['port']}")
    assert all("host" not in hooks[probe]["httpGet"] for probe in hooks if probe.endswith("Probe"))


def test_with_the_clusters_metacontroller_nothing_of_our_own_one_is_left(tmp_path: Path) -> None:
    rendered = with_components(tmp_path, CLOUD_CONTROLLER, CLUSTERS_OWN)
    kinds = [crd["spec"]["names"]["kind"] for crd in rendered.of("CustomResourceDefinition")]
    assert kinds
    assert all(kind.startswith("CloudStack") for kind in kinds)
    roles = rendered.of("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    names = {role["metadata"]["name"] for role in roles}
    assert names == {"cloudstack-cloud-controller", "cloudstack-cloud-controller-view"}


def test_beside_a_metacontroller_of_its_own_the_operator_listens_on_loopback(
    tmp_path: Path,
) -> None:
    rendered = with_components(tmp_path, TARGET_CLUSTER_OPERATOR, SIDECAR)
    bind = environment(container(rendered.pod(), "hooks"))["BIND"]
    assert bind.startswith("127.0.0.1:")
    assert "HOOKS_TOKEN_FILE" not in environment(container(rendered.pod(), "hooks"))
    for controller in rendered.controllers():
        assert {urlsplit(hook["url"]).netloc for hook in webhooks(controller)} == {bind}
        assert "endpointConfigs" not in controller["spec"]
    names = [service["metadata"]["name"] for service in rendered.of("Service")]
    assert names == ["target-cluster-operator-metrics"]
    # kubelet does not reach loopback in the pod.
    hooks = container(rendered.pod(), "hooks")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert hooks[probe]["httpGet"] == {"port": "metrics", "path": "/metrics"}


#: An operator's name, and what may be chosen where the cluster's Metacontroller calls it.
CALLED = pytest.mark.parametrize(
    ("name", "chosen"),
    [
        pytest.param("cloudstack-cloud-controller", "the cloud controller with the cluster's"),
        pytest.param(NAME, "the target-cluster-operator with the cluster's"),
    ],
    ids=["the cloud controller", "the target-cluster-operator"],
)


@CALLED
def test_tls_is_spoken_by_both_ends(tmp_path: Path, name: str, chosen: str) -> None:
    combination = COMBINATIONS[chosen]
    rendered = with_components(tmp_path, combination.base, *combination.components)
    pod = rendered.pod()
    hooks = environment(container(pod, "hooks"))
    assert hooks["TLS_CLIENT_CA_FILE"] == "/etc/tls/ca.crt"
    secret = rendered.one("Certificate", name)["spec"]["secretName"]
    [volume] = [each for each in pod["volumes"] if each["name"] == "tls"]
    assert volume["secret"]["secretName"] == secret
    files = {f"/etc/tls/{item['path']}" for item in volume["secret"]["items"]}
    assert {hooks["TLS_CERT_FILE"], hooks["TLS_KEY_FILE"], hooks["TLS_CLIENT_CA_FILE"]} == files
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    assert {container(pod, "hooks")[each]["httpGet"]["scheme"] for each in probes} == {"HTTPS"}
    assert rendered.controllers()
    for controller in rendered.controllers():
        [endpoint] = controller["spec"]["endpointConfigs"]
        for hook in webhooks(controller):
            url = urlsplit(hook["url"])
            assert (url.scheme, url.netloc) == ("https", endpoint["host"])
            assert url.hostname in rendered.one("Certificate", name)["spec"]["dnsNames"]
        assert endpoint["caBundle"]["secretRef"]["name"] == secret
        client = rendered.one("Certificate", f"{name}-client")["spec"]["secretName"]
        assert endpoint["clientTLS"]["secretRef"]["name"] == client
        assert endpoint["authorization"]


@CALLED
def test_the_network_policy_lets_in_what_must_come(tmp_path: Path, name: str, chosen: str) -> None:
    combination = COMBINATIONS[chosen]
    rendered = with_components(tmp_path, combination.base, *combination.components)
    policy = rendered.one("NetworkPolicy", name)
    labels = rendered.deployment()["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in container(rendered.pod(), "hooks")["ports"]}
    assert {rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]} == ports
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert not rendered.pod().get("hostNetwork")  # where none applies


def test_metrics_are_found(tmp_path: Path) -> None:
    rendered = everything(tmp_path / "operator", TARGET_CLUSTER_OPERATOR)
    [monitor] = rendered.of("ServiceMonitor")
    service = rendered.one("Service", f"{NAME}-metrics")
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    # The Service of the hooks is not scraped.
    other = rendered.one("Service", NAME)["metadata"]["labels"]
    assert not monitor["spec"]["selector"]["matchLabels"].items() <= other.items()
    rendered = everything(tmp_path / "controller", CLOUD_CONTROLLER)
    assert environment(container(rendered.pod(), "hooks"))["METRICS_BIND"] == "0.0.0.0"


@pytest.mark.parametrize(
    ("base", "kept"),
    [
        pytest.param("cloud-controller", 2, id="the cloud controller"),
        pytest.param("overlays/target-cluster-operator-alone", 1, id="the other operator"),
    ],
)
def test_metacontrollers_crds_can_be_left_to_others(tmp_path: Path, base: str, kept: int) -> None:
    whole = render(DEPLOY / base)
    rendered = with_components(tmp_path, base, "without-metacontroller-crds")
    left_out = [obj for obj in whole.objects if obj not in rendered.objects]
    assert {obj["spec"]["group"] for obj in left_out} == {"metacontroller.k8s.io"}
    assert len(rendered.of("CustomResourceDefinition")) == kept
    assert len(whole.objects) - len(rendered.objects) == len(left_out) == 3


@pytest.mark.parametrize("chosen", [(), (CLUSTERS_OWN,)], ids=["its own", "the cluster's"])
def test_the_protection_knows_the_accounts_and_can_be_left_out(
    tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    rendered = with_components(tmp_path / "with", CLOUD_CONTROLLER, *chosen)
    policy = rendered.one("ValidatingAdmissionPolicy", PROTECTION)
    [writers] = [one for one in policy["spec"]["variables"] if one["name"] == "writers"]
    namespace = rendered.deployment()["metadata"]["namespace"]
    accounts = [f"{namespace}:{rendered.pod()['serviceAccountName']}"]
    accounts += ["metacontroller:metacontroller"] if chosen else []
    assert writers["expression"].split("'")[1::2] == [
        f"system:serviceaccount:{account}" for account in accounts
    ]
    without = with_components(
        tmp_path / "without", CLOUD_CONTROLLER, *chosen, "cloud-controller-without-protection"
    )
    left_out = [obj for obj in rendered.objects if obj not in without.objects]
    assert {obj["metadata"]["name"] for obj in left_out} == {PROTECTION}
    assert len(rendered.objects) - len(without.objects) == len(left_out) == 2
