"""Renders the folders of deploy/ and finds things in what comes out."""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.controlplane import binaries
from tests.controlplane.api import Object

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
CLOUD_CONTROLLER = DEPLOY / "cloud-controller"
TARGET_CLUSTER_OPERATOR = DEPLOY / "target-cluster-operator"
#: What provider.yaml is rendered from.
ONE_FILE = DEPLOY / "overlays" / "one-file"
OPERATORS = (CLOUD_CONTROLLER, TARGET_CLUSTER_OPERATOR)


@dataclass(frozen=True)
class Rendered:
    """All objects of one rendering, in its order."""

    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of some kinds."""
        return [obj for obj in self.objects if obj["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """Return one object, which must be there once."""
        [found] = [obj for obj in self.of(kind) if obj["metadata"]["name"] == name]
        return found

    def deployment(self) -> Object:
        """Return the only Deployment."""
        [found] = self.of("Deployment")
        return found

    def pod(self) -> Object:
        """Return the spec of the only Deployment's pods."""
        found: Object = self.deployment()["spec"]["template"]["spec"]
        return found

    def controllers(self) -> list[Object]:
        """Return what Metacontroller is to run."""
        return self.of("CompositeController", "DecoratorController")


@cache
def text(folder: Path) -> str:
    """Render a folder as `kubectl apply -k` would."""
    kubectl = binaries.ensure().kubectl
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{folder} does not render: {done.stderr}")
    return done.stdout


@cache
def render(folder: Path) -> Rendered:
    """Render a folder, read."""
    return read(text(folder))


def read(manifests: str) -> Rendered:
    """Return the objects of a text."""
    return Rendered(tuple(yaml.safe_load_all(manifests)))


def composed(folder: Path, base: Path, *components: str) -> Path:
    """Write a kustomization of a folder of deploy/ with components, as a user's overlay has it."""

    def relative(path: Path) -> str:
        return os.path.relpath(path, folder)

    folder.mkdir(parents=True, exist_ok=True)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(base)],
        "components": [relative(DEPLOY / "components" / name) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def container(pod: Object, name: str) -> Object:
    """Return one container of a pod's spec."""
    [found] = [each for each in pod["containers"] if each["name"] == name]
    return dict(found)


def init_container(pod: Object, name: str) -> Object:
    """Return one init container of a pod's spec."""
    [found] = [each for each in pod["initContainers"] if each["name"] == name]
    return dict(found)


def environment(one: Object) -> dict[str, str]:
    """Return what a container's environment is set to; what comes from the pod is empty."""
    return {entry["name"]: entry.get("value", "") for entry in one.get("env", [])}


def arguments(one: Object) -> dict[str, str]:
    """Return a container's --name=value arguments."""
    pairs = (argument.removeprefix("--").partition("=") for argument in one.get("args", []))
    return {name: value for name, _, value in pairs}


def webhooks(controller: Object) -> list[Object]:
    """Return how a controller calls its hooks."""
    return [hook["webhook"] for hook in controller["spec"]["hooks"].values()]
