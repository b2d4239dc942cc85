"""What is neither on the target nor refused there is not called synced, and is named in time."""

import time
from collections.abc import Callable

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.targetclusters.sync.apply import REPEATED
from hooks.targetclusters.sync.engine import sync_round
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import DesiredSet, SyncReport, SyncTask
from hooks.targetclusters.sync.target import SILENT_CALLS
from tests.kubes import Answering, Call
from tests.unit import api_server
from tests.unit.api_server import Answer
from tests.unit.targetclusters.sync.objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    OWNER,
    SECRET,
    TARGET,
    make_desired,
    make_entry,
    make_wanted,
)
from tests.unit.targetclusters.sync.rounds import DISCOVERY, STATUS, after_discovery, sync

DESIRED = make_desired("a", data={"x": "1"})
CHANGED = (409, {"message": "the object has been modified"})


def live(**metadata: object) -> Json:
    wanted = make_wanted(DESIRED)
    found = {**wanted.body["metadata"], "uid": "u", "resourceVersion": "1", **metadata}
    return {**wanted.body, "metadata": found}


def told(reports: list[SyncReport]) -> list[tuple[str, str, bool]]:
    """Return outcome, message and whether all is synced, of the one object of each round."""
    return [(one.outcome, one.message, each.synced) for each in reports for one in each.results]


@pytest.mark.parametrize(
    ("finalizers", "held"),
    [([], ""), (["a.example/b", "c"], ", held by finalizer a.example/b, c")],
)
def test_a_wanted_object_that_is_being_deleted_is_not_synced(
    finalizers: list[str], held: str
) -> None:
    found = live(deletionTimestamp="2026-11-22T02:10:00Z", finalizers=finalizers)
    (report,) = sync(
        after_discovery(lambda _: (200, {"items": [found]})),
        DESIRED,
        recorded=[make_entry("a", uid="u")],
    )
    message = f"is being deleted since 2026-11-22T02:10:00Z{held}; it is created again after that"
    assert told([report]) == [("deleting", message, False)]
    assert report.resume_after is not None


def always_changed(call: api_server.Call) -> Answer:
    """Answer 409 to whatever would change the object, which looks changed each time."""
    if "limit=" in call.path:
        return 200, {"items": [live() | {"data": {"x": "2"}}]}
    if call.method == "PATCH" and "dryRun=" in call.path:
        return 200, live()
    return (200, live() | {"data": {"x": "2"}}) if call.method == "GET" else CHANGED


def never_created(call: api_server.Call) -> Answer:
    """Answer 409 to a creation, and that there is no such object."""
    if "limit=" in call.path:
        return 200, {"items": []}
    return (404, STATUS) if call.method == "GET" else CHANGED


@pytest.mark.parametrize("answer", [always_changed, never_created])
def test_an_object_that_is_overtaken_in_several_rounds_has_failed(
    answer: Callable[[api_server.Call], Answer],
) -> None:
    reports = sync(
        after_discovery(answer), DESIRED, recorded=[make_entry("a")], rounds=REPEATED + 1
    )
    meanwhile = "changed on the target meanwhile"
    reason = "times in a row: the object has been modified"
    assert told(reports) == [
        *[("skipped", meanwhile, False)] * (REPEATED - 1),
        ("failed", f"{meanwhile}, {REPEATED} {reason}", False),
        ("failed", f"{meanwhile}, {REPEATED + 1} {reason}", False),
    ]


def test_an_object_that_is_not_deleted_because_it_changes_has_failed() -> None:
    """Each look finds another object of ours there."""
    uids = iter(range(1000))

    def answer(call: api_server.Call) -> Answer:
        found = live(uid=f"u-{next(uids)}")
        if "limit=" in call.path:
            return 200, {"items": [found]}
        return (200, found) if call.method == "GET" else CHANGED

    entry = make_entry("a", uid="u", source="ConfigMap/old")
    reports = sync(after_discovery(answer), recorded=[entry], rounds=REPEATED)
    outcomes = [(outcome, synced) for outcome, _, synced in told(reports)]
    assert outcomes == [*[("skipped", False)] * (REPEATED - 1), ("failed", False)]
    assert reports[-1].results[0].message.startswith("is not deleted: changed on the target")
    assert reports[-1].inventory.by_key == {entry.key: entry}


class Throttling(Answering):
    """Answers discovery, and everything else with 429."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def answer(self, call: Call) -> Json:
        self.calls.append(call)
        if call.path not in DISCOVERY:
            raise KubeUnreachable("GET: too many requests (429)", code=429, retry_after=30.0)
        return DISCOVERY[call.path]


def test_a_target_that_asks_for_a_pause_gets_it() -> None:
    kinds = (CONFIG_MAP, SECRET, DEPLOYMENT)
    entries = [make_entry("a", kind) for kind in kinds]
    desired = DesiredSet(tuple(make_desired("a", kind) for kind in kinds))
    task = SyncTask(OWNER, TARGET, Inventory().with_entries(entries), desired)
    kube = Throttling()
    report = sync_round(
        kube, task, memory=SyncMemory(), deadline=Deadline(20), clock=time.monotonic
    )
    asked = [call.path for call in kube.calls if call.path not in DISCOVERY]
    assert (len(asked), asked[-1]) == (SILENT_CALLS + 1, "/version")
    assert report.pause == 30.0
    assert report.error == "the target asks for a pause of 30 s: refused with 429"


def test_an_object_that_settles_is_counted_from_the_start() -> None:
    rounds = 0

    def answer(call: api_server.Call) -> Answer:
        nonlocal rounds
        rounds += "limit=" in call.path
        if rounds % REPEATED == 0:
            return 200, {"items": [live()]}
        return always_changed(call)

    reports = sync(after_discovery(answer), DESIRED, recorded=[make_entry("a", uid="u")], rounds=7)
    assert {outcome for outcome, _, _ in told(reports)} == {"skipped", "unchanged"}
