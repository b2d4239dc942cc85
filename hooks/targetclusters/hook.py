"""TargetClusters: other clusters, watched, synced and repaired."""

import logging
from collections.abc import Callable
from typing import cast

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.events import Event
from hooks.targetclusters.access.connector import Connector
from hooks.targetclusters.actions import perform
from hooks.targetclusters.clusters import Clusters, WatchedCluster
from hooks.targetclusters.jobs import JobPools
from hooks.targetclusters.metrics import ClusterMetrics
from hooks.targetclusters.plan.actions import Action
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.plan import answer_unwatched, plan_finalize, plan_sync
from hooks.targetclusters.request import TargetClusterRequest, read
from hooks.webhook.contract import Plan
from hooks.webhook.hook import Dependencies, Handler
from hooks.webhook.reconcile import Call, CallResult, OncePerCall, reconcile

#: How many probes, and how many rounds, run at once: in the pool for clusters that answer, and
#: again in the other. They wait for the network nearly all of their time.
PROBES_AT_ONCE = 64
ROUNDS_AT_ONCE = 16

_log = logging.getLogger("hooks.targetclusters")
_Planner = Callable[[Facts], Plan[Action]]


class TargetClustersHook:
    """Answers `/targetclusters/sync` and `/targetclusters/finalize`.

    No call waits for a cluster: probes and rounds run in the background, and a call answers with
    the results of those that have finished.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._probes = JobPools("probe", threads=PROBES_AT_ONCE)
        self._rounds = JobPools("round", threads=ROUNDS_AT_ONCE)
        self._clusters = Clusters(self._watch, dependencies.clock)
        dependencies.registry.register(ClusterMetrics(self._clusters))

    @property
    def routes(self) -> dict[str, Handler]:
        """Map the paths to the methods that answer them."""
        return {"/targetclusters/sync": self.sync, "/targetclusters/finalize": self.finalize}

    def sync(self, request: Json, deadline: Deadline) -> CallResult:
        """Answer a sync request. Raises BadRequest."""
        return self._answer(request, deadline, plan_sync)

    def finalize(self, request: Json, deadline: Deadline) -> CallResult:
        """Answer a finalize request. Raises BadRequest."""
        return self._answer(request, deadline, plan_finalize)

    def close(self) -> None:
        """Start no more jobs, and let those that run stop soon."""
        self._probes.close()
        self._rounds.close()

    def _watch(self, metadata: Json) -> WatchedCluster:
        given = self._dependencies
        connector = Connector(given.kube, user_agent=given.config.operator_name)
        return WatchedCluster(metadata, connector, self._probes, self._rounds, given.clock)

    def _answer(self, body: Json, deadline: Deadline, plan: _Planner) -> CallResult:
        given = self._dependencies
        request = read(body, default_secret=given.config.default_kubeconfig_secret)
        namespaces = given.config.watch_namespaces
        if namespaces and request.cluster["metadata"]["namespace"] not in namespaces:
            return CallResult(answer_unwatched(request, finalizing=plan is plan_finalize))
        watched = self._clusters.get(request.cluster)
        call = _Call(request, watched, plan)
        answer = reconcile(call, deadline=deadline, record=OncePerCall(self._record))
        if answer.response.get("finalized"):
            self._clusters.forget(watched)
        else:
            watched.status = cast("Json", answer.response.get("status") or {})
        return answer

    def _record(self, event: Event) -> None:
        """Log an Event, and write it."""
        about = f"{event.regarding.namespace}/{event.regarding.name}"
        level = logging.INFO if event.type == "Normal" else logging.WARNING
        _log.log(level, event.message, extra={"object": about, "reason": event.reason})
        self._dependencies.record(event)


class _Call(Call[Facts, Action]):
    """One call's view of one TargetCluster; it waits for nothing, and its jobs report failures."""

    def __init__(
        self, request: TargetClusterRequest, watched: WatchedCluster, plan: _Planner
    ) -> None:
        self._request = request
        self._watched = watched
        self._planner = plan
        self._facts: Facts

    def observe(self) -> Facts:
        """Return what is known now; raises whatever bug ended a job."""
        watched = self._watched
        self._facts = Facts(
            **vars(self._request),
            probe=watched.probe.state(),
            sync=watched.sync.state(),
            deletion=watched.deletion.state(),
            now=watched.clock(),
        )
        return self._facts

    def plan(self, facts: Facts) -> Plan[Action]:
        return self._planner(facts)

    def act(self, action: Action) -> None:
        """Start or stop a job, by the facts that it was planned from."""
        perform(action, self._facts, self._watched)
