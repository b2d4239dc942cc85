"""TargetClusters: other clusters, watched, synced and repaired."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from hooks.cloudstack.errors import CloudStackError
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.kube.events import Event
from hooks.targetclusters.access.connector import Connector
from hooks.targetclusters.actions import Operations
from hooks.targetclusters.background import Background
from hooks.targetclusters.facts import Jobs, gather
from hooks.targetclusters.metrics import ClusterMetrics
from hooks.targetclusters.plan.plan import Action, Facts, answer_unwatched, plan_finalize, plan_sync
from hooks.targetclusters.request import read_request, read_spec
from hooks.webhook.contract import Plan
from hooks.webhook.hook import Dependencies
from hooks.webhook.reconcile import Answer, reconcile

#: How many probes run at once, and how many rounds that write, for clusters that answer and
#: again for those that do not. They wait for the network nearly all of their time.
PROBES_AT_ONCE = 64
ROUNDS_AT_ONCE = 16

_log = logging.getLogger("hooks.targetclusters")


class TargetClustersHook:
    """Answers `/targetclusters/sync` and `/targetclusters/finalize`.

    No call waits for a cluster: probes and rounds of syncing run in the background, and what
    they have found is answered when they have ended.
    """

    routes = {  # noqa: RUF012 - read by the app, never changed
        "/targetclusters/sync": "sync",
        "/targetclusters/finalize": "finalize",
    }

    def __init__(self, dependencies: Dependencies) -> None:
        clock = self._clock = dependencies.clock
        self._config = dependencies.config
        self._record = dependencies.record
        self._metrics = ClusterMetrics(dependencies.registry, clock=clock)
        self._jobs = Jobs(
            Background("probe", threads=PROBES_AT_ONCE, clock=clock),
            Background("round", threads=ROUNDS_AT_ONCE, clock=clock),
        )
        connector = Connector(dependencies.kube, user_agent=self._config.operator_name)
        self._operations = Operations(connector, self._jobs, self._metrics, clock=clock)

    def sync(self, request: Json, deadline: Deadline) -> Answer:
        """Answer one CompositeRequest for a TargetCluster.

        Raises:
            BadRequest: the request lacks what is read of it.
        """
        return self._answer(request, deadline, plan_sync)

    def finalize(self, request: Json, deadline: Deadline) -> Answer:
        """Answer one CompositeRequest for a TargetCluster that is being deleted.

        Raises:
            BadRequest: the request lacks what is read of it.
        """
        return self._answer(request, deadline, plan_finalize)

    def close(self) -> None:
        """Start nothing more; what runs in the background ends soon."""
        self._jobs.close()

    def _answer(
        self, body: Json, deadline: Deadline, plan: Callable[[Facts], Plan[Action]]
    ) -> Answer:
        request = read_request(body)
        spec = read_spec(request["parent"], default_secret=self._config.default_kubeconfig_secret)
        call = _Call(lambda: gather(request, spec, self._jobs, self._clock), plan, self._operations)
        facts = call.observe()
        namespace, _, name = facts.key.partition("/")
        if self._config.watch_namespaces and namespace not in self._config.watch_namespaces:
            return Answer(answer_unwatched(facts, finalizing=plan is plan_finalize))
        answer = reconcile(call, deadline=deadline, record=self._tell)
        if answer.response.get("finalized"):
            self._operations.forget(facts)
        else:
            status = cast("Json", answer.response.get("status") or {})
            self._metrics.observe(namespace, name, status)
        return answer

    def _tell(self, event: Event) -> None:
        """Tell people of a change, in the log and by an Event."""
        about = f"{event.regarding.namespace}/{event.regarding.name}"
        level = logging.INFO if event.type == "Normal" else logging.WARNING
        _log.log(level, event.message, extra={"object": about, "reason": event.reason})
        self._record(event)


build = TargetClustersHook


@dataclass(frozen=True)
class _Call:
    """One call's view of one TargetCluster."""

    look: Callable[[], Facts]
    decide: Callable[[Facts], Plan[Action]]
    operations: Operations

    def observe(self) -> Facts:
        return self.look()

    def plan(self, facts: Facts) -> Plan[Action]:
        return self.decide(facts)

    def act(self, action: Action) -> None:
        self.operations.start(action, self.look())

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action] | None:
        """Leave it to the app: a call reads nothing that could fail; its jobs tell what does."""
        del error
        return None
