"""Which calls have a line in the log, and the line that sums up a minute."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from hooks.cloudstack.errors import Unreachable
from hooks.http.recent import REMEMBERED
from hooks.server.auth import Authenticator
from hooks.server.call_log import (
    REPEAT_SECONDS,
    SUMMARY_SECONDS,
    CallLog,
    changes_object,
)
from hooks.webhook.contract import BadRequest
from hooks.webhook.reconcile import CallResult
from tests.unit.echo import Clock, CreateRule, Lines, Served, serve

CHANGED = CallResult({}, (CreateRule(80),))
DOWN = Unreachable("listZones", "no connection")


@pytest.fixture
def served() -> Iterator[Served]:
    handler, logger = Lines(), logging.getLogger("hooks.calls")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield serve(Authenticator(None, client_certificates=False), handler.lines)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def about(name: str) -> dict[str, Any]:
    return {"object": {"metadata": {"name": name}}}


def levels(served: Served, *names: str) -> list[str]:
    """Call once for each object; return the levels of the lines."""
    served.log.clear()
    for name in names:
        served.post(about(name))
    return [line["level"] for line in served.log if line["message"] == "call answered"]


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        pytest.param(CallResult({"labels": {}}), "debug", id="nothing done"),
        pytest.param(CHANGED, "info", id="something done"),
        pytest.param(CallResult({}, (CreateRule(80),), routine=True), "debug", id="every day"),
        pytest.param(CallResult({}, (CreateRule(80),), DOWN), "warn", id="an error"),
    ],
)
def test_a_call_that_changed_nothing_is_of_no_interest(
    served: Served, answer: CallResult, level: str
) -> None:
    served.answers(answer)
    assert levels(served, "a") == [level]


OLD = {"type": "Ready", "status": "False", "reason": "Busy", "message": "1 of 2"}


@pytest.mark.parametrize(
    ("answer", "changes"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"labels": {"a": "1"}, "annotations": {}}, False, id="the same label"),
        pytest.param({"labels": {"b": None}}, False, id="a label that is gone already"),
        pytest.param({"labels": {"a": "2"}}, True, id="another label"),
        pytest.param({"labels": {"a": None}}, True, id="a label removed"),
        pytest.param({"annotations": {"x": "1"}}, True, id="a new annotation"),
        pytest.param({"status": None}, False, id="the status left alone"),
        pytest.param(
            {"status": {"conditions": [{**OLD, "message": "2 of 2"}], "checks": 7}},
            False,
            id="another count",
        ),
        pytest.param({"status": {"conditions": [{**OLD, "status": "True"}]}}, True, id="ready"),
        pytest.param({"status": {"conditions": []}}, True, id="no condition any more"),
        pytest.param({"finalized": True}, True, id="finalized"),
    ],
)
def test_an_answer_changes_what_people_read(answer: dict[str, Any], changes: bool) -> None:
    obj = {"metadata": {"labels": {"a": "1"}}, "status": {"conditions": [OLD], "checks": 6}}
    assert changes_object(obj, answer) is changes


def test_a_call_whose_answer_changes_its_object_has_a_line(served: Served) -> None:
    served.answers(CallResult({"labels": {"zone": "a"}}))
    assert levels(served, "a") == ["info"]


def test_the_same_error_of_an_object_has_a_line_an_hour(served: Served) -> None:
    served.raises(DOWN)
    assert levels(served, "a", "b", "a", "a", "b") == ["warn", "warn", "debug", "debug", "debug"]
    served.raises(Unreachable("listZones", "another one"))
    assert levels(served, "a", "a") == ["warn", "debug"]
    served.clock.now += REPEAT_SECONDS
    assert levels(served, "a", "a") == ["warn", "debug"]
    served.answers(CallResult({}))
    levels(served, "a")
    served.raises(Unreachable("listZones", "another one"))
    assert levels(served, "a") == ["warn"]
    served.raises(BadRequest("object", "must be an object"))
    assert levels(served, "a", "a") == ["warn", "debug"]


def test_a_bug_has_a_line_each_time(served: Served) -> None:
    served.raises(ZeroDivisionError())
    assert levels(served, "a", "a") == ["error", "error"]


def test_the_calls_of_a_minute_are_summed_up(served: Served) -> None:
    levels(served, "a", "b")
    served.answers(CHANGED)
    levels(served, "a")
    served.raises(DOWN)
    levels(served, "a", "b")
    served.client.get("/nowhere")
    served.clock.now += SUMMARY_SECONDS - 1
    served.answers(CallResult({}))
    levels(served, "a")
    assert [line for line in served.log if "minute" in line["message"]] == []
    served.clock.now += 1
    served.log.clear()
    served.post()
    summary, line = served.log
    assert line["message"] == "call answered"
    del summary["time"]
    assert summary == {
        "level": "info",
        "logger": "hooks.calls",
        "message": "calls of the last minute",
        "calls": {"echo": {"ok": 4, "retry": 2}, "refused": {"not_found": 1}},
        "changed": 1,
        "slowest": 0.0,
        "seconds": 60.0,
    }
    served.clock.now += SUMMARY_SECONDS
    served.log.clear()
    served.post()
    assert served.log[0]["calls"] == {"echo": {"ok": 1}}


def test_the_errors_that_are_remembered_are_bounded() -> None:
    log = CallLog(Clock())

    def level(name: str) -> int:
        return log.level("retry", name, changed=False, error="down")

    assert level("first") == logging.WARNING
    for number in range(REMEMBERED):
        level(f"object-{number}")
    assert level("first") == logging.WARNING
    assert level(f"object-{REMEMBERED - 1}") == logging.DEBUG
