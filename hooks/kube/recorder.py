"""Writes Events to the API server, in a thread of its own: no call of a hook waits for one."""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from hooks.http.backoff import Backoff
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.recent import Recent
from hooks.kube.client import Conflict, Kube, KubeError, KubeUnreachable, NotFound
from hooks.kube.events import Event
from hooks.kube.kinds import EVENT
from hooks.kube.times import timestamp

#: Seconds that writing one Event may take, and all that wait when the process stops.
EVENT_SECONDS = 2.0
FLUSH_SECONDS = 2.0
#: The longest pause after a failure, in seconds; a server may ask for more.
MAX_PAUSE = 30.0
#: The status of a token that is not accepted, perhaps because a new one is on its way.
UNAUTHORIZED = 401
#: What is put off where no API server answers; no namespace has this name.
ALL_NAMESPACES = ""
#: Seconds in which a repetition of an Event is not written.
EVENT_REPEAT_SECONDS = 600.0
#: How many Events wait to be written at most.
MAX_WAITING = 1024

#: Why an Event is not written: the queue is full, it is refused, a bug, the process stops.
Cause = Literal["full", "refused", "failed", "stopped"]

_log = logging.getLogger("hooks.events")


class EventRecorder:
    """Queues Events and writes them in order; a failed one is written again after a pause.

    An answer of the API server puts off the Events of one namespace; a refused token, and any other
    failure, all Events.

    The name of an Event is a hash of its text, so any replica finds the one written before and
    counts it up. When the queue is full, the oldest Event is dropped.

    Args:
        kube: where to write.
        source: what Events show as their source: the name of the operator, and of its pod.
        on_drop: called for each Event that will not be written.
        clock: epoch seconds.
        monotonic: monotonic seconds, for the time between repetitions.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        source: tuple[str, str],
        on_drop: Callable[[Cause], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._kube = kube
        self._source = source
        self._on_drop = on_drop
        self._clock = clock
        self._monotonic = monotonic
        self._backoff = Backoff(longest=MAX_PAUSE)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        # Guards what follows, and is notified of each change: bodies and times by name, pauses by
        # namespace.
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, Json] = OrderedDict()
        self._done = Recent[float]()
        self._pauses: dict[str, Deadline] = {}
        self._is_full = False
        self._flush: Deadline | None = None

    def __call__(self, event: Event) -> None:
        """Queue an Event, unless it waits already or was written a short while ago."""
        body = _body(event, self._source, timestamp(self._clock()))
        name = body["metadata"]["name"]
        with self._changed:
            written = self._done.get(name, float("-inf"))
            is_repeated = self._monotonic() - written < EVENT_REPEAT_SECONDS
            if self._flush is not None or name in self._waiting or is_repeated:
                return
            self._waiting[name] = body
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
        """Write what waits, put off or not, for FLUSH_SECONDS at most, and end."""
        with self._changed:
            self._flush = Deadline(FLUSH_SECONDS)
            self._pauses.clear()
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
        """Write the Events of the queue, until it is closed and nothing more can be written."""
        while (body := self._next()) is not None:
            try:
                self._write(body)
            except KubeError as error:
                if isinstance(error, KubeUnreachable | Conflict) or error.code == UNAUTHORIZED:
                    self._put_off(body, error)
                    continue
                _log.warning("event refused", extra={"event": body["reason"], "error": error})
                self._finish(body, "refused")
            except Exception:  # noqa: BLE001 - the thread serves all Events that follow
                _log.exception("event not written", extra={"event": body["reason"]})
                self._finish(body, "failed")
            else:
                self._backoff.succeeded(body["metadata"]["namespace"])
                self._backoff.succeeded(ALL_NAMESPACES)
                self._finish(body)

    def _next(self) -> Json | None:
        """Wait for an Event that is not put off and return its body; None when there is none."""
        with self._changed:
            while self._flush is None or not self._flush.passed():
                self._pauses = {key: end for key, end in self._pauses.items() if not end.passed()}
                if ALL_NAMESPACES not in self._pauses:
                    for body in self._waiting.values():
                        if body["metadata"]["namespace"] not in self._pauses:
                            return body
                if self._flush is not None:
                    break
                pauses = [end.remaining() for end in self._pauses.values()]
                self._changed.wait(min(pauses, default=None))
            return None

    def _put_off(self, body: Json, error: KubeError) -> None:
        """Put an Event that was not written behind the others, and pause."""
        is_of_all = error.code in (0, UNAUTHORIZED)
        paused = ALL_NAMESPACES if is_of_all else body["metadata"]["namespace"]
        pause = max(self._backoff.failed(paused), error.retry_after)
        with self._changed:
            if body["metadata"]["name"] in self._waiting:
                self._waiting.move_to_end(body["metadata"]["name"])
            self._pauses[paused] = Deadline(pause)
            if self._flush is None:
                extra = {"error": error, "pause": pause, "namespace": paused}
                _log.warning("event not written, tried again", extra=extra)

    def _finish(self, body: Json, dropped: Cause | None = None) -> None:
        if dropped:
            self._on_drop(dropped)
        name = body["metadata"]["name"]
        with self._changed:
            self._waiting.pop(name, None)
            self._is_full = self._is_full and bool(self._waiting)
            self._done[name] = self._monotonic()

    def _write(self, body: Json) -> None:
        """Create the Event, or count up the one that is there. Raises KubeError."""
        path = EVENT.path(body["metadata"]["namespace"])
        deadline = Deadline(EVENT_SECONDS)
        try:
            self._kube.create(path, body, deadline=deadline)
        except Conflict as conflict:
            path = f"{path}/{body['metadata']['name']}"
            try:
                found = self._kube.get(path, deadline=deadline)
                again = {"lastTimestamp": body["lastTimestamp"]}
                if found.get("lastTimestamp") != again["lastTimestamp"]:  # else an answer was lost
                    again["count"] = int(found.get("count") or 1) + 1
                    self._kube.patch(path, again, deadline=deadline)
            except NotFound:
                raise conflict from None  # it has expired since


def _body(event: Event, source: tuple[str, str], recorded_at: str) -> Json:
    regarding = event.regarding
    text = "\0".join((regarding.uid, event.type, event.reason, event.message))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    component, instance = source
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{regarding.name[:200]}.{digest}",
            "namespace": regarding.namespace or "default",
        },
        "involvedObject": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "name": regarding.name,
            "namespace": regarding.namespace,
            "uid": regarding.uid,
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "source": {"component": component, "host": instance},
        "reportingComponent": component,
        "reportingInstance": instance,
        "firstTimestamp": recorded_at,
        "lastTimestamp": recorded_at,
        "count": 1,
    }
