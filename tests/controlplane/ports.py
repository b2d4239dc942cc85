"""Hands out ports to servers that must be told theirs before they start."""

import os
import random
import socket
from collections.abc import Mapping
from itertools import cycle

#: Below Linux's ephemeral range (32768 and up): nobody's outgoing connection takes a port while
#: the server that owns it is being restarted.
PORTS = range(20000, 32000)


class Ports:
    """The share of the ports that one of several test processes has.

    A port that was handed out is anybody's until its server listens, which takes seconds. So
    processes that run side by side share none, and none is handed out twice before all were.
    """

    def __init__(self, number: int, of: int) -> None:
        self._mine = list(PORTS)[number::of]
        random.shuffle(self._mine)
        self._next = cycle(self._mine)

    @classmethod
    def of_this_process(cls, environ: Mapping[str, str] = os.environ) -> "Ports":
        """Take the share of a worker of pytest-xdist, or all of them outside of one."""
        worker = environ.get("PYTEST_XDIST_WORKER", "gw0")
        return cls(int(worker.removeprefix("gw")), int(environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))

    def free(self) -> int:
        """Return a port of 127.0.0.1 that nobody listens on. Raises OSError where there is none."""
        for _ in self._mine:
            port = next(self._next)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
        raise OSError(f"no port is free among {len(self._mine)} from {PORTS.start} on")


free_port = Ports.of_this_process().free
