"""The target-cluster-operator's pod with TLS and client certificates, run as it says."""

from pathlib import Path

import pytest
import requests

from tests.certificates import Certificates, make_certificates
from tests.controlplane import ControlPlane
from tests.deploy.pods import Moved, Pod, moved, secret_of_files
from tests.deploy.rendering import TARGET_CLUSTER_OPERATOR, composed, text

NAME = "target-cluster-operator"
NAMESPACE = "target-cluster-system"
TOKEN = "a-token-of-the-tests"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


def prepare(cluster: ControlPlane, folder: Path, certificates: Certificates) -> Moved:
    """Make what the pod needs: its account and, in cert-manager's place, its certificates."""
    overlay = composed(
        folder / "overlay", TARGET_CLUSTER_OPERATOR, f"{NAME}-tls", f"{NAME}-client-certificates"
    )
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("-n", NAMESPACE, "create", "serviceaccount", NAME)
    files = folder / "secret"
    files.mkdir()
    for name, source in {
        "tls.crt": certificates.server_cert,
        "tls.key": certificates.server_key,
        "ca.crt": certificates.authority,
    }.items():
        (files / name).write_bytes(source.read_bytes())
    secret_of_files(cluster, NAMESPACE, f"{NAME}-tls", sorted(files.iterdir()))
    (folder / "token").write_text(TOKEN)
    secret_of_files(cluster, NAMESPACE, f"{NAME}-token", [folder / "token"])
    return moved(text(overlay))


def test_the_hooks_answer_whom_the_certificates_and_the_token_let_in(
    empty_cluster: ControlPlane, tmp_path: Path, certificates: Certificates
) -> None:
    manifests = prepare(empty_cluster, tmp_path, certificates)
    port = manifests.ports[8080]
    settings = {"METRICS_BIND": "127.0.0.1", "BIND": f"127.0.0.1:{port}"}
    pod = Pod(empty_cluster, manifests.rendered.deployment(), tmp_path / "pod", settings=settings)
    url = f"https://127.0.0.1:{port}/targetclusters/sync"
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
    return requests.post(url, json={}, cert=cert, headers=headers, verify=verify, timeout=20)
