"""A target may answer anything: a round ends in a report, in time, and nothing is lost by it."""

import itertools
import json
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, KubeRefused, KubeUnreachable, NotFound
from hooks.kube.kinds import MAX_KINDS
from hooks.names import ANNOTATION_OWNER
from hooks.targetclusters.sync.engine import delete_all, sync_round
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from hooks.targetclusters.sync.plan.model import DesiredSet, SyncReport, SyncTask
from tests import kubes
from tests.controlplane.polling import PATIENCE, SLACK
from tests.kubes import Answering
from tests.unit.api_server import Answer, Call, serving
from tests.unit.targetclusters.sync.objects import (
    DEPLOYMENT,
    OWNER,
    SECRET,
    TARGET,
    make_desired,
    make_entry,
)
from tests.unit.targetclusters.sync.rounds import CORE, DISCOVERY, STATUS, after_discovery, target

OBJECTS = (make_desired("a", data={"x": "1"}), make_desired("d", DEPLOYMENT, spec={"replicas": 1}))
RECORDED = Inventory().with_entries(
    [
        make_entry("a", uid="u"),
        make_entry("d", DEPLOYMENT),
        make_entry("gone", DEPLOYMENT, source="ConfigMap/old"),
    ]
)


def task(recorded: Inventory = RECORDED) -> SyncTask:
    return SyncTask(OWNER, TARGET, recorded, DesiredSet(OBJECTS))


def run(answer: Callable[[Call], Answer], *, seconds: float = 5.0) -> tuple[SyncReport, list[Call]]:
    with serving(answer) as server:
        report = sync_round(
            target(server.url),
            task(),
            memory=SyncMemory(),
            deadline=Deadline(seconds),
            clock=time.time,
        )
        return report, server.calls


def run_deletion(answer: Callable[[Call], Answer]) -> SyncReport:
    with serving(answer) as server:
        return delete_all(target(server.url), task(), memory=SyncMemory(), deadline=Deadline(5))


@pytest.mark.parametrize(
    ("status", "error", "calls"),
    [
        pytest.param(401, "GET /version: refused with 401", 2, id="credentials not taken"),
        pytest.param(503, "no (503)", 4, id="not available"),
        pytest.param(429, "no (429)", 4, id="throttled"),
    ],
)
def test_a_target_that_refuses_everything_is_given_up(status: int, error: str, calls: int) -> None:
    report, made = run(lambda _: (status, STATUS))
    told = [report.error, *(one.message for one in report.results)]
    assert any(error in text for text in told)
    assert not report.synced
    assert len(made) <= calls
    assert report.inventory.by_key == RECORDED.by_key


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((200, b"<html>"), id="no JSON"),
        pytest.param((404, b"404 page not found"), id="404 without JSON"),
        pytest.param((200, b'{"a": "' + b"x" * 2_000_000 + b'"}'), id="too large"),
        pytest.param((302, {}), id="redirect"),
        pytest.param((200, b"[" * 100_000), id="too deep"),
    ],
)
def test_answers_that_are_none_end_the_round_and_lose_nothing(answer: Answer) -> None:
    report, _ = run(lambda _: answer)
    assert not report.synced
    assert report.inventory.by_key == RECORDED.by_key
    deletion = run_deletion(lambda _: answer)
    assert deletion.inventory.by_key == RECORDED.by_key
    assert not deletion.complete


def test_pages_without_end_are_left() -> None:
    numbers = itertools.count()

    def answer(call: Call) -> Answer:
        if call.path in DISCOVERY:
            return 200, DISCOVERY[call.path]
        if call.method == "PATCH":
            return 200, {}
        if "limit=" not in call.path:
            return 404, STATUS
        page = [{"metadata": {"name": f"n{next(numbers)}", "uid": "u", "resourceVersion": "1"}}]
        return 200, {"items": page * 500, "metadata": {"continue": "more"}}

    report, calls = run(answer, seconds=20.0)
    assert len(calls) < 50
    failed = [r.message for r in report.results if r.outcome == "failed"]
    assert len(failed) == 3
    assert all("lists more than 1003 objects of ours" in message for message in failed)
    assert report.inventory.by_key.keys() == RECORDED.by_key.keys()


def test_a_target_that_never_answers_takes_no_longer_than_the_round_has() -> None:
    over = threading.Event()

    def hang(_: object) -> None:
        over.wait(PATIENCE)

    began = time.monotonic()
    report, _ = run(lambda _: hang, seconds=1.0)
    assert time.monotonic() - began < 1.0 + SLACK
    assert report.error
    assert report.inventory.by_key == RECORDED.by_key


def applied(call: Call, uid: str, version: str) -> Json:
    """Answer a call with what it applies."""
    metadata = {**call.body["metadata"], "uid": uid, "resourceVersion": version}
    return {**call.body, "metadata": metadata}


def test_an_object_that_the_target_fails_on_stops_no_other() -> None:
    def answer(call: Call) -> Answer:
        if call.path in DISCOVERY:
            return 200, DISCOVERY[call.path]
        if "limit=" in call.path:
            return 200, {"items": []}
        if call.method == "PATCH" and "/deployments/" in call.path:
            return 500, {"message": "failed calling webhook"}
        if call.method == "PATCH":
            return 200, applied(call, "new", "2")
        return 404, STATUS

    report, _ = run(answer)
    outcomes = {r.entry.name: (r.outcome, r.message) for r in report.results}
    assert outcomes["a"] == ("applied", "")
    assert outcomes["d"][0] == "failed"
    assert "failed calling webhook" in outcomes["d"][1]
    assert outcomes["gone"] == ("pruned", "was already gone")
    assert report.complete
    assert not report.synced
    assert report.resume_after is not None
    assert {(e.name, e.uid) for e in report.inventory.by_key.values()} == {
        ("a", "new"),
        ("d", ""),
    }


@pytest.mark.parametrize(
    ("version", "ended"),
    [
        pytest.param((200, {}), False, id="credentials taken"),
        pytest.param((403, STATUS), False, id="credentials known"),
        pytest.param((503, STATUS), False, id="not known"),
        pytest.param((401, STATUS), True, id="credentials not taken"),
    ],
)
def test_a_401_about_one_object_stops_no_other(version: Answer, ended: bool) -> None:
    def answer(call: Call) -> Answer:
        if call.path in DISCOVERY:
            return 200, DISCOVERY[call.path]
        if call.path == "/version":
            return version
        if "limit=" in call.path:
            return 200, {"items": []}
        if call.method == "PATCH" and "/configmaps/" in call.path:
            return 401, {"message": "a webhook says no"}
        if call.method == "PATCH":
            return 200, applied(call, "new", "2")
        return 404, STATUS

    report, _ = run(answer)
    outcomes = {r.entry.name: r.outcome for r in report.results}
    if ended:
        assert report.error == "GET /version: refused with 401"
        assert outcomes["d"] == "skipped"
    else:
        assert report.error == ""
        assert outcomes == {"a": "failed", "d": "applied", "gone": "pruned"}


def test_the_words_of_a_target_are_cut_and_cleaned() -> None:
    text = "bad\n\x1b[31m" + "x" * 5000
    report, _ = run(after_discovery(lambda _: (422, {"message": text})))
    for message in (report.error, *(r.message for r in report.results)):
        assert len(message) < 400
        assert message.isprintable()


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(make_entry("s", SECRET, uid="u"), id="a secret"),
        pytest.param(make_entry("d", DEPLOYMENT, uid="u", source="Secret/app"), id="out of one"),
    ],
)
def test_no_message_about_a_deletion_quotes_a_secret(entry: InventoryEntry) -> None:
    mark = OWNER.mark(entry.key.mark_text)
    live = {"uid": "u", "resourceVersion": "1", "annotations": {ANNOTATION_OWNER: mark}}

    def answer(call: Call) -> Answer:
        if call.path in DISCOVERY:
            return 200, DISCOVERY[call.path]
        if call.method == "DELETE":
            return 403, {"message": "a webhook denied {password: hunter2}"}
        if call.method == "GET" and "limit=" not in call.path:
            return 200, {"metadata": live}
        return 200, {"items": [{"metadata": {**live, "name": entry.name, "namespace": "shop"}}]}

    recorded = Inventory().with_entries([entry])
    with serving(answer) as server:
        report = delete_all(
            target(server.url), task(recorded), memory=SyncMemory(), deadline=Deadline(5)
        )
    found = next(one for one in report.results if one.entry.name == entry.name)
    assert found.outcome == "failed"
    assert "refused with 403" in found.message
    assert "hunter2" not in str(report)


def test_an_object_for_which_the_inventory_has_no_room_is_named_and_not_applied() -> None:
    large = "x" * 200
    left = [
        make_entry(f"{number:05}-{large}", uid="u", source="ConfigMap/old", kept=True)
        for number in range(20_000)
    ]
    small = [make_entry(f"s{number:05}", uid="u", kept=True) for number in range(100)]
    full = Inventory().with_entries(left)
    full = full.with_entries([*full.by_key.values(), *small])
    writes = []

    def answer(call: Call) -> Answer:
        writes.extend([call] if call.method != "GET" else [])
        return 200, DISCOVERY.get(call.path, {"items": []})

    with serving(answer) as server:
        report = sync_round(
            target(server.url),
            task(full),
            memory=SyncMemory(),
            deadline=Deadline(PATIENCE),
            clock=time.monotonic,
        )
    found = {one.entry.name: one for one in report.results}
    assert found["a"].outcome == "failed"
    assert found["a"].message.startswith("is not applied: the inventory is full")
    assert report.inventory.by_key == full.by_key
    assert not writes


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
@pytest.mark.parametrize("method", ["PATCH", "GET"])
def test_what_a_target_calls_an_object_does_not_fill_the_inventory(field: str, method: str) -> None:
    named = {"uid": "u", "resourceVersion": "1"}

    def answer(call: Call) -> Answer:
        if call.path in DISCOVERY:
            return 200, DISCOVERY[call.path]
        if "limit=" in call.path:
            return 200, {"items": []}
        if call.method == "GET" and method == "PATCH":
            return 404, STATUS
        return 200, {"metadata": {**named, field: "u" * 100_000}}

    report, _ = run(answer)
    found = next(one for one in report.results if one.entry.name == "a")
    assert found.outcome == "failed"
    assert f"configmaps/a: the answer's metadata.{field} is no usable text" in found.message
    assert report.inventory.by_key[found.entry.key] == make_entry("a", uid="u")
    assert len(repr(report)) < 10_000


def test_kinds_without_end_stop_their_own_objects_and_fill_no_memory() -> None:
    rounds = itertools.count()

    def answer(call: Call) -> Answer:
        if call.path == "/apis/apps/v1":
            names = [f"x{number}" for number in range(MAX_KINDS + 1)]
            return 200, {"resources": [{"name": name, "kind": name} for name in names]}
        if call.path == "/apis":
            new = [{"groupVersion": f"apps/v{next(rounds) * 50 + n}"} for n in range(2, 50)]
            known = {"groupVersion": "apps/v1"}
            return 200, {"groups": [{"name": "apps", "versions": [known, *new]}]}
        if call.path in DISCOVERY:
            return 200, DISCOVERY[call.path]
        if "limit=" in call.path:
            return 200, {"items": []}
        return (200, applied(call, "u", "1")) if call.method == "PATCH" else (404, STATUS)

    memory, reports = SyncMemory(), []
    with serving(answer) as server:
        for _ in range(4):
            kube, left = target(server.url), Deadline(20)
            reports.append(sync_round(kube, task(), memory=memory, deadline=left, clock=time.time))
    told = {one.entry.name: (one.outcome, one.message) for one in reports[-1].results}
    assert told["a"][0] == "applied"
    assert told["d"][0] == "failed"
    assert f"the answer lists more than {MAX_KINDS} kinds" in told["d"][1]
    assert sum(map(len, memory.kinds.values())) <= len(CORE["resources"])
    assert len(memory.kinds) < 60


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["u", "1", "a", "apps/v1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "name", "namespace", "uid", "resourceVersion", "labels"])
            | st.sampled_from(["items", "resources", "groups", "kind", "annotations", "data"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(
    st.sampled_from(["metadata", "items", "resources", "groups", "data"]), VALUES, max_size=4
)
ANSWERS = st.one_of(
    BODIES,
    st.sampled_from(
        [
            NotFound("GET", 404, "no"),
            Conflict("PATCH", 409, "no"),
            KubeRefused("GET", 403, "no"),
            KubeRefused("GET", 422, "no"),
            KubeUnreachable("GET", code=500),
            KubeUnreachable("GET"),
        ]
    ),
)


class Arbitrary(Answering):
    """A target that answers from a list, over and over."""

    def __init__(self, answers: list[Json | Exception], *, discovery: bool) -> None:
        self._answers = itertools.cycle(answers)
        self._discovery = discovery

    def answer(self, call: kubes.Call) -> Json:
        json.dumps(call.body)
        if self._discovery and call.path in DISCOVERY:
            return DISCOVERY[call.path]
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@settings(max_examples=300)
@given(st.lists(ANSWERS, min_size=1, max_size=8), st.booleans())
def test_no_answer_ends_in_an_exception_or_loses_what_is_wanted(
    answers: list[Json | Exception], discovery: bool
) -> None:
    kube = Arbitrary(answers, discovery=discovery)
    memory = SyncMemory()
    inventory = Inventory()
    for _ in range(2):
        report = sync_round(
            kube, task(inventory), memory=memory, deadline=Deadline(5), clock=lambda: 0.0
        )
        inventory = report.inventory
        if discovery:
            assert {make_entry("a").key, make_entry("d", DEPLOYMENT).key} <= inventory.by_key.keys()
    delete_all(kube, task(), memory=memory, deadline=Deadline(5))
