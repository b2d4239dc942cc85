"""Keeps what was tried on each VM, in Leases that all TargetClusters and replicas share.

A VM's Lease is one of 256, by a hash of its CloudStack's URL and its id. So who serves a CloudStack
of his own says nothing of the VMs of another. A Lease holds a bounded text: of too much, what the
namespace with the most has written gives way.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from posixpath import normpath
from urllib.parse import urlsplit

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError
from hooks.names import ANNOTATION_HEALING_VMS
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.vm_attempts import (
    AttemptsByVm,
    VmAttempts,
    read_attempts,
    write_attempts,
)
from hooks.targetclusters.healing.text_lease import WRITE_RETRIES, TextLease


@dataclass(frozen=True)
class KeptAttempts:
    """What was tried on one VM, as its Lease has it."""

    lease: TextLease = field(repr=False)
    key: str
    all: AttemptsByVm = field(repr=False)
    version: str

    @property
    def attempts(self) -> VmAttempts:
        """Return what was tried on the VM."""
        return self.all.of(self.key)

    def write(self, attempts: VmAttempts, now: float, deadline: Deadline) -> "KeptAttempts":
        """Write what was tried in place of what was read. Raises Conflict, KubeError."""
        everything = self.all.having(self.key, attempts, now)
        version = self.lease.write(write_attempts(everything), self.version, deadline)
        return KeptAttempts(self.lease, self.key, everything, version)

    def change(
        self, how: Callable[[VmAttempts], VmAttempts], now: float, deadline: Deadline
    ) -> None:
        """Change what was tried, whatever is written beside it; without success it stays."""
        kept = self
        for _ in range(WRITE_RETRIES):
            try:
                kept.write(how(kept.attempts), now, deadline)
            except Conflict:
                try:
                    text, version = kept.lease.read(deadline)
                    kept = KeptAttempts(kept.lease, kept.key, read_attempts(text), version)
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

    def read(self, url: str, vm_id: str, deadline: Deadline) -> KeptAttempts:
        """Return what was tried on a VM of a CloudStack. Raises KubeError, Unreadable."""
        digest = hashlib.sha256(f"{server_of(url)}\n{vm_id.lower()}".encode()).hexdigest()
        name = f"healing-vms-{digest[:2]}"
        lease = TextLease(self.own, self.namespace, name, ANNOTATION_HEALING_VMS, {})
        text, version = lease.read(deadline)
        return KeptAttempts(lease, digest[2:18], read_attempts(text), version)


def server_of(url: str) -> str:
    """Return what a URL says of its server, however it is written: host, port and path.

    That two names, or a name and an address, are of one server is not known.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = (parts.hostname or "").rstrip(".")
    with suppress(ValueError):
        host = str(ip_address(host))
    with suppress(UnicodeError):
        host = host.encode("idna").decode()
    return f"{host}:{port}{normpath('/' + parts.path.lstrip('/')).rstrip('/')}"
