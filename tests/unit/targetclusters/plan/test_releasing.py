"""Whether a TargetCluster that is being deleted still owes a VM its start."""

from typing import Any

import pytest

from hooks.targetclusters.healing.plan.model import Attempt, HealingResult, Journal, Record
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.plan.releasing import RETRY, Release, plan_release
from hooks.targetclusters.plan.schedule import JobState
from hooks.targetclusters.request import Healing, Spec
from tests.unit.targetclusters.views import NOW, facts, with_status

OWING = Record("NodeNotReady", "n-1", owed_vm="vm-1", owed_at=NOW, outcome="no capacity")
OWED = Journal().with_record(OWING)
NAMED = "VM vm-1 of n-1 was stopped by a repair, and its start is owed"
STATUS = {"healing": {"owedStarts": [{"object": "n-1", "vm": "vm-1"}]}}


def after(journal: Journal | None, **changes: Any) -> JobState[HealingResult]:
    """Return the jobs after a round that ended a second ago and took one."""
    result = HealingResult(NOW - 2, 1.0, 1, journal=journal, only_owed=True)
    changed = {name: changes.pop(name) for name in list(changes)}
    return JobState(None, HealingResult(**{**vars(result), **changed}), NOW - 2)


def decided(jobs: JobState[HealingResult], *, deleted: float = 30.0, **healing: Any) -> Release:
    """Decide on a TargetCluster that has healed, whose deletion was asked for a while ago."""
    spec = Spec("target", healing=Healing(**{"enabled": True, **healing}))
    shown = {"cluster": with_status(STATUS), "spec": spec, "healing": jobs}
    return plan_release(facts(**shown, deleting_since=NOW - deleted))


def test_what_never_healed_owes_nothing() -> None:
    assert plan_release(facts(cluster=with_status({}), deleting_since=NOW)) == Release()


def test_where_the_status_was_lost_the_journal_is_asked() -> None:
    spec = Spec("target", healing=Healing(enabled=True))
    lost = facts(cluster=with_status({}), spec=spec, deleting_since=NOW)
    assert plan_release(lost) == Release(0.0, start=True)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param(JobState(), Release(0.0, start=True), id="no round yet"),
        pytest.param(
            after(OWED, only_owed=False), Release(0.0, start=True), id="one from before only"
        ),
        pytest.param(JobState(NOW - 3), Release(3.0), id="one runs"),
        pytest.param(after(Journal()), Release(), id="nothing is owed"),
        pytest.param(after(OWED), Release(RETRY - 1), id="a start is owed"),
        pytest.param(
            after(OWED, tried=(Attempt("NodeNotReady", "n-1", "StartVM", "Done", ""),)),
            Release(0.0, start=True),
            id="one was made and another is owed",
        ),
        pytest.param(
            after(None), Release(RETRY - 1), id="no journal, and the status names a start"
        ),
    ],
)
def test_rounds_go_on_until_nothing_is_owed(
    jobs: JobState[HealingResult], expected: Release
) -> None:
    assert decided(jobs) == expected


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"enabled": False}, "autoHealing.enabled is false", id="disabled"),
        pytest.param({"mode": "Plan"}, "mode Plan", id="plan"),
        pytest.param({"deleted": 601.0}, "finalizeTimeout has passed", id="time is over"),
    ],
)
def test_who_is_let_go_with_a_vm_that_is_stopped_names_it(changes: Any, why: str) -> None:
    message = f"{NAMED} (no capacity); healing ends: {why}"
    assert decided(after(OWED), **changes) == Release(event=("VMLeftStopped", message))


@pytest.mark.parametrize("reason", ["NoAccount", "AccountInvalid"])
def test_without_an_account_nobody_waits(reason: str) -> None:
    jobs = after(OWED, failure=Failure("own", reason, "no Secret"), waits={OWING.key: "why"})
    message = f"{NAMED} (why); healing ends: no Secret"
    assert decided(jobs) == Release(event=("VMLeftStopped", message))


def test_time_is_over_before_any_round_has_ended_and_the_status_names_the_vm() -> None:
    message = f"{NAMED}; healing ends: finalizeTimeout has passed"
    running: JobState[HealingResult] = JobState(NOW - 3)
    assert decided(running, deleted=601.0) == Release(event=("VMLeftStopped", message))
