"""The configuration of gunicorn, which reads and checks the settings before it forks.

Start it with `gunicorn` alone, in the folder of this file.
"""

import os
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config as GunicornConfig
from gunicorn.workers.base import Worker

from hooks import wsgi
from hooks.server.logs import logging_config
from hooks.server.tls import PortContext
from hooks.settings.parsing import ListenAddress

settings = wsgi.process.boot(os.environ)

wsgi_app = "hooks.wsgi:application()"
proc_name = "cloudstack-metacontroller"
bind = [str(settings.bind), str(ListenAddress(settings.metrics_host, settings.metrics_port))]

# One process, so that all calls share caches, locks and probes. Threads, because calls wait.
workers = 1
worker_class = "gthread"
threads = 64
worker_connections = 1024

# Seconds without a heartbeat after which the worker is killed. Long calls do not stop it.
timeout = 30
# A stopping worker waits for its calls, which may take longer than the deadline.
graceful_timeout = int(settings.hook_deadline) + 5
# Longer than the 90 s after which Go's HTTP client drops an idle connection: a server that
# drops it first loses a call that is just being sent.
keepalive = 100

# Seconds that a caller may pause within a request. Gunicorn itself waits forever, in a thread.
RECEIVE_SECONDS = 5

# The container's root is read-only; the heartbeat file goes to memory.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """End what runs in the background; the process waits for it when it ends."""
    del server, worker
    wsgi.process.close()


logconfig_dict = logging_config(settings.log_level)
loglevel = {"warn": "warning"}.get(settings.log_level, settings.log_level)


def when_ready(server: Arbiter) -> None:
    """Limit the time of a read; connections inherit it from their listener."""
    limit = struct.pack("ll", RECEIVE_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


if settings.tls_cert_file:
    certfile = settings.tls_cert_file
    keyfile = settings.tls_key_file
    do_handshake_on_connect = True

    def ssl_context(
        conf: GunicornConfig, default_ssl_context_factory: Callable[[], ssl.SSLContext]
    ) -> PortContext:
        """Return the newest certificates; see PortContext for the metrics port."""
        del conf, default_ssl_context_factory
        return wsgi.process.tls()
