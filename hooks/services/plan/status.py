"""Decides what a Service's status shows of its load balancer, and which Events its changes are."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, cast

from hooks import names
from hooks.cloudstack.models import loadbalancing
from hooks.http.bounded_json import Json
from hooks.http.texts import join_sentences, shorten
from hooks.kube.conditions import MAX_MESSAGE, Condition, Status, merge_conditions
from hooks.kube.events import Event, Reference
from hooks.kube.objects import annotations, find_condition, is_true, items, part
from hooks.services.plan.facts import Contest, Facts
from hooks.services.plan.unknown import unknown_annotations
from hooks.services.plan.values import annotation_path

#: Reasons of the condition that are ours; any other is the load balancer's own.
PENDING = "Pending"
RECONCILING = "Reconciling"
NO_NODES = "NoAvailableNodes"
DELETING = "Deleting"
NOT_TAKEN_OVER = "NotTakenOver"

_WARNINGS = (
    names.EVENT_SYNC_FAILED,
    names.EVENT_UNAVAILABLE,
    names.EVENT_CONTESTED,
    names.EVENT_UNKNOWN_ANNOTATION,
)

#: Reasons for which no node answers.
_UNAVAILABLE = (NO_NODES, names.REASON_NO_RUNNING_MEMBERS, names.REASON_NO_ENDPOINTS)

#: How many invalid fields the condition names.
MAX_NAMED = 8


def ready_condition(facts: Facts, spec: Json) -> Condition:
    """Return the condition LoadBalancerReady of a Service that wants a load balancer.

    Args:
        facts: with the load balancer as observed.
        spec: what the Service asks for, with what is invalid, and what has no effect.
    """
    condition = _served_condition(facts, spec)
    notes = []
    planned = find_condition(facts.live_load_balancer, "ChangesPlanned")
    if condition.status == "True" and planned.get("status") == "True":
        notes = [planned.get("message") or ""]
    if condition.reason in (names.REASON_OPENED_BY_OTHERS, names.REASON_DENIED_BY_LIST):
        notes.append(find_condition(facts.live_load_balancer, "FirewallReady").get("message") or "")
    notes += [f"{each['field']}: {each['message']}" for each in spec.get("ignored") or ()]
    return replace(condition, message=join_sentences([condition.message, *notes], limit=MAX_NAMED))


def _served_condition(facts: Facts, spec: Json) -> Condition:
    load_balancer = facts.live_load_balancer
    if spec["invalid"]:
        problems = [f"{each['field']}: {each['message']}" for each in spec["invalid"]]
        message = join_sentences(problems, limit=MAX_NAMED)
        if len(problems) > MAX_NAMED:
            message += ", see the CloudStackLoadBalancer"
        return Condition(names.LOAD_BALANCER_READY, "False", names.REASON_INVALID_SERVICE, message)
    if not load_balancer:
        return _unknown(PENDING, "The load balancer is being created")
    if not is_current(load_balancer):
        return _unknown(RECONCILING, "The load balancer is being changed to what the Service asks")
    ready = find_condition(load_balancer, "Ready")
    if not ready:
        return _unknown(PENDING, "The load balancer has not been checked yet")
    status = cast("Status", ready.get("status") or "Unknown")
    reason = ready.get("reason") or PENDING
    members = part(load_balancer, "status", "members")
    if members.get("wanted") == 0 or reason == names.REASON_NO_MEMBERS:
        reason = NO_NODES
    message = ready.get("message") or ""
    if status == "True":
        shown = part(load_balancer, "status")
        address = part(shown, "address").get("ip") or "no address"
        rules = shown.get("ruleSummary") or len(items(shown, "rules"))
        message = f"{address}: rules {rules}, members {shown.get('memberSummary') or 'unknown'}"
        message = join_sentences([message, *items(members, "missing")], limit=MAX_NAMED)
    return Condition(names.LOAD_BALANCER_READY, status, reason, message)


def is_current(load_balancer: Json) -> bool:
    """Tell whether a load balancer's status is of its newest spec."""
    observed = part(load_balancer, "status").get("observedGeneration")
    generation = part(load_balancer, "metadata").get("generation")
    return observed is not None and observed == generation


def is_failing(facts: Facts, ready: Condition) -> bool:
    """Tell whether something went wrong, rather than being done, planned or waited for."""
    if ready.reason in (names.REASON_INVALID_SERVICE, NOT_TAKEN_OVER):
        return True
    load_balancer = facts.live_load_balancer
    if (
        ready.status == "True"
        or ready.reason == names.REASON_PLAN_ONLY
        or not is_current(load_balancer)
    ):
        return False
    if is_true(load_balancer, "Stalled"):
        return True
    known = find_condition(load_balancer, "Ready").get("status") in ("True", "False")
    return not is_true(load_balancer, "Reconciling") and not known


def service_status(facts: Facts, condition: Condition | None, published: Json) -> Json:
    """Return the Service's status with our condition; the rest of it stays.

    Args:
        facts: with the Service.
        condition: LoadBalancerReady; None to remove it.
        published: `status.loadBalancer`.
    """
    own = facts.own_condition
    present = items(facts.service, "status", "conditions")
    written = merge_conditions(
        [own],
        [condition] if condition else [],
        now=facts.now,
        generation=part(facts.service, "metadata").get("generation"),
    )
    index = next((i for i, each in enumerate(present) if each is own), len(present))
    conditions = [*present[:index], *written, *present[index + 1 :]]
    status = {**part(facts.service, "status"), "loadBalancer": published}
    if conditions:
        return {**status, "conditions": conditions}
    status.pop("conditions", None)
    return status


def published_address(facts: Facts, spec: Json) -> Json:
    """Return what `status.loadBalancer` shows of a load balancer that is wanted.

    While the Service changes to another address, the former one is shown after the new one.
    What the Service shows stays until the load balancer has another address to publish, or says
    that it is somebody else's now. One that is being deleted has none, so what was removed is not
    shown again. With the PROXY protocol or TLS on, nodes must not short-circuit the address:
    members would get connections without the protocol's header, or with TLS (KEP-1860). An API
    server that knows `ipMode` shows one beside each IP. So where there is none beside ours, it is
    dropped, and nothing is left to write.
    """
    status = part(facts.live_load_balancer, "status")
    address = part(status, "address")
    if not address.get("published") or not address.get("ip"):
        return _without_withdrawn(facts, spec)
    if spec.get("hostname"):
        return {"ingress": [{"hostname": spec["hostname"]}]}
    if rules := items(status, "rules"):
        proxied = any(rule.get("protocol") in ("tcp-proxy", loadbalancing.TLS) for rule in rules)
    else:
        ports = items(spec, "ports")
        proxied = any(each.get("proxyProtocol") or each.get("certificate") for each in ports)
    shown = part(facts.service, "status", "loadBalancer")
    ips = [address["ip"], *_former_address(shown, status)]
    if shown == {"ingress": [{"ip": each} for each in ips]}:
        return shown
    return {"ingress": [{"ip": each, "ipMode": "Proxy" if proxied else "VIP"} for each in ips]}


def _former_address(shown: Json, status: Json) -> list[str]:
    """Return the address that the Service changes from, while both are shown.

    It stays shown, and is not shown a second time: a status cannot make a Service show it.
    """
    former = part(status, "addressChange", "former")
    present = [each.get("ip") for each in items(shown, "ingress")]
    is_kept = former.get("published") and former.get("ip") in present
    return [former["ip"]] if is_kept and former["ip"] != part(status, "address")["ip"] else []


def _without_withdrawn(facts: Facts, spec: Json) -> Json:
    """Return what the Service shows, without the address that is somebody else's now.

    The hostname that the Service asks for leads to that address, too.
    """
    shown = part(facts.service, "status", "loadBalancer")
    withdrawn = part(facts.live_load_balancer, "status").get("withdrawnAddress")
    if not withdrawn:
        return shown
    ingress, hostname = items(shown, "ingress"), spec.get("hostname") or ""
    kept = [
        each
        for each in ingress
        if each.get("ip") != withdrawn and (not hostname or each.get("hostname") != hostname)
    ]
    if len(kept) == len(ingress):
        return shown
    return {**shown, "ingress": kept} if kept else {}


def contested(facts: Facts, contest: Contest) -> Condition:
    """Return the condition of a Service in whose status another controller replaces ours."""
    if not contest.is_new and facts.own_condition.get("reason") == names.REASON_CONTESTED:
        message = facts.own_condition.get("message") or ""
    else:
        fight = _address_fight(facts, contest) if contest.is_over_address else _fight(contest)
        message = f"{fight}. The status is left as it is for an hour"
    return Condition(names.LOAD_BALANCER_READY, "False", names.REASON_CONTESTED, message)


def _address_fight(facts: Facts, contest: Contest) -> str:
    ingress = items(facts.service, "status", "loadBalancer", "ingress")
    shown = ", ".join(each.get("ip") or each.get("hostname") or "?" for each in ingress)
    ours = part(facts.live_load_balancer, "status", "address").get("ip") or "our address"
    return (
        f"{contest.writer.manager or 'Somebody'} replaces {ours} in this Service's status again "
        f"and again, now by {shown or 'nothing'}: two load balancer controllers serve it. Stop one "
        "of them, or give the Service a loadBalancerClass"
    )


def _fight(contest: Contest) -> str:
    writer = contest.writer
    likely = "" if writer.wrote_condition else "most likely "
    who = f"Another controller, {likely}{writer.manager}," if writer.manager else "Somebody"
    return (
        f"{who} replaces the conditions of this Service's status again and again, also "
        f"{names.LOAD_BALANCER_READY}. Stop it, or make it leave conditions of others as they are"
    )


def transition_events(facts: Facts, ready: Condition) -> Iterator[Event]:
    """Return the Events of what differs between the Service's condition and the next one."""
    old = facts.own_condition
    before = old.get("status")
    begins = before in (None, "True") or (before == "False" and ready.status == "Unknown")
    shown = (before, old.get("reason"), old.get("message") or "")
    if shown == (ready.status, ready.reason, ready.message):
        return
    for note in _new_notes(facts, ready):
        yield event(facts, names.EVENT_UNKNOWN_ANNOTATION, note)
    is_plan_only = part(facts.live_load_balancer, "spec").get("mode") == "Plan"
    # Applications may wait for their address before they are ready.
    is_awaited = ready.reason == names.REASON_NO_ENDPOINTS and before != "True"
    if ready.reason in _UNAVAILABLE and ready.reason != old.get("reason") and not is_awaited:
        message = "There are no available nodes for LoadBalancer"
        yield event(facts, names.EVENT_UNAVAILABLE, message)
    if ready.status == "True":
        if before != "True":
            yield event(facts, names.EVENT_ENSURED, "Ensured load balancer")
        elif old.get("message") != ready.message and not is_plan_only:
            yield event(facts, names.EVENT_UPDATED, f"Updated load balancer: {ready.message}")
    elif is_failing(facts, ready):
        message = f"Error syncing load balancer: {ready.message}"
        yield event(facts, names.EVENT_SYNC_FAILED, message)
    elif begins and ready.reason != names.REASON_PLAN_ONLY:
        yield event(facts, names.EVENT_ENSURING, "Ensuring load balancer")


def _new_notes(facts: Facts, ready: Condition) -> Iterator[str]:
    """Yield what the next condition says of unknown annotations, and the one before does not."""
    before = facts.own_condition.get("message") or ""
    now = shorten(ready.message, MAX_MESSAGE)
    for key, message in unknown_annotations(annotations(facts.service)):
        note = f"{annotation_path(key)}: {message}"
        if note in now and note not in before:
            yield note


def event(facts: Facts, reason: str, message: str) -> Event:
    """Return an Event about the Service; what went wrong is a warning."""
    is_warning = reason in _WARNINGS
    kind: Literal["Normal", "Warning"] = "Warning" if is_warning else "Normal"
    return Event(Reference.to(facts.service), reason, message, kind)


def _unknown(reason: str, message: str) -> Condition:
    return Condition(names.LOAD_BALANCER_READY, "Unknown", reason, message)
