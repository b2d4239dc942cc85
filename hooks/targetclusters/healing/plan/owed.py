"""Decides about starts that are owed: healing has stopped a VM, and has not seen it started.

A stop and the start after it are one attempt. A process may end between the two, or the start may
be refused. So the journal holds that the start is owed, from before the stop is sent until the VM
is seen to run. To start it is no new attempt, and goes on after the last one.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from hooks.http.texts import shorten
from hooks.targetclusters.healing.plan.decide import MAX_OUTCOME
from hooks.targetclusters.healing.plan.model import Journal, Policy, Record

#: Seconds after a stop was sent in which a VM that runs may still be stopping: it reads Running
#: until its stop is done, and not everybody may list the jobs that work on it.
STOPPING_FOR = 600.0
#: Seconds after a stop was sent in which a VM that its account does not see may be seen again.
UNSEEN_FOR = 3600.0

#: States of a VM that its owner has given up.
_GONE = ("Destroyed", "Expunging", "Expunged")


def begin_stop(record: Record, vm: str, *, cluster: str, account: str) -> Record:
    """Return the record of an attempt that is about to be made, with what it comes to owe.

    Args:
        record: of the attempt, as decide.begin returns it.
        vm: the id of its VM.
        cluster: where its node is, and which cluster that is.
        account: with which the VM is stopped.
    """
    if record.owed_at is None or record.owed_at != record.tried_at:
        return record
    return replace(record, owed_vm=vm, owed_in=cluster, owed_by=account)


def why_not_beside(record: Record, object_id: str) -> str:
    """Say why a VM is not to be repaired: the node's former one waits for its start first."""
    if record.owed_at is None or record.owed_vm == object_id:
        return ""
    return f"the VM {record.owed_vm}, which a repair has stopped for this node, is started first"


def after_stop(record: Record, *, sent: bool, done: bool) -> Record:
    """Return the record of an attempt that has ended, with the start that it still owes.

    Args:
        record: of the attempt, as it was begun.
        sent: whether CloudStack may have carried anything out.
        done: whether it has carried out everything, so that the VM runs.
    """
    is_untouched = not sent and record.owed_at == record.tried_at  # owed by this attempt alone
    return replace(record, owed_at=None if done or is_untouched else record.owed_at)


def due_starts(journal: Journal, policy: Policy, *, now: float) -> tuple[Record, ...]:
    """Return the records with a start that is due, the oldest first."""
    owing = [
        (each.owed_at, each)
        for each in journal.records.values()
        if each.owed_at is not None and each.is_owing
    ]
    # What a wrong clock wrote is further away than the longest pause, and holds nothing up.
    due = [(at, each) for at, each in owing if not now < at <= now + policy.longest]
    return tuple(each for _, each in sorted(due, key=lambda pair: (pair[0], pair[1].key)))


def judge_start(
    record: Record, state: str | None, *, busy: bool, account: str, now: float
) -> Literal["start", "settled", "wait"]:
    """Tell what to do about a start that is owed.

    It is settled where the VM runs, or where the account that had it says that it is gone. No other
    state, and no other account that does not see the VM, says that it was started.

    Args:
        record: the fault.
        state: of the VM; None where these keys do not see it.
        busy: a job works on it.
        account: whose keys these are; empty if that is not known.
        now: epoch seconds.
    """
    if busy:
        return "wait"
    if state == "Stopped":
        return "start"
    if state in _GONE:
        return "settled"
    is_seen = state == "Running" or (state is None and account and account == record.owed_by)
    ago = now - (record.tried_at or 0.0)
    patience = UNSEEN_FOR if state is None else STOPPING_FOR
    return "settled" if is_seen and not 0 <= ago < patience else "wait"


def begin_start(record: Record, policy: Policy, *, now: float) -> Record:
    """Return the record with a start that is about to be sent, and when the next one would be due.

    The time since the stop is the time until the next start, so it doubles with each.
    """
    ago = now - (record.tried_at or 0.0)
    return replace(record, owed_at=now + min(policy.longest, max(policy.first, ago)))


def after_start(record: Record, outcome: str, *, done: bool, now: float) -> Record:
    """Return the record after a start that was owed."""
    owed_at, text = None if done else record.owed_at, shorten(outcome, MAX_OUTCOME)
    return replace(record, owed_at=owed_at, ended_at=now, outcome=text, by="")


def without_owed(records: Iterable[Record], journal: Journal) -> Journal:
    """Return the journal without the starts that some records owe."""
    for record in records:
        journal = journal.with_record(replace(record, owed_at=None))
    return journal
