"""Decides whether a VM may be repaired, from what was tried on it for whatever reason.

A fault is counted by the name of its node. That is not enough: a cluster gives its nodes the names
that it likes, and two TargetClusters may be about one cluster. It is remembered for a day, and
counts for an hour.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import msgspec

from hooks.http.backoff import delay
from hooks.http.bounded_json import Json
from hooks.kube.times import CLOCK_SLACK
from hooks.targetclusters.healing.plan.decide import FORGET_FAULT_AFTER
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import Policy
from hooks.targetclusters.healing.plan.versions import read_fields, write_fields

#: Attempts on a VM that are remembered; more than any maxRetry.
MAX_TIMES = 100
#: Seconds for which they are, so that it is told how often a VM is repaired ever again.
DAY = 86400.0
#: Bytes of what is remembered together, far below what an API server takes.
MAX_BYTES = 96 * 1024


@dataclass(frozen=True, slots=True)
class VmAttempts:
    """What was tried on one VM, in epoch seconds.

    Attributes:
        times: when each attempt was begun.
        busy_until: until when the last one may run; 0 once it has ended.
        by: the process that made the last one.
        namespace: of the TargetCluster for which that was.
        unknown: fields that another version of the operator has written.
    """

    times: tuple[float, ...] = ()
    busy_until: float = 0.0
    by: str = ""
    namespace: str = ""
    unknown: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttemptsByVm:
    """What was tried on several VMs, by their keys."""

    vms: Mapping[str, VmAttempts] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, key: str) -> VmAttempts:
        """Return what was tried on a VM."""
        return self.vms.get(key, VmAttempts())

    def having(self, key: str, tried: VmAttempts, now: float) -> "AttemptsByVm":
        """Return them with what was tried on a VM, and without what a day has passed over.

        If they are too many, the oldest of the namespace with the most give way: whoever has VMs
        without end, as on a server of his own, leaves others' as they are.
        """
        kept = {
            each: former
            for each, former in {**self.vms, key: tried}.items()
            if _is_busy(former, now) or (former.times and abs(now - former.times[-1]) < DAY)
        }
        sizes = {each: len(write_attempts(AttemptsByVm({each: one}))) for each, one in kept.items()}
        shares = Counter[str]()
        for each, former in kept.items():
            shares[former.namespace] += sizes[each]
        while shares.total() > MAX_BYTES:
            [(largest, _)] = shares.most_common(1)
            of_largest = (each for each in kept if kept[each].namespace == largest)
            oldest = min(of_largest, key=lambda each: _age(kept[each], now))
            del kept[oldest]
            shares[largest] -= sizes[oldest]
        return replace(self, vms=kept)


def _age(tried: VmAttempts, now: float) -> tuple[bool, float]:
    """Return what orders those that give way: the oldest first, and what is being done last."""
    return _is_busy(tried, now), max(tried.times, default=0.0)


def count_of_day(tried: VmAttempts, now: float) -> int:
    """Return how many attempts were begun within a day."""
    return sum(abs(now - at) < DAY for at in tried.times)


def why_not(tried: VmAttempts, policy: Policy, *, again: float, nows: Collection[float]) -> str:
    """Say why a VM is not to be repaired now; empty if it may be.

    Args:
        tried: what was tried on it.
        policy: the bounds.
        again: when a person asked to begin again, in epoch seconds.
        nows: epoch seconds, by each clock that may have written the times.
    """
    if why := why_busy(tried, nows=nows):
        return why
    counted = [at for at in tried.times if at > again and _is_within(FORGET_FAULT_AFTER, at, nows)]
    if not counted:
        return ""
    if len(counted) >= policy.max_retry:
        return (
            "its VM has had maxRetry attempts within an hour, for whatever fault or TargetCluster"
        )
    pause = delay(len(counted), first=policy.first, longest=policy.longest)
    if any(counted[-1] - CLOCK_SLACK <= now < counted[-1] + pause for now in nows):
        return "its VM was repaired just now, for whatever fault or TargetCluster"
    return ""


def why_busy(tried: VmAttempts, *, nows: Collection[float]) -> str:
    """Say whether a VM is being repaired now; empty if it is not."""
    if not any(_is_busy(tried, now) for now in nows):
        return ""
    return "its VM is being repaired for another fault or TargetCluster"


def _is_within(seconds: float, at: float, nows: Collection[float]) -> bool:
    return any(abs(now - at) < seconds for now in nows)


def _is_busy(tried: VmAttempts, now: float) -> bool:
    # What a wrong clock wrote is further away than any repair takes, and holds nothing up.
    return now < tried.busy_until < now + FORGET_FAULT_AFTER


def begun(tried: VmAttempts, by: str, namespace: str, *, now: float, until: float) -> VmAttempts:
    """Return the attempts with one that a process begins now and ends by `until`."""
    times = (*tried.times, now)[-MAX_TIMES:]
    return held(replace(tried, times=times), by, namespace, until=until)


def held(tried: VmAttempts, by: str, namespace: str, *, until: float) -> VmAttempts:
    """Return the attempts of a VM that a process works on until `until`, which is no new one."""
    return replace(tried, busy_until=until, by=by, namespace=namespace)


def ended(tried: VmAttempts, *, sent: bool) -> VmAttempts:
    """Return the attempts once the last has ended; what was surely not sent counts as none."""
    return replace(tried, times=tried.times if sent else tried.times[:-1], busy_until=0.0, by="")


def ended_if_last(tried: VmAttempts, begun: VmAttempts, *, sent: bool) -> VmAttempts:
    """Return the attempts once the one of `begun` has ended; as they are if another is the last."""
    is_last = (tried.by, tried.busy_until) == (begun.by, begun.busy_until)
    return ended(tried, sent=sent) if is_last else tried


def read_attempts(text: str) -> AttemptsByVm:
    """Read what was tried; an empty text is nothing. Raises Unreadable."""
    if not text:
        return AttemptsByVm()
    try:
        found = msgspec.json.decode(text, type=dict[str, Json])
        return AttemptsByVm({key: read_fields(each, VmAttempts) for key, each in found.items()})
    except msgspec.DecodeError as error:
        raise Unreadable(f"is no account of repairs: {error}") from None


def write_attempts(tried: AttemptsByVm) -> str:
    """Write what was tried, the same text for the same content."""
    written = {key: write_fields(each) for key, each in sorted(tried.vms.items())}
    return msgspec.json.encode(written).decode()
