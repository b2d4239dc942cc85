"""Kills the processes a test run leaves behind when it is itself killed.

Runs as a process of its own and reads lines from the test run: `+PID` for one that started,
`-PID` for one that was stopped. The end of the input means that the test run is gone. Processes
are held by pidfd, so that a number used again later never names a stranger.
"""

import os
import signal
import sys
from contextlib import suppress


def reap() -> None:
    """Follow the lines, then kill what is left."""
    living: dict[str, int] = {}
    for line in sys.stdin:
        sign, pid = line[:1], line[1:].strip()
        if sign == "+":
            with suppress(ProcessLookupError):
                living[pid] = os.pidfd_open(int(pid))
        elif pid in living:
            os.close(living.pop(pid))
    for descriptor in living.values():
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reap()
