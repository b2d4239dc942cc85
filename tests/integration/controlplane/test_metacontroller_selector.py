"""Which controllers a Metacontroller runs that was told a label selector."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import manifests, metacontroller, polling
from tests.controlplane.api import Object
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.hookserver import HookServer
from tests.controlplane.manifests import Hooks

LABEL = "judged.example.com/run"


def controller(name: str, labels: dict[str, str]) -> Object:
    return {
        "apiVersion": manifests.API_VERSION,
        "kind": "DecoratorController",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "resources": [{"apiVersion": "v1", "resource": "namespaces"}],
            "hooks": {
                "sync": {
                    "version": "v2",
                    "webhook": {"url": f"http://hooks.example.com/{name}"},
                }
            },
        },
    }


@pytest.fixture
def selective(control_plane: ControlPlane, tmp_path: Path) -> Iterator[None]:
    log = tmp_path / "metacontroller.log"
    arguments = [f"--target-label-selector={LABEL}=here"]
    with metacontroller.running(control_plane.kubeconfig, log, arguments):
        yield


@pytest.mark.usefixtures("selective")
def test_controllers_without_the_label_are_left_to_others(
    control_plane: ControlPlane, hooks: HookServer
) -> None:
    found = [
        controller("selected", {LABEL: "here"}),
        controller("labelled-otherwise", {LABEL: "there"}),
        controller("unlabelled", {}),
    ]
    for each in found:
        hooks.answer(f"/{each['metadata']['name']}", {})
    with manifests.applied(control_plane.api, found[1:] + found[:1], Hooks(hooks.url)):
        polling.until(lambda: hooks.calls("/selected"), "the selected one's hook is called")
        assert hooks.calls("/labelled-otherwise") == []
        assert hooks.calls("/unlabelled") == []
