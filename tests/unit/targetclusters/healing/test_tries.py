"""What was tried on a VM counts for whatever fault, node name or TargetCluster it was tried."""

from dataclasses import replace

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict
from hooks.targetclusters.healing.plan import tries
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import Policy
from hooks.targetclusters.healing.plan.tries import Tries, TriesByVm, read_tries, write_tries
from hooks.targetclusters.healing.vm_leases import VmLeases
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
        pytest.param(Tries(), 0.0, "", id="never"),
        pytest.param(Tries((NOW - 60,)), 0.0, "just now", id="a minute ago"),
        pytest.param(Tries((NOW - 5 * MINUTE,)), 0.0, "", id="a pause ago"),
        pytest.param(Tries((NOW - 1800, NOW - 500)), 0.0, "just now", id="two: a longer pause"),
        pytest.param(Tries((NOW - 3000, NOW - 2000, NOW - 1000)), 0.0, "maxRetry", id="three"),
        pytest.param(Tries((NOW - 3601, NOW - 2000, NOW - 1900)), 0.0, "", id="an hour passes"),
        pytest.param(Tries((NOW - 3, NOW - 2, NOW - 1)), NOW, "", id="a person begins again"),
        pytest.param(Tries((NOW - 1,), NOW + 300), NOW, "being repaired", id="one runs"),
        pytest.param(Tries((NOW + 86400,)), 0.0, "", id="a clock that was a day ahead"),
        pytest.param(Tries((NOW + 86400,) * 3), 0.0, "", id="thrice"),
    ],
)
def test_why_a_vm_is_not_repaired(tried: Tries, again: float, why: str) -> None:
    found = tries.why_not(tried, POLICY, again=again, now=NOW)
    assert why in found
    assert bool(why) == bool(found)


def test_what_was_not_sent_counts_as_none() -> None:
    begun = tries.begun(Tries((NOW,)), "me", now=NOW + 600, until=NOW + 930)
    assert begun == Tries((NOW, NOW + 600), NOW + 930, "me")
    assert tries.ended(begun, sent=True) == Tries((NOW, NOW + 600))
    assert tries.ended(begun, sent=False) == Tries((NOW,))


def test_what_is_over_is_dropped_when_something_is_written() -> None:
    known = TriesByVm({"old": Tries((NOW - 3601,)), "new": Tries((NOW - 60,))})
    kept = known.having("mine", Tries((NOW,)), NOW)
    assert kept.vms.keys() == {"new", "mine"}
    assert kept.having("mine", Tries(), NOW).vms.keys() == {"new"}


def test_a_vm_that_is_held_is_busy_until_it_is_not_and_nothing_counts() -> None:
    held = tries.held(Tries(), "me", until=NOW + 330)
    kept = TriesByVm().having("mine", held, NOW)
    assert tries.why_not(kept.of("mine"), POLICY, again=0.0, now=NOW + 329)
    assert kept.having("another", Tries((NOW,)), NOW + 331).vms.keys() == {"another"}
    assert tries.ended(held, sent=True) == Tries()
    assert tries.why_busy(Tries(busy_until=NOW + 86400), now=NOW) == ""


def test_it_is_read_as_it_was_written() -> None:
    known = TriesByVm({"b": Tries((NOW,), NOW + 1), "a": Tries((NOW - 60,))})
    assert read_tries(write_tries(known)) == replace(known, vms=dict(known.vms))
    assert read_tries("") == TriesByVm()
    with pytest.raises(Unreadable):
        read_tries("[]")


def soon() -> Deadline:
    return Deadline(5.0)


def test_of_two_that_begin_at_once_one_gets_the_vm() -> None:
    leases = VmLeases(OwnCluster(), "operators")
    one, other = (leases.read(URL, "vm-1", soon()) for _ in range(2))
    begun = tries.begun(Tries(), "me", now=NOW, until=NOW + 330)
    one.write(begun, NOW, soon())
    with pytest.raises(Conflict):
        other.write(begun, NOW, soon())
    assert leases.read(URL, "VM-1", soon()).tries == begun
    for same in (URL + "/", URL.replace("cloud.", "Cloud."), URL.replace(".com", ".com:443")):
        assert leases.read(same, "vm-1", soon()).tries == begun
    assert leases.read("https://elsewhere.example.com", "vm-1", soon()).tries == Tries()


def test_an_end_is_written_whatever_is_written_beside_it() -> None:
    leases = VmLeases(OwnCluster(), "operators")
    kept = leases.read(URL, "vm-1", soon())
    begun = kept.write(tries.begun(Tries(), "me", now=NOW, until=NOW + 330), NOW, soon())
    leases.read(URL, "vm-1", soon()).write(begun.tries, NOW, soon())
    begun.change(lambda each: tries.ended(each, sent=True), NOW, soon())
    assert leases.read(URL, "vm-1", soon()).tries == Tries((NOW,))
