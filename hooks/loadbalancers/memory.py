"""What this process remembers of load balancers between calls, and may lose at any moment.

CloudStack stays the truth. Memory only saves reads that cost the server much: a lie in it leads to
a refusal, after which CloudStack is read, or lasts until a drift check reads the members.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Generic, TypeVar

from hooks.cloudstack.models.loadbalancing import StickinessPolicy
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.members import NOTHING_RECORDED, RecordedMembers

Value = TypeVar("Value")
#: The names of members by VM id.
Members = Mapping[str, str]
#: What a status tells of members, given some that are known.
Told = Callable[[Iterable[Members]], RecordedMembers]

#: Load balancers that are remembered.
REMEMBERED = 10_000
#: Seconds for which a choice of an address is remembered: by then it is associated.
CHOICE_SECONDS = 60.0
#: Seconds for which a status may not be shown that was answered: a watch is seldom so late.
ANSWER_SECONDS = 10.0
#: Statuses of a load balancer that are remembered for so long.
KNOWN_ANSWERS = 8
#: So many DRIFT_RESYNC long, an unused share of the server's time may be used later. Nor does a
#: check wait for longer than that for those of others, which may never come.
SAVED_CHECKS = 3
#: Lists of members that one check reads again where it is their turn. The next check goes on.
LISTS_PER_CHECK = 16
#: Sets of members that are remembered, whichever load balancer has them: a node that leaves all of
#: them is listed once.
KNOWN_SETS = 8
#: Who was not called for so many DRIFT_RESYNC is not waited for: its load balancer may be gone.
MISSED_CHECKS = 2


class LeastRecent(Generic[Value]):
    """A mapping by the UIDs of load balancers, or others, that forgets those unused for longest.

    Args:
        most: how many it remembers.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, uid: str) -> Value | None:
        """Return a value; None if none is remembered."""
        with self._lock:
            if uid in self._values:
                self._values.move_to_end(uid)
            return self._values.get(uid)

    def put(self, uid: str, value: Value) -> None:
        """Remember a value."""
        with self._lock:
            self._values[uid] = value
            self._values.move_to_end(uid)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def pop(self, uid: str) -> Value | None:
        """Forget a value, and return it; None if none was remembered."""
        with self._lock:
            return self._values.pop(uid, None)

    def items(self) -> list[tuple[str, Value]]:
        """Return all UIDs and values, those unused for longest first."""
        with self._lock:
            return list(self._values.items())


class MemberLists:
    """The members of one load balancer's rules, as its last calls read and changed them.

    Threads of one call read and change the members of several rules at once.

    Attributes:
        since: monotonic seconds, when the last turn to read them began; before all time if they
            were never read, and the status tells them.
        called: monotonic seconds, when the last call began.
        seconds: that CloudStack took to list them since then.
        is_check: the last call checks for drift.
        is_turn: drift checks read them because it is their turn.
        is_partial: a call ended before it had read all; the next one reads the others.
        answered: what tells the statuses that the last two calls answered from others.
        alike: the ids of rules of ours that had the same members by the status, so that one list
            may tell all.
        seen: the sets of members that were read since the last call.
    """

    def __init__(self, since: float = 0.0, recorded: RecordedMembers = NOTHING_RECORDED) -> None:
        self.since = self.called = since
        self.alike = recorded.alike.difference(recorded.lists)
        self.seen: list[Members] = []
        self.is_check = self.is_turn = self.is_partial = False
        self.seconds = 0.0
        self.answered: tuple[str, ...] = ()
        self._lists = dict(recorded.lists)
        self._policies: dict[str, tuple[StickinessPolicy, ...]] = {}
        self._stale: set[str] = set()
        self._expected: dict[str, tuple[str, Members]] = {}
        self._lock = threading.Lock()

    @property
    def goes_on(self) -> bool:
        """Tell whether lists are still to be read that an earlier call should have read."""
        return self.is_partial or bool(self._stale)

    def begin_turn(self, now: float) -> None:
        """Have all members read again, by this check and those after it."""
        with self._lock:
            self.since, self.seconds, self.is_turn = now, 0.0, True
            self._stale = set(self._lists)

    def due(self) -> frozenset[str]:
        """Return the ids of the rules whose members this check reads again."""
        with self._lock:
            return frozenset(sorted(self._stale)[:LISTS_PER_CHECK] if self.is_check else ())

    def read(self, rule_id: str, members: Members) -> None:
        """Remember the members of a rule as they were just read."""
        self.keep(rule_id, members)
        with self._lock:
            self._stale.discard(rule_id)
            self.seen.append(self._lists[rule_id])

    def get(self, rule_id: str) -> Members | None:
        """Return the names of a rule's members by VM id; None if they have to be read."""
        with self._lock:
            return self._lists.get(rule_id)

    def keep(self, rule_id: str, members: Members) -> None:
        """Remember the members of a rule. Rules with the same ones share them."""
        with self._lock:
            same = (each for each in self._lists.values() if each == members)
            self._lists[rule_id] = next(same, members)

    def forget(self, rule_id: str) -> None:
        """Have the members of a rule read: a change of them begins, or was refused."""
        with self._lock:
            self._lists.pop(rule_id, None)
            others = ((job, each) for job, each in self._expected.items() if each[0] != rule_id)
            self._expected = dict(others)

    def expect(self, job_id: str, rule_id: str, members: Members) -> None:
        """Remember what a rule's members are if a job ends well that outlives its call."""
        with self._lock:
            self._expected[job_id] = (rule_id, members)

    def note_end(self, job_id: str) -> None:
        """Keep what was expected of a job that has ended well."""
        with self._lock:
            expected = self._expected.pop(job_id, None)
        if expected:
            self.keep(*expected)

    def policies(self, rule_id: str) -> tuple[StickinessPolicy, ...] | None:
        """Return the stickiness policies of a rule; None if they have to be read."""
        with self._lock:
            return self._policies.get(rule_id)

    def keep_policies(self, rule_id: str, policies: tuple[StickinessPolicy, ...]) -> None:
        """Remember the stickiness policies of a rule; they are read again with its members."""
        with self._lock:
            self._policies[rule_id] = policies

    def forget_policies(self, rule_id: str) -> None:
        """Have the stickiness policies of a rule read: a change of them begins."""
        with self._lock:
            self._policies.pop(rule_id, None)

    def take_sets(self) -> dict[frozenset[str], Members]:
        """Return the sets of members that rules have, or had when they were read last."""
        with self._lock:
            known, self.seen = (*self.seen, *self._lists.values()), []
        distinct = {id(each): each for each in known if each}
        return {frozenset(each): each for each in distinct.values()}

    def retain(self, rule_ids: Collection[str]) -> None:
        """Forget the members of all other rules: they are gone."""
        with self._lock:
            self._lists = {each: self._lists[each] for each in rule_ids if each in self._lists}
            kept = ((each, self._policies.get(each)) for each in rule_ids)
            self._policies = {each: found for each, found in kept if found is not None}
            self._stale.intersection_update(rule_ids)


class RememberedMembers:
    """The member lists of all load balancers, each for the call that continues our last one.

    Drift checks read them again, but no more than fits into a share of the server's time: those of
    the load balancers that were not read for longest, as their checks come. What is not used of it
    may be used a little later.
    """

    def __init__(self, share: float, drift_resync: float, monotonic: Callable[[], float]) -> None:
        """Remember nothing yet.

        Args:
            share: of the server's time that lists of members may take, more than 0 to 1.
            drift_resync: seconds between two drift checks of a load balancer.
            monotonic: monotonic seconds.
        """
        self._share = share
        self._drift_resync = drift_resync
        self._monotonic = monotonic
        self._used_until = monotonic()
        self._lock = threading.Lock()
        self._lists: LeastRecent[MemberLists] = LeastRecent()
        self._sets: OrderedDict[frozenset[str], Members] = OrderedDict()

    def begin(
        self,
        uid: str,
        recorded: str,
        *,
        is_check: bool,
        told: Told = lambda _known: NOTHING_RECORDED,
    ) -> MemberLists:
        """Return what a call may use; it is remembered only if the call ends with `end`.

        If the status that came is not one that this process answered lately, as after a start or a
        call of another replica, that is what the status tells. Metacontroller may show the status
        before the last one.

        Args:
            uid: of the load balancer.
            recorded: what tells the status that came from others, empty if nothing does.
            is_check: nothing new is asked for since that check.
            told: what that status tells of members.
        """
        known = self._lists.pop(uid)
        now = self._monotonic()
        if known is None or not recorded or recorded not in known.answered:
            recorded_members = self._told_by(told)
            since = now if recorded_members == NOTHING_RECORDED else -inf
            known = MemberLists(since, recorded_members)
        known.called, known.is_check = now, is_check
        may_turn = is_check and known.since < now and not (known.goes_on or known.alike)
        if may_turn and self._is_due(known, now):
            known.begin_turn(now)
        return known

    def knows(self, uid: str) -> bool:
        """Tell whether anything is remembered of a load balancer."""
        return self._lists.get(uid) is not None

    def learn(self, uid: str, recorded: str, told: Told) -> None:
        """Remember what a status tells that is left as it is; see `begin`."""
        known = MemberLists(-inf, self._told_by(told))
        known.answered = (recorded,)
        self._lists.put(uid, known)

    def end(self, uid: str, known: MemberLists, answered: str) -> None:
        """Remember what a call knew at its end, and what tells its status from others."""
        known.answered = (*known.answered[-1:], answered)
        self._note_sets(known.take_sets())
        known.is_turn &= known.goes_on
        self._lists.put(uid, known)

    def _told_by(self, told: Told) -> RecordedMembers:
        """Return what a status tells. Load balancers with the same members share them."""
        with self._lock:
            sets = tuple(reversed(self._sets.values()))
        recorded = told(sets)
        shared = self._note_sets({frozenset(each): each for each in recorded.lists.values()})
        lists = {rule_id: shared[frozenset(each)] for rule_id, each in recorded.lists.items()}
        return replace(recorded, lists=lists)

    def _note_sets(
        self, sets: Mapping[frozenset[str], Members]
    ) -> Mapping[frozenset[str], Members]:
        """Remember sets of members; return them as they were remembered first."""
        with self._lock:
            known = {vm_ids: self._sets.get(vm_ids, each) for vm_ids, each in sets.items()}
            for vm_ids, each in known.items():
                self._sets[vm_ids] = each
                self._sets.move_to_end(vm_ids)
            while len(self._sets) > KNOWN_SETS:
                self._sets.popitem(last=False)
        return known

    def note(self, known: MemberLists, seconds: float) -> None:
        """Remember how long CloudStack took to list some members.

        What a change or a refusal needs is read at once, and no part of the share.
        """
        with self._lock:
            known.seconds += seconds
            if not known.is_turn:
                return
            oldest = self._monotonic() - SAVED_CHECKS * self._drift_resync
            self._used_until = max(self._used_until, oldest) + seconds / self._share

    def _is_due(self, known: MemberLists, now: float) -> bool:
        """Tell whether what is left of the share is enough, also for those not read for longer."""
        lately = now - MISSED_CHECKS * self._drift_resync
        older = sum(
            each.seconds
            for _, each in self._lists.items()
            if each.since < known.since and each.called >= lately
        )
        longest = SAVED_CHECKS * self._drift_resync
        with self._lock:
            return now - self._used_until >= min(older / self._share, longest)


class Choices:
    """Which addresses this process has chosen lately.

    Metacontroller may show the status from before a choice again: the same is chosen then. And two
    Services do not choose the same address, which only one of them would get.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._choices: LeastRecent[tuple[str, float]] = LeastRecent()

    def note(self, uid: str, ip: str) -> None:
        """Remember what a load balancer chose."""
        self._choices.put(uid, (ip, self._monotonic()))

    def of(self, uid: str) -> str:
        """Return what a load balancer chose lately, empty if nothing."""
        return self._recent().get(uid, "")

    def of_others(self, uid: str) -> frozenset[str]:
        """Return what other load balancers chose lately."""
        return frozenset(ip for other, ip in self._recent().items() if other != uid)

    def _recent(self) -> dict[str, str]:
        since = self._monotonic() - CHOICE_SECONDS
        return {uid: ip for uid, (ip, at) in self._choices.items() if at >= since}


class LastAnswers:
    """The statuses that each load balancer had lately, until the last answer is surely shown."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._answers: LeastRecent[tuple[float, tuple[Json, ...]]] = LeastRecent()

    def note(self, uid: str, shown: Json, answered: Json) -> None:
        """Remember what a call answered that was shown a status."""
        since = self._monotonic() - ANSWER_SECONDS
        for other, (at, _) in self._answers.items():
            if at >= since:
                break
            self._answers.pop(other)
        _, before = self._answers.get(uid) or (-inf, ())
        known = (*before, *(() if shown in before else (shown,)), answered)
        self._answers.put(uid, (self._monotonic(), known[-KNOWN_ANSWERS:]))

    def of(self, uid: str, shown: Json) -> Json | None:
        """Return the last answer, if an earlier status than that is shown; None if it is not."""
        at, known = self._answers.get(uid) or (-inf, ())
        is_new = self._monotonic() - at < ANSWER_SECONDS
        return known[-1] if is_new and shown in known[:-1] and shown != known[-1] else None


class Leases:
    """The leases on addresses: how long this process has seen each, and those that calls left.

    How old a lease is, its time cannot tell: that is of another process's clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: LeastRecent[tuple[str, float]] = LeastRecent()
        self._left: LeastRecent[tuple[str, str]] = LeastRecent()

    def see(self, address_id: str, text: str) -> float:
        """Note a lease on an address; return the seconds since this process first saw it."""
        seen, now = self._seen.get(address_id), self._monotonic()
        since = seen[1] if seen and seen[0] == text else now
        self._seen.put(address_id, (text, since))
        return now - since

    def leave(self, uid: str, address_id: str, text: str) -> None:
        """Leave a lease to the next call of a load balancer."""
        self._left.put(uid, (address_id, text))

    def inherit(self, uid: str) -> tuple[str, str]:
        """Take the lease that the last call of a load balancer left: address and text, or empty."""
        return self._left.pop(uid) or ("", "")
