"""What is counted and timed, and the page where Prometheus reads it."""

from contextlib import AbstractContextManager

from flask import Flask
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

from hooks.kube.events import Event
from hooks.webhook.metrics import Definition

#: Seconds; the last is past the webhook's timeout.
_CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0)

#: Bytes; a call over the last is refused.
_SIZE_BUCKETS = (1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 4e6, 16e6)


HOOK_CALLS = Definition(
    "hook_calls_total",
    "counter",
    ("hook", "call", "outcome"),
    "Calls answered, by hook, by what was called (sync, finalize, customize) and by outcome.",
)
HOOK_CALL_SECONDS = Definition(
    "hook_call_duration_seconds",
    "histogram",
    ("hook", "call"),
    "Seconds that a hook took to answer.",
)
HOOK_CALLS_UNDER_WAY = Definition(
    "hook_calls_under_way",
    "gauge",
    ("hook", "call"),
    "Calls that are being answered now.",
)
HOOK_REQUEST_BYTES = Definition(
    "hook_request_bytes",
    "histogram",
    ("hook", "call"),
    "Bytes that Metacontroller sent in one call.",
)
EVENTS = Definition(
    "hook_events_total",
    "counter",
    ("reason", "type"),
    "Events told, by reason and type (Normal, Warning); one that is repeated counts again.",
)
CLOUDSTACK_CALLS = Definition(
    "cloudstack_api_calls_total",
    "counter",
    ("command", "outcome"),
    "Calls of the CloudStack API, by command and outcome.",
)
CLOUDSTACK_CALL_SECONDS = Definition(
    "cloudstack_api_call_duration_seconds",
    "histogram",
    ("command",),
    "Seconds that a call of the CloudStack API took.",
)
CACHE_REQUESTS = Definition(
    "cloudstack_cache_requests_total",
    "counter",
    ("command", "result"),
    "Questions to a cache of CloudStack's answers, by the command that it saves: hit, or miss "
    "where CloudStack was asked.",
)
CONFIG_FILE_GOOD = Definition(
    "config_file_good",
    "gauge",
    ("file",),
    "1 where a configuration file's newest content is in use, 0 where it was refused.",
)

#: Every metric of ours, in the order of the reference page.
DEFINITIONS = (
    HOOK_CALLS,
    HOOK_CALL_SECONDS,
    HOOK_CALLS_UNDER_WAY,
    CLOUDSTACK_CALLS,
    CLOUDSTACK_CALL_SECONDS,
    CACHE_REQUESTS,
    CONFIG_FILE_GOOD,
)


class Metrics:
    """Takes note of what happens.

    Args:
        registry: where the metrics are kept; hooks may register their own there.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._hook_calls = _counter(HOOK_CALLS, registry)
        self._hook_seconds = _histogram(HOOK_CALL_SECONDS, registry)
        self._hook_calls_under_way = _gauge(HOOK_CALLS_UNDER_WAY, registry)
        self._request_bytes = _histogram(HOOK_REQUEST_BYTES, registry, _SIZE_BUCKETS)
        self._events = _counter(EVENTS, registry)
        self._cloudstack_calls = _counter(CLOUDSTACK_CALLS, registry)
        self._cloudstack_seconds = _histogram(CLOUDSTACK_CALL_SECONDS, registry)
        self._cache_requests = _counter(CACHE_REQUESTS, registry)
        self._file_good = _gauge(CONFIG_FILE_GOOD, registry)

    def hook_call(self, hook: str, call: str, outcome: str, seconds: float) -> None:
        """Count an answer to Metacontroller; hook and call are empty for an unknown path."""
        self._hook_calls.labels(hook, call, outcome).inc()
        self._hook_seconds.labels(hook, call).observe(seconds)

    def under_way(self, hook: str, call: str) -> AbstractContextManager[object]:
        """Count a call as under way for as long as the context is open."""
        return self._hook_calls_under_way.labels(hook, call).track_inprogress()

    def hook_request(self, hook: str, call: str, size: int) -> None:
        """Take note of the bytes of a call."""
        self._request_bytes.labels(hook, call).observe(size)

    def event(self, event: Event) -> None:
        """Count an Event."""
        self._events.labels(event.reason, event.type).inc()

    def cloudstack_call(self, command: str, outcome: str, seconds: float) -> None:
        """Count a call of the CloudStack API."""
        self._cloudstack_calls.labels(command, outcome).inc()
        self._cloudstack_seconds.labels(command).observe(seconds)

    def cache_request(self, cache: str, hit: bool) -> None:
        """Count a question to a cache."""
        self._cache_requests.labels(cache, "hit" if hit else "miss").inc()

    def config_file(self, file: str, *, good: bool) -> None:
        """Take note of whether a configuration file's newest content is in use."""
        self._file_good.labels(file).set(1 if good else 0)


def process_registry() -> CollectorRegistry:
    """Make a registry that tells of the process too: memory, CPU, files, garbage collection."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def create_metrics_app(registry: CollectorRegistry) -> Flask:
    """Make the app of the metrics port, where `/metrics` answers and nothing else does."""
    app = Flask("metrics", static_folder=None)
    app.url_map.merge_slashes = False
    # No metrics by path or method: whoever calls could make up as many as they like.
    PrometheusMetrics(app, path="/metrics", export_defaults=False, registry=registry)
    return app


def _counter(definition: Definition, registry: CollectorRegistry) -> Counter:
    return Counter(definition.name, definition.sentence, definition.labels, registry=registry)


def _gauge(definition: Definition, registry: CollectorRegistry) -> Gauge:
    return Gauge(definition.name, definition.sentence, definition.labels, registry=registry)


def _histogram(
    definition: Definition,
    registry: CollectorRegistry,
    buckets: tuple[float, ...] = _CALL_BUCKETS,
) -> Histogram:
    return Histogram(
        definition.name,
        definition.sentence,
        definition.labels,
        registry=registry,
        buckets=buckets,
    )
