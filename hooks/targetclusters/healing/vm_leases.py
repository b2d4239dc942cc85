"""Keeps what was tried on each VM, in Leases that all TargetClusters and replicas share.

A VM's Lease is one of 256, by a hash of its CloudStack's URL and its id. So who serves a CloudStack
of his own says nothing of the VMs of another, and no Lease grows too large.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError
from hooks.names import ANNOTATION_HEALING_VMS
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.tries import Tries, TriesByVm, read_tries, write_tries
from hooks.targetclusters.healing.text_lease import TextLease

#: How often it is tried to write what became of an attempt.
_WRITE_TRIES = 5


@dataclass(frozen=True)
class KeptTries:
    """What was tried on one VM, as its Lease has it."""

    lease: TextLease = field(repr=False)
    key: str
    all: TriesByVm = field(repr=False)
    version: str

    @property
    def tries(self) -> Tries:
        """Return what was tried on the VM."""
        return self.all.of(self.key)

    def write(self, tries: Tries, now: float, deadline: Deadline) -> "KeptTries":
        """Write what was tried in place of what was read. Raises Conflict, KubeError."""
        everything = self.all.having(self.key, tries, now)
        version = self.lease.write(write_tries(everything), self.version, deadline)
        return KeptTries(self.lease, self.key, everything, version)

    def change(self, how: Callable[[Tries], Tries], now: float, deadline: Deadline) -> None:
        """Change what was tried, whatever is written beside it; without success it stays."""
        kept = self
        for _ in range(_WRITE_TRIES):
            try:
                kept.write(how(kept.tries), now, deadline)
            except Conflict:
                try:
                    text, version = kept.lease.read(deadline)
                    kept = KeptTries(kept.lease, kept.key, read_tries(text), version)
                except (KubeError, Unreadable):
                    return
            except KubeError:
                return
            else:
                return


@dataclass(frozen=True)
class VmLeases:
    """What was tried on VMs.

    Attributes:
        own: the API server with the Leases.
        namespace: of the operator's pods.
    """

    own: Kube
    namespace: str

    def read(self, url: str, vm_id: str, deadline: Deadline) -> KeptTries:
        """Return what was tried on a VM of a CloudStack. Raises KubeError, Unreadable."""
        digest = hashlib.sha256(f"{server_of(url)}\n{vm_id.lower()}".encode()).hexdigest()
        name = f"healing-vms-{digest[:2]}"
        lease = TextLease(self.own, self.namespace, name, ANNOTATION_HEALING_VMS, {})
        text, version = lease.read(deadline)
        return KeptTries(lease, digest[2:18], read_tries(text), version)


def server_of(url: str) -> str:
    """Return what a URL says of its server, however it is written: host, port and path."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{(parts.hostname or '').rstrip('.')}:{port}{parts.path.rstrip('/')}"
