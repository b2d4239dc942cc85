"""What Metacontroller sends of other objects, judged on the real one or the stand-in."""

import pytest

from tests.controlplane.api import Object
from tests.integration.controlplane.judging import GROUP, Scene


def rule(**fields: object) -> Object:
    return {"relatedResources": [{"apiVersion": GROUP, "resource": "parts", **fields}]}


def make(scene: Scene, name: str, colour: str) -> Object:
    part = scene.part(size=1)
    part["metadata"] = {"name": name, "namespace": "default", "labels": {"colour": colour}}
    return scene.parts.create(part)


def related(scene: Scene) -> set[str]:
    sent = scene.calls("sync")[-1].request["related"]
    return set(sent[f"Part.{GROUP}"])


@pytest.mark.parametrize("parent", ["decorator", "composite"])
def test_related_objects_are_sent_whole_and_their_changes_called_about(
    scene: Scene, parent: str
) -> None:
    scene.answers("sync", {})
    scene.answers("customize", rule(labelSelector={"matchLabels": {"colour": scene.name}}))
    if parent == "decorator":
        scene.decorate(hooks=["sync", "customize"])
        scene.service()
    else:
        scene.compose(hooks=["sync", "customize"])
        scene.widget()
    sent = scene.called("sync")[0].request["related"]
    assert sent == {f"Part.{GROUP}": {}}
    part = make(scene, f"{scene.name}-related", scene.name)
    make(scene, f"{scene.name}-other", "other")
    scene.until(lambda: related(scene) == {f"default/{scene.name}-related"}, "the part is sent")
    sent = scene.calls("sync")[-1].request["related"]
    assert sent[f"Part.{GROUP}"][f"default/{scene.name}-related"] == part
    scene.parts.delete(f"{scene.name}-related", "default")
    scene.until(lambda: related(scene) == set(), "it is no longer sent")


def test_an_object_that_leaves_a_rule_is_called_about(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.answers("customize", rule(labelSelector={"matchLabels": {"colour": scene.name}}))
    make(scene, f"{scene.name}-related", scene.name)
    scene.compose(hooks=["sync", "customize"])
    scene.widget()
    scene.called("sync", times=2)  # the second one for the status that the first one wrote
    assert len(related(scene)) == 1
    scene.parts.patch(
        f"{scene.name}-related", {"metadata": {"labels": {"colour": "other"}}}, "default"
    )
    scene.until(lambda: related(scene) == set(), "it is no longer sent")


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        pytest.param({"names": ["{name}-a"]}, {"a"}, id="names"),
        pytest.param({"names": ["{name}-a"], "namespace": "default"}, {"a"}, id="in a namespace"),
        pytest.param({"names": ["{name}-a"], "namespace": "kube-system"}, set(), id="in another"),
        pytest.param(
            {"labelSelector": {"matchExpressions": [
                {"key": "colour", "operator": "In", "values": ["{name}-red", "{name}-blue"]}
            ]}},
            {"a", "b"},
            id="In",
        ),
        pytest.param(
            {"labelSelector": {"matchLabels": {"colour": "{name}-red"}}, "namespace": "default"},
            {"a"},
            id="labels in a namespace",
        ),
    ],
)  # fmt: skip
def test_rules_take_what_they_say(scene: Scene, fields: Object, sent: set[str]) -> None:
    make(scene, f"{scene.name}-a", f"{scene.name}-red")
    make(scene, f"{scene.name}-b", f"{scene.name}-blue")
    make(scene, f"{scene.name}-c", f"{scene.name}-green")
    scene.answers("sync", {})
    scene.answers("customize", rule(**_named(fields, scene.name)))
    scene.compose(hooks=["sync", "customize"])
    scene.widget()
    scene.called("sync")
    expected = {f"default/{scene.name}-{letter}" for letter in sent}
    scene.until(lambda: related(scene) == expected, f"{expected} are sent")


def test_customize_is_asked_once_for_each_generation(scene: Scene) -> None:
    scene.answers("sync", {"status": {"phase": "Good"}})
    scene.answers("customize", rule(names=["none"]))
    scene.compose(hooks=["sync", "customize"])
    scene.widget()
    scene.called("sync", times=2)
    scene.widgets.patch(scene.name, {"metadata": {"annotations": {"touched": "1"}}}, "default")
    scene.called("sync", times=3)
    assert len(scene.calls("customize")) == 1
    scene.widgets.patch(scene.name, {"spec": {"size": 2}}, "default")
    scene.called("customize", times=2)


def test_customize_is_asked_once_for_kinds_without_a_generation(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.answers("customize", rule(names=["none"]))
    scene.decorate(hooks=["sync", "customize"])
    scene.service()
    scene.called("sync")
    scene.services.patch(scene.name, {"spec": {"sessionAffinity": "ClientIP"}}, "default")
    scene.called("sync", times=2)
    assert len(scene.calls("customize")) == 1


def test_customize_is_asked_for_objects_that_the_selector_does_not_take(scene: Scene) -> None:
    other = f"{scene.name}-other"
    scene.answers("sync", {})
    scene.answers("customize", rule(labelSelector={"matchLabels": {"colour": scene.name}}))
    scene.decorate(hooks=["sync", "customize"])
    scene.service(name=other, labels={})
    scene.service()
    scene.called("sync")
    make(scene, f"{scene.name}-related", scene.name)
    scene.until(lambda: bool(scene.calls("customize", other)), "it is asked for the other, too")
    scene.until(lambda: len(related(scene)) == 1, "the related one is sent")
    assert scene.calls("sync", other) == []


def _named(value: Object, name: str) -> Object:
    """Return a rule with the scene's name in it."""

    def filled(item: object) -> object:
        if isinstance(item, str):
            return item.replace("{name}", name)
        if isinstance(item, list):
            return [filled(part) for part in item]
        return {key: filled(part) for key, part in item.items()} if isinstance(item, dict) else item

    return {key: filled(item) for key, item in value.items()}
