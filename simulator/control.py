"""The control interface for tests: calls, faults, state, settings."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from simulator.call import Ignored
from simulator.faults import Faults, read_fault
from simulator.jobs import Job
from simulator.staging import stage
from simulator.state import dump
from simulator.world import World

KEPT_CALLS = 200_000
HIDDEN = frozenset({"apikey", "signature", "sessionkey", "privatekey"})


@dataclass(frozen=True)
class Cost:
    """What a call cost: seconds until its answer, and the job that it started."""

    seconds: float = 0.0
    job: Job | None = None


class SettingError(ValueError):
    """A setting is unknown or invalid; str() names it and says what would be right."""


class Control:
    """Reads and changes what a real server hides; each operation takes the lock."""

    def __init__(self, world: World, lock: threading.RLock) -> None:
        self._world = world
        self._lock = lock
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT_CALLS)
        self.ignored: Ignored = Counter()
        self.armed = Faults()

    def record(
        self,
        command: str,
        params: Mapping[str, str],
        *,
        status: int,
        account: str | None,
        cost: Cost,
    ) -> None:
        """Record a call, without its keys and signature; status 0 means that it got no answer."""
        job = cost.job
        started = {} if job is None else {"job": job.id, "due": job.due}
        shown = {
            name: value
            for name, value in params.items()
            if name.lower() not in HIDDEN and name != "command"
        }
        with self._lock:
            self._calls.append(
                {
                    "command": command,
                    "params": shown,
                    "status": status,
                    "account": account,
                    "time": self._world.clock.now(),
                    "seconds": cost.seconds,
                    **started,
                }
            )

    def calls(self, command: str | None = None) -> list[dict[str, Any]]:
        """Return the recorded calls in order, all or those of one command."""
        with self._lock:
            return [call for call in self._calls if command in {None, call["command"]}]

    def counts(self) -> dict[str, int]:
        """Return how often each command was called."""
        with self._lock:
            return dict(Counter(call["command"] for call in self._calls))

    def now(self) -> float:
        """Return the simulator's time, in epoch seconds."""
        return self._world.clock.now()

    def clear_calls(self) -> None:
        """Forget the calls and their ignored parameters."""
        with self._lock:
            self._calls.clear()
            self.ignored.clear()

    def ignored_parameters(self) -> list[dict[str, Any]]:
        """Return the parameters that their commands do not know: command, name and count."""
        with self._lock:
            return [
                {"command": command, "parameter": name, "count": count}
                for (command, name), count in sorted(self.ignored.items())
            ]

    def fault(self, command: str = "*", kind: str = "error", **fields: object) -> None:
        """Arm a fault; the fields are those of the HTTP interface."""
        with self._lock:
            self.armed.add(read_fault({"command": command, "kind": kind, **fields}))

    def stage(self, kind: str, name: str, **fields: object) -> None:
        """Set what happens outside of the API; see `simulator.staging`."""
        with self._lock:
            self._world.run_due_jobs()
            stage(self._world, kind, name, fields)

    def clear_faults(self) -> None:
        """Disarm every fault."""
        with self._lock:
            self.armed.clear()

    def state(self) -> dict[str, Any]:
        """Return the world as JSON: VMs, networks, addresses, rules, tags, jobs."""
        with self._lock:
            self._world.run_due_jobs()
            return dump(self._world)

    def settings(self, **changes: object) -> dict[str, Any]:
        """Change settings and return them all; `advance` moves the clock by seconds."""
        with self._lock:
            settings = self._world.settings
            for name, value in changes.items():
                if name == "advance":
                    self._world.clock.advance(_number(name, value))
                elif not hasattr(settings, name):
                    known = ", ".join([*asdict(settings), "advance"])
                    raise SettingError(f"{name}: no such setting; known: {known}")
                else:
                    setattr(settings, name, _checked(name, value, getattr(settings, name)))
            self._world.run_due_jobs()
            return asdict(settings)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingError(f"{name}: {value!r} is not a number of seconds")
    return float(value)


def _checked(name: str, value: object, present: object) -> object:
    if isinstance(present, bool):
        if not isinstance(value, bool):
            raise SettingError(f"{name}: {value!r} is neither true nor false")
        return value
    if isinstance(present, float):
        return _number(name, value)
    if name == "timing" and value not in {"off", "real"}:
        raise SettingError(f"timing: {value!r} is neither off nor real")
    return value
