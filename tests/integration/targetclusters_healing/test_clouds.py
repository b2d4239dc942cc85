"""CloudStack refuses, is slow, is down, or lies: nothing on doubt, and everything goes on."""

import pytest

from tests.integration.targetclusters_healing.farm import POWER, Ill
from tests.integration.targetclusters_healing.life import NAMESPACE, Life, cloud_config, living

HOUR = 3600.0


def is_well(life: Life, name: str = "n-001") -> bool:
    return life.farm.patients[name].ready


@pytest.mark.parametrize("kind", ["html", "error", "throttled", "empty"])
def test_a_cloudstack_that_is_down_costs_no_attempt(kind: str) -> None:
    with living(nodes=5) as life:
        control = life.farm.simulator.control
        life.live(60)
        control.fault("*", kind, times=None, seconds=0.01)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR / 4)
        assert life.farm.repairs() == {}
        assert life.fault("n-001")["attempts"] == 0
        control.clear_faults()
        assert life.live(3 * HOUR, until=lambda: is_well(life)), life.driven.status
        assert life.farm.repairs() == {"reboot n-001": 1}


@pytest.mark.parametrize("shown", ["Migrating", "Unknown", "Stopping", "Error"])
def test_no_repair_on_a_state_that_says_nothing(shown: str) -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.lie("n-001", shown)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR / 4)
        assert life.farm.repairs() == {}
        life.farm.lie("n-001", None)
        assert life.live(3 * HOUR, until=lambda: is_well(life)), life.driven.status
        assert life.farm.repairs() == {"reboot n-001": 1}


def test_a_running_vm_that_is_shown_as_stopped_gets_no_more_than_its_attempts() -> None:
    with living(nodes=5, maxRetry=2) as life:
        life.live(60)
        life.farm.lie("n-001", "Stopped")
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(HOUR)
        assert life.farm.attempts("n-001") == 2
        assert "already running" in str(life.fault("n-001"))


@pytest.mark.parametrize("command", ["rebootVirtualMachine"])
@pytest.mark.parametrize("kind", ["error", "job-failed"])
def test_what_cloudstack_refuses_is_shown_in_its_words(command: str, kind: str) -> None:
    with living(nodes=5, maxRetry=2) as life:
        life.live(60)
        life.farm.simulator.control.fault(command, kind, text="no capacity", times=None)
        life.farm.fall("n-001", Ill.HUNG)
        assert life.live(3 * HOUR, until=lambda: "no capacity" in str(life.fault("n-001")))
        life.live(HOUR)
        assert life.farm.attempts("n-001") <= 2


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("kind", ["html", "empty", "timeout"])
def test_a_lost_answer_is_an_attempt_and_never_sent_again_at_once(
    kind: str, executed: bool
) -> None:
    with living(nodes=5, maxRetry=2) as life:
        life.live(60)
        life.farm.simulator.control.fault(
            "rebootVirtualMachine", kind, executed=executed, seconds=0.01
        )
        life.farm.fall("n-001", Ill.HUNG)
        assert life.live(6 * HOUR, until=lambda: is_well(life)), life.driven.status
        assert life.farm.attempts("n-001") == (1 if executed else 2)


def test_keys_that_lack_a_right_say_so_before_it_is_needed() -> None:
    with living(nodes=5) as life:
        control = life.farm.simulator.control
        control.stage("account", "user", denied=["rebootVirtualMachine"])
        life.live(HOUR / 2)
        assert "rebootVirtualMachine" in str(life.driven.status["conditions"])
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR)
        assert life.farm.attempts("n-001") <= 3


@pytest.mark.parametrize("by", ["provider id", "name"])
def test_anothers_vm_is_never_touched(by: str) -> None:
    """A tenant's Nodes name VMs of another account, with the keys of the tenant."""
    with living(nodes=5) as life:
        life.live(60)
        theirs = cloud_config(life.farm.simulator, "other")
        life.own.put(theirs)
        assert theirs["metadata"]["namespace"] == NAMESPACE
        if by == "name":
            life.farm.patients["n-001"].unit = {"spec": {"providerID": ""}}
        life.farm.vm("n-001", "Stopped")
        life.live(HOUR / 2)
        calls = life.farm.simulator.control.calls()
        assert [call for call in calls if call["command"] in POWER and call["status"] == 200] == []
