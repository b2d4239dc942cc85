"""The cloud controller, installed by its manifests on an API server and run as its pod says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Object
from tests.controlplane.cluster import KubectlError
from tests.deploy.pods import Moved, Pod, secret_of_files
from tests.e2e.platform import Hooks, Platform
from tests.serving import write_cloud_config

NAMESPACE = "kube-system"


def apply(plane: ControlPlane, manifests: Moved) -> None:
    """Apply manifests as the guides say: once for the CRDs, and again for what needs them."""
    try:
        plane.apply(manifests.text)
    except KubectlError as error:
        assert "ensure CRDs are installed first" in str(error)  # noqa: PT017 - the only one allowed
        until_established(plane)
        plane.apply(manifests.text)


def until_established(plane: ControlPlane) -> None:
    """Wait until the kinds of all CRDs can be used."""
    crds = plane.api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
    polling.until(lambda: all(map(_established, crds.list())), "CRDs are established")


def give_cloud_config(plane: ControlPlane, simulator: Simulator, folder: Path) -> None:
    """Make the Secret, as the guides say."""
    file = write_cloud_config(folder / "cloud-config", simulator)
    secret_of_files(plane, NAMESPACE, "cloudstack-secret", [file])


class PodHooks(Hooks):
    """The hooks in a pod."""

    def __init__(self, pod: Pod, manifests: Moved, simulator: Simulator) -> None:
        self.port, self.metrics_port = manifests.ports[10280], manifests.ports[10281]
        self.process = pod.processes["hooks"]
        self._simulator = simulator
        self._cloud_config = pod.volume("cloud-config") / "cloud-config"


@contextmanager
def running(
    plane: ControlPlane,
    manifests: Moved,
    simulator: Simulator,
    folder: Path,
    *,
    users: Mapping[str, tuple[str, str]] | None = None,
    settings: dict[str, str] | None = None,
) -> Iterator[Platform]:
    """Run the pod of the cloud controller; the manifests and the Secret are there."""
    deployment = manifests.rendered.deployment()
    pod = Pod(plane, deployment, folder / "pod", users or {}, settings or {})
    with pod.running():
        hooks = PodHooks(pod, manifests, simulator)
        yield Platform(plane, simulator, hooks, pod.processes["metacontroller"])


def _established(crd: Object) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
