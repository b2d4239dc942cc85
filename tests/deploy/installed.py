"""The cloud controller, installed by its manifests on an API server and run as its pod says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import ApiError, Object
from tests.controlplane.cluster import KubectlError
from tests.deploy.accounts import Roles
from tests.deploy.conftest import AUDITED, EVIDENCE
from tests.deploy.pods import Moved, Pod, secret_of_files
from tests.e2e.cloud import Cloud
from tests.e2e.platform import QUICK, RESYNC_SECONDS, Hooks, Platform
from tests.serving import write_cloud_config

NAMESPACE = "kube-system"
#: What kubectl says of kinds that are not served yet, or that it believes to be from before.
NOT_YET = (
    "ensure CRDs are installed first",
    "could not find the requested resource",
    "storage is (re)initializing",
)


def apply(plane: ControlPlane, manifests: Moved) -> None:
    """Apply manifests as the guides say: once for the CRDs, and again for what needs them."""
    # For a patch by OpenAPI kubectl reads the schemas of all kinds, longer than for all else.
    command = ("apply", "--openapi-patch=false", "-f", "-")
    try:
        plane.kubectl(*command, stdin=manifests.text)
    except KubectlError as error:
        assert any(one in str(error) for one in NOT_YET)  # noqa: PT017 - the only ones allowed
        until_served(plane)
        plane.kubectl(*command, stdin=manifests.text)
    until_served(plane)


def until_served(plane: ControlPlane) -> None:
    """Wait until the objects of all CRDs can be listed.

    An API server opens the store of a kind at the first request. Should that be its own, which
    cleans up after the CRD is deleted, the CRD may stay there for minutes: in a cluster nobody
    deletes a CRD in the second in which it is made.
    """
    crds = plane.api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
    polling.until(lambda: all(_served(plane, crd) for crd in crds.list()), "CRDs are served")


def give_cloud_config(plane: ControlPlane, simulator: Simulator, folder: Path) -> None:
    """Make the Secret, as the guides say."""
    file = write_cloud_config(folder / "cloud-config", simulator)
    secret_of_files(plane, NAMESPACE, "cloudstack-secret", [file])


class PodHooks(Hooks):
    """The hooks in a pod."""

    def __init__(self, pod: Pod, manifests: Moved, simulator: Simulator) -> None:
        self.port, self.metrics_port = manifests.ports[10280], manifests.ports[10281]
        self.process = pod.processes["hooks"]
        self.simulator = simulator
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


@contextmanager
def audited(
    plane: ControlPlane, manifests: Moved, roles: Roles, folder: Path
) -> Iterator[Platform]:
    """Install the cloud controller and run its pod, hooks and Metacontroller as two accounts."""
    with Simulator() as simulator:
        Cloud.of(simulator).deploy_like("node-4")  # before the hooks have a list of VMs to keep
        apply(plane, manifests)
        # It knows the pod's account, and here there are two.
        protection = "validatingadmissionpolicybinding/cloudstack-object-protection"
        plane.kubectl("delete", protection)
        give_cloud_config(plane, simulator, folder)
        for controller in manifests.rendered.controllers():
            patch = f'{{"spec": {{"resyncPeriodSeconds": {RESYNC_SECONDS}}}}}'
            name = f"{controller['kind']}/{controller['metadata']['name']}"
            plane.kubectl("patch", name, "--type=merge", "-p", patch)
        plane.start_controllers()
        roles.bind(plane)
        users = {who: (who, EVIDENCE) for who in AUDITED}
        with running(plane, manifests, simulator, folder, users=users, settings=QUICK) as platform:
            yield platform


def _served(plane: ControlPlane, crd: Object) -> bool:
    spec = crd["spec"]
    [version] = [each["name"] for each in spec["versions"] if each["storage"]]
    try:
        plane.api.call("GET", f"/apis/{spec['group']}/{version}/{spec['names']['plural']}")
    except ApiError as error:
        if error.code not in (404, 429):
            raise
        return False
    return True
