"""A source that is deleted between the read of its metadata and that of the whole."""

from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import METADATA, METADATA_LIST
from hooks.targetclusters.sources.memory import SourceCache, SourceMemory
from hooks.targetclusters.sources.reading import READ_SINGLY, SourceReader, read_sources
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.model import DesiredSet, SyncPolicy
from hooks.targetclusters.sync.plan.resolve import why_kept
from tests.kubes import Call
from tests.targets.driving import target_cluster
from tests.targets.own_cluster import OwnCluster

BY_LABEL = {"selector": {"matchLabels": {"app": "web"}}}


class Losing(OwnCluster):
    """An API server on which somebody deletes a source as soon as its metadata is read."""

    def __init__(self, kind: str, count: int) -> None:
        super().__init__()
        self._kind = kind
        self._losing = True
        for number in range(count):
            metadata = {"name": f"web-{number}", "namespace": "team", "labels": {"app": "web"}}
            self.put({"kind": kind, "metadata": metadata, "data": {"k": "dg=="}})

    def answer(self, call: Call) -> Json:
        answer = super().answer(call)
        if self._losing and call.accept in (METADATA, METADATA_LIST):
            self._losing = False
            self.remove(self._kind, "web-0", "team")
        return answer


def kept_because(found: DesiredSet, kind: str) -> str:
    entry = InventoryEntry("v1", kind, "team", "web-0", source=f"{kind}/web-0", uid="u1")
    return why_kept(entry, found, [], SyncPolicy())


def synced(own: OwnCluster, source: dict[str, Any], cache: SourceCache) -> DesiredSet:
    reader = SourceReader(own, lambda _: (), cache, SourceMemory())
    cluster = target_cluster("mine", resourceSyncPolicy={"sources": [source]})
    return read_sources(reader, cluster, Deadline(60))


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_one_that_is_named_is_missing(kind: str) -> None:
    own, cache = Losing(kind, 1), SourceCache()
    first, second = (synced(own, {"kind": kind, "name": "web-0"}, cache) for _ in range(2))
    assert first == second, "as if it had been deleted before"
    assert first.empty_sources == (f"{kind}/web-0",)
    assert [str(problem) for problem in first.problems] == [f"{kind}/web-0: does not exist"]
    assert kept_because(first, kind) == f"is kept: {kind}/web-0 holds no object any more"


@pytest.mark.parametrize("count", [2, READ_SINGLY + 2], ids=["one by one", "in lists"])
def test_nothing_is_pruned_in_a_round_that_lost_one_by_label(count: int) -> None:
    own, cache = Losing("ConfigMap", count), SourceCache()
    found = synced(own, {"kind": "ConfigMap", **BY_LABEL}, cache)
    assert len(found.objects) == count - 1
    assert not found.has_all_sources
    assert [str(problem) for problem in found.problems] == [
        "ConfigMap/web-0: is gone since it was listed, so nothing is pruned"
    ]
    assert kept_because(found, "ConfigMap") == "is kept: some sources could not be read"
    again = synced(own, {"kind": "ConfigMap", **BY_LABEL}, cache)
    assert again.has_all_sources
    assert again.problems == ()
    assert not kept_because(again, "ConfigMap"), "the next round knows that it is not there"
