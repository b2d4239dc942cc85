"""What the manifests say, checked against the code and the promises."""

import os
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from hooks.settings.config import settings
from hooks.wsgi import HOOKS
from tests.controlplane.api import Object
from tests.deploy.rendering import (
    CLOUD_CONTROLLER,
    DEPLOY,
    OPERATORS,
    PROJECT,
    TARGET_CLUSTER_OPERATOR,
    arguments,
    container,
    environment,
    render,
    webhooks,
)
from tools.manifests import COMBINATIONS, folders, main

pytestmark = pytest.mark.usefixtures("control_plane_binaries")

LOOPBACK = "127.0.0.1"
FOLDERS = [folder for folder in folders() if folder.is_relative_to(DEPLOY)]
every_operator = pytest.mark.parametrize("folder", OPERATORS, ids=lambda folder: folder.name)


def resources(folder: str) -> list[Object]:
    """Read what a top-level folder's kustomization lists."""
    listed = yaml.safe_load((PROJECT / folder / "kustomization.yaml").read_text())["resources"]
    return [yaml.safe_load((PROJECT / folder / name).read_text()) for name in listed]


def identity(obj: Object) -> tuple[str, str, str]:
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(DEPLOY)))
def test_a_folder_renders_to_objects_of_which_each_is_there_once(folder: Path) -> None:
    names = Counter(map(identity, render(folder).objects))
    assert names
    assert [name for name, count in names.items() if count > 1] == []


def test_everything_is_rendered_by_make_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert f"{len(folders()) + len(COMBINATIONS)} kustomizations render" in capsys.readouterr().out


def test_make_check_needs_no_kubectl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], {"XDG_CACHE_HOME": str(tmp_path)}) == 0
    assert "not rendered, there is no kubectl yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "code"), [("kind: Nothing", "stale"), ("", "does not render")], ids=["stale", "broken"]
)
def test_make_check_fails_at_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, code: str
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\n[ -n '{said}' ] && echo '{said}'\n")
    kubectl.chmod(0o755)
    assert main(["--check"], {"KUBECTL": str(kubectl)}) == 1
    assert code in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["crds", "metacontroller"])
def test_each_crd_and_controller_belongs_to_one_operator(folder: str) -> None:
    of_operators = Counter(identity(obj) for each in OPERATORS for obj in render(each).objects)
    for obj in resources(folder):
        assert of_operators[identity(obj)] == 1, identity(obj)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(DEPLOY)))
def test_no_secret_is_among_the_manifests(folder: Path) -> None:
    assert render(folder).of("Secret") == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(DEPLOY)))
def test_crds_are_not_pruned_by_accident(folder: Path) -> None:
    for crd in render(folder).of("CustomResourceDefinition"):
        annotations = crd["metadata"]["annotations"]
        assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
        assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
        assert annotations["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(DEPLOY)))
def test_images_are_pinned(folder: Path) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    versions = {
        "cloudstack-metacontroller": project["version"],
        "cloudstack-simulator": project["version"],
        "ghcr.io/metacontroller/metacontroller": "v4.17.2",
    }
    for deployment in render(folder).of("Deployment"):
        for each in deployment["spec"]["template"]["spec"]["containers"]:
            name, _, tag = each["image"].rpartition(":")
            assert tag == versions[name], each["image"]


@every_operator
def test_the_hooks_serve_what_the_controllers_call(folder: Path) -> None:
    rendered = render(folder)
    served = set(environment(container(rendered.pod(), "hooks"))["HOOKS"].split(","))
    called = {
        urlsplit(hook["url"]).path.split("/")[1]
        for controller in rendered.controllers()
        for hook in webhooks(controller)
    }
    # A hook that is not written yet has no controller.
    assert called == served & set(HOOKS)


@every_operator
def test_the_environment_holds_settings_that_there_are(folder: Path) -> None:
    known = {setting.variable for setting in settings().values()}
    assert set(environment(container(render(folder).pod(), "hooks"))) <= known


def test_the_cloud_controller_listens_on_loopback_alone() -> None:
    pod = render(CLOUD_CONTROLLER).pod()
    hooks = environment(container(pod, "hooks"))
    metacontroller = arguments(container(pod, "metacontroller"))
    assert hooks["BIND"].startswith(f"{LOOPBACK}:")
    assert hooks["METRICS_BIND"] == LOOPBACK
    assert metacontroller["health-probe-bind-address"].startswith(f"{LOOPBACK}:")
    assert metacontroller["metrics-address"].startswith(f"{LOOPBACK}:")


def test_the_ports_that_the_cloud_controller_takes_of_its_host_are_told_to_the_scheduler() -> None:
    pod = render(CLOUD_CONTROLLER).pod()
    hooks = environment(container(pod, "hooks"))
    metacontroller = arguments(container(pod, "metacontroller"))
    taken = [
        hooks["BIND"].rpartition(":")[2],
        hooks["METRICS_PORT"],
        metacontroller["health-probe-bind-address"].rpartition(":")[2],
        metacontroller["metrics-address"].rpartition(":")[2],
    ]
    told = [str(port["containerPort"]) for each in pod["containers"] for port in each["ports"]]
    assert told == taken
    assert render(CLOUD_CONTROLLER).deployment()["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    }


def test_the_cloud_controllers_metacontroller_calls_the_hooks_beside_it() -> None:
    rendered = render(CLOUD_CONTROLLER)
    bind = environment(container(rendered.pod(), "hooks"))["BIND"]
    assert rendered.controllers()
    for controller in rendered.controllers():
        assert {urlsplit(hook["url"]).netloc for hook in webhooks(controller)} == {bind}


def test_the_cloud_controllers_metacontroller_runs_its_controllers_and_no_others() -> None:
    rendered = render(CLOUD_CONTROLLER)
    selector = arguments(container(rendered.pod(), "metacontroller"))["target-label-selector"]
    key, _, value = selector.partition("=")
    for controller in rendered.controllers():
        assert controller["metadata"]["labels"][key] == value
    for controller in render(TARGET_CLUSTER_OPERATOR).controllers():
        assert controller["metadata"]["labels"][key] != value


def test_the_selector_that_the_guide_gives_keeps_another_metacontroller_off_these_alone() -> None:
    guide = (PROJECT / "docs" / "guides" / "install.md").read_text()
    told = re.search(r"`--target-label-selector=(\S+)!=(\S+)`", guide)
    assert told
    for controller in render(CLOUD_CONTROLLER).controllers():
        assert controller["metadata"]["labels"][told[1]] == told[2]
    for controller in render(TARGET_CLUSTER_OPERATOR).controllers():
        assert controller["metadata"]["labels"][told[1]] != told[2]


def test_the_image_can_be_taken_from_elsewhere(tmp_path: Path) -> None:
    guide = (PROJECT / "docs" / "guides" / "install.md").read_text()
    [example] = re.findall(r"```yaml\n([^`]*?\nimages:\n[^`]*?)```", guide)
    overlay = yaml.safe_load(example)
    named = overlay["images"][0]["newName"]
    [base] = overlay["resources"]
    folder = DEPLOY / base.partition("//deploy/")[2]
    overlay["resources"] = [os.path.relpath(folder, tmp_path)]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    pod = render(tmp_path).pod()
    images = [each["image"] for each in (*pod["initContainers"], *pod["containers"])]
    assert len([image for image in images if image.startswith(f"{named}:")]) == 2


def test_the_cloud_controller_starts_where_every_node_is_tainted() -> None:
    pod = render(CLOUD_CONTROLLER).pod()
    assert pod["hostNetwork"] is True
    assert pod["dnsPolicy"] == "Default"
    assert {toleration["key"] for toleration in pod["tolerations"]} == {
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.kubernetes.io/not-ready",
        "node-role.kubernetes.io/control-plane",
    }
    # NoExecute tolerated for ever would keep the pod on a node that has died.
    assert {toleration["effect"] for toleration in pod["tolerations"]} == {"NoSchedule"}


def test_the_cloud_controller_reads_the_secret_of_the_provider_that_it_replaces() -> None:
    rendered = render(CLOUD_CONTROLLER)
    assert rendered.deployment()["metadata"]["namespace"] == "kube-system"
    hooks = container(rendered.pod(), "hooks")
    [volume] = [each for each in rendered.pod()["volumes"] if "secret" in each]
    [mount] = [each for each in hooks["volumeMounts"] if each["name"] == volume["name"]]
    assert volume["secret"]["secretName"] == "cloudstack-secret"
    assert "items" not in volume["secret"]  # the file that ca-file names may be beside it
    assert environment(hooks)["CLOUD_CONFIG"] == f"{mount['mountPath']}/cloud-config"
    # A file that is mounted by itself never changes.
    assert "subPath" not in mount


def test_the_target_cluster_operator_is_called_as_promised() -> None:
    rendered = render(TARGET_CLUSTER_OPERATOR)
    deployment = rendered.one("Deployment", "target-cluster-operator")
    assert deployment["metadata"]["namespace"] == "target-cluster-system"
    assert deployment["metadata"]["labels"]["name"] == "target-cluster-operator"
    assert deployment["spec"]["template"]["metadata"]["labels"]["name"] == "target-cluster-operator"
    assert rendered.pod()["serviceAccountName"] == "target-cluster-operator"
    rendered.one("ServiceAccount", "target-cluster-operator")
    metrics = rendered.one("Service", "target-cluster-operator-metrics")
    assert metrics["metadata"]["namespace"] == "target-cluster-system"
    assert metrics["spec"]["ports"] == [{"name": "metrics", "port": 8383, "targetPort": "metrics"}]


def test_the_target_cluster_operator_is_called_through_its_service_with_a_token() -> None:
    rendered = render(TARGET_CLUSTER_OPERATOR)
    service = rendered.one("Service", "target-cluster-operator")
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    hooks = container(rendered.pod(), "hooks")
    [mount] = [each for each in hooks["volumeMounts"] if each["name"] == "token"]
    assert environment(hooks)["HOOKS_TOKEN_FILE"] == f"{mount['mountPath']}/token"
    for controller in rendered.controllers():
        [endpoint] = controller["spec"]["endpointConfigs"]
        assert {urlsplit(hook["url"]).netloc for hook in webhooks(controller)} == {endpoint["host"]}
        assert endpoint["authorization"]["secretRef"]["name"] == "target-cluster-operator-token"


def test_services_find_the_ports_they_name() -> None:
    rendered = render(TARGET_CLUSTER_OPERATOR)
    ports = {
        port["name"]: port["containerPort"] for port in rendered.pod()["containers"][0]["ports"]
    }
    defaults = {setting.variable: setting.default for setting in settings().values()}
    hooks = environment(container(rendered.pod(), "hooks"))
    assert ports["hooks"] == int(hooks["BIND"].rpartition(":")[2])
    assert ports["metrics"] == int(defaults["METRICS_PORT"])
    for service in rendered.of("Service"):
        labels = rendered.deployment()["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])


@every_operator
def test_pods_are_confined(folder: Path) -> None:
    pod = render(folder).pod()
    confined = pod["securityContext"]
    assert confined["runAsNonRoot"] is True
    assert confined["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in pod["containers"]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@every_operator
def test_the_user_is_the_images(folder: Path) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert user
    confined = render(folder).pod()["securityContext"]
    assert (confined["runAsUser"], confined["runAsGroup"]) == (int(user[1]), int(user[2]))


@every_operator
def test_pods_say_what_they_need_and_how_they_are(folder: Path) -> None:
    pod = render(folder).pod()
    assert pod["priorityClassName"]
    assert pod["enableServiceLinks"] is False
    for each in pod["containers"]:
        assert {"cpu", "memory"} <= set(each["resources"]["requests"])
        # No limit on CPU: it would slow the calls that are to end in time.
        assert set(each["resources"]["limits"]) == {"memory"}
        ports = {port["name"] for port in each["ports"]}
        probes = {
            probe: each[f"{probe}Probe"]["httpGet"]
            for probe in ("startup", "liveness", "readiness")
        }
        assert {probe["port"] for probe in probes.values()} <= ports
        assert {name: probe["path"] for name, probe in probes.items()} == {
            "startup": "/healthz",
            "liveness": "/healthz",
            "readiness": "/readyz",
        }


def deadline() -> Any:
    """Return the seconds that a call may take by default."""
    return next(s.parse(s.default) for s in settings().values() if s.variable == "HOOK_DEADLINE")


@every_operator
def test_a_look_up_that_nobody_answers_leaves_a_call_within_its_timeout(folder: Path) -> None:
    options = {
        each["name"]: int(each["value"]) for each in render(folder).pod()["dnsConfig"]["options"]
    }
    # Of one name server: the name as it is, and with a search domain.
    longest = 2 * options["timeout"] * options["attempts"]
    timeouts = [hook["timeout"] for one in resources("metacontroller") for hook in webhooks(one)]
    assert deadline() + longest < min(int(each.removesuffix("s")) for each in timeouts)


@every_operator
def test_a_pod_has_time_to_answer_its_calls_before_it_ends(folder: Path) -> None:
    pod = render(folder).pod()
    pause = int(container(pod, "hooks")["lifecycle"]["preStop"]["exec"]["command"][1])
    served = (PROJECT / "gunicorn.conf.py").read_text()
    more = re.search(r"^graceful_timeout = int\(settings\.hook_deadline\) \+ (\d+)$", served, re.M)
    assert more
    assert pod["terminationGracePeriodSeconds"] > pause + deadline() + int(more[1])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(DEPLOY)))
def test_what_belongs_to_no_namespace_names_none(folder: Path) -> None:
    scopes = {
        crd["spec"]["names"]["kind"]: crd["spec"]["scope"]
        for each in (folder, DEPLOY / "metacontroller-crds")
        for crd in render(each).of("CustomResourceDefinition")
    }
    for obj in render(folder).objects:
        kind = obj["kind"]
        wide = scopes.get(kind, "Cluster" if kind.startswith("Cluster") else "") == "Cluster"
        wide |= kind in {"Namespace", "PriorityClass", "CustomResourceDefinition"}
        wide |= kind.startswith("ValidatingAdmissionPolicy")
        assert ("namespace" not in obj["metadata"]) == wide, identity(obj)
