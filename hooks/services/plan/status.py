"""Decides what a Service's status shows of its load balancer, and what has changed in it."""

from collections.abc import Iterator
from typing import Literal, cast

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition, Status, merge_conditions
from hooks.kube.events import Event, Reference
from hooks.services.facts import Facts, condition, parts

#: Reasons of the condition that are ours; any other is the load balancer's own.
PENDING = "Pending"
RECONCILING = "Reconciling"
INVALID = "InvalidService"
NO_NODES = "NoAvailableNodes"
DELETING = "Deleting"
NOT_TAKEN_OVER = "NotTakenOver"
#: The load balancer's reason where everything is planned and nothing is done.
PLANNED = "PlanOnly"

#: How many fields that cannot be served the condition names.
MOST_NAMED = 8


def ready_condition(facts: Facts, spec: Json) -> Condition:
    """Judge the load balancer of a Service that wants one.

    Args:
        facts: with the load balancer as observed.
        spec: what the Service asks for, with what cannot be served.
    """
    if spec["invalid"]:
        said = _listed([f"{item['field']}: {item['message']}" for item in spec["invalid"]])
        return Condition(names.LOAD_BALANCER_READY, "False", INVALID, said)
    load_balancer = facts.load_balancer
    if load_balancer is None or not facts.has_load_balancer:
        return _unknown(PENDING, "The load balancer is being made")
    if not is_current(load_balancer):
        return _unknown(RECONCILING, "The load balancer is being brought to what the Service asks")
    ready = condition(load_balancer, "Ready")
    if ready is None:
        return _unknown(PENDING, "The load balancer has not been looked at yet")
    status = cast("Status", ready.get("status") or "Unknown")
    reason = ready.get("reason") or PENDING
    if parts(load_balancer, "status", "members").get("wanted") == 0:
        reason = NO_NODES
    message = summary(load_balancer) if status == "True" else ready.get("message") or ""
    return Condition(names.LOAD_BALANCER_READY, status, reason, message)


def _listed(refusals: list[str]) -> str:
    """Say the first refusals; the CloudStackLoadBalancer has them all."""
    more = len(refusals) - MOST_NAMED
    said = "; ".join(refusals[:MOST_NAMED])
    return f"{said}; and {more} more, see the CloudStackLoadBalancer" if more > 0 else said


def is_current(load_balancer: Json) -> bool:
    """Tell whether a load balancer's status answers its spec."""
    observed = parts(load_balancer, "status").get("observedGeneration")
    generation = parts(load_balancer, "metadata").get("generation")
    return observed is not None and observed == generation


def is_failing(facts: Facts, verdict: Condition) -> bool:
    """Tell whether something went wrong, as against being done, planned or waited for."""
    if verdict.reason in (INVALID, NOT_TAKEN_OVER):
        return True
    load_balancer = facts.load_balancer or {}
    if verdict.status == "True" or verdict.reason == PLANNED or not is_current(load_balancer):
        return False
    if (condition(load_balancer, "Stalled") or {}).get("status") == "True":
        return True
    working = (condition(load_balancer, "Reconciling") or {}).get("status") == "True"
    known = (condition(load_balancer, "Ready") or {}).get("status") in ("True", "False")
    return not working and not known


def summary(load_balancer: Json) -> str:
    """Say what serves: `203.0.113.7: rules 2/2, members 3/3`."""
    status = parts(load_balancer, "status")
    address = parts(status, "address").get("ip") or "no address"
    rules = status.get("ruleSummary") or len(status.get("rules") or ())
    return f"{address}: rules {rules}, members {status.get('memberSummary') or 'unknown'}"


def with_load_balancer(facts: Facts, spec: Json, verdict: Condition) -> Json:
    """Write the status of a Service that wants a load balancer; all else in it is kept.

    A published address stays until the load balancer has another one to publish.
    """
    status = parts(facts.service, "status")
    ingress = _ingress(facts.load_balancer, spec)
    shown: Json = {"ingress": [ingress]} if ingress else parts(status, "loadBalancer")
    return {**with_condition(facts, verdict), "loadBalancer": shown}


def is_leaving(facts: Facts) -> bool:
    """Tell whether the Service shows already that its load balancer goes."""
    return (facts.own_condition or {}).get("reason") == DELETING


def with_condition(facts: Facts, verdict: Condition) -> Json:
    """Write the status of a Service with our condition; all else in it is kept."""
    return {**parts(facts.service, "status"), "conditions": _conditions(facts, verdict)}


def without_load_balancer(facts: Facts, verdict: Condition | None) -> Json:
    """Write the status of a Service that gives up its load balancer.

    It is emptied once, at the beginning: what is there later is another controller's.
    """
    status = parts(facts.service, "status")
    shown = parts(status, "loadBalancer") if is_leaving(facts) else {}
    changed: Json = {**status, "loadBalancer": shown, "conditions": _conditions(facts, verdict)}
    if not changed["conditions"]:
        del changed["conditions"]
    return changed


def transitions(facts: Facts, verdict: Condition) -> Iterator[Event]:
    """Tell what is new between the condition that stands on the Service and the next one."""
    old = facts.own_condition or {}
    said = (old.get("status"), old.get("reason"), old.get("message") or "")
    if said == (verdict.status, verdict.reason, verdict.message):
        return
    if verdict.reason == NO_NODES != old.get("reason"):
        message = "There are no available nodes for LoadBalancer"
        yield event(facts, names.EVENT_UNAVAILABLE, message)
    if verdict.status == "True":
        if old.get("status") != "True":
            yield event(facts, names.EVENT_ENSURED, "Ensured load balancer")
        elif old.get("message") != verdict.message:
            yield event(facts, names.EVENT_UPDATED, f"Updated load balancer: {verdict.message}")
    elif is_failing(facts, verdict):
        message = f"Error syncing load balancer: {verdict.message}"
        yield event(facts, names.EVENT_SYNC_FAILED, message)
    elif verdict.reason != PLANNED and _begins(old.get("status"), verdict.status):
        yield event(facts, names.EVENT_ENSURING, "Ensuring load balancer")


def event(facts: Facts, reason: str, message: str) -> Event:
    """Write an Event about the Service; what went wrong is a warning."""
    warns = reason in (names.EVENT_SYNC_FAILED, names.EVENT_UNAVAILABLE)
    kind: Literal["Normal", "Warning"] = "Warning" if warns else "Normal"
    return Event(Reference.to(facts.service), reason, message, kind)


def _begins(before: str | None, after: str) -> bool:
    """Tell whether work begins, as against going on."""
    return before in (None, "True") or (before == "False" and after == "Unknown")


def _unknown(reason: str, message: str) -> Condition:
    return Condition(names.LOAD_BALANCER_READY, "Unknown", reason, message)


def _ingress(load_balancer: Json | None, spec: Json) -> Json | None:
    """Write what the Service publishes, or None where that is not yet to be said.

    With the PROXY protocol on, nodes must not short-circuit the address: members would get
    connections without the protocol's header (KEP-1860).
    """
    status = parts(load_balancer or {}, "status")
    address = parts(status, "address")
    if not address.get("published") or not address.get("ip"):
        return None
    if spec["hostname"]:
        return {"hostname": spec["hostname"]}
    rules = status.get("rules") or ()
    if rules:
        proxied = any(rule.get("protocol") == "tcp-proxy" for rule in rules)
    else:
        proxied = any(port["proxyProtocol"] for port in spec["ports"])
    return {"ip": address["ip"], "ipMode": "Proxy" if proxied else "VIP"}


def _conditions(facts: Facts, verdict: Condition | None) -> list[Json]:
    """Write the Service's conditions: others' as they are, ours in its place or behind them."""
    own = facts.own_condition
    ours = merge_conditions(
        [own] if own else [],
        [verdict] if verdict else [],
        now=facts.now,
        generation=parts(facts.service, "metadata").get("generation"),
    )
    written: list[Json] = []
    for standing in parts(facts.service, "status").get("conditions") or ():
        if standing is own:
            written += ours
            ours = []
        else:
            written.append(standing)
    return written + ours
