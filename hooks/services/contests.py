"""Notices that another controller replaces what a Service shows of ours, again and again."""

import threading
from dataclasses import dataclass, field, replace

from hooks.http.bounded_json import Json
from hooks.http.deadline import Monotonic
from hooks.http.recent import Recent
from hooks.kube.objects import find_condition, part
from hooks.names import LOAD_BALANCER_READY, REASON_CONTESTED
from hooks.services.plan.facts import Contest, Facts
from hooks.services.plan.writers import Writers, find_writers

#: Replacements within WITHIN seconds after which the status is left to the other for HELD seconds.
MAX_REPLACED = 3
WITHIN = 600.0
HELD = 3600.0


@dataclass(frozen=True)
class _Look:
    """What a call shows of a Service.

    Attributes:
        version: of the Service.
        wanted: `status.loadBalancer` as it is about to be answered.
        is_over_address: the Service shows another one.
        is_condition_taken: our condition was removed, or somebody else wrote a part of it.
        writers: of the status.
        now: monotonic seconds.
    """

    version: str
    wanted: Json
    is_over_address: bool
    is_condition_taken: bool
    writers: Writers
    now: float

    @property
    def is_taken(self) -> bool:
        """Tell whether the Service does not show what is ours."""
        return self.is_over_address or self.is_condition_taken

    def goes_on(self, contest: Contest) -> bool:
        """Tell whether an address that was fought over is still the other's.

        Whoever replaces a condition need not show: that fight may end at any time, unseen.
        """
        is_same = contest.writer in self.writers.others
        return not contest.is_over_address or (self.is_over_address and is_same)


@dataclass
class _Service:
    """What was answered for a Service, and what became of it.

    Attributes:
        answered: `status.loadBalancer` as last answered where something of ours was not shown, and
            for which version; None before.
        written: when we had last written the status before that answer.
        was_shown: the Service showed what is ours meanwhile.
        replaced: monotonic seconds at which something of ours was found replaced.
        contest: the fight, while the status is left to the other.
        until: monotonic seconds.
    """

    answered: Json | None = None
    version: str = ""
    written: str = ""
    was_shown: bool = False
    replaced: list[float] = field(default_factory=list)
    contest: Contest | None = None
    until: float = 0.0

    def judge(self, look: _Look) -> Contest | None:
        """Tell whether the status is left to another controller."""
        if self.contest and look.now < self.until and look.goes_on(self.contest):
            return self.contest
        if not look.is_taken:
            self.was_shown = self.was_shown or self.answered == look.wanted
            return None
        self._count(look)
        return self.leave(look, is_new=True) if len(self.replaced) >= MAX_REPLACED else None

    def leave(self, look: _Look, *, is_new: bool) -> Contest:
        """Leave the status to the other for a while."""
        self.contest = Contest(look.writers.others[0], look.is_over_address)
        self.replaced, self.until = [], look.now + HELD
        return replace(self.contest, is_new=is_new)

    def _count(self, look: _Look) -> None:
        """Count a replacement.

        A call may show the Service as it was before the last answer: its version tells. It may also
        show that Metacontroller could not write that answer: then we wrote nothing since.
        """
        is_same = self.answered == look.wanted
        has_written = look.writers.own_time not in ("", self.written)
        is_replaced = is_same and self.version != look.version and (self.was_shown or has_written)
        recent = [at for at in self.replaced if is_same and look.now - at < WITHIN]
        self.replaced = [*recent, look.now] if is_replaced else recent
        self.answered, self.version, self.was_shown = look.wanted, look.version, False
        self.written = look.writers.own_time


class Contests:
    """What this process has seen of each Service, by its UID; losing it costs a few writes."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._services = Recent[_Service]()
        self._own_name = ""
        self._lock = threading.Lock()

    def judge(self, facts: Facts, planned: Json) -> Contest | None:
        """Note what is about to be answered, and tell whether somebody else fights over it.

        Args:
            facts: with the Service.
            planned: the Service's status as it is planned.
        """
        uid = facts.service["metadata"]["uid"]
        with self._lock:
            if not find_condition({"status": planned}, LOAD_BALANCER_READY):
                self._services.pop(uid, None)  # it is ours no longer
                return None
            look = self._look(facts, planned)
            if known := self._services.get(uid):
                return known.judge(look)
            if not look.is_taken:
                return None
            known = self._services[uid] = _Service()
            if (
                facts.own_condition.get("reason") == REASON_CONTESTED
                and look.writers.others[0].manager
            ):
                return known.leave(look, is_new=False)  # an earlier process saw the fight
            return known.judge(look)

    def _look(self, facts: Facts, planned: Json) -> _Look:
        service, wanted = facts.service, part(planned, "loadBalancer")
        writers = find_writers(service, self._own_name)
        self._own_name = writers.own or self._own_name
        observed = facts.own_condition
        is_touched = any(each.wrote_condition for each in writers.others)
        return _Look(
            version=service["metadata"].get("resourceVersion") or "",
            wanted=wanted,
            is_over_address=part(service, "status", "loadBalancer") != wanted,
            is_condition_taken=not observed or (is_touched and not _is_same(observed, planned)),
            writers=writers,
            now=self._monotonic(),
        )


def _is_same(observed: Json, planned: Json) -> bool:
    """Tell whether a condition says what is planned; its times do not count."""
    wanted = find_condition({"status": planned}, LOAD_BALANCER_READY)
    return all(observed.get(key) == wanted[key] for key in ("status", "reason", "message"))
