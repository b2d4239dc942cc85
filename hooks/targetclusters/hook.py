"""TargetClusters: other clusters, watched and synced."""

import logging
from collections.abc import Callable
from typing import cast

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.turns import Turns
from hooks.kube.cluster_uid import ThisCluster
from hooks.kube.events import Event
from hooks.targetclusters.access.kubeconfig_secrets import KubeconfigSecrets
from hooks.targetclusters.actions import perform
from hooks.targetclusters.clusters import Clusters, Shared, WatchedCluster
from hooks.targetclusters.jobs import JobPools
from hooks.targetclusters.metrics import ClusterMetrics
from hooks.targetclusters.plan.actions import Action
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.plan import (
    answer_unchanged,
    answer_waiting,
    plan_finalize,
    plan_sync,
)
from hooks.targetclusters.request import TargetClusterRequest, read
from hooks.webhook.contract import Plan
from hooks.webhook.hook import Dependencies, Handler, Hook
from hooks.webhook.reconcile import RESUME_AFTER, CallResult

#: How many probes, rounds, and rounds of healing, run at once in each of their pools; those of one
#: namespace are half as many at most. They wait for the network nearly all of their time.
PROBES_AT_ONCE = 128
ROUNDS_AT_ONCE = 32
REPAIRS_AT_ONCE = 32
#: How many of all these jobs compute at once, so that calls wait behind no more of them.
COMPUTING_AT_ONCE = 4

_log = logging.getLogger("hooks.targetclusters")


class TargetClustersHook(Hook):
    """Answers `/targetclusters/sync` and `/targetclusters/finalize`.

    No call waits for a cluster: probes and rounds run in the background, and a call answers with
    the results of those that have finished.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        turns = Turns(COMPUTING_AT_ONCE)
        self._probes = JobPools("probe", threads=PROBES_AT_ONCE, turns=turns)
        self._rounds = JobPools("round", threads=ROUNDS_AT_ONCE, turns=turns)
        self._healing = JobPools("repair", threads=REPAIRS_AT_ONCE, turns=turns)
        config = dependencies.config
        secrets = KubeconfigSecrets(
            dependencies.kube,
            default=config.default_kubeconfig_secret,
            monotonic=dependencies.monotonic,
        )
        hub = ThisCluster(dependencies.kube, config.hub_id)
        self._shared = Shared(hub, secrets, self._probes, self._rounds, self._healing)
        self._clusters = Clusters(self._watch, dependencies.monotonic)
        dependencies.registry.register(ClusterMetrics(self._clusters))

    @property
    def routes(self) -> dict[str, Handler]:
        """Map the paths to the methods that answer them."""
        return {"/targetclusters/sync": self.sync, "/targetclusters/finalize": self.finalize}

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync request. Raises BadRequest."""
        del deadline
        request = self._read(body)
        if not self._is_watched(request):
            return CallResult(answer_unchanged(request, finalized=False))
        if request.other_shard:
            return CallResult(answer_waiting(request, now=self._dependencies.clock()))
        return self._answer(request, plan_sync)

    def finalize(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a finalize request: one about a deletion, or a hand-over. Raises BadRequest."""
        del deadline
        request = self._read(body)
        if not self._is_watched(request):
            return CallResult(answer_unchanged(request, finalized=True))
        if not request.is_deleting:
            return self._let_go(request)
        return self._answer(request, plan_finalize)

    def close(self) -> None:
        """Start no more jobs, and let those that run stop soon."""
        self._probes.close()
        self._rounds.close()
        self._healing.close()

    def _watch(self, metadata: Json) -> WatchedCluster:
        return WatchedCluster(metadata, self._dependencies, self._shared)

    def _read(self, body: Json) -> TargetClusterRequest:
        return read(body, default_secret=self._dependencies.config.default_kubeconfig_secret)

    def _is_watched(self, request: TargetClusterRequest) -> bool:
        namespaces = self._dependencies.config.watch_namespaces
        return not namespaces or request.cluster["metadata"]["namespace"] in namespaces

    def _let_go(self, request: TargetClusterRequest) -> CallResult:
        """Leave a TargetCluster to another shard, as it is, once none of its jobs runs any more."""
        watched = self._clusters.get(request.cluster)
        has_ended = watched.let_go()
        response = answer_unchanged(request, finalized=has_ended)
        if has_ended:
            self._clusters.forget(watched)
        else:
            response["resyncAfterSeconds"] = RESUME_AFTER
        return CallResult(response)

    def _answer(
        self, request: TargetClusterRequest, plan: Callable[[Facts], Plan[Action]]
    ) -> CallResult:
        """Plan and start jobs until nothing new is to be started, and answer as planned last."""
        watched = self._clusters.get(request.cluster)
        watched.release = None
        if request.is_deleting and watched.deleting_since is None:
            watched.deleting_since = watched.monotonic()
        started: list[Action] = []
        events: dict[Event, None] = {}
        while True:
            facts = _observe(request, watched)
            planned = plan(facts)
            events |= dict.fromkeys(planned.events)
            new = [action for action in planned.actions if action not in started]
            if not new:
                break
            for action in new:
                perform(action, facts, watched)
            started += new
        response = planned.response.copy()
        if planned.actions:  # a job that was started or stopped shows nothing yet
            wait = response.get("resyncAfterSeconds", RESUME_AFTER)
            response["resyncAfterSeconds"] = min(wait, RESUME_AFTER)
        for event in events:
            self._record(event)
        if response.get("finalized"):
            self._clusters.forget(watched)
            watched.forget_journal()
        else:
            watched.status = cast("Json", response.get("status") or {})
        return CallResult(response, tuple(started), routine=True)

    def _record(self, event: Event) -> None:
        """Log an Event, and write it."""
        about = f"{event.regarding.namespace}/{event.regarding.name}"
        level = logging.INFO if event.type == "Normal" else logging.WARNING
        _log.log(level, event.message, extra={"object": about, "reason": event.reason})
        self._dependencies.record(event)


def _observe(request: TargetClusterRequest, watched: WatchedCluster) -> Facts:
    """Return what is known now, without a wait; raises whatever bug ended a job."""
    return Facts(
        request=request,
        probe=watched.probe.state(),
        sync=watched.sync.state(),
        deletion=watched.deletion.state(),
        healing=watched.healing.state(),
        deleting_since=watched.deleting_since,
        now=watched.clock(),
        monotonic=watched.monotonic(),
    )
