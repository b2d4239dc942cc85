"""The configuration of gunicorn, which reads and checks the settings before it forks.

Start it with `gunicorn` alone, in the folder of this file.
"""

import os
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from hooks import wsgi
from hooks.server.logs import logging_config
from hooks.server.worker import raise_file_limit
from hooks.settings.parsing import ListenAddress

settings = wsgi.process.boot(os.environ)

wsgi_app = "hooks.wsgi:application()"
proc_name = "cloudstack-metacontroller"
bind = [str(settings.bind), str(ListenAddress(settings.metrics_host, settings.metrics_port))]

# One process, so that all calls share caches, locks and probes. Threads, because calls wait.
workers = 1
worker_class = "hooks.server.worker.Worker"
threads = 64
worker_connections = raise_file_limit()

# Seconds without a heartbeat after which the worker is killed. Long calls do not stop it.
timeout = 30
# A stopping worker waits for its calls, which may take longer than the deadline.
graceful_timeout = int(settings.hook_deadline) + 5
# The container's root is read-only; the heartbeat file goes to memory.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """End what runs in the background; the process waits for it when it ends."""
    del server, worker
    wsgi.process.close()


logconfig_dict = logging_config(settings.log_level)
loglevel = {"warn": "warning"}.get(settings.log_level, settings.log_level)
