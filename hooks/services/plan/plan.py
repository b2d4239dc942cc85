"""Decides what a Service's load balancer is to be and what the Service's status says of it."""

from dataclasses import dataclass

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.finalizers import ServiceFinalizers
from hooks.services.facts import Facts, condition, finalizers, is_deleting, load_balancer_name
from hooks.services.plan import status
from hooks.services.plan.spec import Settings, wanted_spec, wants_load_balancer
from hooks.services.plan.takeover import spent_notes
from hooks.webhook.contract import DecoratorResponse, Plan

#: Where what cleans up after a deleted Service is made: the Service's own namespace may be going as
#: well, and takes nothing new then.
CLEANUP_NAMESPACE = "kube-system"

_API_VERSION = f"{names.CLOUDSTACK_GROUP}/{names.API_VERSION}"


@dataclass(frozen=True, slots=True)
class RemoveFinalizers(ServiceFinalizers):
    """Take finalizers off a Service; those that stay are named."""


@dataclass(frozen=True)
class MakeForCleanup:
    """Make a load balancer that nobody owns, for no other end than to be taken down.

    Attributes:
        manifest: the CloudStackLoadBalancer.
    """

    manifest: Json


Action = MakeForCleanup | RemoveFinalizers


def plan(facts: Facts, settings: Settings) -> Plan[Action]:
    """Answer a Service: serve it, let it go, or leave it to others."""
    wants = wants_load_balancer(facts, settings)
    goes = is_deleting(facts.service) or not wants
    if (
        goes
        and facts.load_balancer is None
        and names.CLEANUP_FINALIZER in finalizers(facts.service)
    ):
        return _clean_up(facts, settings)
    if not wants:
        return _leave(facts) if facts.own_condition else Plan({"attachments": []})
    if is_deleting(facts.service) and not facts.has_load_balancer:
        return _leave(facts) if _was_taken_over(facts) else _too_late(facts)
    return _serve(facts, settings)


def _serve(facts: Facts, settings: Settings) -> Plan[Action]:
    """Ask for the load balancer, and show what is known of it.

    The status is first written when the load balancer is there: until then the Service still
    shows what another provider left, and a load balancer made later would find it.
    """
    spec = wanted_spec(facts, settings)
    response: DecoratorResponse = {"attachments": [_load_balancer(facts.service, spec)]}
    if not facts.is_ours:
        return Plan(response)
    verdict = status.ready_condition(facts, spec)
    response["status"] = status.with_load_balancer(facts, spec, verdict)
    ready = facts.load_balancer is not None and not spec["invalid"]
    return Plan(
        response,
        actions=_handed_over(facts, response, old=ready or is_deleting(facts.service)),
        events=tuple(status.transitions(facts, verdict)),
    )


def _leave(facts: Facts) -> Plan[Action]:
    """Let the load balancer go; the Service is ours until nothing of it is left."""
    if facts.load_balancer is None and names.SERVICE_FINALIZER not in finalizers(facts.service):
        return _left(facts)
    verdict = Condition(
        names.LOAD_BALANCER_READY, "False", status.DELETING, _trouble(facts.load_balancer)
    )
    response: DecoratorResponse = {
        "attachments": [],
        "status": status.without_load_balancer(facts, verdict),
    }
    begins = not status.is_leaving(facts)
    event = status.event(facts, names.EVENT_DELETING, "Deleting load balancer")
    return Plan(response, actions=_handed_over(facts, response), events=(event,) if begins else ())


def _left(facts: Facts) -> Plan[Action]:
    """Say good-bye: the condition goes, and notes that name an address we no longer have."""
    response: DecoratorResponse = {
        "attachments": [],
        "status": status.without_load_balancer(facts, None),
    }
    notes = spent_notes(facts.service)
    if notes:
        response["annotations"] = dict.fromkeys(notes)
    return Plan(
        response, events=(status.event(facts, names.EVENT_DELETED, "Deleted load balancer"),)
    )


def _clean_up(facts: Facts, settings: Settings) -> Plan[Action]:
    """See to it that what a Service has in CloudStack goes, though its load balancer is gone.

    Somebody deleted that, and then the Service. Metacontroller makes nothing for an object that is
    being deleted; so a load balancer is made that nobody owns, which takes itself down. For a
    Service that may come to want one again, it is made where it would notice.
    """
    service = facts.service
    made = _load_balancer(service, wanted_spec(facts, settings))
    made["metadata"] |= {
        "name": f"{load_balancer_name(service)}-cleanup",
        "finalizers": [names.LOAD_BALANCER_FINALIZER],
    }
    if is_deleting(service):
        made["metadata"]["namespace"] = CLEANUP_NAMESPACE
    released = _without_finalizers(service, {names.CLEANUP_FINALIZER})
    return Plan({"attachments": []}, actions=(MakeForCleanup(made), *released))


def _too_late(facts: Facts) -> Plan[Action]:
    """Answer a Service whose deletion began before it had a load balancer from us.

    Metacontroller gives no attachment to an object that is being deleted, so nothing would clean
    up what another provider's finalizer stands for: a person has to decide.
    """
    if names.SERVICE_FINALIZER not in finalizers(facts.service):
        return Plan({"attachments": []})
    verdict = Condition(
        names.LOAD_BALANCER_READY,
        "False",
        status.NOT_TAKEN_OVER,
        f"The Service was deleted before it was taken over; finalizer {names.SERVICE_FINALIZER} "
        "is left to the provider that put it there, or to you once nothing of the Service is left "
        "in CloudStack",
    )
    return Plan(
        {"attachments": [], "status": status.with_condition(facts, verdict)},
        events=tuple(status.transitions(facts, verdict)),
    )


def _load_balancer(service: Json, spec: Json) -> Json:
    return {
        "apiVersion": _API_VERSION,
        "kind": names.LOAD_BALANCER_KIND,
        "metadata": {
            "name": load_balancer_name(service),
            "namespace": service["metadata"]["namespace"],
        },
        "spec": spec,
    }


def _handed_over(
    facts: Facts, response: DecoratorResponse, *, old: bool = True
) -> tuple[RemoveFinalizers, ...]:
    """Take off the finalizers that stand for what the load balancer's own one stands for now.

    `old` is whether the other provider's may go; it goes as well when there is no load balancer any
    more. Not in a call whose answer changes the Service: that write would carry an older version of
    it and be dropped.
    """
    if response.get("status") != facts.service.get("status"):
        return ()
    # Metacontroller lets such a load balancer go only when it has been finalized.
    held = names.LOAD_BALANCER_FINALIZER in finalizers(facts.load_balancer or {})
    spent = set()
    if old and (held or facts.load_balancer is None):
        spent.add(names.SERVICE_FINALIZER)
    if held and facts.has_load_balancer:
        spent.add(names.CLEANUP_FINALIZER)
    return _without_finalizers(facts.service, spent)


def _without_finalizers(service: Json, spent: set[str]) -> tuple[RemoveFinalizers, ...]:
    metadata = service["metadata"]
    there = finalizers(service)
    left = tuple(each for each in there if each not in spent)
    if len(left) == len(there):
        return ()
    version = metadata.get("resourceVersion") or ""
    return (RemoveFinalizers(metadata["namespace"], metadata["name"], version, left),)


def _was_taken_over(facts: Facts) -> bool:
    """Tell whether the Service has, or had, a load balancer from us."""
    reason = (facts.own_condition or {}).get("reason")
    return facts.is_ours and reason != status.NOT_TAKEN_OVER


def _trouble(load_balancer: Json | None) -> str:
    """Say that the load balancer goes, and what keeps it where something does."""
    ready = condition(load_balancer or {}, "Ready") or {}
    held = is_deleting(load_balancer or {}) and ready.get("status") == "False"
    said = ready.get("message") if held else ""
    going = "The load balancer is being taken down"
    return f"{going}: {said}" if said else going
