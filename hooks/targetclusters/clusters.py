"""What the process keeps of each TargetCluster between calls: its jobs and its caches."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from hooks.http.answer_memory import AnswerMemory
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic, run_detached
from hooks.kube.client import KubeError
from hooks.kube.cluster_uid import ThisCluster
from hooks.settings.config import Config
from hooks.targetclusters.access.connector import AccessError, Connector
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.access.kubeconfig_secrets import KubeconfigSecrets
from hooks.targetclusters.healing.accounts import Accounts, OwnAccount
from hooks.targetclusters.healing.journal_lease import JournalLease
from hooks.targetclusters.healing.memory import HealingMemory
from hooks.targetclusters.healing.plan.model import Attempt, HealingResult
from hooks.targetclusters.healing.task import CALL_SECONDS
from hooks.targetclusters.healing.vm_leases import VmLeases
from hooks.targetclusters.health.model import ProbeResult
from hooks.targetclusters.jobs import JobPools, JobSlot
from hooks.targetclusters.plan.facts import SyncResult
from hooks.targetclusters.round_lease import LEFT_AFTER, RoundLease, process_holder
from hooks.targetclusters.sources.memory import SourceCache, SourceMemory
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.model import Outcome
from hooks.webhook.hook import Dependencies

#: Seconds after which a cluster without calls is forgotten. Metacontroller calls for each cluster
#: about three times in that time, and never again for one whose deletion this process missed.
FORGET_CLUSTER_AFTER = 900.0


@dataclass(frozen=True)
class Shared:
    """What all TargetClusters of the process share.

    Attributes:
        hub: the cluster with the TargetClusters.
        kubeconfig_secrets: which Secrets are no sources.
        probes, rounds, healing: where their jobs run.
        answers: the memory for the answers of all clusters.
        sources: the memory for what the sources of all TargetClusters hold.
    """

    hub: ThisCluster
    kubeconfig_secrets: KubeconfigSecrets
    probes: JobPools
    rounds: JobPools
    healing: JobPools
    answers: AnswerMemory = field(default_factory=AnswerMemory)
    sources: SourceMemory = field(default_factory=SourceMemory)


class WatchedCluster:
    """The record of one TargetCluster; losing it costs nothing but time.

    Attributes:
        clock, monotonic: as Dependencies has them.
        called_at: of the last call, in monotonic seconds.
        deleting_since: of the first finalize call, in monotonic seconds; None before.
        probe, sync, deletion, healing: its probes, sync rounds, deletion rounds and rounds of
            healing.
        healing_memory: what is kept for the latter.
        attempts_total: the repairs that this process tried, by fault and outcome.
        release: waits for other replicas while it goes to another shard; else None.
        sources: what its sources held when they were last read; used under `sources_lock`.
        source_memory: for that, and for what those of all others hold.
        lease: of its rounds.
        hub: the cluster with the TargetCluster.
        kubeconfig_secrets: which Secrets are no sources.
        sync_memory: of its sync rounds.
        status: the status that was last answered; None before.
        is_retired: whether another record takes its place; it starts no jobs.
        rounds: the sync rounds of this process, by result.
        objects: the objects in them, by outcome.

    Probes have one set of pools, sync and deletion rounds another, healing a third.
    """

    def __init__(self, metadata: Json, dependencies: Dependencies, shared: Shared) -> None:
        self.namespace, self.name = metadata["namespace"], metadata["name"]
        self.uid = metadata.get("uid")
        config, key = dependencies.config, f"{self.namespace}/{self.name}"
        destinations = _destinations(config)
        self.connector = Connector(
            dependencies.kube,
            user_agent=config.operator_name,
            destinations=destinations,
            memory=shared.answers,
        )
        self.lease = RoundLease(
            dependencies.kube,
            config.pod_namespace,
            key,
            holder=process_holder(config.pod_name),
            monotonic=dependencies.monotonic,
        )
        self.hub, self.kubeconfig_secrets = shared.hub, shared.kubeconfig_secrets
        self.clock, self.monotonic = dependencies.clock, dependencies.monotonic
        self.called_at = self.monotonic()
        self.deleting_since: float | None = None
        self.probe: JobSlot[ProbeResult] = JobSlot(shared.probes, self.namespace, self.monotonic)
        self.sync: JobSlot[SyncResult] = JobSlot(shared.rounds, self.namespace, self.monotonic)
        self.deletion: JobSlot[SyncResult] = JobSlot(shared.rounds, self.namespace, self.monotonic)
        self.healing = JobSlot[HealingResult](shared.healing, self.namespace, self.monotonic)
        self.healing_memory = _healing_memory(dependencies, shared, key)
        self.attempts_total = Counter[tuple[str, str]]()
        self.release: JobSlot[bool] | None = None
        self._rounds = shared.rounds
        self.sources, self.sources_lock = SourceCache(), threading.Lock()
        self.source_memory = shared.sources
        self.sync_memory = SyncMemory()
        self.status: Json | None = None
        self.is_retired = False
        self.rounds, self.objects = Counter[str](), Counter[str]()

    def retire(self) -> bool:
        """Stop the jobs and start none again; return whether one has not ended yet."""
        self.is_retired = True
        slots = (self.probe, self.sync, self.deletion, self.healing)
        running = [job for slot in slots for job in slot.retire()]
        if not running:
            self.healing_memory.accounts.close()
        return bool(running)

    def replace(self, former: "WatchedCluster") -> None:
        """Retire the former record of this cluster, and start no job beside one of its jobs."""
        rounds = former.sync.retire() + former.deletion.retire()
        self.probe.wait_for(former.probe.retire())
        self.sync.wait_for(rounds)
        self.deletion.wait_for(rounds)
        self.healing.wait_for(former.healing.retire())

    def let_go(self) -> bool:
        """Stop the jobs; return whether none writes objects any more, here or in another replica.

        The Lease of sync and deletion rounds tells about the others. One that takes it later finds
        that the TargetCluster has another shard. A round of healing in another replica ends as it
        has begun: its journal keeps others from what it does.
        """
        jobs = (self.probe, self.sync, self.deletion, self.healing)
        for job in jobs:
            job.stop()
        if any(job.is_running for job in jobs):
            return False
        if not self.lease.is_needed:
            return True
        if self.release is None:
            self.release = JobSlot(self._rounds, self.namespace, self.monotonic)
        if self.release.state().latest:
            return True
        self.release.start(self._hold_lease, LEFT_AFTER, "quick")
        return False

    def _hold_lease(self, deadline: Deadline) -> bool:
        """Hold the Lease for a moment; return whether nobody else held it any more."""
        with suppress(AccessError), self.lease.held(deadline, self.clock()):
            return True
        return False

    def forget_journal(self) -> None:
        """Delete the journal of repairs, which nobody waits for; it may stay if that fails."""
        journal = self.healing_memory.journal

        def delete() -> None:
            with suppress(KubeError):
                journal.delete(Deadline(CALL_SECONDS))

        if journal.is_possible:
            run_detached("journal", delete)

    def count_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Count the repairs that were tried."""
        tried = Counter[tuple[str, str]]((attempt.kind, attempt.verdict) for attempt in attempts)
        self.attempts_total = self.attempts_total + tried

    def count_round(self, *, success: bool, outcomes: Mapping[Outcome, int]) -> None:
        """Count a sync round, and its objects by outcome."""
        # New counters instead of changed ones: other threads read them meanwhile.
        self.rounds = self.rounds + Counter(["success" if success else "failure"])
        self.objects = self.objects + Counter(outcomes)


def _healing_memory(dependencies: Dependencies, shared: Shared, key: str) -> HealingMemory:
    config, kube = dependencies.config, dependencies.kube
    return HealingMemory(
        Accounts(
            kube,
            _destinations(config),
            shared.answers,
            dependencies.monotonic,
            _own_account(config),
        ),
        JournalLease(kube, config.pod_namespace, key),
        VmLeases(kube, config.pod_namespace),
        process_holder(config.pod_name),
    )


def _destinations(config: Config) -> Destinations:
    """Return where the kubeconfigs and accounts of tenants may lead."""
    return Destinations(
        allowed=config.allowed_networks,
        own=config.own_servers,
        proxies=config.allowed_proxies,
        http_credentials=config.http_credentials,
    )


def _own_account(config: Config) -> OwnAccount | None:
    """Return the account of the operator itself; None where it has none."""
    file = config.cloud_config
    return None if file is None else OwnAccount(file.current, config.account_namespaces)


class Clusters:
    """The TargetClusters that are watched, one record for each namespace and name.

    `make` makes a record from the metadata of a TargetCluster.
    """

    def __init__(self, make: Callable[[Json], WatchedCluster], monotonic: Monotonic) -> None:
        self._make = make
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._clusters: dict[tuple[str, str], WatchedCluster] = {}

    def get(self, cluster: Json) -> WatchedCluster:
        """Return the record of a TargetCluster; one that was created again has a new one."""
        metadata = cluster["metadata"]
        key = metadata["namespace"], metadata["name"]
        with self._lock:
            self._forget_uncalled()
            watched = self._clusters.get(key)
            if watched is None or watched.is_retired or watched.uid != metadata.get("uid"):
                former, watched = watched, self._make(metadata)
                if former is not None:
                    watched.replace(former)
                self._clusters[key] = watched
            watched.called_at = self._monotonic()
            return watched

    def all(self) -> list[WatchedCluster]:
        """Return all that are watched, by namespace and name."""
        with self._lock:
            self._forget_uncalled()
            kept = [self._clusters[key] for key in sorted(self._clusters)]
            return [watched for watched in kept if not watched.is_retired]

    def forget(self, watched: WatchedCluster) -> None:
        """Forget a TargetCluster that is gone, and stop its jobs."""
        with self._lock:
            watched.retire()
            self._forget_uncalled()

    def _forget_uncalled(self) -> None:
        """Retire records without calls; keep retired ones while a job of theirs runs.

        The next record of the same name waits for that job.
        """
        last = self._monotonic() - FORGET_CLUSTER_AFTER
        for key, kept in list(self._clusters.items()):
            if (kept.is_retired or kept.called_at < last) and not kept.retire():
                del self._clusters[key]
