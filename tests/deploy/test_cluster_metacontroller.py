"""The operators where the cluster's own Metacontroller calls them: token, TLS, client certificate.

Their Services are not routed here: wherever the manifests name one, this machine's address stands.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from simulator.server import Simulator
from tests.certificates import make_certificates
from tests.controlplane import ControlPlane, metacontroller
from tests.controlplane.kubeconfig import write_private
from tests.deploy import installed
from tests.deploy.pods import Moved, Pod, moved, secret_of_files
from tests.deploy.rendering import (
    CLOUD_CONTROLLER,
    DEPLOY,
    TARGET_CLUSTER_OPERATOR,
    composed,
    read,
    text,
)
from tests.deploy.site import Site
from tests.deploy.watched import Watched, supply
from tests.e2e.targets import NAMESPACE

TOKEN = "a-token-of-the-tests-that-is-long-enough"


@dataclass(frozen=True)
class Called:
    """An operator's manifests, aimed at this machine."""

    cluster: ControlPlane
    name: str
    namespace: str
    manifests: Moved
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """Return what keeps the pod's servers on loopback."""
        bind = f"127.0.0.1:{self.manifests.ports[8080]}"
        return {"METRICS_BIND": "127.0.0.1", "BIND": bind}

    @contextmanager
    def called(self, pod: Pod) -> Iterator[None]:
        """Run the pod, and a Metacontroller that is not in it, as its own manifests have it."""
        cluster, log = self.cluster, self.folder / "metacontroller.log"
        account = ("metacontroller", "metacontroller")
        cluster.kubectl("create", "namespace", account[0])
        cluster.kubectl("-n", account[0], "create", "serviceaccount", account[1])
        given = ("--clusterrole=cluster-admin", f"--serviceaccount={':'.join(account)}")
        cluster.kubectl("create", "clusterrolebinding", account[1], *given)
        kubeconfig = self.folder / "metacontroller.kubeconfig"
        write_private(kubeconfig, cluster.kubeconfig_as(cluster.service_account_token(*account)))
        with pod.running(), metacontroller.running(kubeconfig, log):
            yield


def aimed(rendered: str, service: str) -> Moved:
    """Move the ports of manifests, and put this machine in the place of a Service."""
    found = moved(rendered)
    documents = [
        one
        for one in read(found.text.replace(f"{service}:", "127.0.0.1:")).objects
        if not one["apiVersion"].startswith("cert-manager.io/")  # whose work is done by the tests
    ]
    return Moved(yaml.safe_dump_all(documents), found.ports)


def prepare(called: Called, *, tls: bool) -> None:
    """Make what the guide has its readers make, and what cert-manager would."""
    cluster, name, namespace = called.cluster, called.name, called.namespace
    cluster.apply(DEPLOY / "metacontroller-crds")
    if namespace != "kube-system":
        cluster.kubectl("create", "namespace", namespace)
    (called.folder / "token").write_text(TOKEN)
    secret_of_files(cluster, namespace, f"{name}-token", [called.folder / "token"])
    if tls:
        made = make_certificates(called.folder / "certificates")
        for secret, files in {
            f"{name}-tls": (made.server_cert, made.server_key),
            f"{name}-client-tls": (made.client_cert, made.client_key),
        }.items():
            folder = called.folder / secret
            folder.mkdir()
            for file, source in zip(("tls.crt", "tls.key"), files, strict=True):
                (folder / file).write_bytes(source.read_bytes())
            (folder / "ca.crt").write_bytes(made.authority.read_bytes())
            secret_of_files(cluster, namespace, secret, sorted(folder.iterdir()))
    installed.apply(cluster, called.manifests)
    cluster.start_controllers()


by_token_and_by_tls = pytest.mark.parametrize(
    "tls",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                metacontroller.real() is None, reason="the stand-in speaks no TLS"
            ),
        ),
    ],
    ids=["token", "TLS and client certificate"],
)


@by_token_and_by_tls
def test_the_cloud_controller_is_called_through_its_service(
    empty_cluster: ControlPlane, tmp_path: Path, tls: bool
) -> None:
    chosen = ["cloud-controller-cluster-metacontroller"]
    chosen += ["cloud-controller-tls", "cloud-controller-client-certificates"] if tls else []
    rendered = text(composed(tmp_path / "overlay", CLOUD_CONTROLLER, *chosen))
    name = "cloudstack-cloud-controller"
    manifests = aimed(rendered, f"{name}.kube-system")
    called = Called(empty_cluster, name, "kube-system", manifests, tmp_path)
    prepare(called, tls=tls)
    with Simulator() as simulator, ExitStack() as stack:
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        site = Site(empty_cluster, simulator, tmp_path, manifests, called.settings)
        stack.enter_context(called.called(site.pod()))
        site.join()
        assert site.address()


@by_token_and_by_tls
def test_the_target_cluster_operator_is_called_through_its_service(
    watched: Watched, tmp_path: Path, tls: bool
) -> None:
    name = "target-cluster-operator"
    chosen = [f"{name}-tls", f"{name}-client-certificates"] if tls else []
    rendered = text(composed(tmp_path / "overlay", TARGET_CLUSTER_OPERATOR, *chosen))
    manifests = aimed(rendered, f"{name}.{NAMESPACE}")
    called = Called(watched.cluster, name, NAMESPACE, manifests, tmp_path)
    prepare(called, tls=tls)
    deployment = manifests.rendered.deployment()
    pod = Pod(watched.cluster, deployment, tmp_path / "pod", settings=called.settings)
    with called.called(pod):
        supply(watched)
        watched.until_ready()
        assert watched.copy()
