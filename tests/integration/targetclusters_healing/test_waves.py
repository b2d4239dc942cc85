"""Many nodes at once, and nodes that come and go."""

from functools import partial

import pytest

from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living

HOUR = 3600.0


def wave(life: Life, size: int, ill: Ill) -> list[str]:
    names = sorted(life.farm.patients)[:size]
    for name in names:
        life.farm.fall(name, ill)
    return names


def test_thirty_of_a_hundred_are_repaired_one_by_one() -> None:
    with living(nodes=100) as life:
        life.change(monitorInterval="60s")
        life.live(60)
        names = wave(life, 30, Ill.HUNG)
        well = life.farm.patients
        assert life.live(24 * HOUR, until=lambda: all(well[name].ready for name in names))
        assert life.farm.repairs() == {f"reboot {name}": 1 for name in names}
        assert life.farm.overlaps() == []


@pytest.mark.parametrize("size", [41, 100])
def test_more_than_two_fifths_open_the_breaker(size: int) -> None:
    with living(nodes=100) as life:
        life.change(monitorInterval="60s")
        life.live(60)
        names = wave(life, size, Ill.HUNG)
        life.live(3 * HOUR)
        assert life.farm.repairs() == {}
        assert life.driven.condition("Healing")["status"] == "False"
        assert str(size) in life.driven.condition("Healing")["message"]
        for name in names[10:]:
            life.farm.recover(name)
        well = life.farm.patients
        assert life.live(24 * HOUR, until=lambda: all(well[name].ready for name in names))
        assert life.farm.repairs() == {f"reboot {name}": 1 for name in names[:10]}


@pytest.mark.parametrize(("minutes", "hours"), [(2, 24), (7, 6)])
def test_a_node_that_comes_and_goes_is_tried_as_often_as_said(minutes: int, hours: int) -> None:
    """Every two minutes it is never down for long enough; every seven it is tried, and given up."""
    with living(nodes=3, maxRetry=3) as life:

        def turn(number: int) -> None:
            if number % 2:
                life.farm.recover("n-001")
            else:
                life.farm.fall("n-001", Ill.BROKEN)

        for number in range(hours * 60 // minutes):
            life.at(60 * minutes * (number + 1), partial(turn, number))
        life.live(hours * HOUR)
        assert life.farm.attempts("n-001") == (0 if minutes == 2 else 3)
        assert life.farm.overlaps() == []
