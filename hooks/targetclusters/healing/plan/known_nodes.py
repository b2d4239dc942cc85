"""Remembers which nodes were seen Ready, each by its UID and the VM that it names.

Only they are repaired. A node that was not Ready when it was seen first may be a leftover, as after
a restore, whose VM is another cluster's by now. When its Ready last changed says nothing of that:
the node lifecycle controller marks it as unknown after the restore.
"""

import base64
import hashlib

from hooks.kube.times import CLOCK_SLACK
from hooks.targetclusters.healing.plan.model import Evidence, Journal, NodeState

#: Characters of a mark. Ten thousand nodes take 60 kB of the journal.
_WIDTH = 6
#: Seconds after its registration in which a node that is seen first is new: longer than two looks
#: are apart while all is well.
NEW_FOR = 900.0


def mark(node: NodeState) -> str:
    """Return what tells a node on its VM from all others, and from itself on another VM."""
    named = "\n".join((node.uid, node.provider_id.lower(), node.system_uuid.lower()))
    digest = hashlib.sha256(named.encode(errors="replace")).digest()
    return base64.b64encode(digest).decode()[:_WIDTH]


def read_marks(known: str) -> frozenset[str]:
    """Return the marks in a text that `note_ready` has written."""
    return frozenset(known[at : at + _WIDTH] for at in range(0, len(known), _WIDTH))


def shorten_known(known: str, excess: int) -> str:
    """Return marks that are so many characters fewer, at least."""
    room = max(0, len(known) - excess)
    return known[: room - room % _WIDTH]


def note_ready(journal: Journal, evidence: Evidence, now: float) -> str:
    """Return the marks of the nodes that are Ready, or were, or that are new.

    One that is gone is forgotten, so that it is not known if it comes back from a backup.
    """
    if evidence.nodes is None:
        return journal.known
    known, started, noted = read_marks(journal.known), journal.started, set[str]()
    for node in evidence.nodes:
        told = mark(node)
        if node.is_ready or told in known or _is_new(node, started, now):
            noted.add(told)
    return "".join(sorted(noted))


def find_known(journal: Journal, evidence: Evidence) -> frozenset[str]:
    """Return the names of the nodes that were seen Ready, or are new."""
    known = read_marks(journal.known)
    return frozenset(node.name for node in evidence.nodes or () if mark(node) in known)


def _is_new(node: NodeState, started: float, now: float) -> bool:
    """Tell whether a node was registered just now, into a cluster that was looked at before."""
    if node.created is None or not started:
        return False
    is_since = node.created >= started - CLOCK_SLACK
    return is_since and -CLOCK_SLACK <= now - node.created <= NEW_FOR
