"""Nodes: their labels, provider ids, addresses, taints and deletion.

A call reads the request (`request`) and CloudStack (`facts`), decides (`plan`), writes (`actions`),
and repeats that until nothing is left to write.
"""

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, NotFound
from hooks.nodes.actions import perform
from hooks.nodes.context import Absences, CallContext, NodesByVM, Surveys
from hooks.nodes.facts import as_deleted, observe, read_again
from hooks.nodes.metrics import NodeMetrics
from hooks.nodes.plan.actions import NodeAction
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.plan import NodePlan, plan_node
from hooks.nodes.request import NodeRequest, read
from hooks.webhook.hook import Dependencies, Handler, Hook
from hooks.webhook.reconcile import Call, CallResult, OncePerCall, Outdated, reconcile


class NodesHook(Hook):
    """Answers `/nodes/sync`."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._metrics = NodeMetrics(dependencies.monotonic)
        dependencies.registry.register(self._metrics)
        self._absences = Absences()
        self._surveys = Surveys(dependencies.monotonic)
        self._nodes_by_vm = NodesByVM(dependencies.config.vm_cache_ttl, dependencies.monotonic)

    @property
    def routes(self) -> dict[str, Handler]:
        """Map the paths to the methods that answer them."""
        return {"/nodes/sync": self.sync}

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync request.

        Raises:
            BadRequest: the request lacks what is read of it.
            CloudStackError, KubeError: what can be known of the node is not known now.
        """
        request = read(body)
        dependencies = self._dependencies
        context = CallContext(
            cloud=dependencies.cloud(),
            kube=dependencies.kube,
            deadline=deadline,
            config=dependencies.config,
            absences=self._absences,
            nodes_by_vm=self._nodes_by_vm,
            surveys=self._surveys,
            clock=dependencies.clock,
            started=dependencies.monotonic(),
        )
        call, record = _Call(request, context, self._metrics), OncePerCall(dependencies.record)
        return reconcile(call, deadline=deadline, record=record)


class _Call(Call[Facts, NodeAction]):
    """One call's view of one Node, whose status is kubelet's and has no place for our errors."""

    def __init__(self, request: NodeRequest, context: CallContext, metrics: NodeMetrics) -> None:
        self._request = request
        self._metrics = metrics
        self._context = context
        self._node = request.node

    def observe(self) -> Facts:
        return observe(self._request, self._node, self._context)

    def plan(self, facts: Facts) -> NodePlan:
        planned = plan_node(facts)
        self._metrics.note(facts, planned)
        return planned

    def act(self, action: NodeAction) -> None:
        """Do one action, and go on with the Node as it is then."""
        kube, deadline = self._context.kube, self._context.deadline
        try:
            self._node = perform(action, kube, deadline) or as_deleted(self._node, self._context)
        except (Conflict, NotFound) as error:
            self._node = read_again(self._node, self._context)
            raise Outdated(str(error)) from error
