"""What Metacontroller does for a CompositeController, judged on the real one or the stand-in."""

from tests.controlplane.api import Object
from tests.integration.controlplane.judging import GROUP, LABEL, Scene


def test_the_status_is_the_answer_and_the_observed_generation(scene: Scene) -> None:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.compose()
    scene.widget()
    scene.until(lambda: _status(scene) == {"phase": "Good", "observedGeneration": 1}, "first")
    scene.widgets.patch(scene.name, {"spec": {"size": 2}}, "default")
    scene.until(lambda: _status(scene) == {"phase": "Good", "observedGeneration": 2}, "second")


def test_without_a_status_in_the_answer_only_the_generation_is_left(scene: Scene) -> None:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.compose()
    scene.widget()
    scene.until(lambda: "phase" in _status(scene), "the status is there")
    scene.answers("sync", {})
    _touch(scene)
    scene.until(lambda: _status(scene) == {"observedGeneration": 1}, "the status is nearly empty")


def test_its_own_status_change_is_called_about_until_it_stays_the_same(scene: Scene) -> None:
    def answer(_: Object) -> Object:
        return {"status": {"phase": str(min(len(scene.calls("sync")), 5))}}

    scene.answers("sync", answer)
    scene.compose(resyncPeriodSeconds=1)
    scene.widget()
    scene.called("sync", times=6)
    version = scene.widgets.get(scene.name, "default")["metadata"]["resourceVersion"]
    scene.called("sync", times=8)
    assert scene.widgets.get(scene.name, "default")["metadata"]["resourceVersion"] == version


def test_ignore_status_changes_lets_the_spec_through(scene: Scene) -> None:
    scene.answers("sync", lambda _: {"status": {"phase": str(len(scene.calls("sync")))}})
    scene.compose(parent={"ignoreStatusChanges": True})
    scene.widget()
    scene.until(lambda: _status(scene).get("phase") == "1", "the status was written once")
    scene.widgets.patch(scene.name, {"spec": {"size": 2}}, "default")
    scene.until(lambda: _status(scene).get("phase") == "2", "the new spec was called about")


def test_a_child_is_the_parents_by_reference_and_generated_label(scene: Scene) -> None:
    scene.answers("sync", {"children": [scene.part(size=1)]})
    scene.compose(children=[("parts", "InPlace")])
    widget = scene.widget()
    scene.until(lambda: scene.parts.find(scene.name, "default") is not None, "the part is there")
    part = scene.parts.get(scene.name, "default")
    uid = widget["metadata"]["uid"]
    assert part["metadata"]["labels"] == {"controller-uid": uid}
    assert [owner["uid"] for owner in part["metadata"]["ownerReferences"]] == [uid]
    assert "metacontroller.k8s.io/decorator-controller" not in part["metadata"]["annotations"]

    def sent() -> bool:
        children = scene.calls("sync")[-1].request["children"]
        return bool(children == {f"Part.{GROUP}": {f"default/{scene.name}": part}})

    scene.until(sent, "the hook is sent the part")


def test_a_child_that_is_no_longer_answered_is_deleted(scene: Scene) -> None:
    scene.answers("sync", {"children": [scene.part()]})
    scene.compose(children=[("parts", "InPlace")])
    scene.widget()
    scene.until(lambda: scene.parts.find(scene.name, "default") is not None, "the part is there")
    scene.answers("sync", {"children": []})
    _touch(scene)
    scene.until(lambda: scene.parts.find(scene.name, "default") is None, "the part is gone")


def test_a_child_without_the_label_is_released(scene: Scene) -> None:
    scene.answers("sync", {"children": [scene.part(size=1)]})
    scene.compose(children=[("parts", "InPlace")])
    scene.widget()
    scene.until(lambda: scene.parts.find(scene.name, "default") is not None, "the part is there")
    scene.parts.patch(scene.name, {"metadata": {"labels": {"controller-uid": "other"}}}, "default")

    def released() -> bool:
        return "ownerReferences" not in scene.parts.get(scene.name, "default")["metadata"]

    scene.until(released, "nobody owns the part")
    scene.until(lambda: _children(scene) == {}, "the hook is no longer sent the part")


def test_an_orphan_with_the_label_is_adopted(scene: Scene) -> None:
    def keep_what_is_sent(request: Object) -> Object:
        return {"children": [scene.part()] if any(request["children"].values()) else []}

    scene.answers("sync", keep_what_is_sent)
    scene.compose(children=[("parts", "InPlace")])
    widget = scene.widget()
    orphan = scene.part()
    orphan["metadata"] |= {
        "namespace": "default",
        "labels": {"controller-uid": widget["metadata"]["uid"]},
    }
    scene.parts.create(orphan)

    def adopted() -> bool:
        owners = scene.parts.get(scene.name, "default")["metadata"].get("ownerReferences", [])
        return [owner["name"] for owner in owners] == [scene.name]

    scene.until(adopted, "the widget owns the part")


def test_a_deleted_parent_keeps_its_children_until_it_is_finalized(scene: Scene) -> None:
    scene.answers("sync", {"children": [scene.part()], "status": {"phase": "Good"}})
    scene.answers(
        "finalize",
        {"children": [scene.part()], "status": {"phase": "Going"}, "resyncAfterSeconds": 0.2},
    )
    scene.compose(hooks=["sync", "finalize"], children=[("parts", "InPlace")])
    scene.widget()
    scene.until(lambda: scene.parts.find(scene.name, "default") is not None, "the part is there")
    scene.widgets.delete(scene.name, "default")
    scene.called("finalize", times=3)
    assert _status(scene)["phase"] == "Going"
    assert scene.parts.find(scene.name, "default") is not None
    held = scene.widgets.get(scene.name, "default")["metadata"]["finalizers"]
    assert held == [f"metacontroller.io/compositecontroller-{scene.name}"]
    scene.answers("finalize", {"finalized": True})
    scene.until(lambda: scene.widgets.find(scene.name, "default") is None, "the widget is gone")
    scene.until(lambda: scene.parts.find(scene.name, "default") is None, "so is the part")


def test_a_parent_kind_without_a_status_subresource_is_ignored(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.compose(parent={"resource": "parts"})
    part = scene.part()
    part["metadata"] |= {"namespace": "default", "labels": {LABEL: scene.name}}
    scene.parts.create(part)
    scene.until(lambda: bool(scene.events("SyncError")), "an Event says so")
    assert scene.calls("sync") == []


def _status(scene: Scene) -> Object:
    return dict(scene.widgets.get(scene.name, "default").get("status", {}))


def _children(scene: Scene) -> Object:
    return dict(scene.calls("sync")[-1].request["children"][f"Part.{GROUP}"])


def _touch(scene: Scene) -> None:
    scene.widgets.patch(scene.name, {"metadata": {"annotations": {"touched": "1"}}}, "default")
