"""Each row of the table, to healed and to given up, with exact counts."""

import pytest

from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living

HOUR = 3600.0


def heals(life: Life, name: str, within: float = HOUR) -> None:
    """Live until a node is ready again."""
    assert life.live(120, until=lambda: bool(life.fault(name))), life.driven.status
    ready = life.farm.patients[name]
    assert life.live(within, until=lambda: ready.ready), life.driven.status


def is_given_up(life: Life) -> bool:
    return life.driven.says("Healing") == "False RetriesExhausted"


def test_a_stopped_vm_is_started() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.vm("n-001", "Stopped")
        heals(life, "n-001")
        assert life.farm.repairs() == {"start n-001": 1}
        assert life.live(HOUR, until=lambda: life.fault("n-001")["attempts"] == 1)
        life.live(1.5 * HOUR)
        assert life.farm.repairs() == {"start n-001": 1}
        assert life.faults == []


def test_a_node_that_hangs_is_rebooted() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.HUNG)
        heals(life, "n-001")
        life.live(1.5 * HOUR)
        assert life.farm.repairs() == {"reboot n-001": 1}
        assert life.faults == []


def test_a_node_that_no_reboot_helps_is_stopped_and_started() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.STUBBORN)
        heals(life, "n-001")
        life.live(1.5 * HOUR)
        assert life.farm.repairs() == {"reboot n-001": 1, "stop n-001": 1, "start n-001": 1}
        [stop] = life.farm.simulator.control.calls("stopVirtualMachine")
        assert "forced" not in stop["params"]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_node_that_nothing_helps_is_given_up(retries: int) -> None:
    with living(nodes=5, maxRetry=retries) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.BROKEN)
        assert life.live(24 * HOUR, until=lambda: is_given_up(life)), life.driven.status
        assert life.farm.attempts("n-001") == retries
        life.live(HOUR)
        assert life.farm.attempts("n-001") == retries
        assert is_given_up(life)
        assert life.fault("n-001")["attempts"] == retries
        life.farm.recover("n-001")
        assert life.live(2 * HOUR, until=lambda: not is_given_up(life))


def test_nothing_is_repaired_before_its_time() -> None:
    with living(nodes=5, nodeTimeout="20m") as life:
        life.live(60)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(19 * 60)
        assert life.farm.repairs() == {}
        life.live(3 * 60)
        assert life.farm.repairs() == {"reboot n-001": 1}


@pytest.mark.parametrize("change", [{"suspend": True}, {"autoHealing": {"enabled": False}}])
def test_what_is_not_to_be_repaired_is_not(change: dict[str, object]) -> None:
    with living(nodes=5) as life:
        life.change(**change)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR / 2)
        assert life.farm.repairs() == {}


def test_a_plan_says_what_would_be_done_and_does_nothing() -> None:
    with living(nodes=5, mode="Plan") as life:
        life.live(60)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR)
        assert life.farm.repairs() == {}
        assert life.fault("n-001")["attempts"] == 0
        assert "eboot" in str(life.fault("n-001"))


def test_a_vm_in_between_is_left_alone() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.vm("n-001", "Migrating")
        life.live(HOUR / 2)
        assert life.farm.repairs() == {}
        life.farm.vm("n-001", "Stopped")
        heals(life, "n-001")
        assert life.farm.repairs() == {"start n-001": 1}


@pytest.mark.parametrize(
    "unit",
    [
        {"spec": {"unschedulable": True}},
    ],
)
def test_a_cordoned_node_is_never_repaired(unit: dict[str, object]) -> None:
    with living(nodes=5) as life:
        life.farm.patients["n-001"].unit = unit
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR / 2)
        assert life.farm.repairs() == {}
