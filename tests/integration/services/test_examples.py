"""Posts the examples' requests as their READMEs do, and holds the answers to what those say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from hooks.http.bounded_json import Json
from hooks.server.app import create_app
from hooks.server.auth import Authenticator
from hooks.server.metrics import Metrics
from hooks.services.hook import ServicesHook
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube
from tests.schemas import schema_of

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(
    folder.parent
    for folder in (ROOT / "examples").glob("*/request.json")
    if json.loads(folder.read_text()).get("object", {}).get("kind") == "Service"
)
CONTROLLER = yaml.safe_load((ROOT / "metacontroller/services.yaml").read_text())

#: A row of a README's table: a place in the answer, and the JSON that is there.
ROW = re.compile(r"^\| `(?P<place>[^`]+)` \| `(?P<value>[^`]+)` \|", re.MULTILINE)


@pytest.fixture
def client() -> FlaskClient:
    hook = ServicesHook(dependencies(MemoryKube(), clock=lambda: 0.0))
    app = create_app(
        {"services": hook},
        authenticator=Authenticator(None, client_certificates=False),
        metrics=Metrics(CollectorRegistry()),
        deadline_seconds=8,
    )
    return app.test_client()


def at(answer: Any, place: str) -> Any:
    """Look up a place such as `attachments[0].spec.mode`."""
    for step in re.findall(r"[^.\[\]]+", place):
        answer = answer[int(step)] if step.isdigit() else answer[step]
    return answer


def claims(readme: str) -> Iterator[tuple[str, object]]:
    """Read what a README says of the answer."""
    for row in ROW.finditer(readme):
        yield row["place"], json.loads(row["value"])


def test_there_are_examples_of_what_people_ask_for_most() -> None:
    assert [folder.name[3:] for folder in EXAMPLES] == [
        "load-balancer",
        "proxy-protocol",
        "source-ranges",
        "static-address",
        "plan-mode",
        "vpc-tier",
        "vpc-source-ranges",
        "local-traffic",
        "session-affinity",
        "proxy-per-port",
        "shared-address",
        "address-changed",
        "several-networks",
        "internal",
        "certificate",
    ]


def test_no_two_examples_name_the_same_service() -> None:
    folders = (ROOT / "examples").glob("*/*.yaml")
    objects = [each for file in folders for each in yaml.safe_load_all(file.read_text())]
    names = [each["metadata"]["name"] for each in objects if each.get("kind") == "Service"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_is_answered_as_its_readme_says(folder: Path, client: FlaskClient) -> None:
    readme = (folder / "README.md").read_text()
    body = (folder / "request.json").read_bytes()
    claimed = dict(claims(readme))
    assert len(claimed) >= 2
    assert f"--data @examples/{folder.name}/request.json" in readme
    response = client.post("/services/sync", data=body, content_type="application/json")
    assert response.status_code == 200
    answer: Json = response.get_json()
    assert {place: at(answer, place) for place in claimed} == claimed
    for made in answer["attachments"]:
        assert schema_of("cloudstackloadbalancers").problems(made) == []


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_examples_request_is_what_its_manifest_becomes(folder: Path) -> None:
    request = json.loads((folder / "request.json").read_text())
    manifest = yaml.safe_load((folder / "service.yaml").read_text())
    assert contains(request["object"], manifest)
    assert request["controller"]["spec"] == CONTROLLER["spec"]
    assert request["controller"]["metadata"]["name"] == CONTROLLER["metadata"]["name"]


def contains(whole: object, part: object) -> bool:
    """Tell whether everything in a manifest is in the object that it became."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            contains(whole.get(key), value) for key, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list) and len(whole) == len(part) and all(map(contains, whole, part))
        )
    return whole == part
