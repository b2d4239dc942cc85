import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.targetclusters.clusters import FORGET_CLUSTER_AFTER, Clusters, WatchedCluster
from tests.controlplane.polling import PATIENCE, until
from tests.targets.driving import Clock, target_cluster
from tests.unit.targetclusters.watching import record


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clusters(clock: Clock) -> Clusters:
    return Clusters(record, clock)


def with_uid(uid: str) -> Json:
    cluster = target_cluster()
    return {**cluster, "metadata": {**cluster["metadata"], "uid": uid}}


def test_what_is_kept_of_a_cluster_stays_until_it_is_forgotten(clusters: Clusters) -> None:
    kept = clusters.get(target_cluster())
    assert clusters.get(target_cluster()) is kept
    clusters.forget(kept)
    assert clusters.all() == []
    assert clusters.get(target_cluster()) is not kept


def test_a_cluster_without_calls_is_forgotten(clusters: Clusters, clock: Clock) -> None:
    gone = clusters.get(target_cluster("gone"))
    kept = clusters.get(target_cluster("kept"))
    clock.now += FORGET_CLUSTER_AFTER
    assert clusters.get(target_cluster("kept")) is kept
    clock.now += 1
    assert clusters.all() == [kept]
    assert clusters.get(target_cluster("gone")) is not gone


def test_a_cluster_that_was_created_again_is_another(clusters: Clusters) -> None:
    former = clusters.get(with_uid("former"))
    present = clusters.get(with_uid("present"))
    assert present is not former
    assert clusters.all() == [present]


class RunningRound:
    """A round within a call to its cluster, which ends when the test lets it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.answered = threading.Event()
        self.was_stopped: bool | None = None

    def __call__(self, deadline: Deadline) -> None:
        self.started.set()
        assert self.answered.wait(PATIENCE)
        self.was_stopped = deadline.passed()


@contextmanager
def running_round(watched: WatchedCluster, kind: str) -> Iterator[RunningRound]:
    job = RunningRound()
    try:
        assert getattr(watched, kind).start(job, 600.0, "quick")
        assert job.started.wait(PATIENCE)
        yield job
    finally:
        job.answered.set()


@pytest.mark.parametrize("end", ["recreated", "finalized", "uncalled", "finalized twice"])
@pytest.mark.parametrize("second", ["sync", "deletion"])
@pytest.mark.parametrize("first", ["sync", "deletion"])
def test_a_round_of_a_replaced_record_is_stopped_and_none_runs_beside_it(
    clusters: Clusters, clock: Clock, first: str, second: str, end: str
) -> None:
    former = clusters.get(with_uid("former"))
    with running_round(former, first) as round_:
        if end.startswith("finalized"):
            clusters.forget(former)
        if end == "finalized twice":
            clusters.forget(clusters.get(with_uid("between")))
        if end == "uncalled":
            clock.now += FORGET_CLUSTER_AFTER + 1
        slot = getattr(clusters.get(with_uid("present")), second)
        assert slot.state().running_since is not None
        assert not slot.start(lambda _: "found", 600.0, "quick")
        round_.answered.set()
        until(lambda: slot.state().running_since is None, "the former round ends", every=0.005)
        assert round_.was_stopped
        assert slot.state().latest is None
        assert slot.start(lambda _: "found", 600.0, "quick")
        assert until(lambda: slot.state().latest == "found", "the next one ends", every=0.005)
        assert not getattr(former, first).start(lambda _: None, 600.0, "quick")


def test_a_probe_of_a_replaced_record_leaves_the_rounds_alone(clusters: Clusters) -> None:
    with running_round(clusters.get(with_uid("former")), "probe"):
        present = clusters.get(with_uid("present"))
        assert present.probe.state().running_since is not None
        assert present.sync.state().running_since is None


def test_a_forgotten_cluster_is_not_listed_while_its_round_ends(clusters: Clusters) -> None:
    former = clusters.get(with_uid("former"))
    with running_round(former, "sync"):
        clusters.forget(former)
        assert clusters.all() == []
