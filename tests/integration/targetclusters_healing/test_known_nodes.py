"""Only nodes that healing has seen Ready are repaired: others may be leftovers of a backup."""

from hooks.kube.times import timestamp
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import living
from tests.targets.driving import NOW

HOUR = 3600.0


def test_a_node_that_comes_back_from_a_backup_is_repaired_once_a_person_allows_it() -> None:
    with living(nodes=5) as life:
        restored = life.farm.patients["n-004"]
        restored.deleted = True
        life.live(3 * HOUR)
        made = {"creationTimestamp": timestamp(NOW - 90 * 86400)}
        restored.unit, restored.deleted = {"metadata": made}, False
        life.farm.fall("n-004", Ill.BROKEN)  # as the node lifecycle controller marks it now
        life.live(HOUR)
        assert not life.farm.repairs()
        assert "not seen it Ready" in life.fault("n-004")["waits"]
        life.restart()
        allowed = {"annotations": {"targetcluster.example.com/heal": "true"}}
        restored.unit = {"metadata": {**made, **allowed}}
        assert life.live(HOUR, until=lambda: bool(life.farm.repairs()))


def test_a_node_that_was_ready_is_repaired_by_another_process_too() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.fall("n-004", Ill.HUNG)
        life.restart()
        assert life.live(HOUR, until=lambda: life.farm.patients["n-004"].ready)
        assert life.farm.repairs() == {"reboot n-004": 1}


def test_without_its_journal_a_node_is_left_alone_until_it_was_ready_again() -> None:
    with living(nodes=5) as life:
        life.live(60)
        life.farm.fall("n-004", Ill.HUNG)
        life.live(60)
        for path in [each for each in life.own.objects if "/leases/healing-" in each]:
            del life.own.objects[path]
        life.live(HOUR)
        assert not life.farm.repairs()
        assert "not seen it Ready" in life.fault("n-004")["waits"]
