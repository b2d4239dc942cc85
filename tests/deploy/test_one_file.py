"""provider.yaml is applied in one go, since the pod registers its controllers by itself."""

import copy
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from hooks.registration import NOT_REGISTERED
from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.controlplane.api import ApiError, Object
from tests.controlplane.cluster import KubectlError
from tests.deploy import installed
from tests.deploy.accounts import bound, wildcards
from tests.deploy.pods import Pod, moved
from tests.deploy.rendering import (
    CLOUD_CONTROLLER,
    ONE_FILE,
    PROJECT,
    container,
    environment,
    init_container,
    read,
    render,
    text,
)
from tests.serving import write_cloud_config
from tools.manifests import HEADER, PROVIDER

METACONTROLLER = "metacontroller.k8s.io/v1alpha1"
PLURALS = ("compositecontrollers", "decoratorcontrollers")
NAME = "cloudstack-cloud-controller"


def registered(cluster: ControlPlane) -> dict[str, Object]:
    """Return what is there for Metacontroller, by name."""
    found = [one for plural in PLURALS for one in controllers(cluster, plural)]
    return {one["metadata"]["name"]: one for one in found}


def controllers(cluster: ControlPlane, plural: str) -> list[Object]:
    return cluster.api.resource(METACONTROLLER, plural, namespaced=False).list()


def test_provider_yaml_is_current() -> None:
    assert PROVIDER.read_text() == HEADER + text(ONE_FILE), "stale: run `make manifests`"


def test_it_differs_from_the_folder_in_who_registers_the_controllers_alone() -> None:
    one, many = render(ONE_FILE), render(CLOUD_CONTROLLER)
    added = [obj for obj in one.objects if obj not in many.objects]
    kinds = ["ClusterRole", "ClusterRoleBinding", "Deployment"]
    assert sorted(obj["kind"] for obj in added) == kinds
    left_out = [obj for obj in many.objects if obj not in one.objects]
    assert [obj for obj in left_out if obj["kind"] != "Deployment"] == many.controllers()
    deployment = copy.deepcopy(one.deployment())
    del deployment["spec"]["template"]["spec"]["initContainers"]
    assert deployment == many.deployment()


def test_the_init_container_is_the_hooks_image_with_the_hooks_settings() -> None:
    pod = render(ONE_FILE).pod()
    hooks, first = container(pod, "hooks"), init_container(pod, "registration")
    assert environment(first).items() <= environment(hooks).items()
    for name in ("image", "securityContext", "volumeMounts"):
        assert first[name] == hooks[name], name


def test_one_apply_is_enough_and_a_second_changes_nothing(
    empty_cluster: ControlPlane, tmp_path: Path
) -> None:
    manifests = moved(PROVIDER.read_text())
    empty_cluster.kubectl("apply", "-f", "-", stdin=manifests.text)
    with Simulator() as simulator:
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        with installed.running(empty_cluster, manifests, simulator, tmp_path):
            found = registered(empty_cluster)
    expected = moved_controllers(manifests.ports[10280])
    assert {name: one["spec"] for name, one in found.items()} == {
        name: one["spec"] for name, one in expected.items()
    }
    for name, one in found.items():
        assert one["metadata"]["labels"] == expected[name]["metadata"]["labels"]
    # Another pod finds them there, and has nothing to write.
    with installed.running(empty_cluster, manifests, simulator, tmp_path / "again"):
        assert versions(registered(empty_cluster)) == versions(found)
    said = empty_cluster.kubectl("apply", "-f", "-", stdin=manifests.text).splitlines()
    assert [line for line in said if not line.endswith(" unchanged")] == []


def moved_controllers(port: int) -> dict[str, Object]:
    """Return the controllers of the folder, calling another port."""
    rendered = read(text(CLOUD_CONTROLLER).replace("10280", str(port)))
    return {one["metadata"]["name"]: one for one in rendered.controllers()}


def versions(found: dict[str, Object]) -> dict[str, str]:
    return {name: one["metadata"]["resourceVersion"] for name, one in found.items()}


def test_without_it_kubectl_would_want_two_runs(empty_cluster: ControlPlane) -> None:
    """The reason for all this: should kubectl ever learn it, the init container can go."""
    with pytest.raises(KubectlError, match="ensure CRDs are installed first") as refused:
        empty_cluster.kubectl("apply", "-k", CLOUD_CONTROLLER)
    assert str(refused.value).count("resource mapping not found") == len(PLURALS) + 1
    installed.until_served(empty_cluster)
    empty_cluster.kubectl("apply", "-k", CLOUD_CONTROLLER)
    assert len(registered(empty_cluster)) == 3


@pytest.fixture(scope="module")
def prepared(cluster: ControlPlane) -> ControlPlane:
    """Give an account the right to register, and no other."""
    installed.apply(cluster, moved(PROVIDER.read_text()))
    cluster.kubectl("create", "serviceaccount", "first")
    role = f"--clusterrole={NAME}-registration"
    cluster.kubectl("create", "clusterrolebinding", "first", role, "--serviceaccount=default:first")
    return cluster


@pytest.fixture
def allowed(prepared: ControlPlane) -> ControlPlane:
    """Have nothing registered, and the right as it is in the file."""
    for plural in PLURALS:
        prepared.api.call("DELETE", f"/apis/{METACONTROLLER}/{plural}")
    prepared.apply(yaml.safe_dump(registration()))
    return prepared


def registration() -> Object:
    """Return the role with the right to register."""
    return render(ONE_FILE).one("ClusterRole", f"{NAME}-registration")


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_each_verb_of_the_right_to_register_is_needed(
    allowed: ControlPlane, tmp_path: Path, verb: str
) -> None:
    role = copy.deepcopy(registration())
    for rule in role["rules"]:
        rule["verbs"].remove(verb)
    allowed.apply(yaml.safe_dump(role))
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(allowed.kubeconfig_as(allowed.service_account_token("first", "default")))
    with Simulator() as simulator:
        cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
        environ = {"CLOUD_CONFIG": str(cloud_config), "KUBECONFIG_FILE": str(kubeconfig)}
        done = subprocess.run(
            [sys.executable, "-m", "hooks.registration"],
            cwd=PROJECT,
            env=environ,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == NOT_REGISTERED
    assert f"cannot {verb} resource" in done.stdout + done.stderr


def test_its_roles_have_no_wildcard_and_are_bound_to_the_pods_account() -> None:
    rendered = render(ONE_FILE)
    assert wildcards(rendered) == []
    roles = {
        (role["kind"], role["metadata"]["name"])
        for role in rendered.of("Role", "ClusterRole")
        if role["metadata"]["name"] != f"{NAME}-view"  # for people
    }
    account = ("kube-system", rendered.pod()["serviceAccountName"])
    assert {(kind, name, *who) for (kind, _, name), *who in bound(rendered)} == {
        (*role, *account) for role in roles
    }


def test_the_right_to_register_is_for_these_controllers_by_name(
    allowed: ControlPlane, tmp_path: Path
) -> None:
    manifests = moved(PROVIDER.read_text())
    with Simulator() as simulator:
        installed.give_cloud_config(allowed, simulator, tmp_path)
        users = {"registration": ("first", "default")}
        pod = Pod(allowed, manifests.rendered.deployment(), tmp_path / "pod", users)
        with pod.running():
            found = registered(allowed)
    assert len(found) == 3
    other = copy.deepcopy(found["cloudstack-nodes"])
    other["metadata"] = {"name": "other"}
    with closing(allowed.api_as(allowed.service_account_token("first", "default"))) as api:
        decorators = api.resource(METACONTROLLER, "decoratorcontrollers", namespaced=False)
        for refused in (
            lambda: decorators.create(other),
            lambda: decorators.delete("cloudstack-nodes"),
            lambda: decorators.get("cloudstack-nodes"),
        ):
            with pytest.raises(ApiError, match="forbidden"):
                refused()
