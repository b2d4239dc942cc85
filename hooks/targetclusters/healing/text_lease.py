"""Keeps a text in a Lease of the operator's namespace, and writes it only over what was read.

This operator alone writes there, and no tenant. So of two replicas, one gets what both want to
write; who reads late has not read what is there, and writes nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, NotFound
from hooks.kube.objects import annotations, part
from hooks.targetclusters.round_lease import LEASE

#: How often a write is tried again while other processes write into the same Lease.
WRITE_RETRIES = 5


@dataclass(frozen=True)
class TextLease:
    """A Lease with a text in an annotation.

    Attributes:
        own: the API server with it.
        namespace: of the operator's pods.
        name: of the Lease.
        annotation: with the text.
        marks: annotations that it has besides.
    """

    own: Kube
    namespace: str
    name: str
    annotation: str
    marks: Mapping[str, str]

    def read(self, deadline: Deadline) -> tuple[str, str]:
        """Return the text, and the version of the Lease; both empty for none. Raises KubeError."""
        try:
            found = self.own.get(LEASE.path(self.namespace, self.name), deadline=deadline)
        except NotFound:
            return "", ""
        return annotations(found).get(self.annotation, ""), _version(found)

    def write(self, text: str, version: str, deadline: Deadline) -> str:
        """Write a text in place of that of a version; return the new version.

        Raises:
            Conflict: another process has written meanwhile.
            KubeError: it is not known whether it was written.
        """
        metadata: Json = {
            "name": self.name,
            "annotations": {self.annotation: text, **self.marks},
        }
        if version:
            metadata["resourceVersion"] = version
            path = LEASE.path(self.namespace, self.name)
            return _version(self.own.patch(path, {"metadata": metadata}, deadline=deadline))
        metadata["namespace"] = self.namespace
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata}
        return _version(self.own.create(LEASE.path(self.namespace), body, deadline=deadline))

    def delete(self, deadline: Deadline) -> None:
        """Delete it. Raises KubeError."""
        with suppress(NotFound):
            self.own.delete(LEASE.path(self.namespace, self.name), deadline=deadline)


def _version(lease: Json) -> str:
    return str(part(lease, "metadata").get("resourceVersion") or "")
