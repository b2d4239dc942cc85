"""Aims Metacontroller's controllers, written for a cluster, at hooks that run on loopback."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.controlplane.api import Api, Object, Resource

PROJECT = Path(__file__).resolve().parents[2]
CONTROLLERS = PROJECT / "metacontroller"
CRDS = (Path(__file__).parent / "crds", PROJECT / "crds")
API_VERSION = "metacontroller.k8s.io/v1alpha1"
PLURALS = {
    "DecoratorController": "decoratorcontrollers",
    "CompositeController": "compositecontrollers",
}
TOKEN_SECRET = {"namespace": "default", "name": "hooks-token", "key": "token"}


@dataclass(frozen=True)
class Hooks:
    """Where hooks run, `http://127.0.0.1:port`, and the bearer token they want, if any."""

    url: str
    token: str = ""


def load(source: Path) -> list[Object]:
    """Return the controllers in a YAML file, or in all files of a folder."""
    files = sorted(source.glob("*.yaml")) if source.is_dir() else [source]
    documents = [doc for file in files for doc in yaml.safe_load_all(file.read_text())]
    return [doc for doc in documents if doc and doc.get("kind") in PLURALS]


def aimed(controller: Object, hooks: Hooks) -> Object:
    """Return a copy of a controller that calls its hooks' paths on another server.

    With a token, the controller is told the Secret that `applied` keeps it in.
    """
    copied = copy.deepcopy(controller)
    for hook in copied["spec"].get("hooks", {}).values():
        webhook = hook["webhook"]
        path = webhook.pop("path", None) or urlsplit(webhook.get("url", "")).path
        webhook.pop("service", None)
        webhook["url"] = hooks.url + path
        if hooks.token:
            webhook["authorization"] = {"secretRef": TOKEN_SECRET}
    return copied


@contextmanager
def applied(api: Api, controllers: Iterable[Object], hooks: Hooks) -> Iterator[None]:
    """Create controllers aimed at `hooks`; delete them at the end."""
    with _secret(api, hooks.token):
        made: list[Object] = []
        try:
            for controller in controllers:
                aimed_one = aimed(controller, hooks)
                _resource(api, aimed_one).create(aimed_one)
                made.append(aimed_one)
            yield
        finally:
            for controller in made:
                _resource(api, controller).delete(controller["metadata"]["name"])


@contextmanager
def _secret(api: Api, token: str) -> Iterator[None]:
    if not token:
        yield
        return
    namespace, name = TOKEN_SECRET["namespace"], TOKEN_SECRET["name"]
    secrets = api.resource("v1", "secrets")
    secrets.create(
        {
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {TOKEN_SECRET["key"]: token},
        }
    )
    try:
        yield
    finally:
        secrets.delete(name, namespace)


def _resource(api: Api, controller: Object) -> Resource:
    return api.resource(API_VERSION, PLURALS[controller["kind"]])
