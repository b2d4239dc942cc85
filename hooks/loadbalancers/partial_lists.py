"""How lists are read that a part of the work needs: one that fails stops nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hooks.cloudstack.errors import CloudStackError, Refused, Unauthorized, Unreachable
from hooks.http.deadline import Deadline
from hooks.loadbalancers.plan.facts import Part

T = TypeVar("T")

#: Lists that one call reads at once; more only slow each other down in the server.
LISTS_AT_ONCE = 4
#: Seconds that a list must have had to count as one that CloudStack does not answer.
_FAIR = 1.0


def list_deadline(deadline: Deadline) -> Deadline:
    """Return the time that one list has: half of what is left, so that something is left."""
    return deadline.at_most(deadline.remaining() / 2)


def why_unread(error: CloudStackError, had: float) -> str:
    """Say why a list stays unread; empty if the error ends the whole call.

    CloudStack may refuse one list for good, or never answer it. `had` is in seconds: a list that
    had hardly any time says nothing of CloudStack, and is read by the next call.
    """
    if isinstance(error, Unauthorized):
        return ""
    is_silent = isinstance(error, Unreachable) and error.transient and had >= _FAIR
    return str(error) if isinstance(error, Refused) or is_silent else ""


@dataclass(frozen=True)
class PartialLists:
    """Reads, in one call, what only a part of the work needs.

    Attributes:
        deadline: of the call.
        unread: CloudStack's words where it refused, or did not answer; those are not read again.
    """

    deadline: Deadline
    unread: dict[Part, str]

    def read(
        self,
        part: Part,
        read: Callable[[Deadline], T],
        otherwise: T,
        *,
        is_needed: bool = False,
    ) -> T:
        """Read a part; note why it stays unknown, and return what stands for it then.

        Raises CloudStackError for what ends the whole call: any, if the part `is_needed`.
        """
        if is_needed:
            return read(self.deadline)
        if part in self.unread:
            return otherwise
        limit = list_deadline(self.deadline)
        had = limit.remaining()
        try:
            return read(limit)
        except (Refused, Unreachable) as error:
            words = why_unread(error, had)
            if not words:
                raise
            self.unread[part] = words
            return otherwise
