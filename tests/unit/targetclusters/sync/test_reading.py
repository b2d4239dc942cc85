"""What the sync engine asks of the API client and the deadline beyond what others do."""

import pytest
from kubernetes.client import Configuration

from hooks.http.deadline import Deadline
from hooks.kube.client import METADATA, METADATA_LIST, ApiServer, KubeUnreachable
from tests.unit.api_server import serving


def test_metadata_alone_is_asked_for() -> None:
    with serving(lambda _: (200, {"metadata": {}, "items": []})) as server:
        kube = ApiServer.of(Configuration(host=server.url))
        kube.get("/a", deadline=Deadline(5), accept=METADATA)
        list(kube.list("/b", deadline=Deadline(5), accept=METADATA_LIST))
        kube.get("/c", deadline=Deadline(5))
    accepted = [call.headers["Accept"] for call in server.calls]
    assert accepted == [METADATA, METADATA_LIST, "application/json"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param((500, {"message": "no"}), 500, id="an answer in its own words"),
        pytest.param((500, b"<html>"), 0, id="a proxy's"),
    ],
)
def test_an_answer_that_says_what_failed_is_told_from_none(
    answer: tuple[int, object], code: int
) -> None:
    with serving(lambda _: answer) as server, pytest.raises(KubeUnreachable) as caught:
        ApiServer.of(Configuration(host=server.url)).get("/a", deadline=Deadline(5))
    assert caught.value.code == code


def test_a_step_has_a_deadline_of_its_own_that_never_passes_the_whole_ones() -> None:
    now = [100.0]
    whole = Deadline(30, clock=lambda: now[0])
    assert whole.at_most(10).remaining() == 10
    assert whole.at_most(50).remaining() == 30
    now[0] += 25
    assert whole.at_most(10).remaining() == 5
