"""Tells what happened by Kubernetes Events, and not too often."""

import threading
import time
from datetime import UTC, datetime

import requests

from tests.controlplane.api import Api, ApiError, Object
from tests.controlplane.standin import objects

COMPONENT = "metacontroller"
BURST = 25
SECONDS_PER_EVENT = 300.0


class Events:
    """Writes Events about objects: of a repeated one only the count grows."""

    def __init__(self, api: Api) -> None:
        self._events = api.resource("v1", "events")
        self._lock = threading.Lock()
        self._written: dict[tuple[str, ...], tuple[str, str, int]] = {}
        self._allowance: dict[str, tuple[float, float]] = {}

    def warning(self, about: Object, reason: str, message: str) -> None:
        """Write a Warning, or count it up."""
        self._write(about, "Warning", reason, message)

    def normal(self, about: Object, reason: str, message: str) -> None:
        """Write a Normal event, or count it up."""
        self._write(about, "Normal", reason, message)

    def _write(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Write an event as well as may be: that it cannot be written stops nothing."""
        with self._lock:
            if not self._allowed(objects.uid(about)):
                return
            key = (objects.uid(about), kind, reason, message)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            try:
                if key in self._written:
                    self._written[key] = self._count(self._written[key], now)
                else:
                    body = _event(about, (kind, reason, message), now)
                    self._events.create(body)
                    where, name = objects.namespace(body), objects.name(body)
                    self._written[key] = (where, name, 1)
            except (ApiError, requests.RequestException):
                self._written.pop(key, None)

    def _count(self, written: tuple[str, str, int], now: str) -> tuple[str, str, int]:
        where, name, count = written
        self._events.patch(name, {"count": count + 1, "lastTimestamp": now}, where)
        return where, name, count + 1

    def _allowed(self, uid: str) -> bool:
        now = time.monotonic()
        left, since = self._allowance.get(uid, (float(BURST), now))
        left = min(BURST, left + (now - since) / SECONDS_PER_EVENT)
        self._allowance[uid] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def _event(about: Object, said: tuple[str, str, str], now: str) -> Object:
    kind, reason, message = said
    namespace = objects.namespace(about)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{objects.name(about)}.{time.time_ns():x}",
            "namespace": namespace or "default",
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "namespace": namespace,
            "name": objects.name(about),
            "uid": objects.uid(about),
            "resourceVersion": objects.version(about),
        },
        "type": kind,
        "reason": reason,
        "message": message[:1024],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
