"""What is remembered is of one cluster, and a start is owed until its VM runs or is gone."""

import pytest

from hooks.targetclusters.healing.plan.owed import STOPPING_FOR, UNSEEN_FOR
from tests.controlplane import polling
from tests.integration.targetclusters_healing import farm as farms
from tests.integration.targetclusters_healing.farm import Farm, Ill
from tests.integration.targetclusters_healing.life import NAMESPACE, Life, cloud_config, living
from tests.integration.targetclusters_healing.test_owed_starts import (
    HOUR,
    RETRIES,
    runs,
    stop_and_fail_to_start,
)
from tests.targets.objects import kubeconfig, secret


def lead(life: Life, url: str) -> None:
    """Let the kubeconfig lead elsewhere."""
    life.own.put(secret(kubeconfig(url), namespace=NAMESPACE))


def test_a_cluster_to_which_the_kubeconfig_comes_to_lead_is_known_by_its_own_nodes() -> None:
    """It has come from a backup of the former one: its nodes name VMs that serve there."""
    with living(nodes=5) as life:
        restored = Farm(life.farm.simulator, life.clock, list(life.farm.patients))
        with farms.serving(restored):
            life.live(2 * HOUR)
            restored.fall("n-002", Ill.BROKEN)
            life.live(HOUR)
            lead(life, restored.url)
            life.live(2 * HOUR)
            assert not life.farm.repairs()
            assert "not seen it Ready" in life.fault("n-002")["waits"]
            restored.recover("n-002")
            life.live(HOUR)
            restored.fall("n-002", Ill.HUNG)
            assert life.live(HOUR, until=lambda: life.farm.sent("rebootVirtualMachine") == 1)


def test_a_start_stays_owed_while_the_kubeconfig_leads_to_another_cluster() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        other = Farm(life.farm.simulator, life.clock, ["n-002", "n-003"])
        other.uid = "uid-of-another"
        with farms.serving(other):
            lead(life, other.url)
            life.live(HOUR)
            life.farm.simulator.control.clear_faults()
            assert life.live(HOUR, until=lambda: runs(life))


@pytest.mark.parametrize("seconds", [1, 45])
@pytest.mark.parametrize("uid", ["uid-of-another", ""])
def test_a_start_stays_owed_when_another_cluster_answers_at_the_same_place(
    uid: str, seconds: int
) -> None:
    """It may hide its UID. The last probe still tells the former one's."""
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.live(seconds)
        life.farm.uid, life.farm.patients["n-001"].deleted = uid, True
        life.live(HOUR)
        assert life.healing["owedStarts"]
        life.farm.simulator.control.clear_faults()
        assert life.live(2 * HOUR, until=lambda: runs(life))


def test_keys_of_another_account_say_nothing_of_a_vm() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.farm.simulator.control.clear_faults()
        life.own.put(cloud_config(life.farm.simulator, "other"))
        life.live(2 * UNSEEN_FOR)
        assert life.healing["owedStarts"]
        life.own.put(cloud_config(life.farm.simulator))
        assert life.live(HOUR, until=lambda: runs(life))


def test_a_stop_that_takes_long_is_still_followed_by_its_start() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        stop_and_fail_to_start(life)
        life.farm.lie("n-001", "Stopping")
        life.farm.simulator.control.clear_faults()
        life.live(2 * STOPPING_FOR)
        assert life.healing["owedStarts"]
        life.farm.lie("n-001", None)
        assert life.live(HOUR, until=lambda: runs(life))


def test_a_start_is_owed_to_its_vm_though_the_node_has_another_by_now() -> None:
    with living(nodes=6, maxRetry=RETRIES + 1) as life:
        life.farm.patients["n-006"].deleted = True
        life.live(60)
        control = life.farm.simulator.control
        control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
        life.farm.fall("n-001", Ill.STUBBORN)
        assert life.live(HOUR, until=lambda: life.farm.sent("startVirtualMachine") == 1)
        provider = f"external-cloudstack:///{life.farm.patients['n-006'].vm_id}"
        allowed = {"annotations": {"targetcluster.example.com/heal": "true"}}
        life.farm.patients["n-001"].unit = {
            "spec": {"providerID": provider},
            "metadata": allowed,
        }
        life.live(HOUR)
        assert not life.farm.sent("stopVirtualMachine", "n-006")
        control.clear_faults()
        assert life.live(HOUR, until=lambda: runs(life))


def test_a_journal_goes_with_its_target_cluster_whatever_the_status_says() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.fall("n-001", Ill.BROKEN)
        assert life.live(HOUR, until=lambda: life.farm.sent("rebootVirtualMachine") == 1)

        def journals() -> list[str]:
            leases = [path for path in life.own.objects if "/leases/healing-" in path]
            return [path for path in leases if "healing-vms" not in path]

        assert len(journals()) == 1
        life.clock.now += 1  # a probe in the same millisecond would have to wait
        life.change(autoHealing={"enabled": False})
        life.live(120)
        life.delete()
        assert life.live(600, until=lambda: life.is_gone)
        polling.until(lambda: not journals(), "the journal is gone")
