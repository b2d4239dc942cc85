"""Several repairs at once: as many as said, each VM alone, and one node of the control plane."""

import random

import pytest

from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living

HOUR = 3600.0
RETRIES = 2
CONTROL_PLANE = {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}


def fall(life: Life, ill: Ill, *names: str) -> None:
    for name in names:
        life.farm.fall(name, ill)


def check(life: Life, *names: str, most: int) -> None:
    assert max(life.farm.attempts(name) for name in names) <= RETRIES, life.farm.repairs()
    assert life.farm.overlaps() == []
    assert life.farm.most_at_once() <= most


@pytest.mark.parametrize("most", [1, 3])
def test_as_many_repairs_are_begun_as_said(most: int) -> None:
    with living(nodes=20, maxConcurrent=most) as life:
        life.live(60)
        control = life.farm.simulator.control
        control.fault("rebootVirtualMachine", "job-never-ends", times=None)
        fall(life, Ill.BROKEN, "n-001", "n-002", "n-003", "n-004", "n-005")
        assert life.live(HOUR, until=lambda: life.farm.sent("rebootVirtualMachine") == most)
        life.restart()
        assert life.farm.repairs() == {f"reboot n-00{number + 1}": 1 for number in range(most)}


def test_a_wave_is_repaired_several_at_a_time() -> None:
    with living(nodes=30, job_delay=0.05, maxConcurrent=4) as life:
        life.live(60)
        names = sorted(life.farm.patients)[:10]
        fall(life, Ill.HUNG, *names)
        assert life.live(6 * HOUR, until=lambda: life.events.count("RepairMade") == len(names))
        assert life.farm.repairs() == {f"reboot {name}": 1 for name in names}
        check(life, *names, most=4)
        assert life.live(HOUR, until=lambda: not life.faults)


def test_one_node_of_the_control_plane_at_a_time_beside_others() -> None:
    with living(nodes=12, maxConcurrent=10) as life:
        for name in ("n-001", "n-002", "n-003", "n-006", "n-007"):
            life.farm.patients[name].unit = CONTROL_PLANE
        life.live(60)
        control = life.farm.simulator.control
        control.fault("rebootVirtualMachine", "job-never-ends", times=None)
        fall(life, Ill.BROKEN, "n-001", "n-002", "n-004", "n-005")
        assert life.live(HOUR, until=lambda: life.farm.sent("rebootVirtualMachine") == 3)
        life.restart()
        expected = {"reboot n-001": 1, "reboot n-004": 1, "reboot n-005": 1}
        assert life.farm.repairs() == expected


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("number", range(2, 12))
def test_killed_at_a_call_about_what_was_tried(number: int, executed: bool) -> None:
    names = ("n-001", "n-002", "n-003")
    with living(nodes=9, maxRetry=RETRIES, maxConcurrent=3) as life:
        life.live(60)
        life.own.kill_at, life.own.executed = number, executed
        fall(life, Ill.BROKEN, *names)
        life.live(1.5 * HOUR)
        check(life, *names, most=3)
        assert life.driven.says("Healing") == "False RetriesExhausted"
        assert life.healing["givenUp"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_two_replicas_share_the_number(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = ("n-001", "n-002", "n-003", "n-004")
    with living(nodes=12, job_delay=0.02, maxRetry=RETRIES, maxConcurrent=2) as life:
        operators = [life.driven.operator, life.operator()]

        def choose() -> None:
            life.driven.operator = chance.choice(operators)

        life.before = choose
        life.live(60)
        fall(life, Ill.BROKEN, *names)
        life.live(2 * HOUR)
        check(life, *names, most=2)
        for operator in operators:
            operator.hook.close()
