"""Writes the status of a load balancer, and decides when the next check is due.

Every answer but the last one of a deletion is one of these:

- `planned`      CloudStack was read and planned for: everything in the status is new
- `unchanged`    nothing is due: the recorded status
- `unfinished`   the call ended in the middle of its work: what is known, and again at once
- `unobserved`   CloudStack or Kubernetes could not be read: what is known, Ready is Unknown
- `stopped`      a person has to act: what is known, Ready says why
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from hooks.http.bounded_json import Json
from hooks.http.texts import shorten
from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.objects import find_condition
from hooks.kube.times import timestamp
from hooks.loadbalancers.plan import certificates
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.claims import CHANGING_ADDRESS
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.firewall import FirewallPlan, is_open
from hooks.loadbalancers.plan.members import MembersPlan
from hooks.loadbalancers.plan.port_rules import PortRule, RulesPlan
from hooks.loadbalancers.plan.publication import address_fields, publish, until_published
from hooks.loadbalancers.plan.schedule import (
    OUTAGE,
    REFUSED,
    STAGE_CONDITIONS,
    WAITING,
    RetryRange,
    early_wait,
    regular_wait,
)
from hooks.loadbalancers.plan.stickiness import policy_text
from hooks.loadbalancers.recorded import RepeatedDrift
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import (
    REASON_CLOUDSTACK_REFUSED,
    REASON_DENIED_BY_LIST,
    REASON_INVALID_SERVICE,
    REASON_OPENED_BY_OTHERS,
    REASON_PLAN_ONLY,
)
from hooks.webhook.contract import CompositeResponse

#: Seconds until Metacontroller calls again while work goes on.
SOON = 1.0
#: Characters of a condition's message, and entries of `status.plan`.
MAX_TEXT = 1000
_PLAN_ENTRIES = 1024
#: Characters of a rule's name, and of CloudStack's words for its state and kind; it has no longer.
_MAX_NAME, _MAX_WORD = 255, 64

#: Reasons that pass once CloudStack, or a change of address, has finished what it is doing.
_PASSING = frozenset({"AddressAllocating", "AddressReleasing", CHANGING_ADDRESS})
#: Reasons for which others admit more or fewer clients than the Service does, which serves.
_TOLD = (REASON_OPENED_BY_OTHERS, REASON_DENIED_BY_LIST)


def _waiting(kind: str) -> Condition:
    return Condition(kind, "Unknown", "WaitingForAddress", "The address comes first")


class Stages(NamedTuple):
    """The stages of a plan, in order. All wait for the address unless they are given."""

    address: AddressPlan
    rules: RulesPlan = RulesPlan(_waiting("RulesReady"))
    members: MembersPlan = MembersPlan(_waiting("MembersReady"))
    firewall: FirewallPlan = FirewallPlan(_waiting("FirewallReady"))

    @property
    def actions(self) -> tuple[Action, ...]:
        """Return the actions of all stages, in order, then those on other addresses."""
        own = tuple(action for stage in self for action in stage.actions)
        return (*own, *self.address.beside.actions)

    @property
    def safe_actions(self) -> tuple[Action, ...]:
        """Return those for a Service that asks for what it cannot have.

        Its members are kept right, and clients that it admits no more are shut out.
        """
        closing = (*self.rules.closing, *self.firewall.closing)
        own = (*closing, *self.members.actions, *self.rules.narrowing)
        return (*dict.fromkeys(own), *self.address.beside.safe)

    @property
    def closing_actions(self) -> tuple[Action, ...]:
        """Return those that shut clients out, which nothing else comes before."""
        return (*self.firewall.closing, *self.address.beside.closing)


def planned(
    facts: Facts, stages: Stages, actions: Iterable[Action], drift: RepeatedDrift
) -> CompositeResponse:
    """Write the status of a live load balancer.

    Args:
        facts: what was planned from.
        stages: what was planned.
        actions: those of the stages' actions that are done now.
        drift: `repeatedDrift`: hash and count.
    """
    plan_only, invalid = facts.request.spec.plan_only, facts.request.spec.invalid
    awaits = stages.address.awaits_status and not plan_only
    is_working = bool(tuple(actions)) or awaits or certificates.awaits_record(facts)
    changes = plan_entries(stages.actions if plan_only and not invalid else ())
    ready = _ready(facts, stages, changes)
    conditions = [*(each.condition for each in stages), ready, *certificates.conditions(facts)]
    if plan_only:
        conditions.append(_changes_planned(changes))
    conditions += _progress(ready, is_working=is_working)
    rules = stages.rules.existing if plan_only else stages.rules.serving
    since = _rules_since(facts, stages)
    has_members = bool(stages.members.assigned)
    address = publish(facts, stages.address, since, has_members=has_members)
    status = _with_conditions(facts.request, {}, conditions, facts.now) | {
        "networkID": facts.request.network_id,
        **address_fields(facts, stages.address, address),
        "rules": [_rule(facts, each) for each in stages.rules.ports],
        "ruleSummary": f"{len(rules)}/{len(facts.request.spec.ports)}",
        **_members(stages),
        **certificates.status_fields(facts),
        **(plan_fields(changes) if plan_only else {}),
        **({"repeatedDrift": {"what": drift.what, "times": drift.times}} if drift.times else {}),
        **({"rulesSince": timestamp(since)} if since is not None else {}),
    }
    if is_working:
        return _response(facts.request, status, SOON)
    until = until_published(facts, stages.address, address, since)
    shown = max(SOON, min(until, stages.address.due, stages.members.due))
    return _checked(facts.request, status, facts.now, min(_next_check(facts, ready, drift), shown))


def _progress(ready: Condition, *, is_working: bool) -> tuple[Condition, ...]:
    """Say that work goes on, or that a person has to act."""
    if is_working:
        return (_reconciling(ready.message),)
    return (_stalled(ready),) if _has_failed(ready) and ready.reason not in _PASSING else ()


def plan_entries(actions: Iterable[Action]) -> list[str]:
    """Describe actions for `status.plan`."""
    texts = dict.fromkeys(shorten(str(action), MAX_TEXT) for action in actions)
    return list(texts)[:_PLAN_ENTRIES]


def plan_fields(changes: list[str]) -> Json:
    """Return the fields of a status in plan mode."""
    return {"plan": changes, "planSummary": _counted(changes)}


def unchanged(request: LoadBalancerRequest, wait: float) -> CompositeResponse:
    """Return the recorded status; it is true of this generation as well.

    `wait` is the seconds until the next check.
    """
    return _response(request, {**request.recorded_json, **_observed(request)}, max(SOON, wait))


def unfinished(
    request: LoadBalancerRequest,
    now: float,
    message: str,
    *,
    status: Json | None = None,
    ready: Condition | None = None,
) -> CompositeResponse:
    """Write the status of a call that ended in the middle of its work.

    Args:
        request: the request.
        now: epoch seconds.
        message: what is going on.
        status: as last planned. Default: the recorded one.
        ready: the condition Ready. Default: keep Ready, unless it is of an older generation.
    """
    known = dict(request.recorded_json if status is None else status)
    is_older = status is None and known.get("observedGeneration") != request.metadata.generation
    ready = ready or (None if is_older else _condition(known, "Ready"))
    ready = ready or Condition("Ready", "False", "Progressing", message)
    for field in ("lastCheckTime", "nextCheckTime", "checkedFor"):
        known.pop(field, None)
    conditions = [*_stage_conditions(known), ready, _reconciling(message)]
    return _response(request, _with_conditions(request, known, conditions, now), SOON)


def unobserved(
    request: LoadBalancerRequest,
    now: float,
    ready: Condition,
    *,
    status: Json | None = None,
    least_wait: float = 0.0,
) -> CompositeResponse:
    """Write the status of a check that failed: everything known stays.

    `now` is in epoch seconds; `status` is as last planned, by default the recorded one;
    `least_wait` is the seconds that CloudStack asked us to wait.
    """
    known = request.recorded_json if status is None else status
    return _known(request, known, [ready], now, max(OUTAGE.wait(request), least_wait))


def stopped(
    facts: Facts,
    reason: str,
    message: str,
    *,
    back_off: RetryRange = REFUSED,
    serves: bool = False,
) -> CompositeResponse:
    """Write the status of a check after which nothing is done: a person has to act.

    `serves` says that it serves all the same, so it is ready.
    """
    request = facts.request
    ready = Condition("Ready", "True" if serves else "False", reason, message)
    conditions = [ready] if serves else [ready, _stalled(ready)]
    return _known(request, request.recorded_json, conditions, facts.now, back_off.wait(request))


def _known(
    request: LoadBalancerRequest, status: Json, new: list[Condition], now: float, wait: float
) -> CompositeResponse:
    """Keep a status, with new conditions beside those of the stages, and end the check."""
    changed = _with_conditions(request, status, [*_stage_conditions(status), *new], now)
    return _checked(request, changed, now, wait)


def _response(request: LoadBalancerRequest, status: Json, wait: float) -> CompositeResponse:
    response: CompositeResponse = {"status": status, "children": [], "resyncAfterSeconds": wait}
    if request.is_deleting:
        response["finalized"] = False
    return response


def _checked(
    request: LoadBalancerRequest, status: Json, now: float, wait: float
) -> CompositeResponse:
    """Record that a check is over, and when the next one is due."""
    times = {
        "lastCheckTime": timestamp(now),
        "nextCheckTime": timestamp(now + wait),
        "checkedFor": fingerprint(request),
    }
    return _response(request, status | times, wait)


def _observed(request: LoadBalancerRequest) -> Json:
    return (
        {}
        if request.metadata.generation is None
        else {"observedGeneration": request.metadata.generation}
    )


def _with_conditions(
    request: LoadBalancerRequest, status: Json, conditions: Iterable[Condition], now: float
) -> Json:
    """Replace the conditions of a status."""
    current = [replace(each, message=shorten(each.message, MAX_TEXT)) for each in conditions]
    merged = merge_conditions(
        request.recorded_json.get("conditions") or (),
        current,
        now=now,
        generation=request.metadata.generation,
    )
    return {**status, "conditions": merged, **_observed(request)}


def _reconciling(message: str) -> Condition:
    return Condition("Reconciling", "True", "Progressing", message)


def _stalled(ready: Condition) -> Condition:
    return replace(ready, type="Stalled", status="True")


def _has_failed(ready: Condition) -> bool:
    return ready.status != "True" and ready.reason not in WAITING


def _condition(status: Json, kind: str) -> Condition | None:
    """Read a condition of a status."""
    found = find_condition({"status": status}, kind)
    reason, message = found.get("reason") or "", found.get("message") or ""
    return Condition(kind, found["status"], reason, message) if found else None


def _stage_conditions(status: Json) -> list[Condition]:
    kinds = (*STAGE_CONDITIONS, "ChangesPlanned", certificates.CERTIFICATE_READY)
    return [found for kind in kinds if (found := _condition(status, kind))]


def _ready(facts: Facts, stages: Stages, changes: list[str]) -> Condition:
    """Sum up the conditions: the first that is not True gives the reason."""
    if invalid := facts.request.spec.invalid:
        message = "; ".join(f"{each.field}: {each.message}" for each in invalid)
        return Condition("Ready", "False", REASON_INVALID_SERVICE, message)
    ip = stages.address.recorded.ip if stages.address.recorded else ""
    if changes and not facts.state.unread:
        if _serves_now(facts, stages):
            return Condition("Ready", "True", "Serving", f"{ip} serves")
        message = f"It does not serve yet; {_counted(changes)} planned, see status.plan"
        return Condition("Ready", "False", REASON_PLAN_ONLY, message)
    for stage in stages:
        if stage.condition.status != "True":
            is_unread = stage.condition.reason == REASON_CLOUDSTACK_REFUSED
            return replace(
                stage.condition, type="Ready", status="Unknown" if is_unread else "False"
            )
    if (firewall := stages.firewall.condition).reason in _TOLD:
        return Condition("Ready", "True", firewall.reason, f"{ip} serves. {firewall.message}")
    return Condition("Ready", "True", "Serving", f"{ip} serves")


def _serves_now(facts: Facts, stages: Stages) -> bool:
    """Tell whether each rule that exists has a member and an open firewall."""
    rules = stages.rules.existing
    here = facts.on(stages.address.address_id)
    is_reachable = stages.address.is_ours and bool(rules) and is_open(here, rules)
    return is_reachable and all(facts.state.members_of(rule.id) for rule in rules)


def _changes_planned(changes: list[str]) -> Condition:
    if not changes:
        return Condition("ChangesPlanned", "False", "NothingPlanned", "Nothing would change")
    message = f"{_counted(changes)} would be made, see status.plan"
    return Condition("ChangesPlanned", "True", REASON_PLAN_ONLY, message)


def _counted(changes: list[str]) -> str:
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}"


def _next_check(facts: Facts, ready: Condition, drift: RepeatedDrift) -> float:
    """Return the seconds until the next check: early after a repair or a takeover.

    Somebody may undo these.
    """
    if _has_failed(ready):
        back_off = OUTAGE if ready.reason in _PASSING else REFUSED
        return back_off.wait(facts.request)
    if not drift.times and not facts.request.spec.adopt.names:
        return regular_wait(facts)
    return early_wait(facts)


def _rules_since(facts: Facts, stages: Stages) -> float | None:
    """Return since when every rule has existed that can exist; None if one is still missing.

    A recorded time in the future comes from a wrong clock: it counts as now.
    """
    if not stages.rules.serving or not stages.rules.is_complete:
        return None
    since = facts.request.recorded.rules_since
    return facts.now if since is None else min(since, facts.now)


def _rule(facts: Facts, each: PortRule) -> Json:
    """Write the rule of a port: as CloudStack has it, else as it is wanted."""
    rule = each.rule or each.wanted
    written: Json = {
        "name": shorten(rule.name, _MAX_NAME),
        "protocol": shorten(rule.protocol, _MAX_WORD),
        "publicPort": each.wanted.public_port,
        "nodePort": rule.private_port,
        "algorithm": shorten(rule.algorithm, _MAX_WORD),
    }
    if each.rule:
        members = len(facts.state.members_of(each.rule.id))
        state = shorten(each.rule.state, _MAX_WORD)
        written |= {"id": each.rule.id, "state": state, "members": members}
        if policies := facts.state.policies.get(each.rule.id):
            written["stickiness"] = shorten(policy_text(policies[-1]), MAX_TEXT)
    if reason := each.problem or each.remark:
        written["reason"] = shorten(reason, MAX_TEXT)
    return written


def _members(stages: Stages) -> Json:
    members = stages.members
    if members.wanted is None:
        return {}
    return {
        "members": {
            "assigned": members.assigned,
            "wanted": members.wanted,
            **({"missing": list(members.missing)} if members.missing else {}),
        },
        "memberSummary": f"{members.assigned}/{members.wanted}",
    }
