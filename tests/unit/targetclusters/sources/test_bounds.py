"""What the sources of one TargetCluster may hold together."""

import tracemalloc
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any, TypeVar

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.fair_share import paying
from hooks.targetclusters.sources.memory import SourceCache, SourceMemory, held_bytes
from hooks.targetclusters.sources.reading import MAX_SIZE, SourceReader, read_digest, read_sources
from hooks.targetclusters.sync.plan.model import DesiredSet, WantedDigest
from tests.targets.driving import target_cluster
from tests.targets.own_cluster import OwnCluster

Wanted = TypeVar("Wanted", DesiredSet, WantedDigest)

#: 200,000 values within 5 kB.
BOMB = (
    "a: &a [" + ",".join(["{}"] * 440) + "]\nb: [" + ",".join(["*a"] * 450) + "]\n"
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
)


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": data}


def synced(
    own: OwnCluster,
    *sources: dict[str, Any],
    cache: SourceCache | None = None,
    deadline: Deadline | None = None,
) -> DesiredSet:
    listed = [{"kind": "ConfigMap", **source} for source in sources]
    found = SourceCache() if cache is None else cache
    return read_sources(
        SourceReader(own, lambda _: (), found, SourceMemory()),
        target_cluster("mine", resourceSyncPolicy={"sources": listed}),
        deadline or Deadline(60),
    )


@pytest.mark.parametrize("keys", [1, 20])
def test_all_keys_of_all_sources_share_one_bound(keys: int) -> None:
    own, cache = OwnCluster(), SourceCache()
    texts = {f"k{number:02}": BOMB for number in range(keys)}
    for number in range(20 // keys):
        own.put(config_map(f"bomb-{number:02}", **texts))
    sources = [{"name": f"bomb-{number:02}", "as": "Manifests"} for number in range(20 // keys)]
    tracemalloc.start()
    try:
        found = synced(own, *sources, cache=cache)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert not found.has_all_sources
    assert [str(problem) for problem in found.problems] == [
        (
            "resourceSyncPolicy.sources: hold more than 400000 values or 33554432 bytes of text "
            "together, so the rest is not read and nothing pruned"
        )
    ]
    assert len(own.whole_reads) <= 3
    again = synced(own, *sources, cache=cache)
    assert again == found, "what is known from earlier counts too"


def test_copies_count_by_their_texts() -> None:
    own, large = OwnCluster(), "x" * 1_000_000
    count = MAX_SIZE.text_bytes // len(large) + 2
    for number in range(count):
        own.put(config_map(f"c{number:02}", k=large))
    found = synced(own, *({"name": f"c{number:02}"} for number in range(count)))
    assert len(found.objects) == count - 2
    assert not found.has_all_sources


def test_an_object_of_many_sources_is_read_and_held_once() -> None:
    own, cache = OwnCluster(), SourceCache()
    own.put(config_map("app", k="x" * 1_000_000))
    sources = [{"name": "app", "targetNamespace": f"n{number}"} for number in range(256)]
    for several in (sources[:1], sources):
        found = synced(own, *several, cache=cache)
        assert [one.namespace for one in found.objects] == [
            source["targetNamespace"] for source in several
        ]
        assert len({id(one.body["data"]["k"]) for one in found.objects}) == 1
        assert found.problems == ()
    assert len(own.whole_reads) == 1
    assert len(cache) == 1


def test_a_copy_under_another_name_shares_its_data() -> None:
    own = OwnCluster()
    own.put(config_map("app", k="v"))
    found = synced(own, {"name": "app"}, {"name": "app", "targetName": "other"})
    assert [one.body["metadata"]["name"] for one in found.objects] == ["app", "other"]
    assert len({id(one.body["data"]) for one in found.objects}) == 1


def test_no_key_is_read_after_the_deadline() -> None:
    own, clock = OwnCluster(), chain([0.0] * 50, [100.0], repeat(0.0))
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"
    own.put(config_map("app", **{f"k{number:03}": manifest for number in range(900)}))
    deadline = Deadline(60, clock=lambda: next(clock))
    found = synced(own, {"name": "app", "as": "Manifests"}, deadline=deadline)
    assert found.objects == ()
    assert [str(problem) for problem in found.problems] == [
        "ConfigMap/app: cannot be read: no time is left"
    ]
    assert found.failed_sources == {"ConfigMap/app"}


LARGE = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {k: %s}}"


class Team:
    """TargetClusters whose sources share one memory; each has a ConfigMap of 1 MB."""

    def __init__(self, total: int, count: int, *, namespaces: int = 1) -> None:
        self.own, self.memory = OwnCluster(), SourceMemory(total)
        self.caches = [SourceCache() for _ in range(count)]
        self.payers = [(f"n{number % namespaces}", str(number)) for number in range(count)]
        for number in range(count):
            text = LARGE % (f"c{number}", "x" * 1_000_000)
            self.own.put(config_map(f"c{number}", manifest=text))

    def read(self, number: int) -> DesiredSet:
        return self._read(read_sources, number)

    def read_digest(self, number: int) -> WantedDigest:
        return self._read(read_digest, number)

    def _read(self, read: Callable[[SourceReader, Json, Deadline], Wanted], number: int) -> Wanted:
        source = {"kind": "ConfigMap", "name": f"c{number}", "as": "Manifests"}
        cluster = target_cluster("mine", resourceSyncPolicy={"sources": [source]})
        reader = SourceReader(self.own, lambda _: (), self.caches[number], self.memory)
        with paying(self.payers[number]):
            return read(reader, cluster, Deadline(60))

    def whole(self) -> list[int]:
        """Return those whose contents are in their cache."""
        return [
            number
            for number, cache in enumerate(self.caches)
            if cache and all(contents.is_whole for _, contents in cache.values())
        ]


def test_all_caches_share_one_bound_and_what_was_used_longest_ago_goes() -> None:
    team = Team(5_000_000, 20)
    digests = [team.read(number).digest for number in range(20)]
    assert team.memory.share.used < 5_000_000
    assert team.whole() == [16, 17, 18, 19]
    del team.own.whole_reads[:]
    assert [team.read_digest(number) for number in range(20)] == digests
    assert team.own.whole_reads == [], "what is dropped is known and costs a probe nothing"
    assert team.read(3).objects[0].body["data"] == {"k": "x" * 1_000_000}
    assert len(team.own.whole_reads) == 1, "a round reads it again"
    assert team.whole() == [3, 17, 18, 19]


def test_the_cache_of_the_namespace_that_holds_most_goes_first() -> None:
    team = Team(8_000_000, 12)
    team.payers[0] = ("other", "0")
    for number in range(12):
        team.read(number)
    assert 0 in team.whole()
    assert team.memory.share.used < 8_000_000


def test_what_a_round_uses_counts_until_it_ends() -> None:
    team = Team(2_500_000, 4)
    in_use = [team.read(0), team.read(1)]
    assert team.memory.share.used > 2_000_000
    team.read(2)
    assert team.memory.share.used > 2_000_000, "dropped from the caches, and still there"
    assert 0 not in team.whole()
    in_use.clear()
    assert team.memory.share.used < 2_000_000


def test_a_cluster_that_is_forgotten_gives_its_memory_back() -> None:
    team = Team(50_000_000, 3)
    for number in range(3):
        team.read(number)
    assert team.memory.share.used > 3_000_000
    team.caches.clear()
    assert team.memory.share.used == 0


def test_sources_that_find_no_memory_in_time_are_not_pruned() -> None:
    own, memory = OwnCluster(), SourceMemory(60_000_000)
    own.put(config_map("bomb", manifest=BOMB))
    assert memory.share.take(("other", "1"), 50_000_000, Deadline(0))
    source = {"kind": "ConfigMap", "name": "bomb", "as": "Manifests"}
    cluster = target_cluster("mine", resourceSyncPolicy={"sources": [source]})
    reader = SourceReader(own, lambda _: (), SourceCache(), memory)
    with paying(("team", "mine")):
        found = read_sources(reader, cluster, Deadline(1.0))
    assert next(str(problem) for problem in found.problems).startswith(
        "ConfigMap/bomb: cannot be read: waited for memory"
    )
    assert found.failed_sources == {"ConfigMap/bomb"}
    memory.share.give_back(("other", "1"), 50_000_000)
    assert len(read_sources(reader, cluster, Deadline(60)).objects) == 1
    assert memory.share.used < 30_000_000


def test_the_bytes_of_a_value_are_as_it_is_held() -> None:
    shared = {"k": "v" * 1000}
    assert 1_000 < held_bytes([shared] * 100) < 3_000
    assert held_bytes([{} for _ in range(1_000)]) > 64_000
