"""Holds the hook to whole requests and whole responses; a case needs no Python.

A case is a folder: `request.json`, `response.json`, and where there are any, `events.json` and
`patches.json`, which is what was written to the API server.
"""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from hooks.http.deadline import Deadline
from tests.schemas import schema_of
from tests.unit.services.test_hook import hook, kube_with

CASES = sorted((Path(__file__).parents[2] / "golden" / "services").iterdir())


def read(path: Path) -> object:
    """Read a file of a case; one that is not there is an empty list."""
    return json.loads(path.read_text()) if path.exists() else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_whole_request_has_its_response(case: Path) -> None:
    request = json.loads((case / "request.json").read_text())
    kube = kube_with(deepcopy(request))
    answer = hook(kube).sync(request, Deadline(8))
    assert answer.response == read(case / "response.json")
    recorded = [
        {"type": event.type, "reason": event.reason, "message": event.message}
        for event in kube.events
    ]
    assert recorded == read(case / "events.json")
    assert {verb for verb, _, _ in kube.writes} <= {"patch"}
    patches = [{"path": path, "body": body} for _, path, body in kube.writes]
    assert patches == read(case / "patches.json")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_case_holds_is_what_an_api_server_would_keep(case: Path) -> None:
    request = json.loads((case / "request.json").read_text())
    response = json.loads((case / "response.json").read_text())
    (observed,) = request["attachments"].values()
    for made in [*observed.values(), *response["attachments"]]:
        assert schema_of("cloudstackloadbalancers").problems(made) == []
