"""Whatever dies, or is late: no more attempts than said, and never two at once on one VM."""

import random
from itertools import count

import pytest

from hooks.http.bounded_json import Json
from tests.integration.targetclusters_healing.farm import Ill
from tests.integration.targetclusters_healing.life import Life, living

HOUR = 3600.0
RETRIES = 2


def check(life: Life, attempts: int = RETRIES) -> None:
    assert life.farm.attempts("n-001") <= attempts, life.farm.repairs()
    assert life.farm.overlaps() == []


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("writes", range(4))
def test_killed_at_a_write_to_cloudstack(writes: int, executed: bool) -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        control = life.farm.simulator.control
        control.fault(kind="stop-after", skip=writes, executed=executed)
        life.farm.fall("n-001", Ill.BROKEN)

        def has_stopped() -> bool:
            return bool(control.armed.stopped)

        life.live(6 * HOUR, until=has_stopped)
        control.clear_faults()
        life.restart()
        life.live(1.2 * HOUR)
        check(life)
        assert life.driven.says("Healing") == "False RetriesExhausted"


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("number", range(1, 7))
def test_killed_at_a_call_about_what_was_tried(number: int, executed: bool) -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        life.own.kill_at, life.own.executed = number, executed
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(1.2 * HOUR)
        check(life)
        assert life.driven.says("Healing") == "False RetriesExhausted"


@pytest.mark.parametrize("lost", [True, False], ids=["answer lost", "answer written"])
@pytest.mark.parametrize("step", range(1, 7))
def test_killed_after_an_answer_that_changed_the_faults(step: int, lost: bool) -> None:
    """Killed when the fault changes for the n-th time, before or after that is written."""
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        changes, seen, killed = count(1), life.faults, False

        def kill() -> bool:
            nonlocal seen, killed
            if killed or life.faults == seen:
                return True
            seen = life.faults
            if next(changes) < step:
                return True
            killed = True
            life.restart()
            return not lost

        life.after = kill
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(1.2 * HOUR)
        check(life)
        assert life.driven.says("Healing") == "False RetriesExhausted"


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_at_any_time(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)

        def kill() -> bool:
            if chance.random() < 0.05:
                life.restart()
            return chance.random() < 0.5

        life.after = kill
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(2 * HOUR)
        check(life)


@pytest.mark.parametrize("seed", range(3))
def test_two_replicas_with_a_status_that_is_late(seed: int) -> None:
    """Metacontroller calls either replica, with a status that may be some answers old."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    with living(nodes=5, maxRetry=RETRIES) as life:
        operators = [life.driven.operator, life.operator()]
        versions: list[Json] = []
        shown = 0

        def choose() -> None:
            nonlocal shown
            versions.append(life.newest)
            shown = chance.randint(max(shown, len(versions) - 3), len(versions) - 1)
            life.driven.cluster = versions[shown]
            life.driven.operator = chance.choice(operators)

        life.before = choose
        life.live(60)
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(1.2 * HOUR)
        check(life)
        for operator in operators:
            operator.hook.close()


def test_a_status_that_was_restored_gives_no_more_attempts_to_a_living_operator() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        old = life.newest["status"]
        life.farm.fall("n-001", Ill.BROKEN)
        life.live(1.2 * HOUR)
        assert life.farm.attempts("n-001") == RETRIES
        life.write(status=old)
        life.live(1.2 * HOUR)
        check(life)


def test_a_job_that_never_ends_is_the_only_one_on_its_vm() -> None:
    with living(nodes=5, maxRetry=RETRIES) as life:
        life.live(60)
        life.farm.simulator.control.fault("rebootVirtualMachine", "job-never-ends")
        life.farm.fall("n-001", Ill.BROKEN)
        assert life.live(HOUR, until=lambda: life.farm.sent("rebootVirtualMachine") == 1)
        life.restart()
        life.live(1.2 * HOUR)
        assert life.farm.repairs() == {"reboot n-001": 1}
