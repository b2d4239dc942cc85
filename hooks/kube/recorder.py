"""Writes Events to the API server, each once, counted up when it happens again."""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError
from hooks.kube.events import Event
from hooks.kube.times import timestamp

#: Seconds that writing one Event may take.
EVENT_SECONDS = 2.0
#: Seconds within which the same Event is not counted up again.
EVENT_REPEAT_SECONDS = 600.0
#: How many Events a process remembers having written.
EVENTS_REMEMBERED = 4096


class EventRecorder:
    """Writes Events; an Event that stands already is counted up, and not oftener than it helps.

    An Event's name is made from what it says, so that any replica finds the one written before.

    Args:
        kube: where to write.
        component: shown as the Event's source.
        instance: the pod's name.
        clock: epoch seconds.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        component: str,
        instance: str,
        log: logging.Logger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kube = kube
        self._component = component
        self._instance = instance
        self._log = log
        self._clock = clock
        self._written: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write the Event; a failure is logged, since nothing depends on an Event."""
        name = self._name(event)
        if not self._due(name):
            return
        path = f"/api/v1/namespaces/{event.regarding.namespace or 'default'}/events"
        deadline = Deadline(EVENT_SECONDS)
        try:
            try:
                self._kube.create(path, self._body(name, event), deadline=deadline)
            except Conflict:
                self._count_up(f"{path}/{name}", deadline)
        except KubeError as error:
            self._log.warning("event not written", extra={"event": event.reason, "error": error})

    def _due(self, name: str) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._written.get(name, float("-inf")) < EVENT_REPEAT_SECONDS:
                return False
            self._written[name] = now
            self._written.move_to_end(name)
            while len(self._written) > EVENTS_REMEMBERED:
                self._written.popitem(last=False)
            return True

    def _count_up(self, path: str, deadline: Deadline) -> None:
        count = int(self._kube.get(path, deadline=deadline).get("count") or 1) + 1
        body = {"count": count, "lastTimestamp": timestamp(self._clock())}
        self._kube.patch(path, body, deadline=deadline)

    @staticmethod
    def _name(event: Event) -> str:
        said = "\0".join((event.regarding.uid, event.type, event.reason, event.message))
        digest = hashlib.sha256(said.encode()).hexdigest()[:16]
        return f"{event.regarding.name[:200]}.{digest}"

    def _body(self, name: str, event: Event) -> Json:
        now = timestamp(self._clock())
        regarding = event.regarding
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": regarding.namespace or "default"},
            "involvedObject": {
                "apiVersion": regarding.api_version,
                "kind": regarding.kind,
                "name": regarding.name,
                "namespace": regarding.namespace,
                "uid": regarding.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1024],
            "source": {"component": self._component, "host": self._instance},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
