"""What a target warns of while it takes objects is kept, in few words, and not about secrets."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from hooks.kube.kinds import Kind
from hooks.targetclusters.sync.memory import MAX_WARNED, SyncMemory
from hooks.targetclusters.sync.plan.model import DesiredObject, SyncReport
from tests.unit.api_server import Answer, Call
from tests.unit.targetclusters.sync.objects import CONFIG_MAP, SECRET, make_desired, make_entry
from tests.unit.targetclusters.sync.rounds import STATUS, after_discovery, sync


def warning(*texts: str) -> Callable[[Call], Answer]:
    """Take every object, and warn of it."""
    header = ", ".join(f'299 - "{text}"' for text in texts)

    def answer(call: Call) -> Answer:
        if "limit=" in call.path:
            return 200, {"items": []}
        if call.method != "PATCH":
            return 404, STATUS
        metadata = {**call.body["metadata"], "uid": "u", "resourceVersion": "1"}
        body = json.dumps({**call.body, "metadata": metadata}).encode()

        def reply(handler: Any) -> None:
            handler.reply(200, body, {"Warning": header})

        taken: Callable[[BaseHTTPRequestHandler], None] = reply
        return taken

    return after_discovery(answer)


def warned(*desired: DesiredObject, texts: tuple[str, ...]) -> SyncReport:
    recorded = [
        make_entry(one.body["metadata"]["name"], Kind(*one.gvk, "", namespaced=True))
        for one in desired
    ]
    (report,) = sync(warning(*texts), *desired, recorded=recorded)
    assert set(report.counts) == {"applied"}
    return report


def test_each_text_is_told_once_with_its_objects() -> None:
    report = warned(make_desired("a"), make_desired("b"), texts=("old", "older"))
    keys = tuple(make_entry(name).key for name in "ab")
    assert report.warnings == {"old": keys, "older": keys}


@pytest.mark.parametrize(
    "confidential",
    [
        pytest.param(make_desired("s", SECRET), id="a Secret"),
        pytest.param(make_desired("a", CONFIG_MAP, source="Secret/app"), id="out of one"),
    ],
)
def test_of_what_may_be_secret_nothing_is_told(confidential: DesiredObject) -> None:
    assert warned(confidential, texts=("password hunter2 is short",)).warnings == {}


def test_a_text_is_one_short_line() -> None:
    (text,) = warned(make_desired("a"), texts=("x" * 5000,)).warnings
    assert len(text) <= 300


def test_what_was_said_stands_until_the_object_is_applied_again_or_leaves() -> None:
    memory, (a, b) = SyncMemory(), (make_entry("a").key, make_entry("b").key)
    assert memory.note_warnings({a: ("old",), b: ("old",)}) == {"old": (a, b)}
    assert memory.note_warnings({}) == {"old": (a, b)}
    assert memory.note_warnings({a: ()}) == {"old": (b,)}
    memory.keep_only({a}, {a})
    assert memory.note_warnings({}) == {}


def test_few_objects_are_kept() -> None:
    memory = SyncMemory()
    said = {make_entry(f"a{number}").key: ("old",) for number in range(3 * MAX_WARNED)}
    assert len(memory.note_warnings(said)["old"]) == MAX_WARNED
