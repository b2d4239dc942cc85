import pytest

from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.times import epoch, timestamp

NOW = 1_800_000_000.0
BEFORE = "2020-01-01T00:00:00Z"


def test_a_condition_that_is_new_changed_now() -> None:
    [made] = merge_conditions([], [Condition("Ready", "True", "Ok", "fine")], now=NOW, generation=3)
    assert made == {
        "type": "Ready",
        "status": "True",
        "reason": "Ok",
        "message": "fine",
        "lastTransitionTime": timestamp(NOW),
        "observedGeneration": 3,
    }


@pytest.mark.parametrize(
    ("status", "moved"), [("True", False), ("False", True)], ids=["same status", "other status"]
)
def test_the_time_moves_only_with_the_status(status: str, moved: bool) -> None:
    old = {"type": "Ready", "status": "True", "reason": "Old", "lastTransitionTime": BEFORE}
    current = Condition("Ready", status, "New")  # type: ignore[arg-type]
    [made] = merge_conditions([old], [current], now=NOW, generation=None)
    assert (made["lastTransitionTime"] != BEFORE) is moved
    assert made["reason"] == "New"
    assert "observedGeneration" not in made


def test_a_long_message_is_cut() -> None:
    written = [Condition("A", "True", "X", "x" * 1024), Condition("B", "True", "X", "y" * 1025)]
    made = merge_conditions([], written, now=NOW, generation=None)
    assert [condition["message"] for condition in made] == ["x" * 1024, "y" * 1023 + "…"]


def test_a_type_that_is_no_longer_told_is_dropped_and_the_order_is_ours() -> None:
    old = [{"type": "Gone", "status": "True"}]
    current = [Condition("B", "True", "X"), Condition("A", "Unknown", "X")]
    made = merge_conditions(old, current, now=NOW, generation=None)
    assert [condition["type"] for condition in made] == ["B", "A"]


def test_times_are_read_as_written() -> None:
    assert timestamp(NOW) == "2027-01-15T08:00:00Z"
    assert epoch(timestamp(NOW)) == NOW
    with pytest.raises(ValueError, match="isoformat"):
        epoch("yesterday")
