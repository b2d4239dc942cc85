"""How long a node waits that comes and goes with its endpoints."""

from collections.abc import Sequence

import pytest

from hooks.loadbalancers.returns import STAYS_AWAY, WINDOW, Returns

BOTH = ("vm-1", "vm-2")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def after(*looks: tuple[float, Sequence[str]]) -> dict[str, float]:
    """Note who is wanted at each of these seconds; return who has to wait then, and how long."""
    clock, waits = Clock(), {}
    returns = Returns(clock)
    for clock.now, wanted in looks:
        waits = dict(returns.note("lb", wanted))
    return waits


@pytest.mark.parametrize(
    ("looks", "waits"),
    [
        pytest.param([(0, BOTH)], {}, id="the first endpoint"),
        pytest.param([(0, ["vm-1"]), (1, BOTH)], {}, id="another one"),
        pytest.param([(0, BOTH), (1, ["vm-1"]), (2, BOTH)], {}, id="back from a rollout"),
        pytest.param(
            [(0, BOTH), (1, ["vm-1"]), (2, BOTH), (3, ["vm-1"]), (8, BOTH)],
            {"vm-2": STAYS_AWAY - 5},
            id="left twice",
        ),
        pytest.param(
            [(0, BOTH), (1, ["vm-1"]), (2, BOTH), (3, ["vm-1"]), (3 + STAYS_AWAY, BOTH)],
            {},
            id="has stayed away",
        ),
        pytest.param(
            [(0, BOTH), (1, ["vm-1"]), (2, BOTH), (2 + WINDOW, ["vm-1"]), (3 + WINDOW, BOTH)],
            {},
            id="left long ago",
        ),
        pytest.param(
            [(0, BOTH), (1, ["vm-1"]), (2, BOTH), (3, ["vm-1"])], {}, id="is away: nobody waits"
        ),
    ],
)
def test_who_waits(looks: list[tuple[float, Sequence[str]]], waits: dict[str, float]) -> None:
    assert after(*looks) == waits


def test_load_balancers_know_nothing_of_one_another() -> None:
    clock = Clock()
    returns = Returns(clock)
    for wanted in (BOTH, ["vm-1"], BOTH, ["vm-1"], BOTH):
        clock.now += 1
        returns.note("lb-1", wanted)
    assert returns.note("lb-1", BOTH)
    assert returns.note("lb-2", BOTH) == {}
