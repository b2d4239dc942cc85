"""Starts the jobs of a TargetCluster, and does what they do: probe, sync, delete and heal."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, assert_never

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.fair_share import paying
from hooks.http.texts import one_line
from hooks.kube.client import METADATA, ApiServer, Kube, KubeError
from hooks.kube.kinds import NAMESPACE
from hooks.kube.objects import is_deleting
from hooks.kube.times import milliseconds
from hooks.targetclusters.access.connector import AccessError
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from hooks.targetclusters.clusters import WatchedCluster
from hooks.targetclusters.healing.plan.model import HealingResult
from hooks.targetclusters.healing.round import heal
from hooks.targetclusters.healing.task import ROUND_SECONDS as HEALING_SECONDS
from hooks.targetclusters.healing.task import HealingTask
from hooks.targetclusters.health.model import (
    NAMESPACE_DELETED,
    SECRET_NOT_FOUND,
    Failure,
    ProbeResult,
)
from hooks.targetclusters.health.probe import MAX_ANSWER_BYTES, probe_cluster
from hooks.targetclusters.identities import read_identity
from hooks.targetclusters.outdated import is_outdated
from hooks.targetclusters.plan import actions
from hooks.targetclusters.plan.facts import Facts, SyncResult
from hooks.targetclusters.recording import read_refusal
from hooks.targetclusters.sources.reading import SourceReader, read_digest, read_sources
from hooks.targetclusters.sync import target
from hooks.targetclusters.sync.engine import delete_all, sync_round
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import (
    DesiredSet,
    Owner,
    SyncReport,
    SyncTask,
    WantedDigest,
)

#: Seconds in which the kubeconfig's Secret is read.
SECRET_SECONDS = 5.0
#: Seconds in which it is read which cluster the hub, or a target, is.
IDENTITY_SECONDS = 12.0
#: Seconds in which the sources are read.
SOURCES_SECONDS = 20.0
#: Seconds that a sync or deletion round may take; the next one continues.
ROUND_SECONDS = 60.0

#: Seconds in which it is read whether a request still shows what is.
REQUEST_SECONDS = 10.0

Wanted = TypeVar("Wanted", DesiredSet, WantedDigest)
Result = TypeVar("Result", ProbeResult, SyncResult, HealingResult)
_log = logging.getLogger("hooks.targetclusters")


class _Outdated(Exception):
    """The request that started a round shows no more what is."""


def perform(action: actions.Action, facts: Facts, watched: WatchedCluster) -> None:
    """Start or stop a job; waits for nothing."""
    jobs = _Jobs(facts, watched)
    match action:
        case actions.StartProbe(pool):
            seconds = SECRET_SECONDS + facts.request.spec.health.timeout + SOURCES_SECONDS
            watched.probe.start(jobs.paid(jobs.probe), seconds, pool)
        case actions.StartRound(recorded, pool):
            watched.sync.start(jobs.paid(partial(jobs.sync, recorded)), ROUND_SECONDS, pool)
        case actions.StartDeletion(recorded, pool):
            watched.deletion.start(jobs.paid(partial(jobs.delete, recorded)), ROUND_SECONDS, pool)
        case actions.StopRound():
            watched.sync.stop()
        case actions.StartHealing(pool):
            watched.healing.start(jobs.paid(jobs.heal), HEALING_SECONDS, pool)
        case _:
            assert_never(action)


@dataclass(frozen=True)
class _Jobs:
    """What the jobs of a TargetCluster do, by what is known of it when they are started."""

    facts: Facts
    watched: WatchedCluster

    def paid(self, job: Callable[[Deadline], Result]) -> Callable[[Deadline], Result]:
        """Return a job whose answers, of whichever server, take memory for this TargetCluster."""

        def run(deadline: Deadline) -> Result:
            with paying((self.watched.namespace, self.watched.name)):
                return job(deadline)

        return run

    def probe(self, deadline: Deadline) -> ProbeResult:
        """Probe the cluster, and read what its sources want on it."""
        spec, began = self.facts.request.spec, self.watched.monotonic()
        result = ProbeResult(milliseconds(self.watched.clock()), 0.0, self.facts.generation)
        try:
            with self._open(deadline, MAX_ANSWER_BYTES) as (api, kubeconfig):
                result = probe_cluster(
                    api,
                    _add_kubeconfig(result, kubeconfig),
                    before=self.facts.probe.latest,
                    pod_namespaces=spec.health.pod_namespaces,
                    deadline=deadline.at_most(spec.health.timeout),
                )
        except AccessError as error:
            result = replace(_add_kubeconfig(result, error.kubeconfig), failure=error.failure)
        except Exception:  # noqa: BLE001 - a bug must not leave the last good status standing
            _log.exception("probe failed by a bug", extra=self._log_fields(result))
            message = "the operator failed at what it was given; its log says where"
            result = replace(result, failure=Failure("own", "InternalError", message))
        if spec.sync.enabled and not spec.suspend:
            result = replace(result, desired=self._read(read_digest, deadline))
        if self.facts.is_refused:
            result = replace(result, refusal=self._read_refusal(deadline))
        result = replace(result, seconds=self.watched.monotonic() - began)
        reason = {"reason": result.failure.reason} if result.failure else {}
        _log.debug("cluster probed", extra=self._log_fields(result, **reason))
        return result

    def sync(self, recorded: Inventory, deadline: Deadline) -> SyncResult:
        """Run a sync round."""
        result = self._run_round(sync_round, recorded, deadline, partial(self._read, read_sources))
        self._log_round(result)
        return result

    def delete(self, recorded: Inventory, deadline: Deadline) -> SyncResult:
        """Run a deletion round."""
        result = self._run_round(delete_all, recorded, deadline)
        if result.failure is not None:
            result = replace(result, failure=self._explained(result.failure, deadline))
        self._log_deletion(result)
        return result

    def _run_round(
        self,
        run: Callable[..., SyncReport],
        recorded: Inventory,
        deadline: Deadline,
        read: Callable[[Deadline], DesiredSet] | None = None,
    ) -> SyncResult:
        """Run a round of what `read` wants on the cluster; without it, nothing is wanted there."""
        watched, began = self.watched, self.watched.monotonic()
        result = SyncResult(milliseconds(watched.clock()), 0.0, self.facts.generation, recorded)
        try:
            with self._writing(deadline) as (api, kubeconfig):
                task, memory = self._task(api, kubeconfig, recorded, deadline), watched.sync_memory
                if read is not None:
                    task = replace(task, desired=read(deadline))
                    result = replace(result, desired=task.desired.digest)
                report = run(api, task, memory=memory, deadline=deadline, clock=watched.monotonic)
                result = replace(result, report=report)
        except _Outdated:
            result = replace(result, report=SyncReport((), recorded, complete=False))
        except AccessError as error:
            result = replace(result, failure=error.failure)
        return replace(result, seconds=watched.monotonic() - began)

    def heal(self, deadline: Deadline) -> HealingResult:
        """Run a round of healing."""
        watched, began = self.watched, self.watched.monotonic()
        began_at, generation = milliseconds(watched.clock()), self.facts.generation
        result = HealingResult(began_at, 0.0, generation, only_owed=self.facts.request.is_deleting)
        try:
            with self._open(deadline, MAX_ANSWER_BYTES) as (api, kubeconfig):
                task = replace(self._healing_task(api), place=kubeconfig.place)
                result = heal(task, result, deadline)
        except AccessError as error:
            result = heal(self._healing_task(error.failure), result, deadline)
        result = replace(result, seconds=watched.monotonic() - began)
        watched.count_attempts(result.tried)
        for attempt in result.tried:
            extra = self._log_fields(result, repair=attempt.repair, outcome=attempt.text)
            _log.warning("repair tried", extra={**extra, "about": attempt.object})
        return result

    def _healing_task(self, target: Kube | Failure) -> HealingTask:
        watched, facts = self.watched, self.facts
        return HealingTask(
            cluster=facts.request.cluster,
            spec=facts.request.spec,
            memory=watched.healing_memory,
            own=watched.connector.own,
            target=target,
            clock=watched.clock,
            monotonic=watched.monotonic,
        )

    def _open(
        self, deadline: Deadline, max_answer_bytes: int
    ) -> AbstractContextManager[tuple[ApiServer, Kubeconfig]]:
        return self.watched.connector.open(
            self.watched.namespace,
            self.facts.request.spec.kubeconfig_secret,
            max_answer_bytes=max_answer_bytes,
            deadline=deadline.at_most(SECRET_SECONDS),
        )

    @contextmanager
    def _writing(self, deadline: Deadline) -> Iterator[tuple[ApiServer, Kubeconfig]]:
        """Open the cluster while no other replica writes to it. Raises AccessError, _Outdated."""
        with self.watched.lease.held(deadline, self.watched.clock()):
            self._check_current(deadline)
            with self._open(deadline, target.MAX_ANSWER_BYTES) as opened:
                yield opened

    def _check_current(self, deadline: Deadline) -> None:
        """Check what the request showed once more: another replica may have written meanwhile.

        Raises:
            _Outdated: it is so no more; the next call shows what is.
            AccessError: it cannot be read.
        """
        if not self.watched.lease.is_needed:
            return
        try:
            own = self.watched.connector.own
            if is_outdated(own, self.facts.request, deadline.at_most(REQUEST_SECONDS)):
                raise _Outdated
        except KubeError as error:
            message = f"the TargetCluster and its inventory cannot be read: {error}"
            failure = Failure("own", "RequestUnverified", one_line(message, target.MAX_MESSAGE))
            raise AccessError(failure) from error

    def _explained(self, failure: Failure, deadline: Deadline) -> Failure:
        """Tell a Secret that was deleted alone from one that went with its namespace."""
        if failure.reason != SECRET_NOT_FOUND:
            return failure
        path, own = NAMESPACE.path(name=self.watched.namespace), self.watched.connector.own
        with suppress(KubeError):
            if is_deleting(own.get(path, deadline=deadline, accept=METADATA)):
                return replace(failure, reason=NAMESPACE_DELETED)
        return failure

    def _task(
        self, api: ApiServer, kubeconfig: Kubeconfig, recorded: Inventory, deadline: Deadline
    ) -> SyncTask:
        """Say what a round is about. Raises AccessError: it is not known whose objects are whose.

        Nothing is written before both clusters are known.
        """
        try:
            hub = self.watched.hub.id(deadline.at_most(IDENTITY_SECONDS))
        except KubeError as error:
            message = f"the id of this cluster cannot be read: {error}"
            raise AccessError(Failure("own", "HubUnknown", message)) from error
        try:
            seconds = deadline.at_most(IDENTITY_SECONDS)
            ca, place = kubeconfig.ca_fingerprint, kubeconfig.place
            cluster = read_identity(api, ca, seconds, place=place)
        except KubeError as error:
            message = one_line(error, target.MAX_MESSAGE)
            raise AccessError(Failure("connection", "ClusterUnknown", message)) from error
        owner = Owner(hub, self.facts.key)
        return SyncTask(owner, cluster, recorded, policy=self.facts.request.spec.sync)

    def _read(
        self, read: Callable[[SourceReader, Json, Deadline], Wanted], deadline: Deadline
    ) -> Wanted:
        """Read the sources; one reading of a TargetCluster's runs at a time."""
        watched = self.watched
        reader = SourceReader(
            watched.connector.own,
            self._kubeconfig_secrets,
            watched.sources,
            watched.source_memory,
        )
        seconds = deadline.at_most(SOURCES_SECONDS)
        with watched.sources_lock:
            return read(reader, self.facts.request.cluster, seconds)

    def _read_refusal(self, deadline: Deadline) -> str:
        """Return why the inventory is not written; empty if that cannot be read."""
        own, now = self.watched.connector.own, self.watched.clock()
        with suppress(KubeError):
            return read_refusal(
                own, self.facts.request.cluster, now, deadline.at_most(REQUEST_SECONDS)
            )
        return ""

    def _kubeconfig_secrets(self, deadline: Deadline) -> frozenset[str]:
        """Return the Secrets that are never synced; the list may be older than this spec."""
        listed = self.watched.kubeconfig_secrets.names(self.watched.namespace, deadline)
        spec = self.facts.request.spec
        return listed | {spec.kubeconfig_secret, spec.cloud_stack.config_secret}

    def _log_round(self, result: SyncResult) -> None:
        """Log a sync round, and count it unless the next one continues it at once."""
        report = result.report
        if report is None:
            _log.warning("resources not synced", extra=self._log_fields(result))
            self.watched.count_round(success=False, outcomes={})
            return
        outcomes = {outcome: count for outcome, count in report.counts.items() if count}
        extra = self._log_fields(result, outcomes=outcomes, complete=report.complete)
        if report.error:
            extra["problem"] = report.error
        changed = "applied" in outcomes or "pruned" in outcomes
        level = logging.INFO if changed or not report.synced else logging.DEBUG
        _log.log(level, "resources synced", extra=extra)
        if report.complete or report.error:
            self.watched.count_round(success=report.synced, outcomes=outcomes)

    def _log_deletion(self, result: SyncResult) -> None:
        """Log a deletion round: what it deleted, and why it did not delete the rest."""
        report = result.report
        if report is None:
            _log.warning("resources not deleted", extra=self._log_fields(result))
            return
        deleted = report.counts.get("pruned", 0)
        extra = self._log_fields(result, deleted=deleted, remaining=len(report.inventory.by_key))
        if report.error:
            extra["problem"] = report.error
        if deleted or report.complete:
            _log.info("resources deleted", extra=extra)
        else:
            _log.warning("resources not deleted", extra=extra)

    def _log_fields(self, result: Result, **more: object) -> dict[str, object]:
        problem = {"problem": result.failure.message} if result.failure else {}
        return {"object": self.facts.key, "seconds": round(result.seconds, 3), **more, **problem}


def _add_kubeconfig(result: ProbeResult, kubeconfig: Kubeconfig) -> ProbeResult:
    """Add what the kubeconfig alone says about a cluster."""
    return replace(
        result,
        server=kubeconfig.server,
        access=kubeconfig.version,
        ca=kubeconfig.ca_fingerprint,
        verified=kubeconfig.verify,
        two_credentials=bool(kubeconfig.certificate and kubeconfig.authorization),
        lifetimes=kubeconfig.lifetimes,
    )
