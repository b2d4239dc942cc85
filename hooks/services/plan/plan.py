"""Decides which load balancer a Service has, and what the Service's status shows of it."""

from dataclasses import dataclass

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.objects import annotations, finalizers, find_condition, is_deleting, part
from hooks.kube.services import (
    CLEANUP_NAMESPACE,
    ServiceFinalizers,
    load_balancer_name,
    wants_load_balancer,
)
from hooks.services.plan import status
from hooks.services.plan.facts import Contest, Facts
from hooks.services.plan.spec import cleanup_spec, wanted_spec
from hooks.services.plan.takeover import obsolete_annotations
from hooks.webhook.contract import DecoratorResponse, Plan


@dataclass(frozen=True)
class CreateForCleanup:
    """Create a load balancer without an owner. It cleans up in CloudStack and deletes itself.

    Attributes:
        manifest: the CloudStackLoadBalancer.
    """

    manifest: Json


@dataclass(frozen=True)
class DeleteLoadBalancer:
    """Delete the load balancer of a Service that is being deleted itself.

    Attributes:
        namespace, name, uid: of the CloudStackLoadBalancer.
    """

    namespace: str
    name: str
    uid: str


Action = CreateForCleanup | DeleteLoadBalancer | ServiceFinalizers


def plan(facts: Facts) -> Plan[Action]:
    """Decide which load balancer a Service has, and what it shows; what is fought over stays."""
    planned = _decide(facts)
    return _contested(facts, facts.contest, planned) if facts.contest else planned


def _decide(facts: Facts) -> Plan[Action]:
    """Decide whether a Service is served, released, or left to others."""
    # The setting is for Services that have no load balancer yet: a change releases no address.
    without_class = facts.default_class or facts.is_ours
    is_wanted = wants_load_balancer(facts.service, without_class=without_class)
    deleting = is_deleting(facts.service)
    is_held = names.CLEANUP_FINALIZER in finalizers(facts.service)
    # Somebody deleted the load balancer, and then the Service or its need of one.
    if is_held and not facts.load_balancer and (deleting or not is_wanted):
        return _clean_up(facts)
    if not is_wanted:
        given_up = Plan({"attachments": []}, _deletion(facts))
        return _release(facts) if facts.own_condition else given_up
    # What a former provider left is taken over first; then its finalizer goes, then all of it.
    has_former = names.SERVICE_FINALIZER in finalizers(facts.service)
    if deleting and not (has_former and facts.live_load_balancer):
        # Where there is no load balancer, it is gone; or the deletion began before there was one.
        was_taken_over = facts.own_condition.get("reason") != status.NOT_TAKEN_OVER
        return _release(facts) if facts.is_ours and was_taken_over else _refuse(facts)
    return _serve(facts)


def _serve(facts: Facts) -> Plan[Action]:
    """Ask for the load balancer, and show its state.

    The first status is written after the load balancer is created. Until then the Service shows the
    address of another provider, and the new load balancer takes that over.
    """
    spec = wanted_spec(facts)
    response: DecoratorResponse = {"attachments": [_load_balancer(facts.service, spec)]}
    if not facts.is_ours:
        return Plan(response)
    ready = status.ready_condition(facts, spec)
    published = status.published_address(facts, spec)
    response["status"] = status.service_status(facts, ready, published)
    is_taken_over = is_deleting(facts.service) or bool(facts.load_balancer and not spec["invalid"])
    return Plan(
        response,
        _finalizers_to_remove(facts, response, is_taken_over=is_taken_over),
        tuple(status.transition_events(facts, ready)),
    )


def _contested(facts: Facts, contest: Contest, planned: Plan[Action]) -> Plan[Action]:
    """Leave the status to another controller, and say so once: it may remove our condition too."""
    observed, response = part(facts.service, "status"), planned.response.copy()
    response["status"] = observed
    if not contest.is_new and not (facts.own_condition and contest.is_over_address):
        return Plan(response, planned.actions)
    condition = status.contested(facts, contest)
    shown = part(observed, "loadBalancer")
    response["status"] = status.service_status(facts, condition, shown)
    event = status.event(facts, names.EVENT_CONTESTED, condition.message)
    return Plan(response, planned.actions, (event,) if contest.is_new else ())


def _release(facts: Facts) -> Plan[Action]:
    """Delete the load balancer. Our condition stays on the Service until it is gone.

    Metacontroller deletes no attachment of an object that is being deleted. Its garbage collection
    would wait for every finalizer on the Service, and Kubernetes' service controller does not.
    """
    service, load_balancer = facts.service, facts.load_balancer
    begins = facts.own_condition.get("reason") != status.DELETING
    # The address is removed once. One that appears later is another controller's.
    published = {} if begins else part(service, "status", "loadBalancer")
    if not load_balancer and names.SERVICE_FINALIZER not in finalizers(service):
        response: DecoratorResponse = {
            "attachments": [],
            "status": status.service_status(facts, None, published),
        }
        if obsolete := obsolete_annotations(service):
            response["annotations"] = dict.fromkeys(obsolete)
        deleted = status.event(facts, names.EVENT_DELETED, "Deleted load balancer")
        return Plan(response, events=(deleted,))
    message = "The load balancer is being deleted"
    ready = find_condition(load_balancer, "Ready")
    if is_deleting(load_balancer) and ready.get("status") == "False" and ready.get("message"):
        message += f": {ready['message']}"
    condition = Condition(names.LOAD_BALANCER_READY, "False", status.DELETING, message)
    response = {"attachments": [], "status": status.service_status(facts, condition, published)}
    event = status.event(facts, names.EVENT_DELETING, "Deleting load balancer")
    removals = _finalizers_to_remove(facts, response, is_taken_over=True)
    return Plan(response, (*_deletion(facts), *removals), (event,) if begins else ())


def _deletion(facts: Facts) -> tuple[DeleteLoadBalancer, ...]:
    metadata = part(facts.live_load_balancer, "metadata")
    if not (metadata and is_deleting(facts.service)):
        return ()
    return (DeleteLoadBalancer(metadata["namespace"], metadata["name"], metadata["uid"]),)


def _clean_up(facts: Facts) -> Plan[Action]:
    """Clean up in CloudStack for a Service whose load balancer was deleted before.

    Metacontroller creates no attachment of an object that is being deleted. So we create a load
    balancer without an owner, which deletes itself. For a Service that stays, it is in the same
    namespace, and stops if the Service wants a load balancer again.
    """
    service = facts.service
    made = _load_balancer(service, cleanup_spec(facts))
    made["metadata"] |= {
        "name": f"{load_balancer_name(service['metadata']['uid'])}-cleanup",
        "finalizers": [names.LOAD_BALANCER_FINALIZER],
    }
    if is_deleting(service):
        made["metadata"]["namespace"] = CLEANUP_NAMESPACE
        made["spec"]["service"]["namespace"] = service["metadata"]["namespace"]
    released = _without_finalizers(service, {names.CLEANUP_FINALIZER})
    return Plan({"attachments": []}, actions=(CreateForCleanup(made), *released))


def _refuse(facts: Facts) -> Plan[Action]:
    """Refuse a Service whose deletion began before it had a load balancer from us.

    Metacontroller creates no attachment of an object that is being deleted. So nothing of ours
    can do the cleanup that another provider's finalizer waits for.
    """
    if names.SERVICE_FINALIZER not in finalizers(facts.service):
        return Plan({"attachments": []})
    condition = Condition(
        names.LOAD_BALANCER_READY,
        "False",
        status.NOT_TAKEN_OVER,
        f"The Service was deleted before it was taken over; finalizer {names.SERVICE_FINALIZER} "
        "is left to the provider that added it; remove it once nothing of the Service is left in "
        "CloudStack",
    )
    published = part(facts.service, "status", "loadBalancer")
    return Plan(
        {"attachments": [], "status": status.service_status(facts, condition, published)},
        events=tuple(status.transition_events(facts, condition)),
    )


def _load_balancer(service: Json, spec: Json) -> Json:
    metadata: Json = {
        "name": load_balancer_name(service["metadata"]["uid"]),
        "namespace": service["metadata"]["namespace"],
    }
    # The load balancer outlives the Service, whose deletion the annotation is about.
    if abandon := annotations(service).get(names.ANNOTATION_ABANDON):
        metadata["annotations"] = {names.ANNOTATION_ABANDON: abandon}
    return {
        "apiVersion": names.CLOUDSTACK_API,
        "kind": names.LOAD_BALANCER_KIND,
        "metadata": metadata,
        "spec": spec,
    }


def _finalizers_to_remove(
    facts: Facts, response: DecoratorResponse, *, is_taken_over: bool
) -> tuple[ServiceFinalizers, ...]:
    """Remove the finalizers whose work the load balancer's own finalizer does now.

    The other provider's finalizer is removed if the Service is taken over, and its load balancer is
    held or gone. A call whose answer changes the status removes none: Metacontroller would then
    write the status of an older version, and the API server would refuse it.
    """
    if response.get("status") != facts.service.get("status"):
        return ()
    # Metacontroller removes this finalizer from a load balancer after the finalize hook is done.
    is_held = names.LOAD_BALANCER_FINALIZER in finalizers(facts.load_balancer)
    removable = set()
    if is_taken_over and (is_held or not facts.load_balancer):
        removable.add(names.SERVICE_FINALIZER)
    if is_held and facts.live_load_balancer:
        removable.add(names.CLEANUP_FINALIZER)
    return _without_finalizers(facts.service, removable)


def _without_finalizers(service: Json, removable: set[str]) -> tuple[ServiceFinalizers, ...]:
    metadata = service["metadata"]
    present = finalizers(service)
    kept = tuple(each for each in present if each not in removable)
    if kept == present:
        return ()
    version = metadata.get("resourceVersion") or ""
    return (ServiceFinalizers(metadata["namespace"], metadata["name"], version, kept),)
