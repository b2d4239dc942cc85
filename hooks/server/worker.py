"""Gunicorn's worker: one loop reads and writes for all callers, threads compute the responses.

A thread gets a request only when all of it has arrived, and never touches a socket. A caller that
sends slowly, reads slowly or never hangs up holds a connection and no thread. Probes, metrics,
hooks and refusals have threads of their own; the loop repeats the first good answer to a probe.
"""

import errno
import logging
import os
import resource
import selectors
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.workers.base import Worker as GunicornWorker
from werkzeug import Response

from hooks.server.apps import Apps
from hooks.server.connection import Connection, ConnectionOver, Phase
from hooks.server.rates import Rate

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Threads for probes, as many for metrics, and for the side: refusals and the list of hooks.
SIDE_THREADS = 1
#: Bytes of all request bodies in memory, up to which large ones are read; one more may pass it.
LARGE_BODY_BUDGET = 64 * 1024 * 1024
#: Bytes of memory for what the bodies of all calls become once parsed. One always fits, and so
#: does a small one.
PARSE_BUDGET = 160 * 1024 * 1024
SMALL_PARSE = 1024 * 1024
#: Seconds between looks at deadlines and certificates; the arbiter hears of the worker as often.
TICK_SECONDS = 0.5
#: Seconds for which a stopping worker waits for requests that are on their way.
STOP_IDLE_SECONDS = 2.0
#: Seconds of work until the loop looks at deadlines, listeners and other ready connections.
TURN_SECONDS = 0.05
#: After this status the connection ends: an unauthorized caller gets one answer a connection.
UNAUTHORIZED = 401
#: Seconds that a new connection has at least, for a request that is on its way.
GRACE_SECONDS = 0.25
#: Connections accepted in a row before others get their turn.
ACCEPT_BURST = 64
#: Metrics pages that are computed: at once, and then each second. More frequent requests get the
#: last page.
FRESH_PAGES = (20, 10)
#: Open files that the process asks for, and those of them for its own calls.
MAX_FILES = 4096
OWN_FILES = 384
#: Callers' connections at most; a quarter of them at the metrics port.
MAX_CONNECTIONS = 1024
_NO_FILES = (errno.EMFILE, errno.ENFILE)

_INTERNAL_ERROR = Response(
    '{"error": "internal error, see the log"}\n', 500, content_type="application/json"
)
_log = logging.getLogger("hooks.process")


def raise_file_limit() -> int:
    """Raise the limit of open files as far as allowed; return how many callers it is enough for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft > files:
        files = MAX_FILES
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return min(MAX_CONNECTIONS, max(files // 4, files - OWN_FILES))


class Worker(GunicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves until it is stopped; gunicorn starts it."""

    def init_process(self) -> None:
        """Prepare the loop; gunicorn loads the apps and calls `run` in here."""
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._done: deque[tuple[Connection, Response]] = deque()
        self._ready: OrderedDict[Any, None] = OrderedDict()
        self._paused: list[Any] = []
        self._held: OrderedDict[Connection, None] = OrderedDict()
        self._reserved: dict[Connection, int] = {}
        self._exceeding: Connection | None = None
        self._parsing: dict[Connection, int] = {}
        self._drops = Rate(1, 0.1)
        self._next_look = 0.0
        self._answers: dict[str, Response] = {}
        self._pages = Rate(*FRESH_PAGES)
        threads = dict.fromkeys(("probes", "metrics", "side"), SIDE_THREADS)
        threads["hooks"] = self.cfg.threads
        self._pools = {
            name: ThreadPoolExecutor(count, thread_name_prefix=name)
            for name, count in threads.items()
        }
        super().init_process()

    def run(self) -> None:
        """Serve, then finish what has begun, within the graceful timeout."""
        self._apps: Apps = self.wsgi
        self._selector.register(self.PIPE[0], selectors.EVENT_READ, self._wake_up)
        for listener in self.sockets:
            listener.setblocking(False)
        self._paused = list(self.sockets)
        self._listen()
        while self.alive and self.ppid == os.getppid():
            self._turn()
        self._stop()

    def _stop(self) -> None:
        self._listen()
        for listener in self.sockets:
            self._selector.unregister(listener)
            listener.close()
        self._ready = OrderedDict.fromkeys(self._connections & self._ready.keys())
        started = time.monotonic()
        while self._connections and time.monotonic() < started + self.cfg.graceful_timeout:
            self._turn()
            if time.monotonic() > started + STOP_IDLE_SECONDS:
                for connection in list(self._connections):
                    if connection.phase in (Phase.HANDSHAKE, Phase.IDLE, Phase.READING):
                        self._drop(connection)
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _listen(self) -> None:
        """Accept callers again at ports that had no room."""
        while self._paused:
            listener = self._paused.pop()
            accept = partial(self._accept, listener)
            self._selector.register(listener, selectors.EVENT_READ, accept)

    def _turn(self) -> None:
        """Do what can be read, written or answered, for a limited time.

        What is left over comes first in the next turn, after new callers and responses.
        """
        self.notify()
        seconds = TURN_SECONDS if self._paused else TICK_SECONDS
        for key, _ in self._selector.select(0 if self._ready or self._done else seconds):
            self._ready[key.data] = None
            if not isinstance(key.data, Connection):
                self._ready.move_to_end(key.data, last=False)
        self._listen()
        end = time.monotonic() + TURN_SECONDS
        while (self._ready or self._done) and time.monotonic() < end:
            step, _ = self._ready.popitem(last=False) if self._ready else (None, None)
            if isinstance(step, Connection):
                self._attempt(step, step.advance)
            elif step:
                step()
            self._write_reply()
        self._drop_overdue()
        self._drop_outdated()
        self._release_held()

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.PIPE[0], 4096)

    def _accept(self, listener: Any) -> None:  # noqa: ANN401 - gunicorn's own class of sockets
        port = listener.getsockname()[1]
        for number in range(ACCEPT_BURST):
            # One more than there are places: it is known to be there, others may not be.
            used = sum(each.port == port for each in self._connections)
            if used > self._places(port) and not self._make_room(port, "connections"):
                self._pause(listener)
                return
            try:
                sock, _ = listener.accept()
            except OSError as error:
                # Only the first try is known to have a caller: files are missed before callers are.
                is_short = error.errno in _NO_FILES and number == 0
                if is_short and not self._make_room(port, "files"):
                    self._pause(listener)
                return
            try:
                connection = Connection(sock, self._apps, self)
            except OSError:
                sock.close()
                continue
            self._connections.add(connection)
            self._watch(connection, connection.events)
            self._ready[connection] = None

    def _pause(self, listener: Any) -> None:  # noqa: ANN401 - gunicorn's own class of sockets
        """Let callers of a port wait for the next turn."""
        self._selector.unregister(listener)
        self._paused.append(listener)

    def _places(self, port: int) -> int:
        """Return how many connections a port may have."""
        of_metrics: int = self.cfg.worker_connections // 4
        if port == self._apps.metrics_port:
            return of_metrics
        return int(self.cfg.worker_connections) - of_metrics

    def _make_room(self, port: int, cause: str) -> bool:
        """Drop a connection of a port, or of any for files. Return whether one was there.

        Callers that were not admitted go first; idle ones before others, then the oldest. An
        admitted caller that waits for a call or takes a response stays.
        """
        now = time.monotonic()
        busy = (Phase.HELD, Phase.RUNNING, Phase.WRITING)
        droppable = [
            each
            for each in self._connections
            if (each.port == port or cause == "files")
            and not (each.is_admitted and each.phase in busy)
            and (each.phase is Phase.IDLE or now > each.opened + GRACE_SECONDS)
        ]
        if not droppable:
            return False
        self._drop(
            min(droppable, key=lambda e: (e.is_admitted, e.phase is not Phase.IDLE, e.opened))
        )
        self._apps.on_drop(cause)
        if (more := self._drops.take()) is not None:
            extra = {"cause": cause, "port": port, "more": more}
            _log.warning("connection dropped for others", extra=extra)
        return True

    def _attempt(self, connection: Connection, step: Callable[[], None]) -> None:
        """Do a step of a connection, unless it was dropped, and watch for what it needs next."""
        if connection not in self._connections:
            return
        try:
            step()
        except ConnectionOver:
            self._drop(connection)
        except Exception:  # noqa: BLE001 - one connection's error must not end the loop
            _log.exception("connection ended by an error")
            self._drop(connection)
        else:
            self._watch(connection, connection.events)
            if connection.phase is Phase.HELD:
                self._held.setdefault(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.watched:
            return
        if connection.watched:
            self._selector.unregister(connection.sock)
        if events:
            self._selector.register(connection.sock, events, connection)
        connection.watched = events

    def _drop(self, connection: Connection) -> None:
        self._watch(connection, 0)
        self._connections.discard(connection)
        self._held.pop(connection, None)
        self._release(connection)
        connection.sock.close()

    def _drop_overdue(self) -> None:
        now = time.monotonic()
        for connection in list(self._connections):
            if connection.phase is Phase.RUNNING or now <= connection.deadline:
                continue
            if connection.phase is Phase.HELD:
                self._held.pop(connection, None)
                self._release(connection)
                self._attempt(connection, connection.give_up)
            else:
                self._drop(connection)

    def _drop_outdated(self) -> None:
        """Drop idle callers whose authority may not be trusted any more; others get an answer."""
        if (now := time.monotonic()) < self._next_look:
            return
        self._next_look = now + TICK_SECONDS
        for connection in list(self._connections):
            if connection.phase is Phase.IDLE and connection.is_outdated:
                self._drop(connection)

    def _write_reply(self) -> None:
        """Write the first of the responses that are there."""
        if self._done:
            connection, response = self._done.popleft()
            self._release(connection)
            is_refused = response.status_code == UNAUTHORIZED
            last = not self.alive or is_refused or connection.is_outdated
            self._attempt(connection, partial(connection.reply, response, last=last))

    def _release(self, connection: Connection) -> None:
        self._reserved.pop(connection, None)
        self._parsing.pop(connection, None)
        if self._exceeding is connection:
            self._exceeding = None

    def _release_held(self) -> None:
        """Let those go on that waited for memory, in the order in which they came."""
        full = set()
        for connection in list(self._held):
            if (is_whole := connection.is_whole) in full:
                continue
            self._attempt(connection, connection.resume)
            if connection.phase is Phase.HELD:
                full.add(is_whole)
            else:
                self._held.pop(connection, None)

    # What connections ask for: the protocol Gate.

    def reserve(self, connection: Connection, size: int) -> bool:
        """Reserve memory for a body as it grows.

        One may pass the budget, so that those which wait for each other come to an end.
        """
        used = sum(self._reserved.values()) - self._reserved.get(connection, 0)
        if used + size > LARGE_BODY_BUDGET:
            if self._exceeding not in (None, connection):
                return False
            self._exceeding = connection
        self._reserved[connection] = size
        return True

    def reserve_parsing(self, connection: Connection, size: int) -> bool:
        """Reserve memory for what a body becomes; a large one waits for those before it."""
        used = sum(self._parsing.values())
        if size > SMALL_PARSE and used and used + size > PARSE_BUDGET:
            return False
        self._parsing[connection] = size
        return True

    def submit(self, connection: Connection, pool: str, environ: "WSGIEnvironment") -> None:
        """Answer as a moment ago, or call the app in a thread of a pool."""
        kind = self._apps.kind_of_answer(pool, environ)
        known = self._answers.get(kind)
        if known and (pool == "probes" or self._pages.take() is None):
            self._done.append((connection, known))
            return
        self._pools[pool].submit(self._call, connection, environ, kind)

    def _call(self, connection: Connection, environ: "WSGIEnvironment", kind: str) -> None:
        """Compute a response; runs in a thread."""
        try:
            response = Response.from_app(self._apps, environ, buffered=True)
        except Exception:  # noqa: BLE001 - the caller gets an answer, whatever the app does
            _log.exception("the app failed")
            response = Response.from_app(_INTERNAL_ERROR, environ)
        if kind and response.status_code == 200:
            self._answers[kind] = response
        self._done.append((connection, response))
        with suppress(OSError):
            os.write(self.PIPE[1], b".")
