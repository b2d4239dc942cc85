"""Notices that another controller replaces the address that a Service shows, again and again."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.http.deadline import Monotonic
from hooks.kube.objects import part
from hooks.services.plan.facts import Contest, Facts
from hooks.services.plan.status import CONTESTED, last_writer

#: Replacements within WITHIN seconds after which the address is left to the other for HELD seconds.
MAX_REPLACED = 3
WITHIN = 600.0
HELD = 3600.0
#: Services that are remembered.
REMEMBERED = 10_000


@dataclass
class _Service:
    """What was answered for a Service, and what became of it.

    Attributes:
        answered: `status.loadBalancer` as last answered where it differed, and for which version.
        write: by whom and when it was written before that answer.
        was_shown: the Service showed it meanwhile.
        replaced: monotonic seconds at which it was found replaced.
        writer: who replaced it, while the address is left to that one.
        until: monotonic seconds.
    """

    answered: Json = field(default_factory=dict)
    version: str = ""
    write: tuple[str, str] = ("", "")
    was_shown: bool = False
    replaced: list[float] = field(default_factory=list)
    writer: str = ""
    until: float = 0.0


class Contests:
    """What this process has seen of each Service, by its UID; losing it costs a few writes."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._services: OrderedDict[str, _Service] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, facts: Facts, wanted: Json) -> Contest | None:
        """Note what is about to be answered, and tell whether somebody else fights over it.

        Args:
            facts: with the Service.
            wanted: `status.loadBalancer` as it is planned.
        """
        metadata = facts.service["metadata"]
        now, write = self._monotonic(), last_writer(facts.service)
        observed = part(facts.service, "status", "loadBalancer")
        with self._lock:
            known = self._services.get(metadata["uid"])
            if observed == wanted:
                if known:
                    known.was_shown = known.was_shown or known.answered == wanted
                return None
            if known is None:
                known = self._remember(metadata["uid"])
                if facts.own_condition.get("reason") == CONTESTED and write[0]:
                    # An earlier process saw the fight.
                    known.writer, known.until = write[0], now + HELD
            if now < known.until and write[0] == known.writer:
                return Contest(known.writer)
            return _count(known, wanted, metadata.get("resourceVersion") or "", write, now)

    def _remember(self, uid: str) -> _Service:
        known = self._services[uid] = _Service()
        while len(self._services) > REMEMBERED:
            self._services.popitem(last=False)
        return known


def _count(
    known: _Service, wanted: Json, version: str, write: tuple[str, str], now: float
) -> Contest | None:
    """Count a replacement, and tell whether there were too many.

    A call may show the Service as it was before the last answer: its version tells. It may also
    show that Metacontroller could not write that answer: then nobody wrote the address since.
    """
    is_answered = known.answered == wanted and known.version != version
    is_replaced = is_answered and (known.was_shown or (write[0] and write != known.write))
    recent = [at for at in known.replaced if now - at < WITHIN] if known.answered == wanted else []
    known.replaced = [*recent, now] if is_replaced else recent
    known.answered, known.version, known.write, known.was_shown = wanted, version, write, False
    if len(known.replaced) < MAX_REPLACED:
        return None
    known.replaced, known.writer, known.until = [], write[0], now + HELD
    return Contest(known.writer, is_new=True)
