"""How controllers come and go, and what they write, judged on the real one or the stand-in."""

import time
from collections.abc import Callable

import pytest

from tests.controlplane import manifests, polling
from tests.controlplane.api import Object
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.hookserver import HookServer
from tests.controlplane.manifests import Hooks
from tests.integration.controlplane.judging import Scene
from tools.binaries import Binaries

NEW_GROUP = "new.example.com/v1"


def labels_only(scene: Scene) -> None:
    scene.answers("sync", {"labels": {"done": "yes"}})
    scene.decorate("widgets")


def labels_and_status(scene: Scene) -> None:
    scene.answers("sync", {"labels": {"done": "yes"}, "status": {"phase": "Good"}})
    scene.decorate("widgets")


def a_finalizer(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.answers("finalize", {"finalized": True})
    scene.decorate("widgets", hooks=["sync", "finalize"])


def a_composite_with_a_finalizer(scene: Scene) -> None:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.answers("finalize", {"finalized": True})
    scene.compose(hooks=["sync", "finalize"])


@pytest.mark.parametrize(
    ("act", "writes"),
    [
        pytest.param(labels_only, ["update"], id="labels"),
        pytest.param(labels_and_status, ["update/status", "update"], id="labels and status"),
        pytest.param(a_finalizer, ["update"], id="a finalizer"),
        pytest.param(
            a_composite_with_a_finalizer, ["update", "update/status"], id="composite, finalizer"
        ),
    ],
)
def test_parents_are_written_no_more_often_than_by_the_real_one(
    scene: Scene,
    control_plane: ControlPlane,
    act: Callable[[Scene], None],
    writes: list[str],
) -> None:
    act(scene)
    scene.widget()
    scene.until(lambda: scene.writes(control_plane, "widgets") == writes, f"{writes}")
    scene.called("sync", times=2)
    assert scene.writes(control_plane, "widgets") == writes


def test_an_attachment_is_created_with_one_write_and_updated_with_one(
    scene: Scene, control_plane: ControlPlane
) -> None:
    scene.answers("sync", {"attachments": [scene.part(size=1)]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    scene.called("sync", times=2)
    scene.answers("sync", {"attachments": [scene.part(size=2)]})
    scene.services.patch(scene.name, {"metadata": {"labels": {"touched": "1"}}}, "default")

    expected = ["create", "update"]
    scene.until(lambda: scene.writes(control_plane, "parts") == expected, f"{expected}")


def test_a_controller_without_its_secret_is_not_started(scene: Scene) -> None:
    scene.answers("sync", {})
    secret = {"namespace": "default", "name": "absent", "key": "token"}
    scene.decorate(webhook={"authorization": {"secretRef": secret}})
    scene.service()
    scene.until(lambda: bool(scene.events("CreateError")), "an Event says so")
    assert scene.calls("sync") == []


def test_a_changed_controller_takes_effect(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.decorate()
    scene.service()
    scene.called("sync")
    controllers = scene.api.resource(manifests.API_VERSION, "decoratorcontrollers")
    controllers.patch(scene.name, {"spec": {"resyncPeriodSeconds": 1}})
    scene.called("sync", times=4)


def test_a_deleted_controller_is_stopped(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.decorate()
    scene.service()
    scene.called("sync")
    scene.stack.close()
    scene.until(lambda: bool(scene.events("Stopped")), "an Event says so")
    calls = len(scene.calls("sync"))
    other = Scene(f"{scene.name}-other", scene.api, scene.hooks, scene.stack)
    other.answers("sync", {})
    other.decorate()
    scene.services.patch(scene.name, {"metadata": {"labels": {"touched": "1"}}}, "default")
    other.service()
    other.called("sync")
    assert len(scene.calls("sync")) == calls


def test_a_kind_that_comes_later_than_its_controller_is_found(
    scene: Scene, control_plane: ControlPlane
) -> None:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.compose(parent={"apiVersion": NEW_GROUP, "resource": "gadgets"})
    control_plane.apply(_crd_of_gadgets())
    gadgets = scene.api.resource(NEW_GROUP, "gadgets")
    gadget = {**_gadget(scene), "spec": {}}
    gadgets.create(gadget)
    polling.until(lambda: scene.calls("sync"), "the hook is called")


def test_a_restarted_api_server_is_watched_again(
    control_plane_binaries: Binaries,
    tmp_path_factory: pytest.TempPathFactory,
    hooks: HookServer,
) -> None:
    assert control_plane_binaries.etcd.exists()
    folder = tmp_path_factory.mktemp("restarted")
    hooks.answer("/restarted/sync", {"labels": {"colour": "red"}})
    with ControlPlane.start(folder) as plane:
        plane.apply_crds()
        with plane.metacontroller([_decorator_of_services()], Hooks(hooks.url)) as process:
            _make_service(plane, "before")
            polling.until(lambda: _labelled(plane, "before"), "the first one is labelled")
            plane.restart_api_server(killed=True)
            _make_service(plane, "after")
            polling.until(lambda: _labelled(plane, "after"), "so is the second")
            process.check()


def _make_service(plane: ControlPlane, name: str) -> None:
    metadata = {"name": name, "namespace": "default"}
    service = {"metadata": metadata, "spec": {"ports": [{"port": 80}]}}
    plane.api.resource("v1", "services").create(service)


def _labelled(plane: ControlPlane, name: str) -> bool:
    metadata = plane.api.resource("v1", "services").get(name, "default")["metadata"]
    return bool(metadata.get("labels") == {"colour": "red"})


def _decorator_of_services() -> Object:
    return {
        "apiVersion": manifests.API_VERSION,
        "kind": "DecoratorController",
        "metadata": {"name": "restarted"},
        "spec": {
            "resources": [{"apiVersion": "v1", "resource": "services"}],
            "hooks": {"sync": {"version": "v2", "webhook": {"url": "http://x/restarted/sync"}}},
        },
    }


def test_nothing_is_synced_while_the_kind_of_a_child_is_not_served(
    scene: Scene, control_plane: ControlPlane
) -> None:
    crd = _crd_of_gadgets().replace("gadget", "gizmo").replace("Gadget", "Gizmo")
    control_plane.apply(crd)
    scene.answers("sync", {"labels": {"colour": "red"}})
    gizmos = {
        "apiVersion": NEW_GROUP,
        "resource": "gizmos",
        "updateStrategy": {"method": "InPlace"},
    }
    scene.decorate(attachments=[gizmos])
    scene.service()
    scene.called("sync")
    control_plane.kubectl("delete", "crd", "gizmos.new.example.com")

    def fails() -> bool:
        touched = {"metadata": {"labels": {"touched": str(time.monotonic())}}}
        scene.services.patch(scene.name, touched, "default")
        return bool(scene.events("SyncError"))

    # Not before it has looked again which kinds there are.
    polling.until(fails, "the sync fails", every=0.5)
    assert "gizmos" in scene.failure()
    called = len(scene.calls("sync"))
    scene.until(lambda: scene.events("SyncError")[0]["count"] > 2, "it is tried again")
    assert len(scene.calls("sync")) == called
    control_plane.apply(crd)
    scene.called("sync", times=called + 1)
    control_plane.kubectl("delete", "crd", "gizmos.new.example.com")


def _gadget(scene: Scene) -> Object:
    labels = {"judged.example.com/scene": scene.name}
    metadata = {"name": scene.name, "namespace": "default", "labels": labels}
    return {"apiVersion": NEW_GROUP, "kind": "Gadget", "metadata": metadata}


def _crd_of_gadgets() -> str:
    return """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: gadgets.new.example.com}
        spec:
          group: new.example.com
          names: {kind: Gadget, plural: gadgets, singular: gadget}
          scope: Namespaced
          versions:
            - name: v1
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
    """
