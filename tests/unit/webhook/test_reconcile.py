from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hooks.cloudstack.errors import CloudStackError, Unreachable
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError, KubeUnreachable
from hooks.kube.events import Event, Reference
from hooks.webhook.contract import DecoratorResponse, Plan
from hooks.webhook.reconcile import (
    CONFLICT_RESUME_AFTER,
    CONTINUE_AFTER,
    MAX_CONFLICTS,
    MAX_PASSES,
    RESUME_AFTER,
    OncePerCall,
    Outdated,
    reconcile,
)

EVENT = Event(Reference("v1", "Node", "node-1", "uid"), "Synced", "done")
TROUBLE = Event(Reference("v1", "Node", "node-1", "uid"), "Failed", "not done")


@dataclass
class Tower:
    """A call that builds floors one at a time up to a height, as a world that can be seen."""

    height: int
    floors: int = 0
    on_act: Callable[["Tower"], None] = lambda _: None
    answer_trouble: bool = False
    clock: float = 0.0
    effect: bool = True
    planned: list[int] = field(default_factory=list)

    def observe(self) -> int:
        return self.floors

    def plan(self, facts: int) -> Plan[int]:
        self.planned.append(facts)
        response = DecoratorResponse(labels={"floors": str(facts)})
        if facts < self.height:
            return Plan(response, (facts + 1,), (EVENT,))
        return Plan(response)

    def act(self, action: int) -> None:
        self.on_act(self)
        if self.effect:
            self.floors = action

    def trouble(self, error: CloudStackError | KubeError) -> Plan[int] | None:
        if not self.answer_trouble:
            return None
        return Plan(DecoratorResponse(labels={"error": str(error)}), (), (EVENT, TROUBLE))


def run(tower: Tower, recorded: list[Event] | None = None) -> tuple[object, tuple[object, ...]]:
    deadline = Deadline(8, clock=lambda: tower.clock)
    record = OncePerCall((recorded if recorded is not None else []).append)
    answer = reconcile(tower, deadline=deadline, record=record)
    return answer.response, answer.actions


def test_a_chain_of_steps_is_done_by_observing_after_each() -> None:
    tower = Tower(height=3)
    response, actions = run(tower)
    assert actions == (1, 2, 3)
    assert response == {"labels": {"floors": "3"}}


def test_nothing_to_do_is_answered_at_once() -> None:
    tower = Tower(height=0)
    assert run(tower) == ({"labels": {"floors": "0"}}, ())
    assert tower.planned == [0]


def test_work_that_is_left_at_the_deadline_goes_on_at_once() -> None:
    def slow(tower: Tower) -> None:
        tower.clock += 5

    response, actions = run(Tower(height=9, on_act=slow))
    assert actions == (1, 2)
    assert response == {"labels": {"floors": "2"}, "resyncAfterSeconds": CONTINUE_AFTER}


def test_a_plan_that_asks_for_what_was_just_done_is_not_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response, actions = run(Tower(height=2, effect=False))
    [record] = caplog.records
    assert (record.message, record.__dict__["left"]) == ("work does not end", "1")
    assert actions == (1,)
    assert response == {"labels": {"floors": "0"}, "resyncAfterSeconds": RESUME_AFTER}


def test_an_event_is_recorded_once_a_call_and_after_the_action() -> None:
    recorded: list[Event] = []

    def not_yet(tower: Tower) -> None:
        assert len(recorded) == min(tower.floors, 1)

    run(Tower(height=3, on_act=not_yet), recorded)
    assert recorded == [EVENT]


def test_an_outdated_action_is_planned_again() -> None:
    tower = Tower(height=2)

    def someone_else_was_faster(tower: Tower) -> None:
        if tower.floors == 0:
            tower.floors = 1
            raise Outdated

    tower.on_act = someone_else_was_faster
    response, actions = run(tower)
    assert actions == (1, 2)
    assert response == {"labels": {"floors": "2"}}


def test_an_object_that_is_always_outdated_is_left_for_a_later_call() -> None:
    def always_faster(tower: Tower) -> None:
        del tower
        raise Outdated("node-1 changed")

    tower = Tower(height=2, on_act=always_faster)
    answer = reconcile(tower, deadline=Deadline(8), record=OncePerCall(lambda _: None))
    assert len(tower.planned) == MAX_CONFLICTS
    assert answer.response == {
        "labels": {"floors": "0"},
        "resyncAfterSeconds": CONFLICT_RESUME_AFTER,
    }
    assert answer.actions == (1,) * MAX_CONFLICTS
    assert str(answer.error) == "node-1 changed"


def test_a_world_that_swings_between_two_states_ends_the_call() -> None:
    def torn_down(tower: Tower) -> None:
        tower.effect = tower.floors == 0
        if tower.floors == 1:
            tower.floors = 0

    tower = Tower(height=9, on_act=torn_down)
    response, actions = run(tower)
    assert actions == (1, 2)
    assert response == {"labels": {"floors": "0"}, "resyncAfterSeconds": RESUME_AFTER}


def test_work_without_an_end_is_left_for_the_next_call() -> None:
    response, actions = run(Tower(height=10 * MAX_PASSES))
    assert len(actions) == MAX_PASSES
    assert isinstance(response, dict)
    assert response["resyncAfterSeconds"] == RESUME_AFTER


@pytest.mark.parametrize("error", [Unreachable("listZones", "timeout"), KubeUnreachable("down")])
def test_trouble_is_answered_where_the_call_can(error: Exception) -> None:
    def fail(tower: Tower) -> None:
        if tower.floors == 1:
            raise error

    recorded: list[Event] = []
    answered = Tower(height=3, on_act=fail, answer_trouble=True)
    answer = reconcile(answered, deadline=Deadline(8), record=OncePerCall(recorded.append))
    assert answer.response == {"labels": {"error": str(error)}}
    assert answer.actions == (1, 2)  # what got no answer is what a person looks for
    assert answer.error is error
    assert recorded == [EVENT, TROUBLE]
    with pytest.raises(type(error)):
        run(Tower(height=3, on_act=fail))
