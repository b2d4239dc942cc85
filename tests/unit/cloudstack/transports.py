"""Transports and clocks for the client's tests: answers from memory, time that is moved."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hooks.cloudstack.client import Client, Clocks
from hooks.cloudstack.errors import CloudStackError
from hooks.http.deadline import Deadline

#: An answer's content, an error to raise, or a function that makes either of the parameters.
Scripted = dict[str, Any] | CloudStackError | Callable[[Mapping[str, object]], dict[str, Any]]


class Time:
    """A clock that stands still until somebody pauses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds


@dataclass
class Script:
    """Answers calls one by one as written down; the last line goes for all that follow.

    A call takes `call_seconds`; one that is given less is a mistake of the test.
    """

    lines: Iterable[Scripted]
    time: Time = field(default_factory=Time)
    call_seconds: float = 0.0
    calls: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = deque(self.lines)

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> dict[str, Any]:
        """Answer with the next line."""
        self.calls.append((command, dict(params)))
        self.limits.append(seconds)
        self.time.now += self.call_seconds
        line = self._left.popleft() if len(self._left) > 1 else self._left[0]
        if isinstance(line, CloudStackError):
            raise line
        return line(params) if callable(line) else line

    def client(
        self, *, project_id: str = "", observed: list[tuple[str, str]] | None = None
    ) -> Client:
        """Make a client that calls this script and lives in its time."""
        seen = [] if observed is None else observed
        return Client(
            self,
            project_id=project_id,
            observer=lambda command, outcome, _seconds: seen.append((command, outcome)),
            clocks=Clocks(monotonic=self.time.monotonic, pause=self.time.pause),
        )

    def deadline(self, seconds: float) -> Deadline:
        """Make a deadline in this script's time."""
        return Deadline(seconds, clock=self.time.monotonic)
