"""Parts of a target that take all the time there is: everything else arrives within two rounds."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError, KubeUnreachable, NotFound
from hooks.kube.kinds import NAMESPACE, Kind
from hooks.targetclusters.sync.engine import delete_all, sync_round
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import (
    DesiredObject,
    DesiredSet,
    ObjectResult,
    SyncReport,
    SyncTask,
)
from tests.kubes import Answering, Call
from tests.unit.targetclusters.sync.objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    OWNER,
    SECRET,
    TARGET,
    make_desired,
)

#: Seconds of a round, and of what hangs until an API server gives it up.
ROUND = 60.0
HANGS = 10.0
SERVICE = Kind("v1", "Service", "services", namespaced=True)
JOB = Kind("batch/v1", "Job", "jobs", namespaced=True)


@dataclass
class Slow(Answering):
    """A target with a clock of its own, on which its answers take time.

    Attributes:
        kinds: that it serves.
        pace: returns the seconds that a call takes, and what it fails with; None for an answer.
        endless: how the paths of lists end that have a next page for ever; empty for none.
        objects: by path.
    """

    kinds: Iterable[Kind]
    pace: Callable[[Call], tuple[float, KubeError | None]] = lambda _: (0.0, None)
    endless: str = ""
    objects: dict[str, Json] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    now: float = 1000.0

    def answer(self, call: Call) -> Json:
        self.calls.append(call)
        seconds, error = self.pace(call)
        self.now += min(seconds, call.deadline.remaining())
        if call.deadline.passed():
            raise KubeUnreachable(f"{call.method} {call.path}: took too long to answer")
        if error is not None:
            raise error
        return self._answer(call)

    def _answer(self, call: Call) -> Json:
        if call.verb == "list":
            more = self.endless and call.path.endswith(self.endless)
            metadata = {"continue": "more"} if more else {}
            items = [v for k, v in self.objects.items() if k.startswith(call.path)]
            return {"items": items, "metadata": metadata}
        if call.verb == "patch":
            body = call.body or {}
            named = {**body["metadata"], "uid": f"uid-of-{call.path}", "resourceVersion": "2"}
            self.objects[call.path] = {**body, "metadata": named}
        if call.verb == "delete":
            return self.objects.pop(call.path, {})
        if (found := self.objects.get(call.path) or self.discovery().get(call.path)) is None:
            raise NotFound(f"GET {call.path}", 404, "not found")
        return found

    def discovery(self) -> dict[str, Json]:
        """Write what it serves."""
        served: dict[str, Json] = {"/version": {}, "/apis": {"groups": []}}
        for kind in self.kinds:
            resource = {"name": kind.plural, "kind": kind.kind, "namespaced": kind.namespaced}
            root = "/api/v1" if kind.api_version == "v1" else f"/apis/{kind.api_version}"
            served.setdefault(root, {"resources": []})["resources"].append(resource)
            if kind.group:
                versions = [{"groupVersion": kind.api_version}]
                served["/apis"]["groups"].append({"name": kind.group, "versions": versions})
        return served


@dataclass
class Rounds:
    """Rounds on one target, each some seconds after the last."""

    kube: Slow
    desired: tuple[DesiredObject, ...] = ()
    recorded: Inventory = field(default_factory=Inventory)
    memory: SyncMemory = field(default_factory=SyncMemory)

    def run(self, count: int = 1) -> SyncReport:
        """Run rounds, the first of which records what is wanted."""
        reports = []
        for _ in range(count):
            deadline = Deadline(ROUND, clock=self.clock)
            task = SyncTask(OWNER, TARGET, self.recorded, DesiredSet(self.desired))
            memory = self.memory
            report = sync_round(self.kube, task, memory=memory, deadline=deadline, clock=self.clock)
            reports.append(report)
            self.recorded = report.inventory
            self.kube.now += 10.0
        return reports[-1]

    def delete(self) -> SyncReport:
        """Run a deletion round."""
        deadline = Deadline(ROUND, clock=self.clock)
        task = SyncTask(OWNER, TARGET, self.recorded)
        report = delete_all(
            self.kube, task, memory=self.memory, deadline=deadline, clock=self.clock
        )
        self.recorded = report.inventory
        self.kube.now += 10.0
        return report

    def clock(self) -> float:
        return self.kube.now


def outcomes(report: SyncReport) -> dict[str, str]:
    return {one.entry.name: one.outcome for one in report.results}


def find(report: SyncReport, name: str) -> ObjectResult:
    (found,) = [one for one in report.results if one.entry.name == name]
    return found


def settled(*desired: DesiredObject, kinds: Iterable[Kind]) -> Rounds:
    """Sync objects to a target that answers at once."""
    rounds = Rounds(Slow(kinds), desired)
    report = rounds.run(2)
    assert report.synced, report
    rounds.kube.calls.clear()
    return rounds


def test_one_kind_that_is_throttled_is_asked_once_a_round_and_stops_no_other() -> None:
    many = KubeUnreachable("PATCH: wait (429)", code=429, text="wait", retry_after=300.0)
    desired = [make_desired(f"c{number}") for number in range(5)]
    desired += [make_desired(f"d{number}", DEPLOYMENT) for number in range(5)]
    desired += [make_desired("s", SERVICE), make_desired("j", JOB)]
    kube = Slow((CONFIG_MAP, DEPLOYMENT, SERVICE, JOB))
    kube.pace = lambda call: (0.0, many if call.writes and "/configmaps/" in call.path else None)
    rounds = Rounds(kube, tuple(desired))
    report = rounds.run(2)
    assert (report.error, report.pause) == ("", 0.0)
    found = outcomes(report)
    assert {name for name, outcome in found.items() if outcome == "failed"} == {
        f"c{number}" for number in range(5)
    }
    assert sum(call.writes for call in kube.calls if "/configmaps/" in call.path) == 1
    assert all("wait" in find(report, f"c{number}").message for number in range(5))
    report = rounds.run()
    assert "again in 30" in find(report, "c0").message
    assert sum(call.path.endswith("/configmaps/c0") for call in kube.calls if call.writes) == 1


def test_lists_that_are_throttled_are_left_alone_for_as_long_as_they_ask() -> None:
    many = KubeUnreachable("GET: wait (429)", code=429, text="wait", retry_after=90.0)
    places = [replace(make_desired(f"c{n}"), namespace=f"n{n}") for n in range(3)]
    kube = Slow((CONFIG_MAP, SERVICE))
    kube.pace = lambda call: (0.0, many if "/configmaps" in call.path else None)
    report = Rounds(kube, (*places, make_desired("s", SERVICE))).run(2)
    assert report.error == ""
    assert outcomes(report) == {"c0": "failed", "c1": "failed", "c2": "failed", "s": "applied"}
    assert report.resume_after == 90.0


def test_groups_that_do_not_say_what_they_serve_take_a_part_of_the_round() -> None:
    groups = [Kind(f"g{n}.example/v1", f"Kind{n}", f"kind{n}s", namespaced=True) for n in range(8)]
    good = Kind("good.example/v1", "Good", "goods", namespaced=True)
    kube = Slow((*groups, good, CONFIG_MAP))
    kube.pace = lambda call: (
        30.0 if call.path.startswith("/apis/g") and "good" not in call.path else 0.0,
        None,
    )
    hanging = [make_desired(f"g{number}", kind) for number, kind in enumerate(groups)]
    desired = (*hanging, make_desired("fine", good), make_desired("a"))
    rounds = Rounds(kube, desired)
    assert outcomes(rounds.run(2))["a"] == "applied"
    report = rounds.run(4)
    assert {name for name, outcome in outcomes(report).items() if outcome == "failed"} == {
        f"g{number}" for number in range(8)
    }
    rounds.run(2)
    asked = {call.path for call in kube.calls if call.path.startswith("/apis/g")}
    assert asked >= {f"/apis/{kind.api_version}" for kind in groups}
    messages = [one.message for one in rounds.run().results if one.outcome == "failed"]
    assert any("took too long to answer" in message for message in messages)
    assert any("was not asked" in message for message in messages)


def test_a_list_that_takes_the_whole_round_comes_last_in_the_next() -> None:
    desired = [make_desired("s", SECRET), make_desired("a"), make_desired("j", JOB)]
    kube = Slow((CONFIG_MAP, SECRET, JOB))
    kube.pace = lambda call: (11.0 if call.path.endswith("/secrets") else 0.0, None)
    kube.endless = "/secrets"
    rounds = Rounds(kube, tuple(desired))
    rounds.run(2)
    report = rounds.run()
    assert outcomes(report) == {"s": "skipped", "a": "applied", "j": "applied"}


@pytest.mark.parametrize("deletes", [False, True])
def test_deletions_that_hang_take_turns_and_the_others_go(deletes: bool) -> None:
    """A webhook hangs on what is deleted of six kinds, which come before the others."""
    last = [NAMESPACE, SECRET]
    kinds = [Kind(f"g{n}.example/v1", f"Kind{n}", f"kind{n}s", namespaced=True) for n in range(7)]
    desired = [make_desired(f"k{number}", kind) for number, kind in enumerate(kinds)]
    desired += [make_desired("s", SECRET), make_desired("n", NAMESPACE)]
    rounds = settled(*desired, kinds=(*kinds, *last))
    hung = KubeUnreachable("DELETE: failed calling webhook (500)", code=500, text="hung")

    def pace(call: Call) -> tuple[float, KubeError | None]:
        hangs = call.verb == "delete" and "example" in call.path
        return (HANGS, hung) if hangs else (0.0, None)

    rounds.kube.pace, rounds.desired = pace, ()
    for _ in range(3):
        rounds.delete() if deletes else rounds.run()
        rounds.kube.now += 300.0  # what is deleted later waits for minutes only
    report = rounds.delete() if deletes else rounds.run()
    tried = {call.path for call in rounds.kube.calls if call.verb == "delete"}
    assert len([path for path in tried if "example" in path]) == len(kinds)
    assert {entry.name for entry in report.inventory.by_key.values()} == {
        f"k{number}" for number in range(7)
    }
    assert not report.complete or not report.synced


def test_kinds_that_are_never_served_wait_together() -> None:
    kinds = [Kind(f"g{n}.example/v1", f"Kind{n}", f"kind{n}s", namespaced=True) for n in range(9)]
    crds = [definition(kind) for kind in kinds]
    crd_kind = Kind(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
    )
    kube = Slow((crd_kind, kinds[8]))
    kube.pace = lambda call: (1.0 if call.path == "/apis" else 0.0, None)
    objects = [make_desired(f"k{number}", kind) for number, kind in enumerate(kinds)]
    report = Rounds(kube, (*crds, *objects)).run(2)
    assert find(report, "k8").outcome == "applied"
    assert [find(report, f"k{number}").outcome for number in range(8)] == ["failed"] * 8


def definition(kind: Kind) -> DesiredObject:
    """Write the CustomResourceDefinition of a kind."""
    names = {"plural": kind.plural, "kind": kind.kind}
    versions = [{"name": "v1", "served": True, "storage": True}]
    spec = {"group": kind.group, "names": names, "scope": "Namespaced", "versions": versions}
    crd = Kind(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
    )
    return make_desired(f"{kind.plural}.{kind.group}", crd, spec=spec)


def test_a_target_that_renames_objects_at_each_look_has_few_inventories_written() -> None:
    rounds = settled(make_desired("a"), make_desired("b"), kinds=(CONFIG_MAP,))
    looks = iter(range(10_000))

    def rename(call: Call) -> tuple[float, KubeError | None]:
        if call.verb == "list":
            for path, obj in rounds.kube.objects.items():
                metadata = {**obj["metadata"], "uid": f"uid-{next(looks)}"}
                rounds.kube.objects[path] = {**obj, "metadata": metadata}
        return 0.0, None

    rounds.kube.pace = rename
    written = []
    for number in range(1, 361):  # an hour, a round every ten seconds
        before = rounds.recorded
        report = rounds.run()
        written += [number] if report.inventory != before else []
        assert report.synced
        assert report.inventory.by_key.keys() == before.by_key.keys()
    assert written[:3] == [1, 2, 4]
    assert len(written) < 14


def test_another_uid_that_stays_is_recorded() -> None:
    """As of an object that was restored from a backup of the target."""
    rounds = settled(make_desired("a"), kinds=(CONFIG_MAP,))
    for uid in ("restored", "again"):
        for path, obj in rounds.kube.objects.items():
            rounds.kube.objects[path] = {**obj, "metadata": {**obj["metadata"], "uid": uid}}
        report = rounds.run()
        assert {one.uid for one in report.inventory.by_key.values()} == {uid}
        assert rounds.run().inventory == report.inventory


class Impatient(Deadline):
    """Is over once it was looked at often enough."""

    looks = 0
    most = 10**9

    def passed(self, *, margin: float = 0.0) -> bool:
        self.looks += 1
        return self.looks > self.most or super().passed(margin=margin)


def test_a_round_whose_time_is_over_while_it_resolves_ends_and_is_gone_on_with() -> None:
    desired = tuple(make_desired(f"a{number}") for number in range(50))
    task = SyncTask(OWNER, TARGET, Inventory(), DesiredSet(desired))

    def run(most: int) -> tuple[SyncReport, int]:
        kube, deadline = Slow((CONFIG_MAP,)), Impatient(ROUND)
        deadline.most = most
        memory = SyncMemory()
        report = sync_round(kube, task, memory=memory, deadline=deadline, clock=time.monotonic)
        return report, deadline.looks

    _, whole = run(10**9)
    assert whole > len(desired)
    report, looks = run(20)
    assert looks == 21
    assert (report.complete, report.error, report.results) == (False, "", ())
