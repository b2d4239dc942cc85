"""The status page through gunicorn: who gets it, and that a GET is all it takes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.kube.times import timestamp
from tests.serving import Hooks
from tests.status_stage import LOOKED, TROUBLES, everything, well


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    with Hooks(tmp_path_factory.mktemp("status"), {"HOOKS": "status", "CLOUD_CONFIG": ""}) as hooks:
        # The process has a clock of its own, by which a cluster that is well was just looked at.
        for obj in json.loads(json.dumps(everything()).replace(LOOKED, timestamp(time.time()))):
            hooks.api_server.store.put(obj)
        yield hooks


def test_the_page_is_at_the_root(hooks: Hooks) -> None:
    page = hooks.get("/")
    assert page.code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    text = page.body.decode()
    assert text.startswith("<!doctype html>")
    missed = [
        reason
        for stage in TROUBLES.values()
        for reason in stage().told
        if reason.isidentifier() and reason not in text
    ]
    assert missed == []


def test_its_twin_is_json(hooks: Hooks) -> None:
    twin = hooks.get("/status.json")
    assert twin.headers["Content-Type"] == "application/json"
    assert twin.headers["X-Content-Type-Options"] == "nosniff"
    assert twin.json["troubles"]["total"] >= len(TROUBLES)
    assert twin.json["lists"][0]["ageSeconds"] is not None


def test_links_lead_to_what_is_served(hooks: Hooks) -> None:
    assert b'id="a-service-has-no-address-AddressNotFree"' in hooks.get("/troubleshooting").body


def test_head_gets_no_body_and_nothing_is_posted(hooks: Hooks) -> None:
    assert hooks.call("HEAD", "/").body == b""
    for path in ("/", "/status.json", "/troubleshooting"):
        refused = hooks.post(path, {})
        assert (refused.code, set(refused.headers["Allow"].split(", "))) == (405, {"GET", "HEAD"})
    assert hooks.post("/status/sync", {}).code == 404


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:8080"])
def test_it_answers_under_names_of_this_machine(hooks: Hooks, host: str) -> None:
    assert hooks.call("GET", "/status.json", headers={"Host": host}).code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:80@evil.example", "192.0.2.7", ""]
)
@pytest.mark.parametrize("path", ["/", "/status.json", "//status.json"])
def test_a_website_that_names_itself_gets_nothing(hooks: Hooks, host: str, path: str) -> None:
    refused = hooks.call("GET", path, headers={"Host": host})
    assert refused.code in (400, 404)
    assert b"shop" not in refused.body
    assert hooks.call("GET", "/readyz", headers={"Host": host}).code == 200


def test_nothing_is_written_and_no_secret_is_asked_for(hooks: Hooks) -> None:
    before = dict(hooks.api_server.store.objects)
    hooks.get("/")
    assert hooks.api_server.store.objects == before
    assert hooks.metric("kube_api_calls_total", verb="list", outcome="ok") is not None
    for verb in ("get", "create", "patch", "delete"):
        assert hooks.metric("kube_api_calls_total", verb=verb, outcome="ok") is None
    assert hooks.metric("hook_calls_total", hook="status", call="page", outcome="ok") is not None


def test_with_a_token_only_its_bearer_gets_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("TOKEN-1\n")
    environ = {"HOOKS": "status", "HOOKS_TOKEN_FILE": str(tmp_path / "token")}
    bearer = {"Authorization": "Bearer TOKEN-1", "Host": "status.example.com"}
    with Hooks(tmp_path, environ) as hooks:
        for obj in well():
            hooks.api_server.store.put(obj)
        for path in ("/", "/status.json", "/troubleshooting"):
            assert hooks.get(path).code == 401
            assert hooks.call("GET", path, headers=bearer).code == 200
        assert b"TOKEN-1" not in hooks.call("GET", "/", headers=bearer).body


def test_an_api_server_that_is_gone_is_said_and_not_the_end(tmp_path: Path) -> None:
    with Hooks(tmp_path, {"HOOKS": "status"}) as hooks:
        hooks.api_server.__exit__(None, None, None)
        page = hooks.get("/")
        hooks.api_server.__enter__()
        assert page.code == 200
        assert "ListFailed" in page.body.decode()


def test_without_it_the_root_names_the_hooks(tmp_path: Path) -> None:
    with Hooks(tmp_path, {"HOOKS": "services"}) as hooks:
        assert hooks.get("/").json["hooks"] == {"services": ["/services/sync"]}
        assert hooks.get("/status.json").code == 404
