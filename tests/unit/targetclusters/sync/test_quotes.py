"""What a target says about an object with secrets is shown nowhere, in whatever form it says it."""

import base64
import json
from collections.abc import Callable

import pytest

from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_OWNER
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.model import DesiredObject, SyncReport
from tests.unit.api_server import Answer, Call
from tests.unit.targetclusters.sync.objects import (
    DEPLOYMENT,
    SECRET,
    make_desired,
    make_entry,
    make_wanted,
)
from tests.unit.targetclusters.sync.rounds import STATUS, after_discovery, sync

VALUE = "hunter2"
ENCODED = base64.b64encode(VALUE.encode()).decode()
FORMS = {
    "plain": VALUE,
    "escaped": "".join(f"\\u{ord(char):04x}" for char in VALUE),
    "base64": ENCODED,
}
OBJECTS = {
    "a Secret": make_desired("s", SECRET, source="Secret/app", data={"password": ENCODED}),
    "out of one": make_desired("s", DEPLOYMENT, source="Secret/app", spec={"env": VALUE}),
}

forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
objects = pytest.mark.parametrize("desired", OBJECTS.values(), ids=OBJECTS)


def recorded(desired: DesiredObject, *, uid: str = "u") -> InventoryEntry:
    kind = SECRET if desired.gvk == ("v1", "Secret") else DEPLOYMENT
    return make_entry("s", kind, uid=uid, source=desired.source)


def live(desired: DesiredObject, **metadata: object) -> Json:
    """Return the object as a target has it that holds what is wanted, with other metadata."""
    wanted = make_wanted(desired)
    return {
        **wanted.body,
        "metadata": {
            **wanted.body["metadata"],
            "uid": "u",
            "resourceVersion": "1",
            **metadata,
        },
    }


def assert_nothing_is_shown(reports: list[SyncReport], form: str) -> None:
    shown = [
        text
        for report in reports
        for one in report.results
        for text in (one.message, *one.fields, report.error)
    ]
    assert shown
    for text in shown:
        assert form not in text
        assert VALUE not in text
        assert ENCODED not in text


def in_json(code: int, form: str) -> Answer:
    return code, {"message": f"you sent {form}"}


def in_text(code: int, form: str) -> Answer:
    return code, f"you sent {form}\n".encode()


@forms
@objects
@pytest.mark.parametrize("write", [in_json, in_text])
@pytest.mark.parametrize("code", [401, 403, 404, 409, 422, 429, 500, 502])
@pytest.mark.parametrize("about", ["list", "get", "patch"])
def test_no_refusal(
    desired: DesiredObject, form: str, about: str, code: int, write: Callable[[int, str], Answer]
) -> None:
    def answer(call: Call) -> Answer:
        verb = "list" if "limit=" in call.path else call.method.lower()
        if verb == about or call.path == "/version":
            return write(code, form)
        if verb == "list":
            return 200, {"items": []}
        return (200, live(desired, labels={})) if verb == "patch" else (404, STATUS)

    reports = sync(after_discovery(answer), desired, recorded=[recorded(desired)], rounds=4)
    assert_nothing_is_shown(reports, form)


@forms
@objects
@pytest.mark.parametrize("write", [in_json, in_text])
def test_nothing_of_what_it_says_about_its_kinds(
    desired: DesiredObject, form: str, write: Callable[[int, str], Answer]
) -> None:
    reports = sync(lambda _: write(500, form), desired, recorded=[recorded(desired)])
    assert_nothing_is_shown(reports, form)
    assert not reports[-1].synced


@forms
def test_not_the_version_that_it_gives_when_it_falls_silent(form: str) -> None:
    several = [make_desired(name, data={"a": "b"}) for name in "abcdef"]

    def answer(call: Call) -> Answer:
        return (200, {"items": []}) if "limit=" in call.path else in_json(503, form)

    entries = [make_entry(name) for name in "abcdef"]
    (report,) = sync(after_discovery(answer), *several, recorded=entries)
    assert report.error == "GET /version: refused with 503"


@forms
@objects
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {"deletionTimestamp": "2026-11-22T02:10:00Z", "finalizers": ["FORM"]},
            "deleting: is being deleted since 2026-11-22T02:10:00Z, held by finalizer (not shown: ",
            id="finalizers",
        ),
        pytest.param(
            {"deletionTimestamp": "FORM"},
            "deleting: is being deleted since an unknown time",
            id="since when it is deleted",
        ),
        pytest.param(
            {"annotations": {ANNOTATION_OWNER: "FORM"}},
            "conflict: belongs to (not shown: it may quote a secret)",
            id="owner",
        ),
    ],
)
@pytest.mark.parametrize("is_wanted", [True, False], ids=["wanted", "pruned"])
def test_nothing_that_it_writes_into_the_object(
    desired: DesiredObject, form: str, changed: Json, expected: str, is_wanted: bool
) -> None:
    metadata = json.loads(json.dumps(changed).replace('"FORM"', json.dumps(form)))

    def answer(call: Call) -> Answer:
        found = live(desired, **metadata)
        return 200, {"items": [found]} if "limit=" in call.path else found

    wanted = [desired] if is_wanted else []
    reports = sync(after_discovery(answer), *wanted, recorded=[recorded(desired)])
    assert_nothing_is_shown(reports, form)
    (found,) = reports[-1].results
    outcome = found.outcome if is_wanted else found.outcome.replace("skipped", "conflict")
    assert f"{outcome}: {found.message}".startswith(expected)


@forms
def test_no_field_that_the_source_does_not_have(form: str) -> None:
    desired = OBJECTS["a Secret"]
    edited = live(desired) | {"data": {"password": "YQ==", form: "YQ=="}, form: {"a": "b"}}
    edited["metadata"]["labels"] = {**edited["metadata"]["labels"], form: "x"}

    def answer(call: Call) -> Answer:
        if "limit=" in call.path:
            return 200, {"items": [edited]}
        return (200, live(desired)) if "dryRun=" in call.path else (200, edited)

    (report,) = sync(
        after_discovery(answer), desired, recorded=[recorded(desired)], driftPolicy="Report"
    )
    assert_nothing_is_shown([report], form)
    (found,) = report.results
    assert found.outcome == "drifted"
    assert sorted(found.fields) == ["another field", "data", "data.password", "metadata.labels"]
