"""Starts, awaits and ends the programs that the tests run, each by its own process id."""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane import reaper


class ProcessEndedError(Exception):
    """A program ended while it was waited for; the message ends with its last lines."""


@dataclass
class Process:
    """One running program, its log, and what it takes to start it again."""

    name: str
    command: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None  # where it runs; None is where the tests do
    _running: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the program in a session of its own; its output is added to the log."""
        if self.alive:
            raise RuntimeError(f"{self.name} is running already, as process {self.pid}")
        with self.log.open("ab") as out:
            self._running = subprocess.Popen(
                [str(part) for part in self.command],
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _REAPER.tell(f"+{self.pid}")

    @property
    def alive(self) -> bool:
        """Tell whether the program runs."""
        return self._running is not None and self._running.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id; the program must have been started."""
        if self._running is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._running.pid

    @property
    def code(self) -> int | None:
        """Return what the program ended with; None while it runs, or when it was stopped."""
        return None if self._running is None else self._running.poll()

    def stop(self, grace: float = 10.0) -> None:
        """End the program: SIGTERM, and SIGKILL when it is still there after `grace` seconds."""
        self._end(signal.SIGTERM, grace)

    def kill(self) -> None:
        """End the program and all that it started, as a crash of its container would."""
        self._end(signal.SIGKILL, 10.0)

    def restart(self) -> None:
        """Stop the program if it runs, and start it again with the same command."""
        self.stop()
        self.start()

    def check(self) -> None:
        """Raise ProcessEndedError if the program is not running."""
        if not self.alive:
            raise ProcessEndedError(
                f"{self.name} ended with {self.code}; {self.log} ends:\n{self.tail()}"
            )

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _end(self, sign: signal.Signals, grace: float) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        if running.poll() is None:
            if sign is signal.SIGKILL:
                os.killpg(running.pid, sign)  # it leads a session of its own
            else:
                running.send_signal(sign)
        try:
            running.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        _REAPER.tell(f"-{running.pid}")


class _Reaper:
    """The process that outlives a killed test run just long enough to kill what it started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, line: str) -> None:
        if sys.platform != "linux":  # the reaper needs pidfd
            return
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", reaper.__file__],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            atexit.register(self._process.communicate)
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


_REAPER = _Reaper()
