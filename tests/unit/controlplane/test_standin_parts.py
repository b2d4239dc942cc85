"""The small parts of the stand-in: selectors, answers' shapes, Retry-After, comparisons."""

import pytest

from tests.controlplane.api import Object
from tests.controlplane.standin import objects, selectors, strict
from tests.controlplane.standin.errors import SyncError
from tests.controlplane.standin.webhook import retry_after


def expression(operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": "a", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "takes", "leaves"),
    [
        pytest.param({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, {"a": "2"}, id="equal"),
        pytest.param(expression("In", "1", "2"), {"a": "2"}, {"a": "3"}, id="In"),
        pytest.param(expression("In", "1"), {"a": "1"}, {}, id="In needs the label"),
        pytest.param(expression("NotIn", "1"), {"a": "2"}, {"a": "1"}, id="NotIn"),
        pytest.param(expression("NotIn", "1"), {}, {"a": "1"}, id="NotIn takes what lacks it"),
        pytest.param(expression("Exists"), {"a": ""}, {}, id="Exists"),
        pytest.param(expression("DoesNotExist"), {}, {"a": ""}, id="DoesNotExist"),
    ],
)
def test_a_selector_takes_and_leaves(
    selector: Object, takes: dict[str, str], leaves: dict[str, str]
) -> None:
    assert selectors.matches(selector, takes)
    assert not selectors.matches(selector, leaves)


@pytest.mark.parametrize("selector", [None, {}, {"matchLabels": None}])
def test_an_empty_selector_takes_everything(selector: Object | None) -> None:
    assert selectors.matches(selector, {})


def test_an_unknown_operator_is_an_error() -> None:
    with pytest.raises(SyncError, match='"Like" is not an operator'):
        selectors.matches(expression("Like"), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(b'{"labels": {"a": 1}}', "labels.a: 1 is not a string", id="label"),
        pytest.param(b'{"finalized": 1}', "finalized: 1 is not true or false", id="flag"),
        pytest.param(b'{"resyncAfterSeconds": true}', "is not a number", id="number"),
        pytest.param(b'{"attachments": [null]}', "attachments[0]: null is not", id="null item"),
        pytest.param(b'{"attachments": [{"kind": "X"}]}', "without metadata", id="metadata"),
        pytest.param(b'{"status": {"a": 1, "a": 2}}', 'duplicate field "a"', id="deep duplicate"),
        pytest.param(b"[" * 100_000, "recursion", id="depth"),
        pytest.param(b"\xff", "utf-8", id="not UTF-8"),
    ],
)
def test_a_wrong_answer_is_named(text: bytes, said: str) -> None:
    with pytest.raises(strict.ShapeError) as refused:
        strict.parse(text, strict.DECORATOR_ANSWER)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [b"null", b"{}", b'{"labels": null, "status": null, "attachments": null, "finalized": null}'],
)
def test_null_is_as_good_as_nothing(text: bytes) -> None:
    answer = strict.parse(text, strict.DECORATOR_ANSWER)
    assert not any(answer.values())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("Thu, 01 Jan 1970 00:01:40 GMT", 90, id="date"),
        pytest.param("soon", 0, id="neither"),
        pytest.param(None, 0, id="no header"),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after(header, now=10.0) == seconds


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), ({}, None), ([1, 2], [2, 1]), ("1", 1)]
)
def test_values_of_other_types_or_order_are_not_the_same(one: object, other: object) -> None:
    assert not objects.same(one, other)


def test_the_order_of_fields_does_not_count() -> None:
    assert objects.same({"a": 1, "b": 2}, {"b": 2, "a": 1})
