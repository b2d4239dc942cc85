"""Gunicorn's worker: one loop reads and writes for all callers, threads compute the responses.

A thread gets a request only when all of it has arrived, and never touches a socket. A caller that
sends slowly, reads slowly or never hangs up holds a connection and no thread. Probes, metrics and
hooks have threads of their own.
"""

import logging
import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.workers.base import Worker as GunicornWorker
from werkzeug import Response

from hooks.server.apps import Apps
from hooks.server.connection import Connection, ConnectionOver, Phase

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Threads of probes, and as many of metrics.
SIDE_THREADS = 2
#: Bytes of all request bodies in memory, up to which a large one is read.
LARGE_BODY_BUDGET = 64 * 1024 * 1024
#: A body up to this size, in bytes, is read whatever else is in memory.
SMALL_BODY = 64 * 1024
#: Seconds between looks at deadlines; the arbiter hears of the worker as often.
TICK_SECONDS = 0.5
#: Seconds for which a stopping worker keeps idle connections, for a call that is on its way.
STOP_IDLE_SECONDS = 2.0
#: After this status the connection ends: who may not call gets one answer for each connection.
UNAUTHORIZED = 401
#: Connections accepted in a row before others get their turn.
ACCEPT_BURST = 64

_INTERNAL_ERROR = Response(
    '{"error": "internal error, see the log"}\n', 500, content_type="application/json"
)
_log = logging.getLogger("hooks.process")


class Worker(GunicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves until it is stopped; gunicorn starts it."""

    def init_process(self) -> None:
        """Prepare the loop; gunicorn loads the apps and calls `run` in here."""
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._done: deque[tuple[Connection, Response]] = deque()
        self._reserved: dict[Connection, int] = {}
        threads = {"hooks": self.cfg.threads, "probes": SIDE_THREADS, "metrics": SIDE_THREADS}
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
            self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
        while self.alive and self.ppid == os.getppid():
            self._turn()
        self._stop()

    def _stop(self) -> None:
        for listener in self.sockets:
            self._selector.unregister(listener)
            listener.close()
        started = time.monotonic()
        while self._connections and time.monotonic() < started + self.cfg.graceful_timeout:
            self._turn()
            if time.monotonic() > started + STOP_IDLE_SECONDS:
                for connection in list(self._connections):
                    if connection.phase is Phase.IDLE:
                        self._drop(connection)
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _turn(self) -> None:
        """Wait for what can be read, written or answered, and do it."""
        self.notify()
        for key, _ in self._selector.select(TICK_SECONDS):
            key.data()
        self._write_replies()
        self._drop_overdue()
        self._release_held()

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.PIPE[0], 4096)

    def _accept(self, listener: Any) -> None:  # noqa: ANN401 - gunicorn's own class of sockets
        for _ in range(ACCEPT_BURST):
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if len(self._connections) >= self.cfg.worker_connections:
                self._drop_least_useful()
            try:
                connection = Connection(sock, self._apps, self)
            except OSError:
                sock.close()
                continue
            self._connections.add(connection)
            self._attempt(connection, connection.advance)

    def _drop_least_useful(self) -> None:
        """Drop a connection that has got no response yet, or the one that is due first."""
        idle = [each for each in self._connections if each.phase is not Phase.RUNNING]
        if idle:
            self._drop(min(idle, key=lambda each: (each.served > 0, each.deadline)))

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

    def _watch(self, connection: Connection, events: int) -> None:
        watched = self._selector.get_map().get(connection.sock)
        if (watched.events if watched else 0) == events:
            return
        if watched:
            self._selector.unregister(connection.sock)
        if events:
            advance = partial(self._attempt, connection, connection.advance)
            self._selector.register(connection.sock, events, advance)

    def _drop(self, connection: Connection) -> None:
        self._watch(connection, 0)
        self._connections.discard(connection)
        self._reserved.pop(connection, None)
        connection.sock.close()

    def _drop_overdue(self) -> None:
        now = time.monotonic()
        for connection in list(self._connections):
            if connection.phase is not Phase.RUNNING and now > connection.deadline:
                self._drop(connection)

    def _write_replies(self) -> None:
        """Write what threads have computed."""
        while self._done:
            connection, response = self._done.popleft()
            self._reserved.pop(connection, None)
            last = not self.alive or response.status_code == UNAUTHORIZED
            self._attempt(connection, partial(connection.reply, response, last=last))

    def _release_held(self) -> None:
        """Let those read on that waited for memory, in the order in which they came."""
        held = [each for each in self._connections if each.phase is Phase.HELD]
        for connection in sorted(held, key=lambda each: each.deadline):
            self._attempt(connection, connection.read_body)
            if connection.phase is Phase.HELD:
                return

    # What connections ask for: the protocol Gate.

    def reserve(self, connection: Connection, size: int) -> bool:
        """Reserve memory for a body; a large one waits until those before it are done."""
        if size > SMALL_BODY and sum(self._reserved.values()) + size > LARGE_BODY_BUDGET:
            return False
        self._reserved[connection] = size
        return True

    def submit(self, connection: Connection, environ: "WSGIEnvironment") -> None:
        """Call the app in one of its threads."""
        self._pools[self._apps.pool(environ)].submit(self._call, connection, environ)

    def _call(self, connection: Connection, environ: "WSGIEnvironment") -> None:
        """Compute a response; runs in a thread."""
        try:
            response = Response.from_app(self._apps, environ, buffered=True)
        except Exception:  # noqa: BLE001 - the caller gets an answer, whatever the app does
            _log.exception("the app failed")
            response = Response.from_app(_INTERNAL_ERROR, environ)
        self._done.append((connection, response))
        with suppress(OSError):
            os.write(self.PIPE[1], b".")
