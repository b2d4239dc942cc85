"""The hour of a cluster's life that the guide tells, in quick time."""

import re
from pathlib import Path

from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import living

GUIDE = Path("docs/guides/heal.md").read_text()
MINUTE = 60.0


def test_an_hour_goes_as_the_guide_says() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", GUIDE, re.MULTILINE)
    assert [int(minute) for minute, _, _ in rows] == [1, 6, 8, 20, 25, 30, 40]
    with living(nodes=5) as life:
        life.at(1 * MINUTE, lambda: life.farm.vm("n-001", "Stopped"))
        life.at(20 * MINUTE, lambda: life.farm.fall("n-002", Ill.STUBBORN))
        life.at(40 * MINUTE, lambda: life.farm.fall("n-003", Ill.BROKEN))
        life.live(5 * MINUTE)
        assert life.fault("n-001")["attempts"] == 0
        life.live(5 * MINUTE)
        assert life.faults == []
        assert life.farm.repairs() == {"start n-001": 1}
        life.live(14 * MINUTE)
        assert life.fault("n-002")["attempts"] == 0
        life.live(5 * MINUTE)
        assert life.fault("n-002")["attempts"] == 1
        life.live(5 * MINUTE)
        assert life.faults == []
        life.live(30 * MINUTE)
        assert life.driven.says("Healing") == "False RetriesExhausted"
        assert life.fault("n-003")["attempts"] == 3
        assert life.farm.repairs() == {
            "start n-001": 1,
            "reboot n-002": 1,
            "stop n-002": 1,
            "start n-002": 1,
            "reboot n-003": 1,
            "stop n-003": 2,
            "start n-003": 2,
        }
        assert life.events.count("RetriesExhausted") == 1
