"""The hook of Services of type LoadBalancer: a Service becomes a CloudStackLoadBalancer."""

from typing import cast

from hooks.cloudstack.errors import CloudStackError
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError, KubeRefused
from hooks.names import EVENT_SYNC_FAILED
from hooks.services.actions import perform
from hooks.services.facts import Facts, read
from hooks.services.plan.plan import Action, plan
from hooks.services.plan.spec import Settings
from hooks.services.plan.status import event
from hooks.webhook.contract import DecoratorResponse, Plan
from hooks.webhook.hook import Dependencies
from hooks.webhook.reconcile import Answer, reconcile

#: Seconds until a write that could not be made is tried again.
RETRY_AFTER = 5.0
#: Seconds until a write that was refused is tried again: somebody has to grant it first.
REFUSED_RETRY_AFTER = 60.0


class ServicesHook:
    """Answers `/services/sync`."""

    routes = {"/services/sync": "sync"}  # noqa: RUF012 - read by the app, changed by nobody

    def __init__(self, dependencies: Dependencies) -> None:
        config = dependencies.config
        self._dependencies = dependencies
        self._settings = Settings(
            default_class=config.default_load_balancer_class,
            former_cluster_name=config.former_cluster_name,
        )

    def sync(self, request: Json, deadline: Deadline) -> Answer:
        """Answer one Service. Raises BadRequest."""
        given = self._dependencies
        facts = read(request, now=given.clock())
        subject = _Subject(facts, self._settings, given.kube, deadline)
        return reconcile(subject, deadline=deadline, record=given.record)


build = ServicesHook


class _Subject:
    """One call's view of one Service."""

    def __init__(self, facts: Facts, settings: Settings, kube: Kube, deadline: Deadline) -> None:
        self._facts = facts
        self._planned = plan(facts, settings)
        self._kube = kube
        self._deadline = deadline

    def observe(self) -> Facts:
        """Answer what the request told: all that this hook knows."""
        return self._facts

    def plan(self, facts: Facts) -> Plan[Action]:
        """Answer the plan made from the request, and once it is done, nothing more to do.

        A write to the Service makes Metacontroller call again with what it is then.
        """
        del facts
        return self._planned

    def act(self, action: Action) -> None:
        """Do one action. Raises KubeError."""
        perform(self._kube, action, deadline=self._deadline)
        self._planned = Plan(self._planned.response)

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action]:
        """Answer as planned, and come back for what could not be written."""
        response = cast("DecoratorResponse", self._planned.response.copy())
        refused = isinstance(error, KubeRefused) and not isinstance(error, Conflict)
        response["resyncAfterSeconds"] = REFUSED_RETRY_AFTER if refused else RETRY_AFTER
        if not refused:
            return Plan(response)
        message = f"Error syncing load balancer: {error}"
        return Plan(response, events=(event(self._facts, EVENT_SYNC_FAILED, message),))
