"""A VM that a repair has stopped is started, whatever comes between, and after the last attempt."""

import pytest

from hooks.http.deadline import Deadline
from hooks.targetclusters.healing.plan import vm_attempts
from hooks.targetclusters.healing.plan.vm_attempts import VmAttempts
from hooks.targetclusters.healing.vm_leases import KeptAttempts, VmLeases
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import NAMESPACE, Life, cloud_config, living

HOUR = 3600.0
#: A reboot, and a stop with a start.
RETRIES = 2


def stop_and_fail_to_start(life: Life) -> None:
    """Live until the last attempt has stopped the VM of n-001, and its start was refused."""
    life.live(60)
    control = life.farm.simulator.control
    control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
    life.farm.fall("n-001", Ill.STUBBORN)
    assert life.live(HOUR, until=lambda: life.driven.says("Healing") == "False RetriesExhausted")
    assert life.farm.state("n-001") == "Stopped"
    assert "no capacity" in str(life.fault("n-001"))


def names_the_vm(life: Life) -> bool:
    """Tell whether condition and status name the VM of n-001, which waits for its start."""
    vm = life.farm.patients["n-001"].vm_id
    owed = life.healing.get("owedStarts") or []
    said = life.driven.condition("Healing")["message"]
    is_said = f"VM {vm} of n-001 was stopped by a repair, and its start is owed" in said
    assert is_said == bool(owed), (said, owed)
    return owed == [{"object": "n-001", "vm": vm}]


def runs(life: Life) -> bool:
    return life.farm.state("n-001") == "Running"


def test_a_start_that_is_refused_is_sent_ever_more_seldom_until_it_is_taken() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.live(6 * HOUR)
        refused = life.farm.sent("startVirtualMachine", "n-001")
        assert 6 <= refused <= 17
        assert life.fault("n-001")["attempts"] == RETRIES
        life.farm.simulator.control.clear_faults()
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)
        life.live(2 * HOUR)
        assert life.farm.sent("startVirtualMachine", "n-001") == refused + 1
        assert life.farm.sent("stopVirtualMachine") == 1
        assert life.faults == []


STOPPED = [
    pytest.param({"autoHealing": {"enabled": False, "maxRetry": RETRIES}}, id="disabled"),
    pytest.param({"suspend": True}, id="suspended"),
]


@pytest.mark.parametrize("change", STOPPED)
def test_a_person_who_stops_healing_while_a_vm_is_stopped_is_told_of_it(
    change: dict[str, object],
) -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        control = life.farm.simulator.control
        control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
        life.farm.fall("n-001", Ill.STUBBORN)
        assert life.live(HOUR, until=lambda: life.farm.sent("stopVirtualMachine") == 1)
        life.clock.now += 1  # else a probe of this very moment counts for the new spec
        life.change(**change)
        assert life.live(HOUR, until=lambda: names_the_vm(life))
        life.restart()
        life.live(600)
        assert names_the_vm(life)
        life.delete()
        assert life.live(HOUR, until=lambda: life.is_gone)
        assert life.farm.state("n-001") == "Stopped"
        left = [each for each in life.driven.operator.events if each.reason == "VMLeftStopped"]
        assert [life.farm.patients["n-001"].vm_id in each.message for each in left] == [True]


@pytest.mark.parametrize("change", STOPPED)
def test_an_operator_that_starts_again_after_that_tells_it_at_the_deletion(
    change: dict[str, object],
) -> None:
    """The process died before the round that stopped the VM had ended."""
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        control = life.farm.simulator.control
        life.farm.fall("n-001", Ill.STUBBORN)
        control.fault("startVirtualMachine", kind="stop-after", skip=0, executed=False)
        assert life.live(HOUR, until=lambda: bool(control.armed.stopped))
        life.clock.now += 1  # else a probe of this very moment counts for the new spec
        life.change(**change)
        control.clear_faults()
        control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
        life.restart()
        life.live(600)
        life.delete()
        assert life.live(HOUR, until=lambda: life.is_gone)
        assert life.farm.state("n-001") == "Stopped"
        assert "VMLeftStopped" in [each.reason for each in life.driven.operator.events]


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("write", [1, 2], ids=["stop", "start"])
def test_killed_in_the_last_attempt(write: int, executed: bool) -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        control = life.farm.simulator.control
        control.fault(kind="stop-after", skip=write, executed=executed)
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(HOUR, until=lambda: bool(control.armed.stopped))
        control.clear_faults()
        life.restart()
        life.live(HOUR)
        assert runs(life)
        assert life.farm.attempts("n-001") <= RETRIES
        assert life.farm.overlaps() == []
        assert life.fault("n-001")["attempts"] == RETRIES


def test_what_a_person_stops_afterwards_stays_stopped() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.farm.simulator.control.clear_faults()
        assert life.live(HOUR, until=lambda: runs(life))
        life.farm.patients["n-001"].ill = Ill.BROKEN
        life.live(HOUR / 2)
        life.farm.vm("n-001", "Stopped")
        sent = life.farm.sent("startVirtualMachine", "n-001")
        life.live(3 * HOUR)
        assert life.farm.sent("startVirtualMachine", "n-001") == sent


def test_a_cordoned_node_is_left_as_it_is_until_it_is_not() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.farm.patients["n-001"].unit = {"spec": {"unschedulable": True}}
        life.farm.simulator.control.clear_faults()
        life.live(2 * HOUR)
        assert not runs(life)
        life.farm.patients["n-001"].unit = {}
        assert life.live(HOUR, until=lambda: runs(life))


def test_the_vm_of_a_node_that_is_deleted_meanwhile_is_its_owners_affair() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.farm.patients["n-001"].deleted = True
        life.live(HOUR)
        life.farm.simulator.control.clear_faults()
        life.live(HOUR)
        assert not runs(life)


def test_the_only_node_of_the_control_plane_is_started_without_its_api_server() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        life.farm.api_server_on = ("n-001",)
        control = life.farm.simulator.control
        control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
        life.farm.fall("n-001", Ill.STUBBORN)
        assert life.live(HOUR, until=lambda: life.farm.sent("startVirtualMachine") == 1)
        assert life.farm.is_away
        control.clear_faults()
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)


def test_an_open_breaker_does_not_hold_it_up() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        for name in ("n-002", "n-003", "n-004"):
            life.farm.fall(name, Ill.BROKEN)
        assert life.live(HOUR, until=lambda: life.driven.says("Healing") == "False BreakerOpen")
        life.farm.simulator.control.clear_faults()
        assert life.live(HOUR, until=lambda: runs(life))


@pytest.mark.parametrize(
    "change",
    [
        {"suspend": True},
        {"autoHealing": {"enabled": True, "mode": "Plan"}},
        {"autoHealing": {"enabled": False}},
    ],
)
def test_who_forbids_repairs_forbids_it_too(change: dict[str, object]) -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.farm.simulator.control.clear_faults()
        life.clock.now += 1  # else a probe of this very moment counts for the new spec
        life.change(**change)
        life.live(2 * HOUR)
        assert not runs(life)
        assert names_the_vm(life)
        life.change(suspend=False, autoHealing={"enabled": True, "maxRetry": RETRIES})
        assert life.live(HOUR, until=lambda: runs(life))


def test_without_an_account_the_vm_that_waits_is_named_until_it_is_started() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        assert names_the_vm(life)
        life.own.remove("Secret", "cloudstack", NAMESPACE)
        life.farm.simulator.control.clear_faults()
        life.live(HOUR)
        life.restart()
        life.live(HOUR)
        assert not runs(life)
        assert names_the_vm(life)
        life.own.put(cloud_config(life.farm.simulator))
        assert life.live(HOUR, until=lambda: runs(life))
        assert life.live(HOUR, until=lambda: not names_the_vm(life))


def test_who_deletes_the_target_cluster_has_the_vm_started_first() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.live(3 * HOUR)
        life.delete()
        refused = life.farm.sent("startVirtualMachine")
        assert not life.live(180, until=lambda: life.is_gone)
        assert 2 <= life.farm.sent("startVirtualMachine") - refused <= 4
        life.restart()
        life.farm.simulator.control.clear_faults()
        assert life.live(180, until=lambda: life.is_gone)
        assert runs(life)
        assert life.events[-1:] == ["RepairMade"]


def left_stopped(life: Life) -> str:
    """Return what the Event says of the VM that a TargetCluster leaves stopped."""
    found = [one for one in life.driven.operator.events if one.reason == "VMLeftStopped"]
    assert len(found) == 1
    assert f"VM {life.farm.patients['n-001'].vm_id} of n-001" in found[0].message
    assert not runs(life)
    return found[0].message


def test_a_vm_that_cannot_be_started_holds_the_deletion_for_a_while_and_is_named() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.delete()
        assert not life.live(9 * 60, until=lambda: life.is_gone)
        assert life.live(120, until=lambda: life.is_gone)
        said = left_stopped(life)
        assert "no capacity" in said
        assert "finalizeTimeout has passed" in said


@pytest.mark.parametrize("change", [{"mode": "Plan"}, {"enabled": False}, None])
def test_nobody_waits_where_no_start_can_be_made(change: dict[str, object] | None) -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        if change is None:
            life.own.remove("Secret", "cloudstack", NAMESPACE)
        else:
            life.change(autoHealing={"enabled": True, "maxRetry": RETRIES, **change})
        life.live(HOUR)
        sent = life.farm.sent("startVirtualMachine")
        life.farm.simulator.control.clear_faults()
        life.delete()
        assert life.live(60, until=lambda: life.is_gone)
        left_stopped(life)
        assert life.farm.sent("startVirtualMachine") == sent


@pytest.mark.parametrize("executed", [True, False])
def test_who_deletes_the_target_cluster_during_a_repair_waits_for_its_end(executed: bool) -> None:
    with living(nodes=5, maxRetry=RETRIES, job_delay=0.1) as life:
        life.live(60)
        control = life.farm.simulator.control
        control.fault(kind="stop-after", skip=1, executed=executed)
        life.farm.fall("n-001", Ill.STUBBORN)
        life.live(HOUR, until=lambda: bool(control.armed.stopped))
        control.clear_faults()
        life.delete()
        assert life.live(HOUR, until=lambda: life.is_gone)
        assert runs(life)
        assert life.farm.overlaps() == []


def test_a_deletion_without_anything_owed_makes_no_repair() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(120)
        life.delete()
        assert life.live(60, until=lambda: life.is_gone)
        assert not life.farm.repairs()


def tried_on(life: Life) -> KeptAttempts:
    """Read what was tried on the VM of n-001, for whatever TargetCluster."""
    leases, vm = VmLeases(life.own, "operators"), life.farm.patients["n-001"].vm_id
    return leases.read(life.farm.simulator.url, vm, Deadline(5.0))


def test_a_vm_that_another_target_cluster_repairs_is_started_after_that() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.live(2 * HOUR)
        life.farm.simulator.control.clear_faults()
        now, kept = life.clock.now, tried_on(life)
        another = vm_attempts.begun(
            kept.attempts, "another", "team", now=now, until=now + 0.9 * HOUR
        )
        kept.write(another, now, Deadline(5.0))
        life.live(0.8 * HOUR)
        assert not runs(life)
        assert "repaired for another" in life.driven.condition("Healing")["message"]
        assert life.live(HOUR, until=lambda: runs(life))


def test_a_start_holds_its_vm_and_counts_as_no_attempt_on_it() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        full = VmAttempts(tuple(life.clock.now - each for each in range(9, 0, -1)))
        tried_on(life).write(full, life.clock.now, Deadline(5.0))
        control = life.farm.simulator.control
        control.clear_faults()
        control.fault("startVirtualMachine", "job-never-ends")
        sent = life.farm.sent("startVirtualMachine")
        assert life.live(HOUR, until=lambda: life.farm.sent("startVirtualMachine") > sent)
        held = tried_on(life).attempts
        assert held.times == full.times
        assert "being repaired" in vm_attempts.why_busy(held, nows=(life.clock.now,))
        life.restart()
