"""Starts that are owed: from before a stop is sent until the VM is seen to run."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.targetclusters.healing.plan import decide, owed
from hooks.targetclusters.healing.plan.journal import read_journal, write_journal
from hooks.targetclusters.healing.plan.model import Evidence, Journal, Policy, Record
from hooks.targetclusters.healing.plan.owed import STOPPING_FOR, UNSEEN_FOR
from hooks.targetclusters.request import IntOrPercent

NOW = 1_800_000_000.0
MINUTE = 60.0
YEAR = 365 * 86400.0
POLICY = Policy(
    3, 5 * MINUTE, 5 * MINUTE, 30 * MINUTE, IntOrPercent("40%"), 20 * MINUTE, 10 * MINUTE
)
SICK = Record("NodeNotReady", "a", since=NOW - 3600)


def begun(record: Record = SICK) -> Record:
    stop = decide.begin(record, "StopStartVM", POLICY, now=NOW)
    stop = owed.begin_stop(stop, "vm-a", cluster="here", account="us")
    return replace(stop, by="me", vm="vm-a")


def ended(record: Record, *, sent: bool = True, done: bool = False) -> Record:
    over = decide.with_outcome(record, "so it went", POLICY, sent=sent, now=NOW + 5)
    return owed.after_stop(over, sent=sent, done=done)


def due(record: Record, *, at: float = NOW + MINUTE) -> bool:
    journal = Journal().with_record(record)
    return owed.due_starts(journal, POLICY, now=at) == (record,)


def test_a_start_is_owed_from_before_the_stop() -> None:
    assert begun().owed_at == NOW
    assert not due(begun())  # its process is at it
    assert due(decide.with_lost_outcome(begun()))


@pytest.mark.parametrize("repair", ["StartVM", "RebootVM"])
def test_nothing_else_owes_one(repair: str) -> None:
    record = decide.begin(SICK, repair, POLICY, now=NOW)  # type: ignore[arg-type]
    assert record.owed_at is None


def test_what_is_done_or_was_not_sent_owes_nothing_and_all_else_does() -> None:
    assert ended(begun(), done=True).owed_at is None
    assert ended(begun(), sent=False).owed_at is None
    assert due(ended(begun()))


def test_an_attempt_that_was_not_sent_pays_no_earlier_debt() -> None:
    earlier = replace(SICK, owed_at=NOW - MINUTE)
    assert due(ended(begun(earlier), sent=False))


def test_a_start_that_is_done_pays_it() -> None:
    earlier = replace(SICK, owed_at=NOW - MINUTE)
    record = replace(decide.begin(earlier, "StartVM", POLICY, now=NOW), by="me")
    assert ended(record, done=True).owed_at is None
    assert due(ended(record))


@pytest.mark.parametrize(
    ("state", "after", "fields", "judged"),
    [
        pytest.param("Stopped", 1, {}, "start", id="stopped"),
        pytest.param("Stopped", 1, {"busy": True}, "wait", id="stopped, and a job works on it"),
        pytest.param("Running", 1, {}, "wait", id="it may still be stopping"),
        pytest.param("Running", STOPPING_FOR, {}, "settled", id="it runs"),
        pytest.param("Running", STOPPING_FOR, {"busy": True}, "wait", id="a job works on it"),
        pytest.param("Starting", 1, {}, "wait", id="another starts it"),
        pytest.param("Stopping", YEAR, {}, "wait", id="it is stopping, however long"),
        pytest.param("Unknown", YEAR, {}, "wait", id="CloudStack does not know"),
        pytest.param("Destroyed", 1, {}, "settled", id="destroyed"),
        pytest.param("Expunging", 1, {}, "settled", id="expunging"),
        pytest.param(None, STOPPING_FOR, {}, "wait", id="not to be seen"),
        pytest.param(None, UNSEEN_FOR, {}, "settled", id="gone"),
        pytest.param(None, YEAR, {"account": "other"}, "wait", id="not another account's"),
        pytest.param(None, YEAR, {"account": ""}, "wait", id="whose keys these are is not known"),
        pytest.param("Running", -MINUTE, {}, "settled", id="the clock was set back"),
    ],
)
def test_the_state_of_the_vm_decides(
    state: str | None, after: float, fields: dict[str, Any], judged: str
) -> None:
    asked: dict[str, Any] = {"busy": False, "account": "us", **fields}
    assert owed.judge_start(ended(begun()), state, now=NOW + after, **asked) == judged


def test_what_is_owed_is_owed_to_its_own_vm_whatever_is_tried_next() -> None:
    again = decide.begin(ended(begun()), "StopStartVM", POLICY, now=NOW + MINUTE)
    again = owed.begin_stop(again, "vm-b", cluster="there", account="them")
    assert (again.owed_vm, again.owed_in, again.owed_by) == ("vm-a", "here", "us")
    assert owed.why_not_beside(again, "vm-a") == ""
    assert "vm-a" in owed.why_not_beside(again, "vm-b")
    assert owed.why_not_beside(SICK, "vm-b") == ""


def test_starts_are_ever_further_apart_and_go_on() -> None:
    record, now, at = ended(begun()), NOW, []
    while now < NOW + 3 * 3600:
        if due(record, at=now):
            at.append(round((now - NOW) / MINUTE))
            record = replace(owed.begin_start(record, POLICY, now=now), by="me")
            record = owed.after_start(record, "no capacity", done=False, now=NOW)
        now += MINUTE
    assert at == [0, 5, 10, 20, 40, 70, 100, 130, 160]
    assert record.attempts == 1
    assert owed.after_start(record, "started", done=True, now=NOW).owed_at is None


def test_a_time_that_a_wrong_clock_wrote_holds_nothing_up() -> None:
    assert due(replace(ended(begun()), owed_at=NOW + 365 * 86400))


def test_it_is_not_forgotten_with_its_fault_and_is_when_it_is_settled() -> None:
    journal, well = Journal().with_record(ended(begun())), Evidence(())
    for hours in range(1, 50):
        journal = decide.remember(journal, well, (), decide.Look(NOW + hours * 3600, 7200.0))
    assert [each.owed_at for each in journal.records.values()] == [NOW]
    assert read_journal(write_journal(journal)) == journal
    journal = owed.without_owed(journal.records.values(), journal)
    journal = decide.remember(journal, well, (), decide.Look(NOW + 50 * 3600, 7200.0))
    assert journal.records == {}


def test_who_begins_again_does_not_forget_it() -> None:
    journal = Journal().with_record(ended(begun()))
    journal = decide.remember(journal, Evidence(), (), decide.Look(NOW + 2, 600.0, NOW + 1))
    [record] = journal.records.values()
    assert (record.attempts, record.owed_at) == (0, NOW)
