"""Keeps the journal of a cluster's repairs in a Lease of the operator's namespace.

The journal vouches for the number of attempts, and nothing else does. The status cannot:
Metacontroller writes it from an answer that may be older than what was tried since, and who
restores a TargetCluster restores its status. The Lease is written by this operator alone, where no
tenant writes, and only if it is still the version that was read. So of two replicas, one gets an
attempt; who reads late or restores the TargetCluster changes nothing.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, NotFound
from hooks.kube.objects import annotations, part
from hooks.names import ANNOTATION_HEALING_CLUSTER, ANNOTATION_HEALING_JOURNAL
from hooks.targetclusters.healing.plan.journal import read_journal, write_journal
from hooks.targetclusters.healing.plan.model import Journal
from hooks.targetclusters.round_lease import LEASE


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
        self._own, self._namespace, self._cluster = own, namespace, cluster
        self._name = f"healing-{hashlib.sha256(cluster.encode()).hexdigest()[:16]}"

    @property
    def is_possible(self) -> bool:
        """Tell whether there is a namespace to keep it in."""
        return bool(self._namespace)

    def read(self, deadline: Deadline) -> KeptJournal:
        """Return the journal. Raises KubeError, Unreadable."""
        path = LEASE.path(self._namespace, self._name)
        try:
            found = self._own.get(path, deadline=deadline)
        except NotFound:
            return KeptJournal(Journal())
        text = annotations(found).get(ANNOTATION_HEALING_JOURNAL, "")
        return KeptJournal(read_journal(text), _version(found))

    def write(self, before: KeptJournal, journal: Journal, deadline: Deadline) -> KeptJournal:
        """Write a journal in place of the one that was read.

        Raises:
            Conflict: another process has written meanwhile.
            KubeError: it is not known whether it was written.
        """
        marks = {
            ANNOTATION_HEALING_JOURNAL: write_journal(journal),
            ANNOTATION_HEALING_CLUSTER: self._cluster,
        }
        metadata: Json = {"name": self._name, "annotations": marks}
        if before.version:
            metadata["resourceVersion"] = before.version
            path = LEASE.path(self._namespace, self._name)
            written = self._own.patch(path, {"metadata": metadata}, deadline=deadline)
        else:
            metadata["namespace"] = self._namespace
            body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata}
            written = self._own.create(LEASE.path(self._namespace), body, deadline=deadline)
        return KeptJournal(journal, _version(written))

    def delete(self, deadline: Deadline) -> None:
        """Delete it, when the TargetCluster is gone. Raises KubeError."""
        with suppress(NotFound):
            self._own.delete(LEASE.path(self._namespace, self._name), deadline=deadline)


def _version(lease: Json) -> str:
    return str(part(lease, "metadata").get("resourceVersion") or "")
