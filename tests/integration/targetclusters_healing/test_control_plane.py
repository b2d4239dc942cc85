"""A control plane out of reach whose VMs are stopped: those that it named itself are started."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from hooks.targetclusters.plan.healing import CHECK_EVERY
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import NAMESPACE, Life, living
from tests.targets.objects import kubeconfig, secret

HOUR = 3600.0
ONE = ("n-001",)
THREE = ("n-001", "n-002", "n-003")


@contextmanager
def governed(*control_plane: str, max_retry: int = 3) -> Iterator[Life]:
    """Set up a cluster of five nodes, some of which are its control plane, and let it be seen."""
    with living(nodes=5, maxRetry=max_retry) as life:
        for name in control_plane:
            labels: Json = {"node-role.kubernetes.io/control-plane": ""}
            life.farm.patients[name].unit = {"metadata": {"labels": labels}}
        life.farm.api_server_on = control_plane
        life.live(120)
        yield life


def stop(life: Life, *names: str) -> None:
    for name in names:
        life.farm.vm(name, "Stopped")
    assert life.farm.is_away


def test_the_only_vm_of_a_control_plane_is_started() -> None:
    with governed(*ONE) as life:
        stop(life, *ONE)
        life.live(4 * 60)
        assert life.farm.repairs() == {}
        assert life.fault("n-001")["kind"] == "ControlPlaneStopped"
        assert life.live(HOUR, until=lambda: not life.farm.is_away)
        life.live(2 * HOUR)
        assert life.farm.repairs() == {"start n-001": 1}
        assert life.faults == []


def test_all_vms_of_a_control_plane_are_started_one_after_the_other() -> None:
    with governed(*THREE) as life:
        stop(life, *THREE)
        life.live(HOUR)
        assert life.farm.repairs() == {f"start {name}": 1 for name in THREE}
        assert life.farm.overlaps() == []


def test_an_operator_that_began_anew_knows_them_and_no_status_is_believed() -> None:
    with governed(*ONE) as life:
        stop(life, *ONE)
        life.restart()
        life.write(status={})
        assert life.live(HOUR, until=lambda: not life.farm.is_away)
        assert life.farm.repairs() == {"start n-001": 1}


def test_one_that_does_not_start_is_given_up() -> None:
    with governed(*ONE, max_retry=2) as life:
        control = life.farm.simulator.control
        control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
        stop(life, *ONE)
        assert life.live(
            3 * HOUR, until=lambda: life.driven.says("Healing") == "False RetriesExhausted"
        )
        life.live(3 * HOUR)
        assert life.farm.repairs() == {"start n-001": 2}
        assert "no capacity" in str(life.fault("n-001"))


def lead_elsewhere(life: Life) -> None:
    life.own.put(secret(kubeconfig("http://127.0.0.1:9"), namespace=NAMESPACE))


def suspend(life: Life) -> None:
    life.change(suspend=True)


def forget(life: Life) -> None:
    """Delete the journal, as if the cluster had never answered."""
    [journal] = [path for path in life.own.objects if "/leases/healing-" in path]
    del life.own.objects[journal]
    life.restart()


@pytest.mark.parametrize("before", [suspend, lead_elsewhere, forget])
def test_nothing_is_started_where_it_is_not_known_to_be_right(
    before: Callable[[Life], None],
) -> None:
    with governed(*ONE) as life:
        stop(life, *ONE)
        before(life)
        life.live(2 * HOUR)
        assert life.farm.repairs() == {}


def test_a_node_that_a_person_works_on_is_not_started() -> None:
    with governed(*ONE) as life:
        life.farm.patients["n-001"].unit["spec"] = {"unschedulable": True}
        life.live(CHECK_EVERY + 60)
        stop(life, *ONE)
        life.live(2 * HOUR)
        assert life.farm.repairs() == {}


@pytest.mark.parametrize("shown", ["Running", "Stopping", "Migrating", "Error", "Unknown"])
def test_a_vm_that_does_not_read_stopped_is_left_alone(shown: str) -> None:
    with governed(*ONE) as life:
        stop(life, *ONE)
        life.farm.lie("n-001", shown)
        life.live(2 * HOUR)
        assert life.farm.repairs() == {}


def test_workers_wait_until_they_are_read_again() -> None:
    with governed(*ONE) as life:
        life.farm.vm("n-005", "Stopped")
        stop(life, *ONE)
        assert life.live(HOUR, until=lambda: not life.farm.is_away)
        assert life.farm.sent("startVirtualMachine", "n-005") == 0
        assert life.live(HOUR, until=lambda: life.farm.patients["n-005"].ready)


def test_a_control_plane_that_answers_is_repaired_as_any_node() -> None:
    with governed(*THREE) as life:
        life.farm.fall("n-002", Ill.HUNG)
        life.farm.vm("n-001", "Stopped")
        life.live(2 * HOUR)
        assert life.farm.repairs() == {"start n-001": 1, "reboot n-002": 1}


def test_no_node_is_rebooted_beside_one_whose_vm_was_started_just_now() -> None:
    """Both are members of a quorum of three."""
    with governed(*THREE) as life:
        life.farm.api_server_on = ("n-002",)
        life.live(600)
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(120)
        life.farm.patients["n-002"].ill = Ill.BROKEN
        stop(life, "n-002")
        assert life.live(HOUR, until=lambda: life.farm.sent("startVirtualMachine", "n-002") == 1)
        assert not life.live(60, until=lambda: bool(life.farm.sent("rebootVirtualMachine")))


@pytest.mark.parametrize("why", ["new", "cordoned", "given up"])
def test_no_node_is_rebooted_while_another_of_three_is_down_for_whatever_reason(why: str) -> None:
    """Cluster API once replaced one while another was still coming up (its issue 9398)."""
    with governed(*THREE, max_retry=1) as life:
        other = life.farm.patients["n-003"]
        if why == "new":
            other.deleted = True
            life.live(300)
            other.deleted = False
            other.unit["metadata"]["creationTimestamp"] = timestamp(life.clock.now)
        elif why == "cordoned":
            other.unit["spec"] = {"unschedulable": True}
        life.farm.fall("n-003", Ill.BROKEN)
        life.live(15 * 60)
        before = life.farm.repairs()
        assert before == ({"reboot n-003": 1} if why == "given up" else {})
        life.farm.fall("n-001", Ill.HUNG)
        life.live(4 * 60 if why == "new" else HOUR)
        assert life.farm.repairs() == before
        if why != "new":
            assert "cost the quorum" in life.fault("n-001")["waits"]
        life.farm.recover("n-003")
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)
        assert life.farm.repairs() == {**before, "reboot n-001": 1}


def test_a_stopped_member_is_started_though_another_is_down() -> None:
    with governed(*THREE) as life:
        life.farm.patients["n-003"].unit["spec"] = {"unschedulable": True}
        life.farm.fall("n-003", Ill.BROKEN)
        life.farm.vm("n-001", "Stopped")
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)
        assert life.farm.repairs() == {"start n-001": 1}
