"""What this process remembers of load balancers between calls, and may lose at any moment.

CloudStack stays the truth. Memory only saves reads that cost the server much: a lie in it leads to
a refusal, after which CloudStack is read, or lasts until the next drift check.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")

#: Load balancers that are remembered.
REMEMBERED = 10_000
#: Seconds for which a choice of an address is remembered: by then it is associated.
CHOICE_SECONDS = 60.0


class LeastRecent(Generic[Value]):
    """A mapping by the UIDs of load balancers that forgets those unused for longest."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, uid: str) -> Value | None:
        """Return a value; None if none is remembered."""
        with self._lock:
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

    Attributes:
        answered: the fingerprints in the statuses that the last two calls answered.
    """

    def __init__(self) -> None:
        self.answered: tuple[str, ...] = ()
        self._lists: dict[str, Mapping[str, str]] = {}

    def get(self, rule_id: str) -> Mapping[str, str] | None:
        """Return the names of a rule's members by VM id; None if they have to be read."""
        return self._lists.get(rule_id)

    def keep(self, rule_id: str, members: Mapping[str, str]) -> None:
        """Remember the members of a rule. Rules with the same ones share them."""
        same = (each for each in self._lists.values() if each == members)
        self._lists[rule_id] = next(same, members)

    def forget(self, rule_id: str) -> None:
        """Have the members of a rule read: a change of them begins, or was refused."""
        self._lists.pop(rule_id, None)


class RememberedMembers:
    """The member lists of all load balancers, each for the call that continues our last one."""

    def __init__(self) -> None:
        self._lists: LeastRecent[MemberLists] = LeastRecent()

    def begin(self, uid: str, recorded: str, *, is_check: bool) -> MemberLists:
        """Return what a call may use; it is remembered only if the call ends with `end`.

        Nothing if the status that came is not one that this process answered lately, as after a
        call of another replica, or if the call checks for drift. Metacontroller may show the
        status before the last one.

        Args:
            uid: of the load balancer.
            recorded: the fingerprint in the status that came.
            is_check: nothing new is asked for since that check.
        """
        known = self._lists.pop(uid)
        if known is None or recorded not in known.answered or is_check:
            return MemberLists()
        return known

    def end(self, uid: str, known: MemberLists, answered: str) -> None:
        """Remember what a call knew at its end, and the fingerprint that it answered."""
        known.answered = (*known.answered[-1:], answered)
        self._lists.put(uid, known)


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
