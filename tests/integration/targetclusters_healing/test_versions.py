"""An operator goes on where another version of it was, before an update was rolled back."""

import json

from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_HEALING_JOURNAL
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living
from tests.targets.driving import NOW

HOUR = 3600.0
STRANGE = {"kind": "DiskFull", "object": "n-002", "since": NOW, "attempts": 2, "disk": "/dev/vdb"}
MIGRATED = {"kind": "NodeNotReady", "object": "n-003", "attempts": 1, "repair": "MigrateVM"}


def journal(life: Life) -> Json:
    """Return the annotations of the Lease with the journal."""
    [found] = [
        each["metadata"]["annotations"]
        for each in life.own.objects.values()
        if ANNOTATION_HEALING_JOURNAL in each["metadata"].get("annotations", {})
    ]
    return dict(found)


def test_a_fault_that_only_a_newer_version_knows_stops_no_repair() -> None:
    with living(nodes=5) as life:
        life.live(60)
        lease = next(each for each in life.own.objects.values() if each["kind"] == "Lease")
        newer = {"records": [STRANGE, MIGRATED], "budget": 3}
        marks = {ANNOTATION_HEALING_JOURNAL: json.dumps(newer)}
        metadata = {**lease["metadata"], "annotations": {**journal(life), **marks}}
        life.own.store.put({**lease, "metadata": metadata})
        life.farm.fall("n-003", Ill.BROKEN)
        life.live(180)
        assert life.fault("n-003")["attempts"] == 1
        assert "repair" not in life.fault("n-003")
        life.farm.recover("n-003")
        life.live(HOUR)
        assert life.driven.says("Healing") == "True Healthy"
        assert life.faults == []
        life.farm.fall("n-001", Ill.HUNG)
        assert life.live(HOUR, until=lambda: life.farm.patients["n-001"].ready)
        kept = json.loads(journal(life)[ANNOTATION_HEALING_JOURNAL])
        assert kept["budget"] == 3
        assert any(STRANGE.items() <= each.items() for each in kept["records"])
