"""Renders the folders of deploy/ and finds things in what comes out."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.controlplane.api import Object
from tools import manifests

PROJECT = manifests.PROJECT
DEPLOY = manifests.DEPLOY
ONE_FILE = manifests.ONE_FILE
CLOUD_CONTROLLER = DEPLOY / manifests.CLOUD_CONTROLLER
TARGET_CLUSTER_OPERATOR = DEPLOY / manifests.TARGET_CLUSTER_OPERATOR
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


def text(folder: Path) -> str:
    """Render a folder as `kubectl apply -k` would."""
    try:
        return manifests.text(folder)
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"{folder} does not render: {error.stderr}") from error


@cache
def render(folder: Path) -> Rendered:
    """Render a folder, read."""
    return read(text(folder))


def read(rendered: str) -> Rendered:
    """Return the objects of a text."""
    return Rendered(tuple(yaml.load_all(rendered, yaml.CSafeLoader)))


def composed(folder: Path, base: Path, *components: str) -> Path:
    """Write a kustomization of a folder of deploy/ with components, as a user's overlay has it."""
    return manifests.composed(folder, manifests.Combination(str(base), components))


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
