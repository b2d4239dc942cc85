"""Repairs wait for a maintenance window, and one that runs when it ends is finished."""

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living
from tests.integration.targetclusters_healing.test_owed_starts import stop_and_fail_to_start
from tests.targets.driving import NOW

HOUR = 3600.0
#: The clock starts at 2027-01-15T08:00:00Z.
SOON = {"schedule": "30 10,12 * * *", "duration": "30m", "timeZone": "Europe/Berlin"}
OPENS = 1.5 * HOUR


def outside(life: Life) -> bool:
    return life.driven.says("Healing") == "True OutsideWindow"


def test_nothing_is_repaired_before_a_window_begins() -> None:
    assert timestamp(NOW) == "2027-01-15T08:00:00Z"
    with living(nodes=5, maintenanceWindows=[SOON]) as life:
        life.change(monitorInterval="20m")
        life.live(60)
        assert life.driven.says("Healing") == "True Healthy"
        life.farm.fall("n-001", Ill.HUNG)
        assert life.live(1.2 * HOUR, until=lambda: outside(life)), life.driven.status
        assert "2027-01-15T09:30:00Z" in life.driven.condition("Healing")["message"]
        life.live(NOW + OPENS - 1 - life.clock.now)
        assert outside(life)
        assert life.farm.repairs() == {}
        assert "maintenanceWindows" in life.fault("n-001")["waits"]
        life.live(60)
        assert life.farm.repairs() == {"reboot n-001": 1}


def test_attempts_go_on_in_the_next_window() -> None:
    with living(nodes=5, maxRetry=4, maintenanceWindows=[SOON]) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(OPENS + 0.6 * HOUR)
        assert life.farm.attempts("n-001") == 3
        assert outside(life)
        life.live(1.5 * HOUR + 60)
        assert life.farm.attempts("n-001") == 4


def test_a_repair_that_runs_when_the_window_ends_is_finished() -> None:
    short = {**SOON, "duration": "7m"}
    with living(nodes=5, job_delay=0.2, maxRetry=2, maintenanceWindows=[short]) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.STUBBORN)

        def runs() -> bool:
            return life.farm.sent("stopVirtualMachine") == 1

        assert life.live(OPENS + HOUR / 2, until=runs)
        life.clock.now += 600
        assert life.live(HOUR, until=lambda: life.farm.sent("startVirtualMachine") == 1)
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)


def test_a_plan_is_shown_at_any_time() -> None:
    with living(nodes=5, mode="Plan", maintenanceWindows=[SOON]) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.HUNG)
        assert life.live(HOUR, until=lambda: bool(life.fault("n-001").get("planned")))
        assert outside(life)


def test_a_window_that_cannot_be_read_keeps_everything_from_being_repaired() -> None:
    with living(nodes=5, maintenanceWindows=[SOON, {**SOON, "schedule": "0 25 * * *"}]) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(2 * HOUR)
        assert life.farm.repairs() == {}
        assert life.driven.says("Healing") == "False WindowInvalid"
        message = life.driven.condition("Healing")["message"]
        assert "spec.autoHealing.maintenanceWindows[1].schedule is '0 25 * * *'" in message
        life.change(autoHealing={"enabled": True, "maintenanceWindows": [SOON]})
        assert life.live(4 * HOUR, until=lambda: life.farm.patients["n-001"].ready)


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param([SOON], id="closed"),
        pytest.param([{**SOON, "timeZone": "Mars"}], id="not to be read"),
    ],
)
def test_a_vm_that_a_repair_has_stopped_is_started_whatever_the_windows_say(
    windows: list[Json],
) -> None:
    with living(nodes=5, maxRetry=2) as life:
        stop_and_fail_to_start(life)
        life.change(autoHealing={"enabled": True, "maxRetry": 2, "maintenanceWindows": windows})
        life.farm.simulator.control.clear_faults()
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)
