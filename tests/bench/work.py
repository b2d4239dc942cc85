"""What a piece of work cost: seconds, calls of CloudStack, and what they spent."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from simulator.control import Control

Call = dict[str, Any]
POLL = "queryAsyncJobResult"
#: Changes of members that the server does at once without waiting for itself.
MEMBERS_AT_ONCE = 4
#: Columns that follow the work's name.
COLUMNS = (
    "seconds",
    "wanted",
    "floor",
    "writes",
    "reads",
    "polls",
    "in writes, s",
    "in reads, s",
    "in polls, s",
    "waiting, s",
    "elsewhere: provider (fork), s",
)


@dataclass(frozen=True)
class Target:
    """What a piece of work is compared with.

    Attributes:
        wanted: seconds, at most; None where nothing is asked for.
        elsewhere: seconds of the existing external provider and of its strongest fork.
    """

    wanted: float | None = None
    elsewhere: tuple[float, float] | None = None


@dataclass(frozen=True)
class Work:
    """A piece of work, and what it cost.

    Attributes:
        calls: of CloudStack, in order.
        started: when it began, in the simulator's epoch seconds.
    """

    name: str
    seconds: float
    calls: tuple[Call, ...]
    started: float

    @property
    def counts(self) -> dict[str, int]:
        """Return how often each command was called."""
        return dict(sorted(Counter(call["command"] for call in self.calls).items()))

    def row(self, target: Target) -> str:
        """Write a line of the table."""
        kinds = Counter(kind_of(call["command"]) for call in self.calls)
        elsewhere = target.elsewhere
        cells: tuple[object, ...] = (
            self.name,
            f"{self.seconds:.1f}",
            "" if target.wanted is None else f"< {target.wanted:g}",
            f"{self.floor():.1f}",
            kinds["writes"],
            kinds["reads"],
            kinds["polls"],
            f"{self._writing():.1f}",
            f"{self._answering('reads'):.1f}",
            f"{self._answering('polls') + self._late():.1f}",
            f"{self._waiting():.1f}",
            f"{elsewhere[0]} ({elsewhere[1]})" if elsewhere else "",
        )
        return f"| {' | '.join(map(str, cells))} |"

    def floor(self) -> float:
        """Return the seconds that the server takes for the jobs, however well they are sent.

        Those that lock one another go one at a time, changes of members so many at once beside
        them; tags and ACL items lock nothing.
        """
        seconds: Counter[str] = Counter()
        for call in (call for call in self.calls if call.get("due")):
            seconds[_lane_of(call["command"])] += call["due"] - call["time"]
        return max(seconds["locking"], seconds["members"] / MEMBERS_AT_ONCE)

    def _writing(self) -> float:
        """Return the seconds of all jobs, one after the other."""
        jobs = [call["due"] - call["time"] for call in self.calls if call.get("due")]
        return float(sum(jobs))

    def _answering(self, kind: str) -> float:
        seconds = [call["seconds"] for call in self.calls if kind_of(call["command"]) == kind]
        return float(sum(seconds))

    def _late(self) -> float:
        """Return the seconds between the ends of jobs and the polls that saw them.

        Without those of tags, which are asked about only when a read does not show them.
        """
        waited = [call for call in self.calls if not call["command"].endswith("Tags")]
        ends = {call["job"]: call["due"] for call in waited if call.get("due")}
        seen: dict[str, float] = {}
        for call in self.calls:
            job = call["params"].get("jobid")
            if job in ends and call["time"] >= ends[job]:
                seen.setdefault(job, call["time"] - ends[job])
        return sum(seen.values())

    def _waiting(self) -> float:
        """Return the seconds in which no call was under way and no job ran."""
        end = self.started + self.seconds
        busy = sorted(
            (call["time"], max(call["time"] + call["seconds"], call.get("due") or 0.0))
            for call in self.calls
        )
        idle, until = 0.0, self.started
        for begin, finish in busy:
            idle += max(0.0, min(begin, end) - until)
            until = max(until, finish)
        return idle + max(0.0, end - until)


def kind_of(command: str) -> str:
    """Sort a command into reads, polls and writes."""
    if command == POLL:
        return "polls"
    return "reads" if command.startswith("list") else "writes"


def _lane_of(command: str) -> str:
    """Sort the commands with jobs by what they wait for in the server."""
    if command in {"assignToLoadBalancerRule", "removeFromLoadBalancerRule"}:
        return "members"
    return "free" if command.endswith(("Tags", "NetworkACL", "NetworkACLItem")) else "locking"


def header() -> str:
    """Write the head of the table."""
    return f"| work | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}"


def measure(control: Control, name: str, work: Callable[[], None]) -> Work:
    """Do a piece of work and return what it cost."""
    control.clear_calls()
    started, began = control.now(), monotonic()
    work()
    seconds = monotonic() - began
    return Work(name, seconds, tuple(control.calls()), started)
