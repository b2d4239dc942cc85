"""Keeps the journal of a cluster's repairs in a Lease of the operator's namespace.

The journal vouches for the number of attempts, and nothing else does. The status cannot:
Metacontroller writes it from an answer that may be older than what was tried since, and who
restores a TargetCluster restores its status. The Lease is written only if it is still the version
that was read. So of two replicas, one gets an attempt; who reads late or restores the TargetCluster
changes nothing.
"""

import hashlib
from dataclasses import dataclass

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.names import ANNOTATION_HEALING_CLUSTER, ANNOTATION_HEALING_JOURNAL
from hooks.targetclusters.healing.plan.journal import read_journal, write_journal
from hooks.targetclusters.healing.plan.model import Journal
from hooks.targetclusters.healing.text_lease import TextLease


@dataclass(frozen=True)
class KeptJournal:
    """A journal, and the version of the Lease that it was read from; empty for none."""

    journal: Journal
    version: str = ""


class JournalLease:
    """The Lease with the journal of one TargetCluster.

    Args:
        own: the API server with the TargetClusters.
        namespace: of the operator's pods.
        cluster: the TargetCluster's `namespace/name`. One that is made again under its name goes on
            with the journal: its nodes may be the same.
    """

    def __init__(self, own: Kube, namespace: str, cluster: str) -> None:
        name = f"healing-{hashlib.sha256(cluster.encode()).hexdigest()[:16]}"
        marks = {ANNOTATION_HEALING_CLUSTER: cluster}
        self._lease = TextLease(own, namespace, name, ANNOTATION_HEALING_JOURNAL, marks)

    @property
    def is_possible(self) -> bool:
        """Tell whether there is a namespace to keep it in."""
        return bool(self._lease.namespace)

    def read(self, deadline: Deadline) -> KeptJournal:
        """Return the journal. Raises KubeError, Unreadable."""
        text, version = self._lease.read(deadline)
        return KeptJournal(read_journal(text), version)

    def write(self, before: KeptJournal, journal: Journal, deadline: Deadline) -> KeptJournal:
        """Write a journal in place of the one that was read.

        Raises:
            Conflict: another process has written meanwhile.
            KubeError: it is not known whether it was written.
        """
        text = write_journal(journal)
        return KeptJournal(journal, self._lease.write(text, before.version, deadline))

    def delete(self, deadline: Deadline) -> None:
        """Delete it, when the TargetCluster is gone. Raises KubeError."""
        self._lease.delete(deadline)
