"""Plans of Services, and the Services that they are made for."""

from hooks.http.bounded_json import Json
from hooks.kube.services import ServiceFinalizers
from hooks.services.plan.plan import Action, plan
from hooks.webhook.contract import Plan
from tests.unit.services.objects import (
    EARLIER,
    OLD_FINALIZER,
    facts,
    own_condition,
)

SERVES = own_condition(message="203.0.113.7: rules 1/1, members 2/2")
LEAVING = own_condition("False", "Deleting", "The load balancer is being deleted")
HELD: Json = {"finalizers": ["example.com/other", OLD_FINALIZER]}
DELETED: Json = {"deletionTimestamp": EARLIER}
FOREIGN: Json = {
    "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]},
    "conditions": [{"type": "example.com/Other", "status": "True"}],
}
TAKEN_OFF = (ServiceFinalizers("default", "web", "256", ("example.com/other",)),)


def planned(observed: Json, balancer: Json | None = None) -> Plan[Action]:
    """Plan for a Service, with the default settings."""
    return plan(facts(observed, balancer))


def response_of(answer: Plan[Action]) -> Json:
    """Answer a plan's response as the JSON it becomes."""
    return dict(answer.response)


def settled(observed: Json, balancer: Json | None = None) -> Json:
    """Give a Service the status that the plan asks for, as Metacontroller would."""
    status = planned(observed, balancer).response.get("status")
    return {**observed, "status": status} if status is not None else observed
