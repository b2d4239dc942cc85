"""The operator's account repairs for the namespaces that its settings name, and for no others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hooks.settings.cloud_config import read_cloud_config
from hooks.settings.reloading import ReloadingFile
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import NAMESPACE, Life, cloud_config, living
from tests.targets.driving import Operator

HOUR = 3600.0


@contextmanager
def repaired_by_the_operators_account(folder: Path, *namespaces: str) -> Iterator[Life]:
    """Set up a cluster without an account, whose operator has one for some namespaces."""
    with living(nodes=5) as life:
        simulator, path = life.farm.simulator, folder / "cloud-config"
        keys = simulator.keys["user"]
        path.write_text(
            f"[Global]\napi-url = {simulator.url}\napi-key = {keys.api_key}\n"
            f"secret-key = {keys.secret_key}\n"
        )

        def read() -> object:
            return read_cloud_config(str(path), environ={}, warn=lambda _line: None)

        settings = {
            **life.driven.operator.settings,
            "cloud_config": ReloadingFile("cloud-config", (str(path),), read),
            "account_namespaces": namespaces,
        }
        life.driven.operator.hook.close()
        life.driven.operator = Operator(life.own, settings, clock=life.clock)
        life.change(cloudStack={})
        yield life


def test_a_namespace_that_is_named_is_repaired_without_a_secret(tmp_path: Path) -> None:
    with repaired_by_the_operators_account(tmp_path, "another", NAMESPACE) as life:
        life.live(60)
        assert life.driven.says("Healing") == "True Healthy"
        life.farm.fall("n-001", Ill.HUNG)
        assert life.live(HOUR, until=lambda: life.farm.sent("rebootVirtualMachine") == 1)
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)


def test_a_namespace_that_is_not_named_gets_nothing_and_is_told_what_would_help(
    tmp_path: Path,
) -> None:
    with repaired_by_the_operators_account(tmp_path, "another") as life:
        life.live(60)
        life.farm.fall("n-001", Ill.HUNG)
        life.live(HOUR)
        assert life.farm.simulator.control.calls() == []
        assert life.driven.says("Healing") == "False NoAccount"
        message = life.driven.condition("Healing")["message"]
        assert f"TARGET_CLUSTER_ACCOUNT_NAMESPACES name {NAMESPACE}" in message


def test_keys_of_another_account_are_told_before_a_node_is_down() -> None:
    with living(nodes=5) as life:
        simulator = life.farm.simulator
        life.own.put(cloud_config(simulator, "other"))
        life.live(120)
        assert life.driven.says("Healing") == "False NoVMs"
        said = life.driven.condition("Healing")["message"]
        assert "the CloudStack account has the VM of no node: n-001: its VM is gone" in said
        life.farm.fall("n-004", Ill.HUNG)
        life.live(HOUR)
        assert life.driven.says("Healing") == "False NoVMs"
        life.farm.recover("n-004")
        life.own.put(cloud_config(simulator))
        assert life.live(HOUR, until=lambda: life.driven.says("Healing") == "True Healthy")


def test_keys_of_the_account_cost_one_list_a_day_to_know() -> None:
    with living(nodes=5) as life:
        life.live(5 * HOUR)
        assert life.driven.says("Healing") == "True Healthy"
        assert life.farm.sent("listVirtualMachines") == 1
