"""Services of type LoadBalancer: each becomes a CloudStackLoadBalancer.

A call reads the request (`request`), decides (`plan`) and writes (`actions`).
"""

from typing import cast

from hooks.cloudstack.errors import CloudStackError
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError, KubeRefused
from hooks.names import EVENT_SYNC_FAILED
from hooks.services.actions import perform
from hooks.services.plan.facts import Facts, Settings
from hooks.services.plan.plan import Action, plan
from hooks.services.plan.status import event
from hooks.services.request import read
from hooks.webhook.contract import DecoratorResponse, Plan
from hooks.webhook.hook import Dependencies, Handler
from hooks.webhook.reconcile import CallResult, reconcile

#: Seconds until a write that could not be made is tried again.
RETRY_AFTER = 5.0
#: Seconds until a write that was refused is tried again: somebody has to permit it first.
REFUSED_RETRY_AFTER = 60.0


class ServicesHook:
    """Answers `/services/sync`."""

    def __init__(self, dependencies: Dependencies) -> None:
        config = dependencies.config
        self._dependencies = dependencies
        self._settings = Settings(
            default_class=config.default_load_balancer_class,
            former_cluster_name=config.former_cluster_name,
        )

    @property
    def routes(self) -> dict[str, Handler]:
        """Map the paths to the methods that answer them."""
        return {"/services/sync": self.sync}

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync request. Raises BadRequest."""
        given = self._dependencies
        facts = read(body, now=given.clock())
        call = _Call(facts, plan(facts, self._settings), given.kube, deadline)
        return reconcile(call, deadline=deadline, record=given.record)


class _Call:
    """One call's view of one Service.

    It is planned once, from the request. A write to the Service makes Metacontroller call again
    with the new Service.
    """

    def __init__(self, facts: Facts, planned: Plan[Action], kube: Kube, deadline: Deadline) -> None:
        self._facts = facts
        self._planned = planned
        self._kube = kube
        self._deadline = deadline

    def observe(self) -> Facts:
        return self._facts

    def plan(self, facts: Facts) -> Plan[Action]:
        del facts
        return self._planned

    def act(self, action: Action) -> None:
        """Do one action; after it nothing more is planned. Raises KubeError."""
        perform(action, self._kube, self._deadline)
        self._planned = Plan(self._planned.response)

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action]:
        """Answer as planned, and ask for another call that tries the write again."""
        response = cast("DecoratorResponse", self._planned.response.copy())
        is_refused = isinstance(error, KubeRefused) and not isinstance(error, Conflict)
        response["resyncAfterSeconds"] = REFUSED_RETRY_AFTER if is_refused else RETRY_AFTER
        if not is_refused:
            return Plan(response)
        message = f"Error syncing load balancer: {error}"
        return Plan(response, events=(event(self._facts, EVENT_SYNC_FAILED, message),))
