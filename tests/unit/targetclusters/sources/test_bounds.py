"""What the sources of one TargetCluster may hold together."""

import tracemalloc
from itertools import chain, repeat
from typing import Any

import pytest

from hooks.http.deadline import Deadline
from hooks.targetclusters.sources.reading import MAX_SIZE, SourceCache, read_sources
from hooks.targetclusters.sync.plan.model import DesiredSet
from tests.targets.driving import target_cluster
from tests.targets.own_cluster import OwnCluster

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
    return read_sources(
        own,
        target_cluster("mine", resourceSyncPolicy={"sources": listed}),
        kubeconfig_secrets=lambda _: (),
        cache={} if cache is None else cache,
        deadline=deadline or Deadline(60),
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
            "resourceSyncPolicy.sources: hold more than 400000 values or 33554432 characters "
            "together, so the rest is not read and nothing pruned"
        )
    ]
    assert len(own.whole_reads) <= 3
    again = synced(own, *sources, cache=cache)
    assert again == found, "what is known from earlier counts too"


def test_copies_count_by_their_texts() -> None:
    own, large = OwnCluster(), "x" * 1_000_000
    count = MAX_SIZE.characters // len(large) + 2
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
