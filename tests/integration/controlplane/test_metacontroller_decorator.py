"""What Metacontroller does for a DecoratorController, judged on the real one or the stand-in."""

import pytest

from tests.controlplane.api import Object
from tests.controlplane.hookserver import Reply
from tests.controlplane.processes import Process
from tests.integration.controlplane.judging import GROUP, LABEL, NOTE, Scene, annotated


def test_labels_and_annotations_are_set_and_null_deletes_them(scene: Scene) -> None:
    scene.answers(
        "sync",
        {
            "labels": {"colour": "red", "old": None, "absent": None},
            "annotations": {NOTE: "hello", "old": None},
        },
    )
    scene.decorate()
    scene.service(
        labels={LABEL: scene.name, "old": "1", "kept": "1"}, annotations={"old": "1", "kept": "1"}
    )

    def metadata() -> Object:
        return dict(scene.services.get(scene.name, "default")["metadata"])

    scene.until(lambda: "colour" in metadata()["labels"], "the label is there")
    assert metadata()["labels"] == {LABEL: scene.name, "colour": "red", "kept": "1"}
    assert metadata()["annotations"] == {NOTE: "hello", "kept": "1"}


def test_an_object_that_is_as_answered_is_not_written_again(scene: Scene) -> None:
    scene.answers("sync", {"labels": {"colour": "red"}, "status": None})
    scene.decorate(resyncPeriodSeconds=1)
    scene.service()
    scene.called("sync", times=2)
    version = scene.services.get(scene.name, "default")["metadata"]["resourceVersion"]
    scene.called("sync", times=4)
    assert scene.services.get(scene.name, "default")["metadata"]["resourceVersion"] == version


def test_status_is_replaced_whole_and_null_leaves_it_alone(scene: Scene) -> None:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.decorate("widgets")
    scene.widget()

    def status() -> Object:
        return dict(scene.widgets.get(scene.name, "default").get("status", {}))

    scene.until(lambda: status() == {"phase": "Good"}, "the status is there")
    scene.answers("sync", {"status": None, "labels": {"seen": "null"}})
    _touch(scene)
    scene.until(lambda: _label(scene, "seen") == "null", "the answer with null was applied")
    assert status() == {"phase": "Good"}
    scene.answers("sync", {"status": {}})
    _touch(scene)
    scene.until(lambda: status() == {}, "the status is empty")


def test_an_attachment_is_the_parents(scene: Scene) -> None:
    scene.answers("sync", {"attachments": [scene.part(size=1)]})
    scene.decorate(children=[("parts", "InPlace")])
    service = scene.service()
    part = _found(scene)
    assert part["size"] == 1
    assert part["metadata"]["namespace"] == "default"
    assert part["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "name": scene.name,
            "uid": service["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    annotations = part["metadata"]["annotations"]
    assert annotations["metacontroller.k8s.io/decorator-controller"] == scene.name
    assert scene.called("sync", times=2)[-1].request["attachments"] == {
        f"Part.{GROUP}": {f"default/{scene.name}": part}
    }


@pytest.mark.parametrize(
    ("method", "changed", "replaced"),
    [
        pytest.param("", False, False, id="without updateStrategy it is never updated"),
        pytest.param("OnDelete", False, False, id="OnDelete"),
        pytest.param("InPlace", True, False, id="InPlace"),
        pytest.param("Recreate", True, True, id="Recreate"),
    ],
)
def test_an_attachment_changes_as_its_update_strategy_says(
    scene: Scene, method: str, *, changed: bool, replaced: bool
) -> None:
    scene.answers("sync", {"attachments": [scene.part(size=1)]})
    scene.decorate(children=[("parts", method)])
    scene.service()
    before = _found(scene)
    answer = {"attachments": [scene.part(size=2)], "labels": {"second": "yes"}}
    scene.answers("sync", answer)
    _touch_service(scene)
    scene.until(lambda: _service_label(scene, "second") == "yes", "the second answer was applied")

    def settled() -> bool:
        part = scene.parts.find(scene.name, "default")
        return part is not None and part["size"] == (2 if changed else 1)

    scene.until(settled, "the part is as the strategy says")
    after = _found(scene)
    assert (after["metadata"]["uid"] != before["metadata"]["uid"]) == replaced
    if not changed:
        assert after == before


def test_an_attachment_that_is_no_longer_answered_is_deleted(scene: Scene) -> None:
    scene.answers("sync", {"attachments": [scene.part()]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    _found(scene)
    scene.answers("sync", {})
    _touch_service(scene)
    scene.until(lambda: scene.parts.find(scene.name, "default") is None, "the part is gone")


def test_an_attachment_that_somebody_deletes_is_made_again(scene: Scene) -> None:
    scene.answers("sync", {"attachments": [scene.part()]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    first = _found(scene)["metadata"]["uid"]
    scene.parts.delete(scene.name, "default")
    scene.until(
        lambda: (
            (scene.parts.find(scene.name, "default") or {"metadata": {"uid": first}})["metadata"][
                "uid"
            ]
            != first
        ),
        "there is another part",
    )


def test_fields_of_others_on_an_attachment_survive(scene: Scene) -> None:
    scene.answers("sync", {"attachments": [scene.part(spec={"ours": 1, "dropped": 1})]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    _found(scene)
    scene.parts.patch(scene.name, {"spec": {"theirs": 1, "ours": 5}}, "default")
    scene.answers("sync", {"attachments": [scene.part(spec={"ours": 2})]})
    _touch_service(scene)
    scene.until(lambda: _found(scene)["spec"].get("ours") == 2, "our field is ours again")
    assert _found(scene)["spec"] == {"ours": 2, "theirs": 1}


def test_a_plain_status_of_an_attachment_is_set_once_and_never_updated(scene: Scene) -> None:
    scene.answers("sync", {"attachments": [scene.part(status={"a": 1}, spec={"size": 1})]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    assert _found(scene)["status"] == {"a": 1}
    scene.answers("sync", {"attachments": [scene.part(status={"a": 2}, spec={"size": 2})]})
    _touch_service(scene)
    scene.until(lambda: _found(scene)["spec"] == {"size": 2}, "the spec is updated")
    assert _found(scene)["status"] == {"a": 1}


def test_a_status_subresource_of_an_attachment_is_never_written(scene: Scene) -> None:
    widget = {**scene.part(spec={}, status={"phase": "Good"}), "kind": "Widget"}
    scene.answers("sync", {"attachments": [widget]})
    scene.decorate(children=[("widgets", "InPlace")])
    scene.service()
    scene.until(lambda: scene.widgets.find(scene.name, "default") is not None, "it is there")
    scene.called("sync", times=2)
    assert "status" not in scene.widgets.get(scene.name, "default")


def test_a_list_whose_items_share_a_port_loses_one_when_it_is_updated(scene: Scene) -> None:
    """A list of objects that all have `port` is merged by port: one of 53/TCP and 53/UDP goes."""
    ports = [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    scene.answers("sync", {"attachments": [scene.part(spec={"ports": ports})]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    twice = [{"port": 53, "protocol": "UDP"}] * 2
    scene.until(lambda: _found(scene)["spec"]["ports"] == twice, "the TCP port is lost")


def test_a_name_that_is_taken_is_left_to_its_owner(scene: Scene) -> None:
    theirs = scene.part(owner="somebody else")
    theirs["metadata"]["namespace"] = "default"
    before = scene.parts.create(theirs)
    scene.answers("sync", {"attachments": [scene.part(size=1)], "labels": {"done": "yes"}})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    scene.called("sync", times=2)
    assert scene.parts.get(scene.name, "default") == before
    assert scene.events("SyncError") == []


def test_without_a_finalize_hook_there_is_no_finalizer(scene: Scene) -> None:
    scene.answers("sync", {"labels": {"done": "yes"}})
    scene.decorate()
    scene.service()
    scene.until(lambda: _service_label(scene, "done") == "yes", "the object is synced")
    assert "finalizers" not in scene.services.get(scene.name, "default")["metadata"]


def test_the_finalizer_is_there_before_the_first_call_and_holds_until_finalized(
    scene: Scene,
) -> None:
    scene.answers("sync", {})
    scene.answers("finalize", {"finalized": False, "resyncAfterSeconds": 0.2})
    scene.decorate(hooks=["sync", "finalize"])
    scene.service()
    finalizer = f"metacontroller.io/decoratorcontroller-{scene.name}"
    first = scene.called("sync")[0].request
    assert first["object"]["metadata"]["finalizers"] == [finalizer]
    scene.services.delete(scene.name, "default")
    calls = scene.called("finalize", times=3)
    assert all(call.request["finalizing"] for call in calls)
    assert scene.services.find(scene.name, "default") is not None
    scene.answers("finalize", {"finalized": True})
    scene.until(lambda: scene.services.find(scene.name, "default") is None, "it is released")


def test_without_a_finalize_hook_a_deleted_objects_attachments_are_left_alone(
    scene: Scene,
) -> None:
    scene.answers("sync", {"attachments": [scene.part()]})
    scene.decorate(children=[("parts", "InPlace")])
    scene.service(finalizers=["judged.example.com/hold"])
    _found(scene)
    scene.answers("sync", {"labels": {"seen": "deleted"}})
    scene.services.delete(scene.name, "default")
    scene.until(lambda: _service_label(scene, "seen") == "deleted", "the deletion was synced")
    scene.called("sync", times=3)
    assert not scene.parts.get(scene.name, "default")["metadata"].get("deletionTimestamp")
    scene.services.patch(scene.name, {"metadata": {"finalizers": None}}, "default")
    scene.until(lambda: scene.parts.find(scene.name, "default") is None, "it is collected")


def test_an_object_that_is_no_longer_selected_is_finalized(scene: Scene) -> None:
    scene.answers("sync", {"attachments": [scene.part()]})
    scene.answers("finalize", {"finalized": True})
    scene.decorate(hooks=["sync", "finalize"], children=[("parts", "InPlace")])
    scene.service()
    # What its watch has not brought yet, Metacontroller does not delete.
    scene.until(
        lambda: any(any(call.request["attachments"].values()) for call in scene.calls("sync")),
        "the part was seen",
    )
    scene.services.patch(scene.name, {"metadata": {"labels": {LABEL: None}}}, "default")

    def released() -> bool:
        return "finalizers" not in scene.services.get(scene.name, "default")["metadata"]

    scene.until(released, "the finalizer is off")
    scene.until(lambda: scene.parts.find(scene.name, "default") is None, "the part is gone")


def test_an_object_that_the_selector_does_not_take_is_left_alone(scene: Scene) -> None:
    scene.answers("sync", {"labels": {"colour": "red"}})
    scene.decorate()
    scene.service(name=f"{scene.name}-other", labels={})
    scene.service()
    scene.until(lambda: _service_label(scene, "colour") == "red", "the selected one is labelled")
    other = scene.services.get(f"{scene.name}-other", "default")
    assert "labels" not in other["metadata"]


def test_an_annotation_selector_selects(scene: Scene) -> None:
    scene.answers("sync", {"labels": {"colour": "red"}})
    scene.decorate(parent={"annotationSelector": {"matchAnnotations": {NOTE: "yes"}}})
    scene.service()
    scene.services.patch(scene.name, {"metadata": {"annotations": {NOTE: "no"}}}, "default")
    scene.services.patch(scene.name, {"metadata": {"annotations": {NOTE: "yes"}}}, "default")
    first = scene.called("sync")[0].request
    assert first["object"]["metadata"]["annotations"][NOTE] == "yes"


def test_a_write_that_somebody_was_faster_than_is_dropped_and_synced_again(scene: Scene) -> None:
    def answer(request: Object) -> Object:
        if len(scene.calls("sync")) == 1:
            scene.services.patch(scene.name, {"metadata": {"annotations": {NOTE: "x"}}}, "default")
        return {
            "labels": {"calls": str(len(scene.calls("sync")))},
            "attachments": [scene.part()] if annotated(request) else [],
        }

    scene.answers("sync", answer)
    scene.decorate(children=[("parts", "InPlace")])
    scene.service()
    scene.called("sync", times=2)
    _found(scene)
    assert scene.events("SyncError") == []
    assert _service_label(scene, "calls") != "1"


@pytest.mark.parametrize("ignore", [False, True], ids=["seen", "hidden"])
def test_ignore_status_changes_hides_the_spec_of_kinds_without_a_generation(
    scene: Scene, *, ignore: bool
) -> None:
    scene.answers("sync", {})
    scene.decorate(parent={"ignoreStatusChanges": ignore})
    scene.service()
    scene.called("sync")
    scene.settled()
    calls = len(scene.calls("sync"))
    scene.services.patch(scene.name, {"spec": {"sessionAffinity": "ClientIP"}}, "default")
    scene.settled()
    assert (len(scene.calls("sync")) == calls) == ignore


def test_a_killed_metacontroller_carries_on(scene: Scene, judged: Process) -> None:
    scene.answers("sync", Reply({"labels": {"colour": "red"}}, delay=0.5))
    scene.decorate()
    scene.service()
    scene.called("sync")
    judged.kill()
    judged.start()
    scene.until(lambda: _service_label(scene, "colour") == "red", "the label is there")


def _found(scene: Scene) -> Object:
    found: list[Object] = []

    def there() -> bool:
        part = scene.parts.find(scene.name, "default")
        found.extend([part] if part else [])
        return bool(found)

    scene.until(there, "the part is there")
    return found[-1]


def _touch(scene: Scene) -> None:
    scene.widgets.patch(scene.name, {"metadata": {"annotations": {"touched": "1"}}}, "default")
    scene.widgets.patch(scene.name, {"metadata": {"annotations": {"touched": None}}}, "default")


def _touch_service(scene: Scene) -> None:
    scene.services.patch(scene.name, {"metadata": {"annotations": {"touched": "1"}}}, "default")


def _label(scene: Scene, key: str) -> str:
    return str(scene.widgets.get(scene.name, "default")["metadata"]["labels"].get(key))


def _service_label(scene: Scene, key: str) -> str:
    return str(scene.services.get(scene.name, "default")["metadata"]["labels"].get(key))


def _note(scene: Scene) -> str:
    metadata = scene.services.get(scene.name, "default")["metadata"]
    return str(metadata.get("annotations", {}).get(NOTE))
