"""Why the hooks want no token of the Metacontroller beside them: it would read every Secret.

Should these tests ever fail, Metacontroller reads the one Secret alone, and a token can come.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane, metacontroller, polling
from tests.controlplane.kubeconfig import write_private
from tests.deploy import installed
from tests.deploy.pods import Moved
from tests.deploy.rendering import CLOUD_CONTROLLER, container, render, text

NAME = "cloudstack-cloud-controller"
NAMESPACE = "kube-system"
SECRET = f"{NAME}-loopback"
NEEDED = r"cannot list resource \"secrets\""  # as JSON has it

pytestmark = pytest.mark.skipif(
    metacontroller.real() is None, reason="the stand-in reads Secrets in a way of its own"
)


@pytest.fixture(scope="module")
def prepared(cluster: ControlPlane) -> ControlPlane:
    """Have the controllers send a token of a Secret, which the pod's account may read."""
    installed.apply(cluster, Moved(text(CLOUD_CONTROLLER), {}))
    create = partial(cluster.kubectl, "-n", NAMESPACE, "create")
    create("secret", "generic", SECRET, "--from-literal=token=any")
    create("role", SECRET, "--verb=get", "--resource=secrets", f"--resource-name={SECRET}")
    account = f"--serviceaccount={NAMESPACE}:{NAME}"
    create("rolebinding", SECRET, f"--role={SECRET}", account)
    reference = f'{{"namespace": "{NAMESPACE}", "name": "{SECRET}", "key": "token"}}'
    endpoint = f'{{"host": "127.0.0.1:10280", "authorization": {{"secretRef": {reference}}}}}'
    for one in render(CLOUD_CONTROLLER).controllers():
        name = f"{one['kind']}/{one['metadata']['name']}"
        patch = f'{{"spec": {{"endpointConfigs": [{endpoint}]}}}}'
        cluster.kubectl("patch", name, "--type=merge", "-p", patch)
    return cluster


@pytest.fixture
def log(prepared: ControlPlane, tmp_path: Path) -> Iterator[Path]:
    """Run Metacontroller as the pod does; return its log."""
    arguments = container(render(CLOUD_CONTROLLER).pod(), "metacontroller")["args"]
    alone = [one for one in arguments if "leader" not in one and "address" not in one]
    kubeconfig = tmp_path / "kubeconfig"
    token = prepared.service_account_token(NAME, NAMESPACE)
    write_private(kubeconfig, prepared.kubeconfig_as(token))
    file = tmp_path / "metacontroller.log"
    with metacontroller.running(kubeconfig, file, alone):
        yield file


def test_the_right_to_read_the_one_secret_is_not_enough(log: Path) -> None:
    polling.until(lambda: NEEDED in log.read_text(), "it asks for all of them")


def test_the_manifests_give_no_right_on_secrets() -> None:
    rules = [
        rule
        for role in render(CLOUD_CONTROLLER).of("Role", "ClusterRole")
        for rule in role["rules"]
    ]
    assert rules
    assert not any("secrets" in rule["resources"] for rule in rules)
