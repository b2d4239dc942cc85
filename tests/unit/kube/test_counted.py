from collections.abc import Callable
from contextlib import suppress

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError, KubeUnreachable
from hooks.kube.counted import CountedKube
from tests.kubes import Answering, Call

Use = Callable[[Kube, Deadline], object]


class Kubelike(Answering):
    def __init__(self, error: KubeError | None) -> None:
        self.error = error

    def answer(self, call: Call) -> Json:
        del call
        if self.error:
            raise self.error
        return {"items": []}


USES: dict[str, Use] = {
    "get": lambda kube, deadline: kube.get("/a", deadline=deadline),
    "list": lambda kube, deadline: list(kube.list("/a", deadline=deadline)),
    "create": lambda kube, deadline: kube.create("/a", {}, deadline=deadline),
    "patch": lambda kube, deadline: kube.patch("/a", {}, deadline=deadline),
    "delete": lambda kube, deadline: kube.delete("/a", deadline=deadline),
}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(None, "ok", id="good"),
        pytest.param(Conflict("PATCH /a", 409, "changed"), "409", id="refused"),
        pytest.param(KubeUnreachable("GET /a: timed out"), "unreachable", id="no answer"),
        pytest.param(KubeUnreachable("GET /a: down (503)", code=503), "503", id="unavailable"),
    ],
)
@pytest.mark.parametrize("verb", USES)
def test_each_call_is_counted_by_verb_and_outcome(
    verb: str, error: KubeError | None, outcome: str
) -> None:
    counted: list[tuple[str, str]] = []
    kube = CountedKube(Kubelike(error), lambda *each: counted.append(each))
    with suppress(KubeError):
        USES[verb](kube, Deadline(1))
    assert counted == [(verb, outcome)]


def test_an_error_is_passed_on() -> None:
    kube = CountedKube(Kubelike(KubeUnreachable("no")), lambda *_: None)
    with pytest.raises(KubeUnreachable, match="no"):
        kube.get("/a", deadline=Deadline(1))
