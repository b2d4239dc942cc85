"""Why an inventory is not written is what Metacontroller said last."""

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.times import timestamp
from hooks.targetclusters.recording import RECENT, read_refusal
from tests.kubes import Answering, Call
from tests.targets.driving import NOW, target_cluster


class Told(Answering):
    """Answers a list of Events as the API server does that selects them."""

    def __init__(self, *events: Json) -> None:
        self.events, self.calls = events, list[Call]()

    def answer(self, call: Call) -> Json:
        self.calls.append(call)
        return {"items": list(self.events)}


def event(message: object, ago: float) -> Json:
    return {"message": message, "lastTimestamp": timestamp(NOW - ago)}


def read(*events: Json) -> str:
    return read_refusal(Told(*events), target_cluster(), NOW, Deadline(5))


def test_the_last_one_counts() -> None:
    assert read(event("old", 300), event("new", 10), event("older", 600)) == "new"


def test_what_was_said_long_ago_counts_no_more() -> None:
    assert read(event("old", RECENT + 1)) == ""
    assert read() == ""


def test_it_is_one_line_of_bounded_length() -> None:
    assert read(event("a\nb\x1b" + "x" * 5000, 1)).startswith("a b")
    assert len(read(event("x" * 5000, 1))) <= 600


def test_what_is_no_event_is_left_out() -> None:
    assert read({}, event(5, 1), {"message": "a", "lastTimestamp": 7}, event("b", 2)) == "b"


def test_only_metacontrollers_of_this_very_object_are_asked_for() -> None:
    told = Told()
    read_refusal(told, target_cluster(), NOW, Deadline(5))
    (call,) = told.calls
    assert call.path == "/api/v1/namespaces/team/events"
    assert call.params is not None
    selector = "involvedObject.uid=uid-of-team-example,reason=SyncError"
    assert call.params["fieldSelector"] == selector
