"""When Metacontroller calls again by itself, judged on the real one or the stand-in."""

import time

from tests.controlplane.api import Object
from tests.controlplane.polling import SLACK
from tests.integration.controlplane.judging import NOTE, Scene, annotated


def test_everything_is_called_again_each_resync_period(scene: Scene) -> None:
    scene.answers("sync", {})
    scene.decorate(resyncPeriodSeconds=1)
    scene.service()
    first, *_, last = (call.at for call in scene.called("sync", times=5)[:5])
    assert 2 < last - first < 4 + SLACK


def test_resync_after_is_one_call_however_often_it_was_asked_for(scene: Scene) -> None:
    def answer(request: Object) -> Object:
        return {} if annotated(request) else {"resyncAfterSeconds": 1.0}

    scene.answers("sync", answer)
    scene.decorate()
    scene.service()
    scene.called("sync")
    for number in range(3):
        label = {"metadata": {"labels": {"number": str(number)}}}
        scene.services.patch(scene.name, label, "default")
    scene.services.patch(scene.name, {"metadata": {"annotations": {NOTE: "x"}}}, "default")

    def quiet() -> bool:
        told = [call for call in scene.calls("sync") if annotated(call.request)]
        return len(told) > 1 and time.monotonic() > told[1].at + 0.6

    scene.until(quiet, "any second resync would have come")
    calls = scene.calls("sync")
    _, resync = [call for call in calls if annotated(call.request)]
    assert resync.at - calls[0].at > 0.9


def test_a_later_resync_does_not_replace_an_earlier_one(scene: Scene) -> None:
    def answer(request: Object) -> Object:
        return {"resyncAfterSeconds": 60 if annotated(request) else 1.0}

    scene.answers("sync", answer)
    scene.decorate()
    scene.service()
    scene.called("sync")
    scene.services.patch(scene.name, {"metadata": {"annotations": {NOTE: "x"}}}, "default")
    first, *_, last = scene.called("sync", times=3)
    assert annotated(last.request)
    assert 0.9 < last.at - first.at < SLACK
