"""Decides whether a VM may be repaired, from what was tried on it for whatever reason.

A fault is counted by the name of its node. That is not enough: a cluster gives its nodes the names
that it likes, and two TargetClusters may be about one cluster.
"""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class VmAttempts:
    """What was tried on one VM, in epoch seconds.

    Attributes:
        times: when each attempt was begun.
        busy_until: until when the last one may run; 0 once it has ended.
        by: the process that made the last one.
        unknown: fields that another version of the operator has written.
    """

    times: tuple[float, ...] = ()
    busy_until: float = 0.0
    by: str = ""
    unknown: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttemptsByVm:
    """What was tried on several VMs, by their keys."""

    vms: Mapping[str, VmAttempts] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, key: str) -> VmAttempts:
        """Return what was tried on a VM."""
        return self.vms.get(key, VmAttempts())

    def having(self, key: str, tried: VmAttempts, now: float) -> "AttemptsByVm":
        """Return them with what was tried on a VM, and without what an hour has passed over."""
        kept = {
            each: former
            for each, former in {**self.vms, key: tried}.items()
            if _is_busy(former, now)
            or (former.times and abs(now - former.times[-1]) < FORGET_FAULT_AFTER)
        }
        return replace(self, vms=kept)


def why_not(tried: VmAttempts, policy: Policy, *, again: float, now: float) -> str:
    """Say why a VM is not to be repaired now; empty if it may be.

    Args:
        tried: what was tried on it.
        policy: the bounds.
        again: when a person asked to begin again, in epoch seconds.
        now: epoch seconds.
    """
    if why := why_busy(tried, now=now):
        return why
    counted = [at for at in tried.times if at > again and abs(now - at) < FORGET_FAULT_AFTER]
    if not counted:
        return ""
    if len(counted) >= policy.max_retry:
        return (
            "its VM has had maxRetry attempts within an hour, for whatever fault or TargetCluster"
        )
    pause = delay(len(counted), first=policy.first, longest=policy.longest)
    if counted[-1] - CLOCK_SLACK <= now < counted[-1] + pause:
        return "its VM was repaired just now, for whatever fault or TargetCluster"
    return ""


def why_busy(tried: VmAttempts, *, now: float) -> str:
    """Say whether a VM is being repaired now; empty if it is not."""
    if not _is_busy(tried, now):
        return ""
    return "its VM is being repaired for another fault or TargetCluster"


def _is_busy(tried: VmAttempts, now: float) -> bool:
    # What a wrong clock wrote is further away than any repair takes, and holds nothing up.
    return now < tried.busy_until < now + FORGET_FAULT_AFTER


def begun(tried: VmAttempts, by: str, *, now: float, until: float) -> VmAttempts:
    """Return the attempts with one that a process begins now and ends by `until`."""
    return replace(tried, times=(*tried.times, now)[-MAX_TIMES:], busy_until=until, by=by)


def held(tried: VmAttempts, by: str, *, until: float) -> VmAttempts:
    """Return the attempts of a VM that a process works on until `until`, which is no new one."""
    return replace(tried, busy_until=until, by=by)


def ended(tried: VmAttempts, *, sent: bool) -> VmAttempts:
    """Return the attempts once the last has ended; what was surely not sent counts as none."""
    return replace(tried, times=tried.times if sent else tried.times[:-1], busy_until=0.0, by="")


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
