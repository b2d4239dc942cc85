"""What the process counts and times, and the app that shows it to Prometheus."""

import json
from contextlib import AbstractContextManager
from typing import Any

from flask import Flask, Response, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from hooks import VERSION
from hooks.kube.events import Event
from hooks.kube.recorder import Cause
from hooks.settings.reloading import ReloadingFile

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0)
_BYTES = (1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 4e6, 16e6)
_CALL = ("hook", "call")

#: Each metric with its help and labels; a histogram also has the upper bounds of its buckets.
_COUNTERS = {
    "hook_calls_total": (
        "Calls answered, by hook, by what was called (sync, finalize, customize) and outcome.",
        ("hook", "call", "outcome"),
    ),
    "hook_events_total": (
        "Events recorded, by reason and type (Normal, Warning); a repetition counts again.",
        ("reason", "type"),
    ),
    "hook_events_dropped_total": (
        (
            "Events that were not written, by cause: full (too many waited), refused (by the API "
            "server), failed (a bug), stopped (still waiting when the process stopped)."
        ),
        ("cause",),
    ),
    "hook_connections_dropped_total": (
        (
            "Connections of callers that were dropped for others, by cause: connections (too many "
            "at a port), files (the process has no more)."
        ),
        ("cause",),
    ),
    "kube_api_calls_total": (
        (
            "Calls of the Kubernetes API server by the hooks themselves, by verb and outcome: ok, "
            "the HTTP status of a refusal, or unreachable."
        ),
        ("verb", "outcome"),
    ),
    "cloudstack_api_calls_total": (
        "Calls of the CloudStack API, by command and outcome.",
        ("command", "outcome"),
    ),
    "cloudstack_cache_requests_total": (
        (
            "Lookups in a cache of CloudStack's answers, by the command that the cache saves and "
            "by result: hit, or miss where CloudStack was called."
        ),
        ("command", "result"),
    ),
}
_GAUGES = {
    "hook_calls_under_way": ("Calls that are being answered now.", _CALL),
    "cloudstack_api_last_success_timestamp_seconds": (
        "When a call of the CloudStack API last succeeded, in seconds since 1970, by command.",
        ("command",),
    ),
    "cloudstack_metacontroller_build_info": ("1, with the version that runs.", ("version",)),
    "config_file_good": (
        "1 where the newest content of a configuration file is in use, 0 where it was refused.",
        ("file",),
    ),
}
_HISTOGRAMS = {
    "hook_call_duration_seconds": ("Seconds that a hook took to answer.", _CALL, _SECONDS),
    "hook_request_bytes": ("Bytes that Metacontroller sent in one call.", _CALL, _BYTES),
    "cloudstack_api_call_duration_seconds": (
        "Seconds that a call of the CloudStack API took.",
        ("command",),
        _SECONDS,
    ),
}


class Metrics:
    """Counts and times what the process does.

    Args:
        registry: where the metrics are kept; hooks may register their own there.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._counters = {
            name: Counter(name, *rest, registry=registry) for name, rest in _COUNTERS.items()
        }
        self._gauges = {
            name: Gauge(name, *rest, registry=registry) for name, rest in _GAUGES.items()
        }
        self._histograms = {
            name: Histogram(name, text, labels, registry=registry, buckets=bounds)
            for name, (text, labels, bounds) in _HISTOGRAMS.items()
        }
        self._gauges["cloudstack_metacontroller_build_info"].labels(VERSION).set(1)

    def hook_call(self, hook: str, call: str, outcome: str, seconds: float) -> None:
        """Count an answer; hook and call are empty for an unknown path."""
        self._counters["hook_calls_total"].labels(hook, call, outcome).inc()
        self._histograms["hook_call_duration_seconds"].labels(hook, call).observe(seconds)

    def under_way(self, hook: str, call: str) -> AbstractContextManager[object]:
        """Count a call as under way while the context is open."""
        return self._gauges["hook_calls_under_way"].labels(hook, call).track_inprogress()

    def hook_request(self, hook: str, call: str, size: int) -> None:
        """Count the bytes of a call."""
        self._histograms["hook_request_bytes"].labels(hook, call).observe(size)

    def event(self, event: Event) -> None:
        """Count an Event."""
        self._counters["hook_events_total"].labels(event.reason, event.type).inc()

    def event_dropped(self, cause: Cause) -> None:
        """Count an Event that will not be written."""
        self._counters["hook_events_dropped_total"].labels(cause).inc()

    def connection_dropped(self, cause: str) -> None:
        """Count a caller's connection that was dropped for others."""
        self._counters["hook_connections_dropped_total"].labels(cause).inc()

    def cloudstack_call(self, command: str, outcome: str, seconds: float) -> None:
        """Count a call of the CloudStack API."""
        self._counters["cloudstack_api_calls_total"].labels(command, outcome).inc()
        if outcome == "ok":
            succeeded = self._gauges["cloudstack_api_last_success_timestamp_seconds"]
            succeeded.labels(command).set_to_current_time()
        self._histograms["cloudstack_api_call_duration_seconds"].labels(command).observe(seconds)

    def kube_call(self, verb: str, outcome: str) -> None:
        """Count a call of the Kubernetes API server."""
        self._counters["kube_api_calls_total"].labels(verb, outcome).inc()

    def cache_request(self, cache: str, hit: bool) -> None:
        """Count a lookup in a cache."""
        self._counters["cloudstack_cache_requests_total"].labels(
            cache, "hit" if hit else "miss"
        ).inc()

    def watch(self, *files: ReloadingFile[Any] | None) -> None:
        """Show for each file whether its newest content is in use."""
        for file in files:
            if file is not None:
                good = self._gauges["config_file_good"].labels(file.name)
                good.set_function(file.is_good)


def process_registry() -> CollectorRegistry:
    """Make a registry that shows the process too: memory, CPU, files, garbage collection."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def create_metrics_app(registry: CollectorRegistry) -> Flask:
    """Make the app of the metrics port, which answers `/metrics` and nothing else."""
    app = Flask("metrics", static_folder=None)
    app.url_map.merge_slashes = False
    # No metrics by path or method: callers could make up as many as they like.
    exporter = PrometheusMetrics(app, path=None, export_defaults=False, registry=registry)

    def page() -> Response:
        text, kind = exporter.generate_metrics(request.headers.get("Accept", ""))
        return Response(text, content_type=kind)

    def refuse(error: HTTPException) -> Response:
        headers = {key: value for key, value in error.get_headers() if key == "Allow"}
        text = json.dumps({"error": "GET /metrics is all that answers here"}) + "\n"
        return Response(text, error.code, headers, content_type="application/json")

    app.add_url_rule("/metrics", "page", page, provide_automatic_options=False)
    app.register_error_handler(HTTPException, refuse)
    return app
