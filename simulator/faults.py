"""Faults that tests arm: which call fails, how, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.errors import INTERNAL_ERROR, ApiError
from simulator.registry import REGISTRY

KINDS = frozenset(
    {
        "error", "job-failed", "job-never-ends", "timeout", "html", "empty", "throttled", "slow",
        "stop-after",
    }
)  # fmt: skip
FIELDS: dict[str, tuple[type, ...]] = {
    "command": (str,),
    "kind": (str,),
    "code": (int,),
    "text": (str,),
    "times": (int, type(None)),
    "skip": (int,),
    "when": (dict,),
    "seconds": (int, float),
    "executed": (bool,),
}


@dataclass
class Fault:
    """One fault.

    Attributes:
        left: how many more calls meet it; None for every call.
        skip: how many matching calls pass first.
        when: parameters that a call must have.
        executed: the call is carried out, and only its answer fails (timeout, html, empty, error,
            stop-after); otherwise the call never reached the server.
    """

    command: str
    kind: str
    code: int = 530
    text: str = INTERNAL_ERROR
    left: int | None = 1
    skip: int = 0
    when: dict[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    executed: bool = False
    stopped: bool = False

    def matches(self, command: str, params: Mapping[str, str]) -> bool:
        """Tell whether a call meets this fault."""
        if self.kind == "stop-after" and self.command == "*":
            known = REGISTRY.get(command)
            return known is not None and known.writes
        return self.command in {"*", command} and all(
            params.get(name) == value for name, value in self.when.items()
        )

    def error(self) -> ApiError:
        """Return the error of a refusal or of a failed job."""
        return ApiError(self.code, self.text)


class FaultError(ValueError):
    """A fault is invalid; str() names the field and says what would be right."""


def read_fault(document: object) -> Fault:
    """Read a fault from JSON; raise FaultError naming the field that is wrong."""
    if not isinstance(document, dict):
        raise FaultError(f"a fault is an object, not {document!r}")
    for name, value in document.items():
        if name not in FIELDS:
            raise FaultError(f"{name}: not a field of a fault; known: {', '.join(FIELDS)}")
        if not isinstance(value, FIELDS[name]) or (
            isinstance(value, bool) and bool not in FIELDS[name]
        ):
            wanted = " or ".join(kind.__name__ for kind in FIELDS[name])
            raise FaultError(f"{name}: {value!r} is not {wanted}")
    if document.get("kind") not in KINDS:
        raise FaultError(f"kind: {document.get('kind')!r} is none of {', '.join(sorted(KINDS))}")
    fields = {name: value for name, value in document.items() if name != "times"}
    fields.setdefault("command", "*")
    if "when" in fields:
        fields["when"] = {str(key): str(value) for key, value in fields["when"].items()}
    default_times = None if document["kind"] == "stop-after" else 1
    if document["kind"] == "html":
        fields.setdefault("code", 502)
    if document["kind"] == "timeout":
        fields.setdefault("seconds", 60)
    return Fault(left=document.get("times", default_times), **fields)


class Faults:
    """The faults that are armed; a call meets the first that matches."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append(fault)

    def clear(self) -> None:
        """Disarm all; a stopped world continues."""
        self._armed.clear()

    @property
    def stopped(self) -> bool:
        """Tell whether the world has stopped, so that every connection is cut."""
        return any(fault.stopped for fault in self._armed)

    def find(self, command: str, params: Mapping[str, str]) -> Fault | None:
        """Return the fault that this call meets, and count it."""
        for fault in self._armed:
            if not fault.matches(command, params) or fault.left == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.left is not None:
                fault.left -= 1
            fault.stopped = fault.kind == "stop-after"
            return fault
        return None
