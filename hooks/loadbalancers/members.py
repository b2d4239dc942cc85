"""Reads the members of rules: what is remembered of them, else lists."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from hooks.cloudstack.errors import InvalidParameter, Refused, Unreachable
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, Member
from hooks.http.deadline import Deadline
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.partial_lists import LISTS_AT_ONCE, list_deadline, why_unread
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.fingerprint import was_asked_with
from hooks.loadbalancers.plan.whose import Whose

Members = Mapping[str, str]


def read_members(
    rules: Sequence[LoadBalancerRule], facts: Facts, context: CallContext
) -> tuple[Mapping[str, Members], Mapping[str, str]]:
    """Return the members of rules by their ids: as they are known, else listed side by side.

    And for each rule whose list CloudStack refuses or does not answer, why they are unknown: such
    a list is not read again in this call.

    Those of a rule without our mark are always listed: they may decide whose it is. Each list
    is remembered when it is read: where a call ends before it has read all, the next one goes
    on.

    Raises CloudStackError.
    """
    return _Reader(rules, facts, context).read()


class _Reader:
    """Reads the members of one load balancer's rules."""

    def __init__(
        self, rules: Sequence[LoadBalancerRule], facts: Facts, context: CallContext
    ) -> None:
        self._rules = rules
        owner, self._before = facts.owner, facts.state.unread_members
        self._request = facts.request
        self._ours = frozenset(each.id for each in rules if owner.whose(each) is Whose.OURS)
        self._context = context
        self._remembered = context.members
        self._unread: dict[str, str] = {}

    def read(self) -> tuple[Mapping[str, Members], Mapping[str, str]]:
        self._remembered.is_partial = True
        known = self._known()
        known |= self._alike(known)
        unknown = [rule_id for rule_id, members in known.items() if members is None]
        if len(unknown) > 1:
            with ThreadPoolExecutor(LISTS_AT_ONCE, thread_name_prefix="members") as pool:
                listed = dict(zip(unknown, pool.map(self._list, unknown), strict=True))
        else:
            listed = {rule_id: self._list(rule_id) for rule_id in unknown}
        self._remembered.is_partial, self._remembered.alike = False, frozenset()
        return {each: listed.get(each) or members or {} for each, members in known.items()}, (
            self._unread
        )

    def _known(self) -> dict[str, Members | None]:
        """Return what is remembered by rule; None where it is to be listed.

        A rule in state Add has no members: what is remembered of it is out of date.
        """
        due = self._remembered.due()
        known: dict[str, Members | None] = {}
        for rule in self._rules:
            is_usable = rule.id in self._ours and rule.id not in due
            members = self._remembered.get(rule.id) if is_usable else None
            known[rule.id] = None if members and rule.state == "Add" else members
        return known

    def _alike(self, known: Mapping[str, Members | None]) -> dict[str, Members | None]:
        """List one of the rules that had the same members, as the status says, for all of them.

        It counts for the others only if it has the members that the status is of. Else a call has
        changed some rules and died, or somebody has changed this one: all are to be listed. It is
        the rule that calls change first. What was changed in another one alone leads to a refusal,
        or lasts until members are read by their turn.
        """
        request = self._request
        unread = {each.id for each in self._rules if known[each.id] is None and each.state != "Add"}
        may_be = self._remembered.alike & self._ours & unread - self._remembered.due()
        alike = [each.id for each in request.recorded.rules if each.id in may_be]
        if len(alike) < 2:
            return {}
        first, *others = alike
        members = self._list(first)
        if not was_asked_with(request.recorded.fingerprint, request, members):
            return {first: members}
        for rule_id in others:
            self._remembered.keep(rule_id, members)
        return dict.fromkeys(alike, members)

    def _list(self, rule_id: str) -> Members:
        """List a rule's members. Those of a rule of ours may stay unknown to the plan."""
        words = self._before.get(rule_id, "")
        limit = list_deadline(self._context.deadline)
        had = limit.remaining()
        try:
            if not words:
                return self._listed(rule_id, limit)
        except (Refused, Unreachable) as error:
            words = why_unread(error, had)
            if not words or rule_id not in self._ours:
                raise
        self._unread[rule_id] = words
        return {}

    def _listed(self, rule_id: str, limit: Deadline) -> Members:
        """List a rule's members; a rule that somebody deletes meanwhile has none."""
        context, started = self._context, self._context.monotonic()
        try:
            members = context.cloud.client.list_all(Member, limit, id=rule_id)
        except InvalidParameter as error:
            if not error.says_unknown(rule_id):
                raise
            members = ()
        finally:
            context.note_lists(self._remembered, context.monotonic() - started)
        found = {each.virtual_machine_id: each.name for each in members}
        self._remembered.read(rule_id, found)
        return found
