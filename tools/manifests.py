"""`python -m tools.manifests`: writes provider.yaml, the cloud controller in one file.

With `--check` it writes nothing: it renders every kustomization, and the components of each
operator together, and provider.yaml must be current. Both need a kubectl: the one that KUBECTL
names, else the one that the tests build, once. `--check` builds none; without one it passes,
because the tests render everything too.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tools import binaries

PROJECT = Path(__file__).resolve().parent.parent
DEPLOY = PROJECT / "deploy"
PROVIDER = PROJECT / "provider.yaml"
ONE_FILE = DEPLOY / "overlays" / "one-file"
HEADER = """\
# The CloudStack cloud controller in one file; `make manifests` renders it from
# deploy/overlays/one-file.
# It needs the Secret cloudstack-secret in kube-system; docs/guides/install.md has the rest.
"""
CLOUD_CONTROLLER = "cloud-controller"
TARGET_CLUSTER_OPERATOR = "target-cluster-operator"
#: What goes with any Metacontroller, by operator.
ADDED = {
    CLOUD_CONTROLLER: (
        f"{CLOUD_CONTROLLER}-two-replicas",
        f"{CLOUD_CONTROLLER}-alerts",
        f"{CLOUD_CONTROLLER}-dashboards",
        f"{CLOUD_CONTROLLER}-pod-monitor",
        f"{CLOUD_CONTROLLER}-validation",
        f"{CLOUD_CONTROLLER}-certificates",
    ),
    TARGET_CLUSTER_OPERATOR: (
        f"{TARGET_CLUSTER_OPERATOR}-alerts",
        f"{TARGET_CLUSTER_OPERATOR}-dashboards",
        f"{TARGET_CLUSTER_OPERATOR}-service-monitor",
        f"{TARGET_CLUSTER_OPERATOR}-two-replicas",
        f"{TARGET_CLUSTER_OPERATOR}-validation",
    ),
}


@dataclass(frozen=True)
class Combination:
    """An operator's folder with components, as an overlay of a user's has them."""

    base: str
    components: tuple[str, ...]


#: Everything that may be chosen at once, by which Metacontroller calls.
COMBINATIONS = {
    "the cloud controller with its own": Combination(CLOUD_CONTROLLER, ADDED[CLOUD_CONTROLLER]),
    "the same, registered by the pod": Combination(
        CLOUD_CONTROLLER, (f"{CLOUD_CONTROLLER}-registered", *ADDED[CLOUD_CONTROLLER])
    ),
    "the cloud controller with the cluster's": Combination(
        CLOUD_CONTROLLER,
        (
            f"{CLOUD_CONTROLLER}-cluster-metacontroller",
            f"{CLOUD_CONTROLLER}-tls",
            f"{CLOUD_CONTROLLER}-client-certificates",
            f"{CLOUD_CONTROLLER}-network-policy",
            *ADDED[CLOUD_CONTROLLER],
        ),
    ),
    "the target-cluster-operator with the cluster's": Combination(
        TARGET_CLUSTER_OPERATOR,
        (
            f"{TARGET_CLUSTER_OPERATOR}-tls",
            f"{TARGET_CLUSTER_OPERATOR}-client-certificates",
            f"{TARGET_CLUSTER_OPERATOR}-network-policy",
            *ADDED[TARGET_CLUSTER_OPERATOR],
        ),
    ),
    "the cloud controller with the status page": Combination(CLOUD_CONTROLLER, ("status-page",)),
    "the target-cluster-operator with its own": Combination(
        TARGET_CLUSTER_OPERATOR,
        (f"{TARGET_CLUSTER_OPERATOR}-sidecar", *ADDED[TARGET_CLUSTER_OPERATOR]),
    ),
}


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Write provider.yaml, or check everything; return the exit code."""
    named = environ.get("KUBECTL")
    if arguments != ["--check"]:
        PROVIDER.write_text(provider(Path(named) if named else binaries.ensure().kubectl))
        return 0
    kubectl = Path(named) if named else binaries.locate(environ)["kubectl"]
    if not kubectl.exists():
        print("manifests: not rendered, there is no kubectl yet; `make test` builds one")
        return 0
    try:
        count = check(kubectl)
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[-1]} does not render: {error.stderr}", file=sys.stderr)
        return 1
    if PROVIDER.read_text() != provider(kubectl):
        print(f"{PROVIDER.name} is stale: run `make manifests`", file=sys.stderr)
        return 1
    print(f"manifests: {count} kustomizations render, {PROVIDER.name} is current")
    return 0


def folders() -> list[Path]:
    """List the folders that can be applied by themselves."""
    places = (DEPLOY, PROJECT / "crds", PROJECT / "metacontroller")
    files = sorted(file for place in places for file in place.rglob("kustomization.yaml"))
    kinds = {file: yaml.safe_load(file.read_text())["kind"] for file in files}
    return [file.parent for file, kind in kinds.items() if kind == "Kustomization"]


def composed(folder: Path, combination: Combination) -> Path:
    """Write a kustomization with components into a folder, as a user's overlay has it."""

    def relative(*parts: str) -> str:
        return os.path.relpath(DEPLOY.joinpath(*parts), folder)

    folder.mkdir(parents=True, exist_ok=True)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(combination.base)],
        "components": [relative("components", name) for name in combination.components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def check(kubectl: Path) -> int:
    """Render everything; return how many that were. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as scratch:
        # A temporary folder may be reached through a link, which relative paths do not follow.
        place = Path(scratch).resolve()
        combined = [
            composed(place / str(number), combination)
            for number, combination in enumerate(COMBINATIONS.values())
        ]
        every = [*folders(), *combined]
        for folder in every:
            rendered(kubectl, folder)
    return len(every)


def rendered(kubectl: Path, folder: Path) -> str:
    """Render a folder. Raises CalledProcessError."""
    done = subprocess.run(
        [kubectl, "kustomize", folder],
        env={**os.environ, **binaries.COLLECT_NEVER},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@cache
def text(folder: Path) -> str:
    """Render a folder with the pinned kubectl, once. Raises CalledProcessError."""
    return rendered(binaries.ensure().kubectl, folder)


def provider(kubectl: Path) -> str:
    """Render the cloud controller with a kubectl, whose kustomize is the one that counts."""
    return HEADER + rendered(kubectl, ONE_FILE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
