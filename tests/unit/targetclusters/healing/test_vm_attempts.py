"""What was tried on a VM counts for whatever fault, node name or TargetCluster it was tried."""

from dataclasses import replace

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict
from hooks.targetclusters.healing.clock_steps import ClockSteps
from hooks.targetclusters.healing.plan import vm_attempts
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import Policy
from hooks.targetclusters.healing.plan.vm_attempts import (
    AttemptsByVm,
    VmAttempts,
    read_attempts,
    write_attempts,
)
from hooks.targetclusters.healing.vm_leases import VmLeases, server_of
from hooks.targetclusters.request import IntOrPercent
from tests.targets.own_cluster import OwnCluster

NOW = 1_800_000_000.0
MINUTE = 60.0
POLICY = Policy(
    3, 5 * MINUTE, 5 * MINUTE, 30 * MINUTE, IntOrPercent("40%"), 20 * MINUTE, 10 * MINUTE
)
URL = "https://cloud.example.com/client/api"


@pytest.mark.parametrize(
    ("tried", "again", "why"),
    [
        pytest.param(VmAttempts(), 0.0, "", id="never"),
        pytest.param(VmAttempts((NOW - 60,)), 0.0, "just now", id="a minute ago"),
        pytest.param(VmAttempts((NOW - 5 * MINUTE,)), 0.0, "", id="a pause ago"),
        pytest.param(
            VmAttempts((NOW - 1800, NOW - 500)), 0.0, "just now", id="two: a longer pause"
        ),
        pytest.param(VmAttempts((NOW - 3000, NOW - 2000, NOW - 1000)), 0.0, "maxRetry", id="three"),
        pytest.param(
            VmAttempts((NOW - 3601, NOW - 2000, NOW - 1900)), 0.0, "", id="an hour passes"
        ),
        pytest.param(VmAttempts((NOW - 3, NOW - 2, NOW - 1)), NOW, "", id="a person begins again"),
        pytest.param(VmAttempts((NOW - 1,), NOW + 300), NOW, "being repaired", id="one runs"),
        pytest.param(VmAttempts((NOW + 86400,)), 0.0, "", id="a clock that was a day ahead"),
        pytest.param(VmAttempts((NOW + 86400,) * 3), 0.0, "", id="thrice"),
    ],
)
def test_why_a_vm_is_not_repaired(tried: VmAttempts, again: float, why: str) -> None:
    found = vm_attempts.why_not(tried, POLICY, again=again, nows=(NOW,))
    assert why in found
    assert bool(why) == bool(found)


def test_what_was_not_sent_counts_as_none() -> None:
    begun = vm_attempts.begun(VmAttempts((NOW,)), "me", "team", now=NOW + 600, until=NOW + 930)
    assert begun == VmAttempts((NOW, NOW + 600), NOW + 930, "me", "team")
    assert vm_attempts.ended(begun, sent=True) == VmAttempts((NOW, NOW + 600), namespace="team")
    assert vm_attempts.ended(begun, sent=False) == VmAttempts((NOW,), namespace="team")


@pytest.mark.parametrize("sent", [True, False])
def test_a_process_that_stood_still_ends_no_repair_of_another(sent: bool) -> None:
    mine = vm_attempts.begun(VmAttempts((NOW,)), "me", "team", now=NOW + 600, until=NOW + 930)
    other = vm_attempts.begun(mine, "other", "team", now=NOW + 1300, until=NOW + 1630)
    held = vm_attempts.held(mine, "me", "team", until=NOW + 1630)
    for later in (other, held):
        assert vm_attempts.ended_if_last(later, mine, sent=sent) == later
    ended = vm_attempts.ended(mine, sent=sent)
    assert vm_attempts.ended_if_last(mine, mine, sent=sent) == ended != mine


def test_what_is_over_is_dropped_when_something_is_written() -> None:
    known = AttemptsByVm({"old": VmAttempts((NOW - 86401,)), "new": VmAttempts((NOW - 60,))})
    kept = known.having("mine", VmAttempts((NOW,)), NOW)
    assert kept.vms.keys() == {"new", "mine"}
    assert kept.having("mine", VmAttempts(), NOW).vms.keys() == {"new"}


def test_a_vm_that_is_held_is_busy_until_it_is_not_and_nothing_counts() -> None:
    held = vm_attempts.held(VmAttempts(), "me", "team", until=NOW + 330)
    kept = AttemptsByVm().having("mine", held, NOW)
    assert vm_attempts.why_not(kept.of("mine"), POLICY, again=0.0, nows=(NOW + 329,))
    assert kept.having("another", VmAttempts((NOW,)), NOW + 331).vms.keys() == {"another"}
    assert vm_attempts.ended(held, sent=True) == VmAttempts(namespace="team")
    assert vm_attempts.why_busy(VmAttempts(busy_until=NOW + 86400), nows=(NOW,)) == ""


def test_it_is_read_as_it_was_written() -> None:
    known = AttemptsByVm({"b": VmAttempts((NOW,), NOW + 1), "a": VmAttempts((NOW - 60,))})
    assert read_attempts(write_attempts(known)) == replace(known, vms=dict(known.vms))
    assert read_attempts("") == AttemptsByVm()
    with pytest.raises(Unreadable):
        read_attempts("[]")


def soon() -> Deadline:
    return Deadline(5.0)


def test_of_two_that_begin_at_once_one_gets_the_vm() -> None:
    leases = VmLeases(OwnCluster(), "operators")
    one, other = (leases.read(URL, "vm-1", soon()) for _ in range(2))
    begun = vm_attempts.begun(VmAttempts(), "me", "team", now=NOW, until=NOW + 330)
    one.write(begun, NOW, soon())
    with pytest.raises(Conflict):
        other.write(begun, NOW, soon())
    assert leases.read(URL, "VM-1", soon()).attempts == begun
    for same in (URL + "/", URL.replace("cloud.", "Cloud."), URL.replace(".com", ".com:443")):
        assert leases.read(same, "vm-1", soon()).attempts == begun
    assert leases.read("https://elsewhere.example.com", "vm-1", soon()).attempts == VmAttempts()


def test_an_end_is_written_whatever_is_written_beside_it() -> None:
    leases = VmLeases(OwnCluster(), "operators")
    kept = leases.read(URL, "vm-1", soon())
    begun = kept.write(
        vm_attempts.begun(VmAttempts(), "me", "team", now=NOW, until=NOW + 330), NOW, soon()
    )
    leases.read(URL, "vm-1", soon()).write(begun.attempts, NOW, soon())
    begun.change(lambda each: vm_attempts.ended(each, sent=True), NOW, soon())
    assert leases.read(URL, "vm-1", soon()).attempts == VmAttempts((NOW,), namespace="team")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (URL, "cloud.example.com:443/client/api"),
        ("https://Cloud.Example.com.//client/../client//api/", "cloud.example.com:443/client/api"),
        ("http://[0:0:0:0:0:0:0:1]:8080/client/api", "::1:8080/client/api"),
        ("http://[::1]:8080/client/api", "::1:8080/client/api"),
        ("https://b\u00fccher.example/client/api", "xn--bcher-kva.example:443/client/api"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example:443"),
        ("https://127.0.0.1/client/api", "127.0.0.1:443/client/api"),
    ],
)
def test_a_server_is_the_same_however_it_is_written(url: str, server: str) -> None:
    assert server_of(url) == server


def test_a_step_of_the_clock_forgets_nothing() -> None:
    steps, tried = ClockSteps(), VmAttempts((NOW - 1200, NOW - 1100, NOW - 1000), NOW + 300)
    steps.note(NOW, 50.0)
    for wall, passed in ((NOW + 3660, 60.0), (NOW - 86400, 120.0), (NOW + 3780, 180.0)):
        nows = steps.nows(wall, 50.0 + passed)
        assert min(abs(NOW + passed - now) for now in nows) < 1
        assert "being repaired" in vm_attempts.why_not(tried, POLICY, again=0.0, nows=nows)
        ended = vm_attempts.ended(tried, sent=True)
        assert "maxRetry" in vm_attempts.why_not(ended, POLICY, again=0.0, nows=nows)
    assert steps.nows(NOW + 3 * 3600, 3 * 3600) == (NOW + 3 * 3600,)


def test_what_one_namespace_has_without_end_pushes_out_its_own_alone() -> None:
    """Who serves a CloudStack of his own may have as many VMs, and attempts, as he likes."""
    victim = VmAttempts((NOW - 3000,), namespace="victim")
    known = AttemptsByVm({"victims": victim})
    for number in range(2000):
        now = NOW + number / 10
        own = vm_attempts.begun(VmAttempts(), "me", "attacker", now=now, until=now + 330)
        known = known.having(f"own-{number:012d}", own, now)
    assert known.of("victims") == victim
    assert known.of("own-000000001999").times
    assert known.of("own-000000000000") == VmAttempts()
    assert 0.9 * vm_attempts.MAX_BYTES < len(write_attempts(known)) <= 1.1 * vm_attempts.MAX_BYTES


def test_how_often_a_vm_is_repaired_is_counted_for_a_day() -> None:
    tried = VmAttempts(tuple(NOW - hours * 3600 for hours in (30, 25, 23, 12, 2)))
    assert vm_attempts.count_of_day(tried, NOW) == 3
    assert vm_attempts.why_not(tried, POLICY, again=0.0, nows=(NOW,)) == ""
    assert AttemptsByVm().having("vm", tried, NOW).of("vm") == tried
