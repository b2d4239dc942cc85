"""Reads the stickiness policies of rules: one list for each rule, for those that may have one."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from hooks.cloudstack.errors import Forbidden, InvalidParameter, Refused, Unreachable
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    RulePolicies,
    StickinessPolicy,
)
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.partial_lists import LISTS_AT_ONCE, list_deadline, why_unread
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.stickiness import is_marked, loses_policy

Policies = tuple[StickinessPolicy, ...]


def read_policies(
    rules: Iterable[LoadBalancerRule], facts: Facts, context: CallContext
) -> tuple[Mapping[str, Policies], Mapping[str, str]]:
    """Return the policies of our rules that have the tag for it, as they are known, else listed.

    And for each rule whose list CloudStack refuses or does not answer, why they are unknown: such
    a list is not read again in this call.

    They are remembered as members are, and a check reads them again when it reads the members. One
    that is to go is always listed. An account that may not list them knows only what it has set
    itself.

    Raises CloudStackError.
    """
    members, due = context.members, context.members.due()
    on_rules = [rule for rule in rules if is_marked(rule)]
    due |= {rule.id for rule in on_rules if loses_policy(facts, rule)}
    marked = [rule.id for rule in on_rules]
    unknown = [each for each in marked if each in due or members.policies(each) is None]
    unread: dict[str, str] = {}
    if unknown:
        with ThreadPoolExecutor(LISTS_AT_ONCE, thread_name_prefix="policies") as pool:
            before = facts.state.unread_policies
            words = pool.map(lambda each: before.get(each) or _read(each, context), unknown)
            unread = {each: text for each, text in zip(unknown, words, strict=True) if text}
    found = ((each, members.policies(each)) for each in marked if each not in unread)
    return {each: policies for each, policies in found if policies is not None}, unread


def _read(rule_id: str, context: CallContext) -> str:
    """List a rule's policies, and remember them; a rule that is deleted meanwhile has none.

    Returns why they stay unknown, empty otherwise.
    """
    started, limit = context.monotonic(), list_deadline(context.deadline)
    had = limit.remaining()
    try:
        listed = context.cloud.client.list_all(RulePolicies, limit, lb_rule_id=rule_id)
        policies = tuple(policy for each in listed for policy in each.policies)
        context.members.keep_policies(rule_id, policies)
    except Forbidden:
        return ""
    except (Refused, Unreachable) as error:
        if isinstance(error, InvalidParameter) and error.says_unknown(rule_id):
            context.members.keep_policies(rule_id, ())
            return ""
        if words := why_unread(error, had):
            return words
        raise
    finally:
        context.note_lists(context.members, context.monotonic() - started)
    return ""
