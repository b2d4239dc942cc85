"""What the process keeps of each TargetCluster between calls: its jobs and its caches."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.targetclusters.access.connector import Connector
from hooks.targetclusters.health.model import ProbeResult
from hooks.targetclusters.jobs import JobPools, JobSlot
from hooks.targetclusters.plan.facts import DeletionResult, RoundResult
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.model import Outcome
from hooks.targetclusters.sync.sources import SourceCache

#: Seconds after which a cluster without calls is forgotten. Metacontroller calls for each cluster
#: about three times in that time, and never again for one whose deletion this process missed.
FORGET_AFTER = 900.0


@dataclass
class WatchedCluster:
    """One TargetCluster; losing all of this costs nothing but time.

    Attributes:
        namespace, name, uid: of the TargetCluster.
        connector: opens the cluster.
        probe: its probes.
        rounds: the jobs that write to it.
        sources: what its sources held when they were last read; used under `sources_lock`.
        sync_memory: of its sync rounds.
        status: the status that was last answered; None before.
        called_at: epoch seconds of the last call.
    """

    namespace: str
    name: str
    uid: str
    connector: Connector
    probe: JobSlot[ProbeResult]
    rounds: JobSlot[RoundResult | DeletionResult]
    sources: SourceCache = field(default_factory=SourceCache)
    sources_lock: threading.Lock = field(default_factory=threading.Lock)
    sync_memory: SyncMemory = field(default_factory=SyncMemory)
    status: Json | None = None
    called_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rounds: Counter[str] = field(default_factory=Counter)
    _objects: Counter[str] = field(default_factory=Counter)

    def count_round(self, *, success: bool, outcomes: Mapping[Outcome, int]) -> None:
        """Count a sync round, and its objects by outcome."""
        with self._lock:
            self._rounds["success" if success else "failure"] += 1
            self._objects.update(outcomes)

    def counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return the sync rounds by result, and their objects by outcome."""
        with self._lock:
            return Counter(self._rounds), Counter(self._objects)


class Clusters:
    """The TargetClusters that are watched, one for each namespace and name.

    Args:
        make_connector: makes a cluster's connector.
        probes: run the probes.
        rounds: run the jobs that write to the clusters.
        clock: epoch seconds.
    """

    def __init__(
        self,
        make_connector: Callable[[], Connector],
        probes: JobPools,
        rounds: JobPools,
        clock: Callable[[], float],
    ) -> None:
        self._make_connector = make_connector
        self._probes = probes
        self._rounds = rounds
        self._clock = clock
        self._lock = threading.Lock()
        self._clusters: dict[tuple[str, str], WatchedCluster] = {}

    def get(self, cluster: Json) -> WatchedCluster:
        """Return what is kept of a TargetCluster; one created again under its name is new."""
        metadata = cluster["metadata"]
        key, uid = (metadata["namespace"], metadata["name"]), metadata.get("uid") or ""
        with self._lock:
            self._forget_uncalled()
            watched = self._clusters.get(key)
            if watched is None or watched.uid != uid:
                watched = self._clusters[key] = WatchedCluster(
                    *key,
                    uid,
                    self._make_connector(),
                    JobSlot(self._probes, self._clock),
                    JobSlot(self._rounds, self._clock),
                )
            watched.called_at = self._clock()
            return watched

    def all(self) -> list[WatchedCluster]:
        """Return all that are watched, by namespace and name."""
        with self._lock:
            self._forget_uncalled()
            return [self._clusters[key] for key in sorted(self._clusters)]

    def forget(self, watched: WatchedCluster) -> None:
        """Forget a TargetCluster that is gone; a job of it that still runs ends by itself."""
        with self._lock:
            if self._clusters.get((watched.namespace, watched.name)) is watched:
                del self._clusters[watched.namespace, watched.name]

    def close(self) -> None:
        """Start no more jobs, and let those that run stop at their next deadline check."""
        self._probes.close()
        self._rounds.close()

    def _forget_uncalled(self) -> None:
        last = self._clock() - FORGET_AFTER
        for key in [key for key, kept in self._clusters.items() if kept.called_at < last]:
            del self._clusters[key]
