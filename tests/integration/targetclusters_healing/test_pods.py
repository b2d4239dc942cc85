"""Pods that are ill are deleted, so that others are made: a bounded number of times."""

import pytest

from hooks.http.bounded_json import Json
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living
from tests.integration.targetclusters_healing.wards import Bed, Sick

HOUR = 3600.0
ON: Json = {"enabled": True}
DNS = "ReplicaSet/dns-5d78"
FAULT = f"kube-system/{DNS}"


def staff(life: Life) -> Bed:
    """Fill the ward with pods that are well, and return one of the DNS."""
    for number in range(1, 6):
        life.farm.ward.admit("DaemonSet/proxy", f"n-00{number}")
    life.farm.ward.admit(DNS, "n-001")
    return life.farm.ward.admit(DNS, "n-002")


def deleted(life: Life) -> list[str]:
    return [name for name, _ in life.farm.ward.deletions]


@pytest.mark.parametrize("sick", [Sick.CRASHING, Sick.UNREADY])
def test_an_ill_pod_is_deleted_and_its_controller_makes_another(sick: Sick) -> None:
    with living(nodes=5, pods=ON) as life:
        bed = staff(life)
        life.live(20 * 60)
        life.farm.ward.fall(bed, sick)
        assert life.live(5 * 60, until=lambda: bool(life.fault(FAULT)))
        life.live(5 * 60)
        assert deleted(life) == []
        assert life.live(8 * 60, until=lambda: bool(deleted(life)))
        assert life.farm.ward.deletions == [
            (bed.name, {"preconditions": {"uid": f"uid-of-{bed.name}"}})
        ]
        assert life.live(HOUR, until=lambda: not life.faults)
        assert deleted(life) == [bed.name]
        assert life.farm.repairs() == {}
        assert "RepairMade" in life.events


def test_a_pod_that_does_not_end_is_asked_again_and_never_forced() -> None:
    with living(nodes=5, pods=ON) as life:
        bed = staff(life)
        life.live(60)
        life.farm.ward.fall(bed, Sick.STUCK)
        assert life.live(HOUR, until=lambda: bool(deleted(life)))
        [(name, options)] = life.farm.ward.deletions
        assert (name, options["gracePeriodSeconds"]) == (bed.name, 1)


def test_what_deletions_do_not_help_is_given_up_whatever_the_pods_are_called() -> None:
    with living(nodes=5, maxRetry=2, pods=ON) as life:
        bed = staff(life)
        life.live(60)
        life.farm.ward.fall(bed, Sick.CRASHING, cures=None)
        says = life.driven.says
        assert life.live(6 * HOUR, until=lambda: says("Healing") == "False RetriesExhausted")
        life.live(2 * HOUR)
        assert len(deleted(life)) == len(set(deleted(life))) == 2
        assert life.fault(FAULT)["attempts"] == 2
        assert life.fault(FAULT)["repair"] == "DeletePod"


@pytest.mark.parametrize(
    ("owner", "more"),
    [
        pytest.param("", {}, id="no controller"),
        pytest.param("Job/backup", {}, id="a Job's"),
        pytest.param("Node/n-001", {}, id="a static pod"),
        pytest.param(DNS, {"annotations": {"targetcluster.example.com/heal": "false"}}, id="alone"),
    ],
)
def test_a_pod_that_nobody_makes_again_or_that_is_to_be_left_alone_is_not_deleted(
    owner: str, more: Json
) -> None:
    with living(nodes=5, pods=ON) as life:
        staff(life)
        bed = life.farm.ward.admit(owner, "n-001")
        bed.more = more
        life.farm.ward.fall(bed, Sick.CRASHING)
        life.live(HOUR)
        assert deleted(life) == []


def test_nothing_is_deleted_unless_it_is_asked_for() -> None:
    with living(nodes=5) as life:
        life.farm.ward.fall(staff(life), Sick.CRASHING)
        life.live(HOUR)
        assert deleted(life) == []
        assert life.driven.says("Healing") == "True Healthy"


def test_a_pod_of_a_node_that_is_down_waits_for_the_node() -> None:
    with living(nodes=5, pods=ON) as life:
        bed = staff(life)
        life.live(60)
        life.farm.fall("n-002", Ill.BROKEN)
        life.farm.ward.fall(bed, Sick.UNREADY)
        life.live(HOUR)
        assert deleted(life) == []
        life.farm.recover("n-002")
        assert life.live(HOUR, until=lambda: bool(deleted(life)))


def test_too_many_ill_pods_open_a_breaker_that_holds_up_no_node() -> None:
    with living(nodes=5, pods=ON) as life:
        staff(life)
        life.live(60)
        for bed in list(life.farm.ward.beds.values())[:4]:
            life.farm.ward.fall(bed, Sick.CRASHING)
        life.farm.fall("n-005", Ill.HUNG)
        assert life.live(HOUR, until=lambda: life.farm.repairs() == {"reboot n-005": 1})
        life.live(HOUR)
        assert deleted(life) == []
        assert life.driven.says("Healing") == "False BreakerOpen"
        assert "4 of 7 pods" in life.driven.condition("Healing")["message"]


def test_a_right_that_is_missing_is_said_before_it_is_needed() -> None:
    with living(nodes=5, pods=ON) as life:
        bed = staff(life)
        life.farm.ward.may_delete = False
        life.live(60)
        assert life.driven.says("Healing") == "False MissingRights"
        assert "delete pods in kube-system" in life.driven.condition("Healing")["message"]
        life.farm.ward.fall(bed, Sick.CRASHING)
        life.live(HOUR)
        assert life.fault(FAULT)["attempts"] == 0
        life.farm.ward.may_delete = True
        assert life.live(HOUR, until=lambda: bool(deleted(life)))


def test_a_plan_names_the_pod() -> None:
    with living(nodes=5, mode="Plan", pods=ON) as life:
        bed = staff(life)
        life.farm.ward.fall(bed, Sick.CRASHING)
        planned = f"DeletePod kube-system/{bed.name}"
        assert life.live(HOUR, until=lambda: life.fault(FAULT).get("planned") == planned)
        assert deleted(life) == []


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("number", range(1, 7))
def test_killed_at_a_call_about_what_was_tried(number: int, executed: bool) -> None:
    with living(nodes=5, maxRetry=2, pods=ON) as life:
        bed = staff(life)
        life.live(60)
        life.own.kill_at, life.own.executed = number, executed
        life.farm.ward.fall(bed, Sick.CRASHING, cures=None)
        life.live(3 * HOUR)
        assert len(deleted(life)) <= 2
        assert life.driven.says("Healing") == "False RetriesExhausted"
