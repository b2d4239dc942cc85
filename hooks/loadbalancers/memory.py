"""What this process remembers of load balancers between calls, and may lose at any moment.

CloudStack stays the truth. Memory only saves reads that cost the server much: a lie in it leads to
a refusal, after which CloudStack is read, or lasts until a drift check reads the members.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")

#: Load balancers that are remembered.
REMEMBERED = 10_000
#: Seconds for which a choice of an address is remembered: by then it is associated.
CHOICE_SECONDS = 60.0
#: So many DRIFT_RESYNC long, an unused share of the server's time may be used later. Nor does a
#: check wait for longer than that for those of others, which may never come.
SAVED_CHECKS = 3
#: Who was not called for so many DRIFT_RESYNC is not waited for: its load balancer may be gone.
MISSED_CHECKS = 2


class LeastRecent(Generic[Value]):
    """A mapping by the UIDs of load balancers that forgets those unused for longest."""

    def __init__(self) -> None:
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
            while len(self._values) > REMEMBERED:
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
        since: monotonic seconds; what was read before that is not in it.
        called: monotonic seconds, when the last call began.
        seconds: that CloudStack took to list them since then.
        is_turn: a drift check reads them because it is their turn.
        is_partial: a call ended before it had read all; the next one reads the others.
        answered: the fingerprints in the statuses that the last two calls answered.
    """

    def __init__(self, since: float = 0.0, *, is_turn: bool = False) -> None:
        self.since = self.called = since
        self.is_turn = is_turn
        self.is_partial = False
        self.seconds = 0.0
        self.answered: tuple[str, ...] = ()
        self._lists: dict[str, Mapping[str, str]] = {}
        self._lock = threading.Lock()

    def get(self, rule_id: str) -> Mapping[str, str] | None:
        """Return the names of a rule's members by VM id; None if they have to be read."""
        with self._lock:
            return self._lists.get(rule_id)

    def keep(self, rule_id: str, members: Mapping[str, str]) -> None:
        """Remember the members of a rule. Rules with the same ones share them."""
        with self._lock:
            same = (each for each in self._lists.values() if each == members)
            self._lists[rule_id] = next(same, members)

    def forget(self, rule_id: str) -> None:
        """Have the members of a rule read: a change of them begins, or was refused."""
        with self._lock:
            self._lists.pop(rule_id, None)

    def retain(self, rule_ids: Collection[str]) -> None:
        """Forget the members of all other rules: they are gone."""
        with self._lock:
            self._lists = {each: self._lists[each] for each in rule_ids if each in self._lists}


class RememberedMembers:
    """The member lists of all load balancers, each for the call that continues our last one.

    Drift checks read them anew, but no more than fits into a share of the server's time: those of
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

    def begin(self, uid: str, recorded: str, *, is_check: bool) -> MemberLists:
        """Return what a call may use; it is remembered only if the call ends with `end`.

        Nothing if the status that came is not one that this process answered lately, as after a
        call of another replica, or if the call checks for drift and it is the turn of its members.
        Metacontroller may show the status before the last one.

        Args:
            uid: of the load balancer.
            recorded: the fingerprint in the status that came.
            is_check: nothing new is asked for since that check.
        """
        known = self._lists.pop(uid)
        now = self._monotonic()
        if known is None or recorded not in known.answered:
            return MemberLists(now)
        known.called = now
        is_turn = is_check and not known.is_partial and self._is_due(known, now)
        return MemberLists(now, is_turn=True) if is_turn else known

    def end(self, uid: str, known: MemberLists, answered: str) -> None:
        """Remember what a call knew at its end, and the fingerprint that it answered."""
        known.answered = (*known.answered[-1:], answered)
        known.is_turn &= known.is_partial
        self._lists.put(uid, known)

    def note(self, known: MemberLists, seconds: float) -> None:
        """Remember how long CloudStack took to list some members.

        What a first look or a refusal needs is read at once, and no part of the share.
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
