"""Starts the background work on clusters: probes, rounds of syncing, rounds of deleting."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import assert_never

from hooks.http.deadline import Deadline
from hooks.kube.times import milliseconds
from hooks.targetclusters.access.connector import Access, Connector, NoAccess
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from hooks.targetclusters.background import KEPT_SECONDS, Job
from hooks.targetclusters.facts import Jobs, job_key
from hooks.targetclusters.health import probe
from hooks.targetclusters.health.judge import Probe
from hooks.targetclusters.metrics import ClusterMetrics
from hooks.targetclusters.plan.finalizing import DELETION, ROUND
from hooks.targetclusters.plan.plan import (
    Action,
    Facts,
    StartDeletion,
    StartProbe,
    StartRound,
    StopRound,
)
from hooks.targetclusters.plan.syncing import Deletion, Round
from hooks.targetclusters.sync import target
from hooks.targetclusters.sync.engine import delete_all, sync_round
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import DeleteTask, DesiredSet, SyncTask
from hooks.targetclusters.sync.plan.sources import read_sources
from hooks.targetclusters.sync.sources import SourceCache, gather

#: Seconds in which the kubeconfig's Secret is read.
SECRET_SECONDS = 5.0
#: Seconds in which the sources are read.
SOURCES_SECONDS = 20.0
#: Seconds that one round of syncing or deleting may take; what it leaves is the next one's.
ROUND_SECONDS = 60.0

_log = logging.getLogger("hooks.targetclusters")


@dataclass
class _Memory:
    """What makes work on a cluster cheaper, and may be lost; probes and rounds share the cache."""

    sources: SourceCache = field(default_factory=SourceCache)
    sync: SyncMemory = field(default_factory=SyncMemory)
    lock: threading.Lock = field(default_factory=threading.Lock)
    touched: float = 0.0


class Operations:
    """Starts jobs, and knows what they do.

    Args:
        connector: opens clusters.
        jobs: where jobs run.
        metrics: where rounds are counted.
        clock: epoch seconds.
    """

    def __init__(
        self,
        connector: Connector,
        jobs: Jobs,
        metrics: ClusterMetrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._connector = connector
        self._jobs = jobs
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._memories: dict[str, _Memory] = {}

    def start(self, action: Action, facts: Facts) -> None:
        """Do an action; nothing is waited for."""
        key = job_key(facts.cluster)
        work = _Work(self._connector, facts, self._memory(key), self._metrics, self._clock)
        match action:
            case StartProbe(pool):
                seconds = SECRET_SECONDS + facts.spec.health.timeout + SOURCES_SECONDS
                self._jobs.probes.start(key, Job(work.probe, seconds), pool=pool)
            case StartRound(recorded, pool):
                job = Job(lambda deadline: work.round(recorded, deadline), ROUND_SECONDS, ROUND)
                self._jobs.rounds.start(key, job, pool=pool)
            case StartDeletion(inventory, pool):
                run = Job(
                    lambda deadline: work.delete(inventory, deadline), ROUND_SECONDS, DELETION
                )
                self._jobs.rounds.start(key, run, pool=pool)
            case StopRound():
                self._jobs.rounds.stop(key)
            case _:
                assert_never(action)

    def forget(self, facts: Facts) -> None:
        """Forget a TargetCluster that is gone."""
        key = job_key(facts.cluster)
        with self._lock:
            self._memories.pop(key, None)
        self._jobs.probes.forget(key)
        self._jobs.rounds.forget(key)
        self._metrics.forget(*facts.key.split("/"))

    def _memory(self, key: str) -> _Memory:
        """Answer a cluster's memory; those of clusters that nobody asks for are forgotten."""
        now = self._clock()
        with self._lock:
            for other in [k for k, m in self._memories.items() if m.touched < now - KEPT_SECONDS]:
                del self._memories[other]
            memory = self._memories.setdefault(key, _Memory())
            memory.touched = now
            return memory


@dataclass(frozen=True)
class _Work:
    """One job's view of one TargetCluster, as it was when the job was started."""

    connector: Connector
    facts: Facts
    memory: _Memory
    metrics: ClusterMetrics
    clock: Callable[[], float]

    def probe(self, deadline: Deadline) -> Probe:
        """Look at the cluster, and at what is to be on it."""
        spec = self.facts.spec
        began = milliseconds(self.clock())
        try:
            found = self._look(Probe(began, 0.0, self.facts.generation), deadline)
        except NoAccess as error:
            found = Probe(began, 0.0, self.facts.generation, stop=error.stop)
            if error.kubeconfig is not None:
                found = _known_by(found, error.kubeconfig)
        found = replace(found, seconds=self.clock() - began)
        self._log_probe(found)
        if spec.sync_enabled and not spec.suspend:
            return replace(found, desired=self._gather(deadline))
        return found

    def round(self, recorded: Inventory, deadline: Deadline) -> Round:
        """Bring the resources to the cluster."""
        began = milliseconds(self.clock())
        done = Round(began, 0.0, self.facts.generation, recorded)
        try:
            with self._open(deadline, target.MAX_ANSWER_BYTES) as access:
                desired = self._gather(deadline)
                task = SyncTask(self.facts.key, desired, recorded, self.facts.spec.sync_policy)
                memory = self.memory.sync
                report = sync_round(
                    access.api, task, memory=memory, deadline=deadline, clock=self.clock
                )
                done = replace(done, desired=desired, report=report)
        except NoAccess as error:
            done = replace(done, stop=error.stop)
        done = replace(done, seconds=self.clock() - began)
        self._tell_round(done)
        return done

    def delete(self, inventory: Inventory, deadline: Deadline) -> Deletion:
        """Delete what was brought to the cluster."""
        began = milliseconds(self.clock())
        done = Deletion(began, 0.0, inventory)
        try:
            with self._open(deadline, target.MAX_ANSWER_BYTES) as access:
                where = read_sources(self.facts.cluster).set_namespace
                task = DeleteTask(self.facts.key, where, inventory)
                report = delete_all(access.api, task, memory=self.memory.sync, deadline=deadline)
                done = replace(done, report=report)
        except NoAccess as error:
            done = replace(done, stop=error.stop)
        done = replace(done, seconds=self.clock() - began)
        self._log_deletion(done)
        return done

    def _open(self, deadline: Deadline, max_answer_bytes: int) -> AbstractContextManager[Access]:
        namespace, _, _ = self.facts.key.partition("/")
        return self.connector.open(
            namespace,
            self.facts.spec.kubeconfig_secret,
            max_answer_bytes=max_answer_bytes,
            deadline=deadline.at_most(SECRET_SECONDS),
        )

    def _look(self, found: Probe, deadline: Deadline) -> Probe:
        health = self.facts.spec.health
        with self._open(deadline, probe.MAX_ANSWER_BYTES) as access:
            seen = probe.look(
                access.api,
                pod_namespaces=health.pod_namespaces,
                deadline=deadline.at_most(health.timeout),
            )
            return replace(
                _known_by(found, access.kubeconfig),
                stop=seen.stop,
                answered=seen.answered,
                version=seen.version,
                nodes=seen.nodes,
                pods=seen.pods,
            )

    def _gather(self, deadline: Deadline) -> DesiredSet:
        with self.memory.lock:
            return gather(
                self.connector.own,
                self.facts.cluster,
                kubeconfig_secret=self.facts.spec.kubeconfig_secret,
                cache=self.memory.sources,
                deadline=deadline.at_most(SOURCES_SECONDS),
            )

    def _log_probe(self, found: Probe) -> None:
        extra: dict[str, object] = {"object": self.facts.key, "seconds": round(found.seconds, 3)}
        if found.stop is not None:
            extra |= {"reason": found.stop.fault.reason, "problem": found.stop.fault.message}
        _log.debug("cluster probed", extra=extra)

    def _tell_round(self, done: Round) -> None:
        """Log and count a round; one that is to be gone on with at once is only logged."""
        namespace, _, name = self.facts.key.partition("/")
        extra: dict[str, object] = {"object": self.facts.key, "seconds": round(done.seconds, 3)}
        report = done.report
        if report is None:
            problem = done.stop.fault.message if done.stop else ""
            _log.warning("resources not synced", extra=extra | {"problem": problem})
            self.metrics.count_round(namespace, name, success=False, outcomes={})
            return
        outcomes = {outcome: count for outcome, count in report.counts.items() if count}
        extra |= {"outcomes": outcomes, "complete": report.complete}
        if report.error:
            extra["problem"] = report.error
        changed = any(outcomes.get(outcome) for outcome in ("applied", "pruned"))
        quiet = report.synced and not changed
        _log.log(logging.DEBUG if quiet else logging.INFO, "resources synced", extra=extra)
        if report.complete or report.error:
            self.metrics.count_round(namespace, name, success=report.synced, outcomes=outcomes)

    def _log_deletion(self, done: Deletion) -> None:
        extra: dict[str, object] = {"object": self.facts.key, "seconds": round(done.seconds, 3)}
        if done.report is not None:
            extra["remaining"] = len(done.report.remaining.by_key)
        if done.stop is not None:
            extra["problem"] = done.stop.fault.message
        _log.info("resources deleted", extra=extra)


def _known_by(found: Probe, kubeconfig: Kubeconfig) -> Probe:
    """Add what is known of a cluster by its kubeconfig alone."""
    return replace(
        found,
        server=kubeconfig.server,
        verified=kubeconfig.verify,
        expires=kubeconfig.expires,
    )
