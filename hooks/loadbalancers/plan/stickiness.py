"""Decides which stickiness policies our rules get, keep and lose.

A rule has one policy at most, a policy has no tags, and only a list for each rule shows it. So a
rule gets a tag before it gets a policy from us: only rules with the tag are looked at, and a call
that dies in between leaves nothing unseen. A policy is the rule's: what somebody else puts in the
place of ours is replaced. Where none is asked for any more, only one with our name goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hooks import names
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, StickinessPolicy
from hooks.cloudstack.models.network import Network
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import port_key, value
from hooks.loadbalancers.plan.sticky_actions import (
    RemoveStickiness,
    SetStickiness,
    UntagRules,
)
from hooks.loadbalancers.request import Port, Stickiness

#: A port of the Service, and the rule that serves it.
Served = tuple[Port, LoadBalancerRule]

_TAG = (names.TAG_STICKINESS, names.TAG_STICKINESS_OURS)


@dataclass(frozen=True, slots=True)
class StickinessPlan:
    """What is done about tags and policies of rules, and what CloudStack refused of that."""

    actions: tuple[Action, ...] = ()
    complaints: tuple[str, ...] = ()


def is_marked(rule: LoadBalancerRule) -> bool:
    """Tell whether a rule has, or may have, a policy of ours."""
    return bool(value(rule, names.TAG_STICKINESS))


def loses_policy(facts: Facts, rule: LoadBalancerRule) -> bool:
    """Tell whether a rule may have a policy of ours that no port asks for any more.

    What is remembered of it does not count then: only what is seen is removed, or is gone.
    """
    sticky = [port for port in facts.request.spec.ports if _wanted(facts, port)]
    keys = {(port.transport, port.public_port) for port in sticky}
    return is_marked(rule) and port_key(rule) not in keys


def _tag_served(facts: Facts, served: Iterable[Served]) -> tuple[Action, ...]:
    """Give rules our mark, and those that get a policy the tag that says so, in one write."""
    pairs = [(rule, bool(_wanted(facts, port))) for port, rule in served if rule.id]
    plain = [rule for rule, is_sticky in pairs if not is_sticky]
    sticky = [rule for rule, is_sticky in pairs if is_sticky]
    wanted = (*facts.owner.mark, _TAG)
    return (
        *tags.complete(facts, "rule", plain, lambda rule: rule.name),
        *tags.complete(facts, "rule", sticky, lambda rule: rule.name, wanted),
    )


def plan_stickiness(facts: Facts, served: Iterable[Served]) -> StickinessPlan:
    """Plan tags and policies of rules that serve and stay.

    In plan mode, those to be created are among them.
    """
    served = tuple(served)
    planned: list[Action] = [*_tag_served(facts, served)]
    unmarked = []
    unread, complaints = facts.state.unread_policies, []
    for port, rule in served:
        if rule.id in unread:
            if not _wanted(facts, port):
                complaints.append(f"{rule.name}: {unread[rule.id]}")
        elif stickiness := _wanted(facts, port):
            if not _has(facts, rule, stickiness) and (is_marked(rule) or _only_plans(facts)):
                planned.append(_set(rule, stickiness))
        elif is_marked(rule) and rule.id in facts.state.policies:
            found = facts.state.policies[rule.id]
            if ours := [each for each in found if each.name == names.STICKINESS_POLICY]:
                planned += [RemoveStickiness(each.id, rule.id, rule.name) for each in ours]
            else:
                unmarked.append(facts.owner.own_rule(rule))
    if unmarked:
        planned.append(UntagRules(tuple(unmarked), (names.TAG_STICKINESS,)))
    # Why a policy is not set is said of its port.
    others = [each for each in planned if not isinstance(each, SetStickiness)]
    return StickinessPlan(facts.not_refused(planned), (*facts.complaints(others), *complaints))


def why_without(facts: Facts, port: Port, rule: LoadBalancerRule) -> str:
    """Return why a rule does not have the policy that its port asks for; empty if it can have it.

    It serves all the same.
    """
    if port.stickiness is None:
        return ""
    if not _wanted(facts, port):
        return f"the network's load balancer has no stickiness method {port.stickiness.method}"
    if rule.id in facts.state.unread_policies:
        return f"the stickiness policy is unknown: {facts.state.unread_policies[rule.id]}"
    if _has(facts, rule, port.stickiness):
        return ""
    refusal = facts.refusal(_set(rule, port.stickiness))
    return f"no stickiness policy: {refusal.text}" if refusal else ""


def is_bound_otherwise(port: Port, algorithm: str) -> bool:
    """Tell whether clients stay with their member without the policy that a port asks for."""
    is_by_source = port.stickiness is not None and port.stickiness.method == "SourceBased"
    return is_by_source and algorithm == "source"


def policy_text(policy: StickinessPolicy) -> str:
    """Return a policy as the annotation would ask for it."""
    return " ".join((policy.method, *(f"{name}={text}" for name, text in policy.params)))


def _wanted(facts: Facts, port: Port) -> Stickiness | None:
    """Return what a port asks for, if the network can do it."""
    stickiness = port.stickiness
    return stickiness if stickiness and _can(facts.network, stickiness.method) else None


def _can(network: Network | None, method: str) -> bool:
    """Tell whether a network may have a method; one that does not say what it has is asked."""
    known = network.capability("Lb", "SupportedStickinessMethods") if network else ""
    return not known or f'"{method}"'.lower() in known.lower()


def _has(facts: Facts, rule: LoadBalancerRule, wanted: Stickiness) -> bool:
    """Tell whether a rule is seen to have a policy; one that was not looked at has not."""
    newest = facts.state.policies.get(rule.id, ())[-1:]
    right = (names.STICKINESS_POLICY, wanted.method, wanted.pairs)
    return [(each.name, each.method, each.params) for each in newest] == [right]


def _set(rule: LoadBalancerRule, wanted: Stickiness) -> SetStickiness:
    return SetStickiness(rule.id, rule.name, wanted.method, wanted.pairs)


def _only_plans(facts: Facts) -> bool:
    return facts.request.spec.plan_only
