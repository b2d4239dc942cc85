"""What Metacontroller posts, key by key: each request as a file of `requests/` has it.

In those files "<any>" stands for a value that differs from run to run, NAME for the scene's name
and PARENT-UID for its parent's UID.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controlplane.api import Object
from tests.integration.controlplane.judging import GROUP, Scene

REQUESTS = Path(__file__).parent / "requests"
ANY = "<any>"
Act = Callable[[Scene], Object]


def decorator_sync(scene: Scene) -> Object:
    scene.answers("sync", {"attachments": [scene.part(spec={"size": 1})]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    return scene.called("sync")[0].request


def decorator_sync_with_attachment(scene: Scene) -> Object:
    decorator_sync(scene)
    return scene.called("sync", times=2)[1].request


def decorator_finalize(scene: Scene) -> Object:
    scene.answers("sync", {})
    scene.answers("finalize", {"finalized": True})
    scene.decorate(hooks=["sync", "finalize"], resyncPeriodSeconds=60)
    scene.service()
    scene.called("sync")
    scene.services.delete(scene.name, "default")
    return scene.called("finalize")[0].request


def decorator_customize(scene: Scene) -> Object:
    scene.answers("sync", {})
    scene.answers("customize", {"relatedResources": []})
    scene.decorate(hooks=["sync", "customize"], webhook={"timeout": "15s"})
    scene.service()
    return scene.called("customize")[0].request


def composite_sync_with_child_and_related(scene: Scene) -> Object:
    related = scene.part(spec={"size": 2})
    related["metadata"] = {"name": f"{scene.name}-related", "namespace": "default"}
    scene.parts.create(related)
    rule = {"apiVersion": GROUP, "resource": "parts", "names": [f"{scene.name}-related"]}
    scene.answers("customize", {"relatedResources": [rule]})
    scene.answers("sync", {"children": [scene.part(spec={"size": 1})]})
    scene.compose(hooks=["sync", "customize"], children=[("parts", "InPlace")])
    scene.widget()
    children = f"Part.{GROUP}"

    def complete() -> bool:
        last = scene.calls("sync")[-1].request
        return bool(last["children"][children]) and "status" in last["parent"]

    scene.called("sync", times=2)
    scene.until(complete, "the child and the status are sent")
    return scene.calls("sync")[-1].request


def composite_finalize(scene: Scene) -> Object:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.answers("finalize", {"finalized": True})
    scene.compose(hooks=["sync", "finalize"], children=[("parts", "")])
    scene.widget()
    scene.called("sync", times=2)
    scene.widgets.delete(scene.name, "default")
    return scene.called("finalize")[0].request


def composite_customize(scene: Scene) -> Object:
    scene.answers("sync", {})
    scene.answers("customize", {})
    scene.compose(hooks=["sync", "customize"])
    scene.widget()
    return scene.called("customize")[0].request


@pytest.mark.parametrize(
    "act",
    [
        decorator_sync,
        decorator_sync_with_attachment,
        decorator_finalize,
        decorator_customize,
        composite_sync_with_child_and_related,
        composite_finalize,
        composite_customize,
    ],
)
def test_a_request_is_as_recorded(scene: Scene, act: Act) -> None:
    expected = json.loads((REQUESTS / f"{act.__name__.replace('_', '-')}.json").read_text())
    assert differences(expected, _named(act(scene), scene)) == []


def _named(request: Object, scene: Scene) -> object:
    """Return a request with names in place of what differs from scene to scene."""
    parent = request.get("object") or request["parent"]
    text = json.dumps(request)
    for value, name in (
        (scene.hooks.url, "http://HOOKS"),
        (scene.name, "NAME"),
        (parent["metadata"]["uid"], "PARENT-UID"),
    ):
        text = text.replace(value, name)
    named: object = json.loads(text)
    return named


def differences(expected: object, actual: object, path: str = "") -> list[str]:
    """Return where a request differs from what was recorded, one line for each place."""
    if expected == ANY:
        return [] if actual not in ("", None, [], {}) else [f"{path}: is {actual!r}"]
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{path}.{key}: is missing" for key in expected.keys() - actual.keys()]
        extra = [f"{path}.{key}: is new" for key in actual.keys() - expected.keys()]
        common = expected.keys() & actual.keys()
        inside = [differences(expected[key], actual[key], f"{path}.{key}") for key in common]
        return sorted([*missing, *extra, *(line for lines in inside for line in lines)])
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for i, pair in pairs for line in differences(*pair, f"{path}[{i}]")]
    if type(expected) is type(actual) and expected == actual:
        return []
    return [f"{path}: is {actual!r}, not {expected!r}"]
