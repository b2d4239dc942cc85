from dataclasses import dataclass

import pytest

from hooks.webhook.shown import FORGET_AFTER, Shown


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shown(clock: Clock) -> Shown[int]:
    return Shown(clock)


def test_the_newest_row_of_each_object_is_shown_by_name(shown: Shown[int]) -> None:
    shown.note("ns/b", "u-1", 1)
    shown.note("ns/a", "u-2", 2)
    shown.note("ns/b", "u-1", 3)
    assert shown.rows() == [2, 3]


def test_a_forgotten_object_is_not_shown(shown: Shown[int]) -> None:
    shown.note("ns/a", "u-1", 1)
    shown.forget("ns/a", "u-1")
    shown.forget("ns/a", "u-1")
    assert shown.rows() == []


def test_the_end_of_an_object_leaves_the_one_that_took_its_name(shown: Shown[int]) -> None:
    shown.note("ns/a", "u-1", 1)
    shown.note("ns/a", "u-2", 2)
    shown.forget("ns/a", "u-1")
    assert shown.rows() == [2]


def test_an_object_without_calls_is_not_shown_for_ever(shown: Shown[int], clock: Clock) -> None:
    shown.note("ns/a", "u-1", 1)
    clock.now = FORGET_AFTER
    shown.note("ns/b", "u-2", 2)
    assert shown.rows() == [1, 2]
    clock.now += 1
    assert shown.rows() == [2]
