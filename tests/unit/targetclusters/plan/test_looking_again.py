"""Where faults are repaired, drift that was corrected is looked for once more before its turn."""

from dataclasses import replace

import msgspec
import pytest

from hooks.targetclusters.plan.syncing import LOOK_AGAIN, Decision, plan_syncing
from hooks.targetclusters.request import Healing
from hooks.targetclusters.sync.plan.model import ObjectResult, Outcome
from tests.unit.targetclusters.views import (
    NOW,
    SPEC,
    checks,
    children,
    counted,
    entry,
    facts,
    finished,
    inventory,
    report,
    round_,
    with_status,
)

SHOWN = inventory("a")
HEALING = msgspec.structs.replace(SPEC, healing=Healing(enabled=True))


def after(outcome: Outcome, *, fields: tuple[str, ...] = (), seconds: float = LOOK_AGAIN) -> bool:
    """Tell whether so long after a round with one object the next one starts."""
    return decision(outcome, fields, seconds).start is not None


def decision(
    outcome: Outcome, fields: tuple[str, ...], seconds: float, *, heals: bool = True
) -> Decision:
    done = replace(report(SHOWN), results=(ObjectResult(entry("a"), outcome, "why", fields),))
    latest = round_(SHOWN, done, started_at=NOW - seconds - 1.0)
    known = facts(
        cluster={**with_status(counted(latest)), "metadata": facts().request.cluster["metadata"]},
        spec=HEALING if heals else SPEC,
        config_maps=children(SHOWN),
        sync=finished(latest),
    )
    return plan_syncing(known, checks())


def test_drift_that_was_corrected_is_looked_for_once_more() -> None:
    assert not after("applied", fields=("data.color",), seconds=LOOK_AGAIN - 1)
    assert after("applied", fields=("data.color",))


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        pytest.param("applied", (), id="applied, as its source has changed"),
        pytest.param("contested", ("data.color",), id="somebody changes it again and again"),
        pytest.param("drifted", ("data.color",), id="only reported"),
        pytest.param("conflict", (), id="another's"),
        pytest.param("unchanged", (), id="well"),
    ],
)
def test_nothing_else_is_looked_for_before_its_turn(
    outcome: Outcome, fields: tuple[str, ...]
) -> None:
    assert not after(outcome, fields=fields)


def test_without_healing_drift_waits_for_its_turn() -> None:
    assert decision("applied", ("data.color",), LOOK_AGAIN, heals=False).start is None
