"""What the status says of a look at CloudStack, and when the next one is due."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.times import epoch, timestamp
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.facts import Facts, LoadBalancerRequest, RecordedAddress
from hooks.loadbalancers.plan.members import MembersPlan
from hooks.loadbalancers.plan.rules import PortRule, RulesPlan
from hooks.loadbalancers.plan.waits import OUTAGE, REFUSED, Waits, longer, regular, watchful
from hooks.webhook.contract import CompositeResponse

#: Seconds after its rules stand that an address is published without a member.
PUBLISH_AFTER = 30.0
#: Seconds until a call that was cut short is made again.
SOON = 1.0
#: How much of a text of CloudStack's is repeated.
_LONGEST_TEXT = 1000
#: How many changes `status.plan` has room for.
_PLAN_LINES = 1024

#: Conditions of the stages; Ready sums them up.
STAGES = ("AddressReady", "RulesReady", "MembersReady", "FirewallReady")
#: Fields that tell of a look that is over.
_LOOK = ("lastCheckTime", "nextCheckTime", "checkedFor")
#: Reasons that wait for nodes, or for nothing: neither CloudStack nor a person is the trouble.
_WAITING = frozenset({"NoMembers", "NoInstances", "NoNetwork", "PlanOnly"})
#: Reasons that pass by themselves, once CloudStack has done what it is at.
_PASSING = frozenset({"AddressAllocating", "AddressReleasing"})


@dataclass(frozen=True, slots=True)
class Stages:
    """What the plan made of each stage; those that an earlier one holds up are None.

    Attributes:
        conditions: AddressReady, RulesReady, MembersReady and FirewallReady.
        changes: what would be done, in order, as `status.plan` shows it in mode Plan.
        working: there is something to do, or the status is to be written first.
    """

    network_id: str
    address: AddressPlan
    rules: RulesPlan | None
    members: MembersPlan | None
    conditions: tuple[Condition, ...]
    changes: tuple[str, ...] = ()
    working: bool = False


def is_settled(request: LoadBalancerRequest, fingerprint: str, now: float) -> bool:
    """Tell whether there is nothing to look for: nothing new is asked, no look is due."""
    recorded = request.recorded
    return (
        recorded.fingerprint == fingerprint
        and recorded.next_check is not None
        and now < recorded.next_check
    )


def unchanged(request: LoadBalancerRequest, now: float) -> CompositeResponse:
    """Answer what was answered before."""
    status = dict(request.recorded.status)
    if request.generation is not None:
        status["observedGeneration"] = request.generation
    next_check = request.recorded.next_check or now
    return {"status": status, "children": [], "resyncAfterSeconds": max(SOON, next_check - now)}


def was_converged(request: LoadBalancerRequest, fingerprint: str) -> bool:
    """Tell whether the last look found everything as it is still asked for.

    Looks that failed since do not count: what differs after an outage is drift, too.
    """
    recorded = request.recorded
    stages = [each for each in recorded.conditions if each.get("type") in STAGES]
    return (
        recorded.fingerprint == fingerprint
        and recorded.condition("Ready").get("status") in ("True", "Unknown")
        and len(stages) == len(STAGES)
        and all(each.get("status") == "True" for each in stages)
    )


def answer(
    facts: Facts, stages: Stages, fingerprint: str, repeated_drift: tuple[str, int]
) -> CompositeResponse:
    """Write the status of a live load balancer.

    Args:
        facts: what it was planned from.
        stages: what was planned.
        fingerprint: of what is asked for.
        repeated_drift: what was found undone at drift checks, and how often in a row.
    """
    request = facts.request
    ready = _ready(facts, stages)
    fine = ready.status == "True" or ready.reason in _WAITING
    stalled = not stages.working and not fine and ready.reason not in _PASSING
    conditions = [*stages.conditions, ready]
    if stages.working:
        conditions.append(Condition("Reconciling", "True", "Progressing", ready.message))
    elif stalled:
        conditions.append(Condition("Stalled", "True", ready.reason, ready.message))
    since = _rules_since(facts, stages)
    address = _published(facts, stages, since)
    status = _common(request, conditions, facts.now) | {
        "networkID": stages.network_id,
        **_address(address),
        **_rules(facts, stages),
        **_members(stages),
        **({"plan": list(stages.changes[:_PLAN_LINES])} if request.spec.plan_only else {}),
        **(
            {"repeatedDrift": {"what": repeated_drift[0], "times": repeated_drift[1]}}
            if repeated_drift[1]
            else {}
        ),
        **({"rulesSince": timestamp(since)} if since is not None else {}),
    }
    if stages.working:
        return {"status": status, "children": [], "resyncAfterSeconds": SOON}
    wait = _next_look(facts, fingerprint, repeated_drift)
    if not fine:
        wait = longer(request.recorded, fingerprint, REFUSED if stalled else OUTAGE)
    if address and since is not None and not address.published and stages.address.ours:
        wait = min(wait, max(SOON, since + PUBLISH_AFTER - facts.now))
    return _checked(status, fingerprint, facts.now, wait)


@dataclass(frozen=True, slots=True)
class Failure:
    """A look that failed.

    Attributes:
        fingerprint: of what is asked for.
        now: epoch seconds.
        ready: Ready as it is now.
        at_least: seconds that CloudStack asked us to wait.
    """

    fingerprint: str
    now: float
    ready: Condition
    at_least: float = 0.0


def unobserved(
    request: LoadBalancerRequest, status: Json | None, failure: Failure
) -> CompositeResponse:
    """Answer a look that failed: all that was known stays, and Ready is not known.

    Args:
        request: the request.
        status: as it was last planned; None for the one that stands.
        failure: what went wrong.
    """
    state = dict(request.recorded.status if status is None else status)
    conditions = [*_others(state.get("conditions") or ()), failure.ready]
    wait = longer(request.recorded, failure.fingerprint, OUTAGE)
    return _checked(
        state | _common(request, conditions, failure.now),
        failure.fingerprint,
        failure.now,
        max(wait, failure.at_least),
    )


def unfinished(
    request: LoadBalancerRequest,
    now: float,
    status: Json | None,
    message: str,
    *,
    ready: Condition | None = None,
) -> CompositeResponse:
    """Answer a call that had to stop in the middle of its work: what was seen, and soon again.

    Args:
        request: the request.
        now: epoch seconds.
        status: as it was last planned; None for the one that stands.
        message: what is going on.
        ready: Ready as it is now; left out, it stays, unless it answers an older spec.
    """
    state = dict(request.recorded.status if status is None else status)
    before = state.get("conditions") or ()
    was = next((each for each in before if each["type"] == "Ready"), None)
    is_news = status is None and state.get("observedGeneration") != request.generation
    if ready is None and was is not None and not is_news:
        ready = Condition("Ready", was["status"], was["reason"], was.get("message") or "")
    conditions = [
        *_others(before),
        ready or Condition("Ready", "False", "Progressing", message),
        Condition("Reconciling", "True", "Progressing", message),
    ]
    for field in _LOOK:
        state.pop(field, None)
    status = state | _common(request, conditions, now)
    return {"status": status, "children": [], "resyncAfterSeconds": SOON}


def stopped(
    request: LoadBalancerRequest,
    fingerprint: str,
    now: float,
    why: Condition,
    *,
    waits: Waits = REFUSED,
) -> CompositeResponse:
    """Answer a look after which nothing is done: what was known stays, and Ready says why.

    Args:
        request: the request.
        fingerprint: of what is asked for.
        now: epoch seconds.
        why: Ready as it is now; a person is needed.
        waits: until the next look.
    """
    others = _others(request.recorded.conditions)
    conditions = [*others, why, Condition("Stalled", "True", why.reason, why.message)]
    status = dict(request.recorded.status) | _common(request, conditions, now)
    return _checked(status, fingerprint, now, longer(request.recorded, fingerprint, waits))


def _others(conditions: Iterable[Json]) -> list[Condition]:
    """Read the conditions that tell of the stages."""
    return [
        Condition(each["type"], each["status"], each["reason"], each.get("message") or "")
        for each in conditions
        if each["type"] not in ("Ready", "Reconciling", "Stalled")
    ]


def signature(changes: Iterable[str]) -> str:
    """Return a short text for a set of changes, to know it again."""
    return hashlib.sha256("\0".join(sorted(changes)).encode()).hexdigest()[:16]


def cut(text: str) -> str:
    """Shorten a text of CloudStack's to what a status has room for."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _ready(facts: Facts, stages: Stages) -> Condition:
    """Judge the whole: the first thing that is not so says why."""
    invalid = facts.request.spec.invalid
    if invalid:
        said = "; ".join(f"{each.field}: {each.message}" for each in invalid)
        return Condition("Ready", "False", "InvalidService", cut(said))
    if stages.changes:
        said = f"{len(stages.changes)} changes are planned, see status.plan"
        return Condition("Ready", "False", "PlanOnly", said)
    for condition in stages.conditions:
        if condition.status != "True":
            return Condition("Ready", "False", condition.reason, condition.message)
    ip = stages.address.recorded.ip if stages.address.recorded else ""
    return Condition("Ready", "True", "Serving", f"{ip} serves")


def _common(request: LoadBalancerRequest, conditions: Sequence[Condition], now: float) -> Json:
    """Write what every status has."""
    shown = [
        Condition(each.type, each.status, each.reason, cut(each.message)) for each in conditions
    ]
    merged = merge_conditions(
        request.recorded.conditions, shown, now=now, generation=request.generation
    )
    common: Json = {"conditions": merged}
    if request.generation is not None:
        common["observedGeneration"] = request.generation
    return common


def _checked(status: Json, fingerprint: str, now: float, wait: float) -> CompositeResponse:
    """Note that a look is over, and when the next one is due."""
    times = {
        "lastCheckTime": timestamp(now),
        "nextCheckTime": timestamp(now + wait),
        "checkedFor": fingerprint,
    }
    return {"status": status | times, "children": [], "resyncAfterSeconds": wait}


def _next_look(facts: Facts, fingerprint: str, repeated_drift: tuple[str, int]) -> float:
    """Answer the seconds until what is right is looked at again.

    Somebody may undo what was repaired, or was another provider's before.
    """
    if not repeated_drift[1] and not facts.request.spec.adopt.names:
        return regular(facts)
    begins = not facts.first_look or not was_converged(facts.request, fingerprint)
    return watchful(facts, begins=begins)


def _rules_since(facts: Facts, stages: Stages) -> float | None:
    """Tell since when the rules have stood that can stand."""
    if stages.rules is None or not stages.rules.standing or not stages.rules.complete:
        return None
    before = facts.request.recorded.status.get("rulesSince")
    return epoch(before) if before else facts.now


def _published(facts: Facts, stages: Stages, since: float | None) -> RecordedAddress | None:
    """Decide whether the Service may show the address: a member is in, or it took too long."""
    address = stages.address.recorded
    if address is None or address.published or since is None or not stages.address.ours:
        return address
    waited = facts.now - since >= PUBLISH_AFTER
    serves = stages.members is not None and stages.members.assigned > 0
    if not (waited or serves) or facts.request.spec.plan_only:
        return address
    return replace(address, published=True)


def _address(address: RecordedAddress | None) -> Json:
    if address is None:
        return {}
    written: Json = {"ip": address.ip, "published": address.published}
    if address.id:
        written["id"] = address.id
        written["networkID"] = address.network_id
        written["associatedByController"] = address.associated_by_controller
    if address.allocated_at is not None:
        written["allocatedAt"] = timestamp(address.allocated_at)
    if address.chosen_at is not None:
        written["chosenAt"] = timestamp(address.chosen_at)
        written["tries"] = address.tries
    return {"address": written}


def _rules(facts: Facts, stages: Stages) -> Json:
    ports = stages.rules.ports if stages.rules else ()
    standing = sum(1 for each in ports if each.rule and not each.create)
    return {
        "rules": [_rule(facts, each) for each in ports],
        "ruleSummary": f"{standing}/{len(facts.request.spec.ports)}",
    }


def _rule(facts: Facts, each: PortRule) -> Json:
    """Write one port's rule: as it stands, or as it is wanted and why it does not stand."""
    written: Json = {
        "name": each.wanted.name,
        "protocol": each.wanted.protocol,
        "publicPort": each.wanted.public_port,
        "nodePort": each.wanted.private_port,
        "algorithm": each.wanted.algorithm,
    }
    if each.rule:
        written |= {
            "id": each.rule.id,
            "name": each.rule.name,
            "protocol": each.rule.protocol,
            "nodePort": each.rule.private_port,
            "algorithm": each.rule.algorithm,
            "state": each.rule.state,
            "members": len(facts.state.members_of(each.rule.id)),
        }
    if each.problem:
        written["reason"] = cut(each.problem)
    return written


def _members(stages: Stages) -> Json:
    members = stages.members
    if members is None:
        return {}
    return {
        "members": {"assigned": members.assigned, "wanted": members.wanted},
        "memberSummary": f"{members.assigned}/{members.wanted}",
    }
