"""What ends a round whose time is over while a call waits for its answer."""

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeRequest, KubeUnreachable
from hooks.targetclusters.sync.target import CALL_SECONDS, RoundEnded, Target


class Silent(Kube):
    """Answers at first, then nothing: each call takes all the time that it has."""

    now = 1000.0
    answers = True

    def call(self, request: KubeRequest) -> Json:
        if self.answers:
            return {}
        self.now += request.deadline.remaining()
        raise KubeUnreachable(f"{request.method} {request.path}: took too long to answer")


@pytest.mark.parametrize(
    ("seconds", "answered", "is_blamed"),
    [
        pytest.param(0.1, False, False, id="no time for a call"),
        pytest.param(CALL_SECONDS - 1, True, False, id="a call has less time than it may take"),
        pytest.param(CALL_SECONDS, True, True, id="a call has all of it"),
        pytest.param(CALL_SECONDS - 1, False, True, id="none was answered before"),
    ],
)
def test_the_target_is_blamed_only_for_a_call_that_had_its_time(
    seconds: float, answered: bool, is_blamed: bool
) -> None:
    kube = Silent()
    target = Target(kube, {}, Deadline(seconds, clock=lambda: kube.now))
    if answered:
        target.get("/version")
    kube.answers = False
    with pytest.raises(RoundEnded) as ended:
        target.get("/api/v1/namespaces/shop/configmaps/a")
    assert bool(str(ended.value)) is is_blamed
