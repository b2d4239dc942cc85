"""Nodes: their labels, provider ids, addresses, taints and end."""

from hooks.cloudstack.errors import CloudStackError
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, KubeError
from hooks.nodes.actions import perform
from hooks.nodes.facts import NODES, Sources, observe
from hooks.nodes.plan.instance import INSTANCE_KEY
from hooks.nodes.plan.plan import Facts, NodeAction, NodePlan, Settings, plan_node
from hooks.webhook.contract import DecoratorRequest
from hooks.webhook.hook import Dependencies
from hooks.webhook.reconcile import Answer, Outdated, reconcile
from hooks.webhook.requests import Map, Shape, decorator_request

#: What is read of a Node's spec and status.
SPEC: Shape = {"providerID": str, "taints": [Map(str)]}
STATUS: Shape = {
    "addresses": [{"type": str, "address": str}],
    "conditions": [{"type": str, "status": str}],
    "nodeInfo": {"kubeletVersion": str},
}


class NodesHook:
    """Answers `/nodes/sync`."""

    routes = {"/nodes/sync": "sync"}  # noqa: RUF012 - read by the app, never changed

    def __init__(self, dependencies: Dependencies) -> None:
        config = dependencies.config
        self._dependencies = dependencies
        self._settings = Settings(
            legacy_labels=config.legacy_node_labels,
            missing_grace=config.node_missing_grace,
            guard_hold=config.node_guard_hold,
        )

    def sync(self, request: Json, deadline: Deadline) -> Answer:
        """Answer one DecoratorRequest for a Node.

        Raises:
            BadRequest: the request lacks what is read of it.
            CloudStackError, KubeError: nothing was changed that the answer would have to tell.
        """
        node = decorator_request(request, spec=SPEC, status=STATUS)
        given = self._dependencies
        sources = Sources(given.cloud(), given.kube, deadline, self._settings, given.clock)
        subject = _NodeSync(node, sources)
        return reconcile(subject, deadline=deadline, record=given.record)


build = NodesHook


class _NodeSync:
    """One call's view of one Node."""

    def __init__(self, request: DecoratorRequest, sources: Sources) -> None:
        self._held: Json = request["object"]
        self._node: Json = self._held
        instances = request["attachments"].get(INSTANCE_KEY, {})
        self._instance: Json | None = instances.get(self._held["metadata"]["name"])
        self._sources = sources
        self._deleted = False

    def observe(self) -> Facts:
        return observe(self._held, self._node, self._instance, self._sources)

    def plan(self, facts: Facts) -> NodePlan:
        plan = plan_node(facts, self._sources.settings)
        return NodePlan(plan.response) if self._deleted else plan

    def act(self, action: NodeAction) -> None:
        kube, deadline = self._sources.kube, self._sources.deadline
        try:
            written = perform(action, kube, deadline)
        except Conflict as error:
            self._node = kube.get(f"{NODES}/{action.node}", deadline=deadline)
            raise Outdated(str(error)) from error
        if written is None:
            self._deleted = True
        else:
            self._node = written

    def trouble(self, error: CloudStackError | KubeError) -> NodePlan | None:
        """Leave every error to the app: a Node's status is kubelet's, there is none to tell it in.

        Answered 429 nothing changes on the Node or its Instance.
        """
        del error
        return None
