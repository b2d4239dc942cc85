"""How lists of one rule each are read: side by side, and none stops what needs it not."""

from hooks.cloudstack.errors import CloudStackError, Refused, Unauthorized, Unreachable
from hooks.http.deadline import Deadline

#: Lists that one call reads at once; more only slow each other down in the server.
LISTS_AT_ONCE = 4
#: Seconds that a list must have had to count as one that CloudStack does not answer.
_FAIR = 1.0


def list_deadline(deadline: Deadline) -> Deadline:
    """Return the time that one list has: half of what is left, so that something is left."""
    return deadline.at_most(deadline.remaining() / 2)


def why_unread(error: CloudStackError, had: float) -> str:
    """Say why one rule's list stays unread; empty if the error ends the whole call.

    CloudStack may refuse one list for good, or never answer it. `had` is in seconds: a list that
    had hardly any time says nothing of CloudStack, and is read by the next call.
    """
    if isinstance(error, Unauthorized):
        return ""
    is_silent = isinstance(error, Unreachable) and error.transient and had >= _FAIR
    return str(error) if isinstance(error, Refused) or is_silent else ""
