import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from hooks import VERSION
from hooks.server.metrics import Metrics, create_metrics_app, process_registry
from hooks.settings.reloading import ReloadingFile


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


@pytest.fixture
def client(registry: CollectorRegistry) -> FlaskClient:
    return create_metrics_app(registry).test_client()


def test_calls_are_counted_and_timed_by_hook_and_outcome(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    metrics.hook_call("nodes", "sync", "ok", 0.2)
    metrics.hook_call("nodes", "sync", "ok", 0.3)
    metrics.hook_call("nodes", "sync", "retry", 0.5)
    value = registry.get_sample_value
    labels = {"hook": "nodes", "call": "sync"}
    assert value("hook_calls_total", {**labels, "outcome": "ok"}) == 2
    assert value("hook_calls_total", {**labels, "outcome": "retry"}) == 1
    assert value("hook_call_duration_seconds_sum", labels) == pytest.approx(1.0)


def test_cloudstack_calls_are_counted_and_timed_by_command(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    metrics.cloudstack_call("listZones", "ok", 0.2)
    metrics.cloudstack_call("listZones", "431", 0.3)
    value = registry.get_sample_value
    labels = {"command": "listZones"}
    assert value("cloudstack_api_calls_total", {**labels, "outcome": "ok"}) == 1
    assert value("cloudstack_api_calls_total", {**labels, "outcome": "431"}) == 1
    assert value("cloudstack_api_call_duration_seconds_count", labels) == 2


def test_cache_requests_are_hits_or_misses(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.cache_request("listZones", True)
    metrics.cache_request("listZones", False)
    metrics.cache_request("listZones", True)
    value = registry.get_sample_value
    assert value("cloudstack_cache_requests_total", {"command": "listZones", "result": "hit"}) == 2
    assert value("cloudstack_cache_requests_total", {"command": "listZones", "result": "miss"}) == 1


def test_a_refused_file_shows_until_it_is_good(
    metrics: Metrics, registry: CollectorRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "number"
    path.write_text("1")
    file = ReloadingFile("number", (str(path),), lambda: int(path.read_text()))
    metrics.watch(file, None)
    shown = []
    for text in ("10", "ten", "100"):
        path.write_text(text)
        shown.append(registry.get_sample_value("config_file_good", {"file": "number"}))
    assert shown == [1, 0, 1]


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics(first).cache_request("listZones", True)
    Metrics(second)
    labels = {"command": "listZones", "result": "hit"}
    assert first.get_sample_value("cloudstack_cache_requests_total", labels) == 1
    assert second.get_sample_value("cloudstack_cache_requests_total", labels) is None


def test_nothing_but_metrics_answers(client: FlaskClient) -> None:
    for path in ("/", "/healthz", "/readyz", "/nodes/sync", "/metrics/"):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404
    assert client.post("/metrics").status_code == 405


def test_asking_makes_no_new_series(client: FlaskClient) -> None:
    before = client.get("/metrics").text
    client.get("/made-up")
    client.open("/metrics", method="MADEUP")
    assert client.get("/metrics").text == before


def test_the_process_is_measured_too() -> None:
    page = create_metrics_app(process_registry()).test_client().get("/metrics").text
    assert "process_resident_memory_bytes" in page
    assert "python_gc_objects_collected_total" in page


def test_calls_of_the_api_server_are_counted_by_verb_and_outcome(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    metrics.kube_call("patch", "409")
    metrics.kube_call("patch", "409")
    labels = {"verb": "patch", "outcome": "409"}
    assert registry.get_sample_value("kube_api_calls_total", labels) == 2


def test_the_last_success_of_a_command_is_no_failure(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    name, labels = "cloudstack_api_last_success_timestamp_seconds", {"command": "listZones"}
    metrics.cloudstack_call("listZones", "431", 0.1)
    assert registry.get_sample_value(name, labels) is None
    before = time.time()
    metrics.cloudstack_call("listZones", "ok", 0.1)
    after = time.time()
    metrics.cloudstack_call("listZones", "unreachable", 0.1)
    assert before <= (registry.get_sample_value(name, labels) or 0.0) <= after


def test_the_version_that_runs_is_shown(metrics: Metrics, registry: CollectorRegistry) -> None:
    del metrics
    labels = {"version": VERSION}
    assert registry.get_sample_value("cloudstack_metacontroller_build_info", labels) == 1
