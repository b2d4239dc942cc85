"""Wrong hooks: each breaks one rule of Metacontroller's, and nothing of its answer may be done."""

import time
from email.utils import formatdate
from itertools import pairwise

import pytest

from tests.controlplane.api import Object
from tests.controlplane.hookserver import Reply
from tests.integration.controlplane.judging import GROUP, Scene

GOOD = {"labels": {"colour": "red"}}
NO_KIND = {"apiVersion": GROUP, "metadata": {"name": "x"}}
NO_SUCH_KIND = {"apiVersion": GROUP, "kind": "Wheel", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param({**GOOD, "bogus": 1}, 'unknown field "bogus"', id="unknown field"),
        pytest.param({**GOOD, "children": []}, 'unknown field "children"', id="a composite's"),
        pytest.param({**GOOD, "Status": {}}, 'unknown field "Status"', id="case counts"),
        pytest.param(Reply(b'{"labels": {}, "labels": {}}'), "duplicate field", id="duplicate"),
        pytest.param({"labels": {"colour": 1}}, "", id="a label that is a number"),
        pytest.param({"labels": ["colour"]}, "", id="labels that are a list"),
        pytest.param({**GOOD, "status": "Good"}, "", id="a status that is a string"),
        pytest.param({**GOOD, "finalized": "true"}, "", id="finalized that is a string"),
        pytest.param({**GOOD, "resyncAfterSeconds": "1"}, "", id="seconds that are a string"),
        pytest.param({**GOOD, "attachments": {}}, "", id="attachments that are an object"),
        pytest.param({**GOOD, "attachments": [NO_KIND]}, "", id="an attachment without a kind"),
        pytest.param(Reply(b'{"labels": {"colour": "red"}'), "", id="JSON cut off"),
        pytest.param(Reply(b'{"resyncAfterSeconds": NaN}'), "", id="NaN"),
        pytest.param(Reply(b""), "", id="an empty body"),
        pytest.param(Reply([GOOD]), "", id="a list"),
        pytest.param(Reply(GOOD, status=201), "status code", id="201"),
        pytest.param(Reply(GOOD, status=204), "status code", id="204"),
        pytest.param(Reply(GOOD, status=304), "status code", id="304"),
        pytest.param(Reply(GOOD, status=404), "status code", id="404"),
        pytest.param(Reply(GOOD, status=500), "status code", id="500"),
        pytest.param(Reply(GOOD, 503, {"Retry-After": "1"}), "status code", id="503"),
    ],
)  # fmt: skip
def test_a_wrong_answer_fails_the_sync(scene: Scene, reply: Object | Reply, said: str) -> None:
    scene.answers("sync", reply)
    scene.decorate()
    scene.service()
    assert said in scene.failure()
    assert "colour" not in scene.services.get(scene.name, "default")["metadata"]["labels"]
    scene.called("sync", times=3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param({"bogus": 1}, 'unknown field "bogus"', id="unknown field"),
        pytest.param({"labels": {}}, 'unknown field "labels"', id="a decorator's"),
        pytest.param({"status": {"phase": 1}}, "status.phase", id="a status the CRD refuses"),
        pytest.param({"children": [NO_SUCH_KIND]}, "Wheel", id="a child of an unknown kind"),
    ],
)
def test_a_wrong_answer_fails_the_sync_of_a_composite(
    scene: Scene, answer: Object, said: str
) -> None:
    scene.answers("sync", answer)
    scene.compose()
    scene.widget()
    assert said in scene.failure()
    scene.called("sync", times=3)


def test_a_status_that_the_crd_does_not_know_is_lost_and_written_again(scene: Scene) -> None:
    """The API server prunes the field, so that each comparison finds a difference: a hot loop."""
    scene.answers("sync", {"status": {"phase": "Good", "unknown": 1}})
    scene.compose()
    scene.widget()
    scene.until(lambda: "status" in scene.widgets.get(scene.name, "default"), "a status is there")
    status = scene.widgets.get(scene.name, "default")["status"]
    assert status == {"phase": "Good", "observedGeneration": 1}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param({"bogus": 1}, 'unknown field "bogus"', id="unknown field"),
        pytest.param(
            {"relatedResources": [{"apiVersion": "v1", "resource": "nodes", "bogus": 1}]},
            'unknown field "relatedResources[0].bogus"',
            id="unknown field of a rule",
        ),
        pytest.param(
            {"relatedResources": [{"apiVersion": "v1", "resource": "wheels"}]},
            "wheels",
            id="an unknown resource",
        ),
        pytest.param(
            {
                "relatedResources": [
                    {"apiVersion": "v1", "resource": "nodes", "names": ["x"], "labelSelector": {}}
                ]
            },
            "names",
            id="names and a selector",
        ),
        pytest.param(Reply({}, status=500), "500", id="500"),
    ],
)
def test_a_wrong_customize_answer_fails_the_sync(
    scene: Scene, answer: Object | Reply, said: str
) -> None:
    scene.answers("customize", answer)
    scene.answers("sync", {})
    scene.compose(hooks=["sync", "customize"])
    scene.widget()
    assert said in scene.failure()
    assert scene.calls("sync") == []


def test_an_answer_after_the_timeout_fails_the_sync(scene: Scene) -> None:
    scene.answers("sync", Reply(GOOD, delay=3))
    scene.decorate(webhook={"timeout": "1s"})
    scene.service()
    scene.failure()
    assert "colour" not in scene.services.get(scene.name, "default")["metadata"]["labels"]


def test_an_answer_within_the_timeout_is_taken(scene: Scene) -> None:
    scene.answers("sync", Reply(GOOD, delay=1.0))
    scene.decorate(webhook={"timeout": "5s"})
    scene.service()

    def labelled() -> bool:
        return "colour" in scene.services.get(scene.name, "default")["metadata"]["labels"]

    scene.until(labelled, "the label is there")


def test_failures_are_tried_again_later_and_later_until_one_succeeds(scene: Scene) -> None:
    scene.answers("sync", Reply(GOOD, status=500))
    scene.decorate()
    scene.service()
    times = [call.at for call in scene.called("sync", times=9)[:9]]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[7] > gaps[5] > gaps[3]
    scene.answers("sync", GOOD)

    def labelled() -> bool:
        return "colour" in scene.services.get(scene.name, "default")["metadata"]["labels"]

    scene.until(labelled, "the label is there")


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_429_is_called_again_when_it_says_without_an_event(scene: Scene, form: str) -> None:
    def answer(_: Object) -> Object | Reply:
        if len(scene.calls("sync")) > 1:
            return GOOD
        after = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
        return Reply(b"", status=429, headers={"Retry-After": after})

    scene.answers("sync", answer)
    scene.decorate()
    scene.service()
    first, second = scene.called("sync", times=2)[:2]
    assert 0.9 < second.at - first.at < 3.0
    assert scene.events("SyncError") == []


def test_the_bearer_token_of_the_secret_is_sent(scene: Scene) -> None:
    scene.token = "open sesame"
    scene.answers("sync", GOOD)
    scene.decorate()
    scene.service()
    assert scene.called("sync")[0].headers["Authorization"] == "Bearer open sesame"


def test_without_a_secret_no_authorization_is_sent(scene: Scene) -> None:
    scene.answers("sync", GOOD)
    scene.decorate()
    scene.service()
    assert scene.called("sync")[0].headers["Authorization"] is None
