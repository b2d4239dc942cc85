"""Writes Events to the API server, in a thread of its own: no call of a hook waits for one."""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hooks.http.backoff import delay
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.texts import shorten
from hooks.kube.client import Conflict, Kube, KubeError, KubeUnreachable, NotFound
from hooks.kube.events import Event
from hooks.kube.times import timestamp

#: Seconds that writing one Event may take.
EVENT_SECONDS = 2.0
#: Seconds in which the Events that wait are still written when the process stops.
FLUSH_SECONDS = 2.0
#: The pause after the first failure and the longest one, in seconds.
MIN_PAUSE = 1.0
MAX_PAUSE = 30.0
#: Seconds in which a repetition of an Event is not written.
EVENT_REPEAT_SECONDS = 600.0
#: Characters of an Event's message; the API server refuses longer ones.
MAX_MESSAGE = 1024
#: How many Events wait to be written at most, and how many written ones are remembered.
MAX_WAITING = 1024
MAX_REMEMBERED = 4096

#: Why an Event is not written: the queue is full, the API server refuses it, the process stops.
Cause = Literal["full", "refused", "stopped"]

_log = logging.getLogger("hooks.events")


@dataclass(frozen=True)
class Source:
    """Who records: the component that Events show, and the name of its pod."""

    component: str
    instance: str


@dataclass(frozen=True)
class _Waiting:
    """An Event in the queue, and when it was recorded, in epoch seconds."""

    event: Event
    recorded_at: float


class EventRecorder:
    """Queues Events, and writes each in turn; one that could not be written is tried again.

    The name of an Event is a hash of its text, so any replica finds the one written before and
    counts it up. When the queue is full, the oldest Event is dropped.

    Args:
        kube: where to write.
        source: who records.
        on_drop: called for each Event that will not be written.
        clock: epoch seconds.
        monotonic: monotonic seconds, for the time between repetitions.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        source: Source,
        on_drop: Callable[[Cause], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._kube = kube
        self._source = source
        self._on_drop = on_drop
        self._clock = clock
        self._monotonic = monotonic
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        # Guards what follows, and is notified of each change.
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._done: OrderedDict[str, float] = OrderedDict()
        self._is_full = False
        self._flush: Deadline | None = None

    def __call__(self, event: Event) -> None:
        """Queue an Event, unless it waits already or was written a short while ago."""
        name = _name(event)
        with self._changed:
            written = self._done.get(name, float("-inf"))
            is_repeated = self._monotonic() - written < EVENT_REPEAT_SECONDS
            if self._flush is not None or name in self._waiting or is_repeated:
                return
            self._waiting[name] = _Waiting(event, self._clock())
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
                self._on_drop("full")
                if not self._is_full:
                    _log.warning("queue of events is full", extra={"size": MAX_WAITING})
                self._is_full = True
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, for FLUSH_SECONDS at most, and end."""
        with self._changed:
            self._flush = Deadline(FLUSH_SECONDS)
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(FLUSH_SECONDS)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        for _ in range(left):
            self._on_drop("stopped")
        if left:
            _log.warning("events not written before the stop", extra={"count": left})

    def _run(self) -> None:
        """Write the Events of the queue, until it is closed and empty or time is up."""
        while (oldest := self._next()) is not None:
            name, waiting = oldest
            try:
                self._write(name, waiting)
            except (KubeUnreachable, Conflict) as error:
                if self._flush is not None:
                    return
                self._pause(name, error)
            except KubeError as error:
                extra = {"event": waiting.event.reason, "error": error}
                _log.warning("event refused", extra=extra)
                self._on_drop("refused")
                self._finish(name)
            else:
                self._failures = 0
                self._finish(name)

    def _next(self) -> tuple[str, _Waiting] | None:
        """Wait for the oldest Event; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._flush is not None)
            if not self._waiting or (self._flush is not None and self._flush.passed()):
                return None
            return next(iter(self._waiting.items()))

    def _pause(self, name: str, error: KubeError) -> None:
        """Put an Event that was not written behind the others, and wait; less if it stops."""
        self._failures += 1
        growing = delay(self._failures, first=MIN_PAUSE, longest=MAX_PAUSE)
        pause = max(growing, error.retry_after)
        _log.warning("event not written, tried again", extra={"error": error, "pause": pause})
        with self._changed:
            if name in self._waiting:
                self._waiting.move_to_end(name)
            self._changed.wait_for(lambda: self._flush is not None, timeout=pause)

    def _finish(self, name: str) -> None:
        with self._changed:
            self._waiting.pop(name, None)
            self._is_full = self._is_full and bool(self._waiting)
            self._done[name] = self._monotonic()
            self._done.move_to_end(name)
            while len(self._done) > MAX_REMEMBERED:
                self._done.popitem(last=False)

    def _write(self, name: str, waiting: _Waiting) -> None:
        """Create the Event, or count up the one that is there. Raises KubeError."""
        namespace = waiting.event.regarding.namespace or "default"
        path = f"/api/v1/namespaces/{namespace}/events"
        deadline = Deadline(EVENT_SECONDS)
        try:
            self._kube.create(path, self._body(name, waiting), deadline=deadline)
        except Conflict as conflict:
            path = f"{path}/{name}"
            try:
                count = int(self._kube.get(path, deadline=deadline).get("count") or 1) + 1
                body = {"count": count, "lastTimestamp": timestamp(waiting.recorded_at)}
                self._kube.patch(path, body, deadline=deadline)
            except NotFound:
                raise conflict from None  # it has expired since

    def _body(self, name: str, waiting: _Waiting) -> Json:
        recorded_at = timestamp(waiting.recorded_at)
        event, regarding = waiting.event, waiting.event.regarding
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
            "message": shorten(event.message, MAX_MESSAGE),
            "source": {"component": self._source.component, "host": self._source.instance},
            "reportingComponent": self._source.component,
            "reportingInstance": self._source.instance,
            "firstTimestamp": recorded_at,
            "lastTimestamp": recorded_at,
            "count": 1,
        }


def _name(event: Event) -> str:
    text = "\0".join((event.regarding.uid, event.type, event.reason, event.message))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{event.regarding.name[:200]}.{digest}"
