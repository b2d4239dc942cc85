"""The operators' pods with TLS and client certificates, run as they say."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from simulator.server import Simulator
from tests.certificates import Certificates, make_certificates
from tests.controlplane import ControlPlane
from tests.controlplane.polling import PATIENCE
from tests.deploy import installed
from tests.deploy.pods import Moved, Pod, moved, secret_of_files
from tests.deploy.rendering import CLOUD_CONTROLLER, TARGET_CLUSTER_OPERATOR, composed, text

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Operator:
    """An operator that the cluster's Metacontroller calls; `path` is one of its hooks."""

    name: str
    namespace: str
    base: Path
    components: tuple[str, ...]
    path: str


OPERATORS = [
    Operator(
        "cloudstack-cloud-controller",
        "kube-system",
        CLOUD_CONTROLLER,
        (
            "cloud-controller-cluster-metacontroller",
            "cloud-controller-tls",
            "cloud-controller-client-certificates",
        ),
        "/nodes/sync",
    ),
    Operator(
        "target-cluster-operator",
        "target-cluster-system",
        TARGET_CLUSTER_OPERATOR,
        ("target-cluster-operator-tls", "target-cluster-operator-client-certificates"),
        "/targetclusters/sync",
    ),
]


@pytest.fixture(scope="module")
def prepared(
    cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """Make the Secret of the cloud controller."""
    with Simulator() as simulator:
        installed.give_cloud_config(cluster, simulator, tmp_path_factory.mktemp("cloud-config"))
        yield cluster


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


def prepare(
    cluster: ControlPlane, operator: Operator, folder: Path, certificates: Certificates
) -> Moved:
    """Make what the pod needs: its account and, in cert-manager's place, its certificates."""
    name, namespace = operator.name, operator.namespace
    overlay = composed(folder / "overlay", operator.base, *operator.components)
    if namespace != "kube-system":
        cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("-n", namespace, "create", "serviceaccount", name)
    files = folder / "secret"
    files.mkdir()
    for file, source in {
        "tls.crt": certificates.server_cert,
        "tls.key": certificates.server_key,
        "ca.crt": certificates.authority,
    }.items():
        (files / file).write_bytes(source.read_bytes())
    secret_of_files(cluster, namespace, f"{name}-tls", sorted(files.iterdir()))
    (folder / "token").write_text(TOKEN)
    secret_of_files(cluster, namespace, f"{name}-token", [folder / "token"])
    return moved(text(overlay))


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_the_hooks_answer_whom_the_certificates_and_the_token_let_in(
    prepared: ControlPlane, tmp_path: Path, certificates: Certificates, operator: Operator
) -> None:
    manifests = prepare(prepared, operator, tmp_path, certificates)
    port = manifests.ports[8080]
    settings = {"METRICS_BIND": "127.0.0.1", "BIND": f"127.0.0.1:{port}"}
    deployment = manifests.rendered.deployment()
    pod = Pod(prepared, deployment, tmp_path / "pod", settings=settings)
    url = f"https://127.0.0.1:{port}{operator.path}"
    shown = (str(certificates.client_cert), str(certificates.client_key))
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with pod.running():
        assert call(url, certificates, headers=bearer).status_code == 401
        assert call(url, certificates, cert=shown).status_code == 401
        answer = call(url, certificates, cert=shown, headers=bearer)
    # Let in, and told that an empty object is no request.
    assert answer.status_code == 400
    assert answer.json()["field"]


def call(
    url: str,
    certificates: Certificates,
    *,
    cert: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """Call the hook on a connection of its own."""
    verify = str(certificates.authority)
    return requests.post(url, json={}, cert=cert, headers=headers, verify=verify, timeout=PATIENCE)
