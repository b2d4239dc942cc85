import pytest

from hooks.http.bounded_json import Json
from hooks.targetclusters.clusters import FORGET_AFTER, Clusters
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
    clock.now += FORGET_AFTER
    assert clusters.get(target_cluster("kept")) is kept
    clock.now += 1
    assert clusters.all() == [kept]
    assert clusters.get(target_cluster("gone")) is not gone


def test_a_cluster_that_was_created_again_is_another(clusters: Clusters) -> None:
    former = clusters.get(with_uid("former"))
    present = clusters.get(with_uid("present"))
    assert present is not former
    assert clusters.all() == [present]
