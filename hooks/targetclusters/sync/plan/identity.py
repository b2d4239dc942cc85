"""Identities: of a cluster, of the owner of an object, and what parts of an object's may look like.

Parts of an object's identity that look so fit into a path.
"""

import hashlib
import re
from dataclasses import dataclass

from hooks.names import LABEL_MEMBER_OF

#: A version of a group, such as `apps/v1`, or `v1` of the core group.
API_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-z][a-z0-9]{0,62}")
KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
#: The name of a namespace.
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class ClusterIdentity:
    """Which cluster it is, whatever its address and name.

    Attributes:
        uid: of its namespace kube-system; empty if the account may not read it.
        ca: `sha256:` and the fingerprint of the authority that its certificate is checked
            against; empty if the kubeconfig has none.
    """

    uid: str = ""
    ca: str = ""

    def __str__(self) -> str:
        return self.uid or self.ca

    def same_as(self, other: "ClusterIdentity") -> bool | None:
        """Tell whether both are one cluster; None if that cannot be known."""
        if self.uid and other.uid:
            return self.uid == other.uid
        return self.ca == other.ca if self.ca and other.ca else None

    def completed_by(self, other: "ClusterIdentity") -> "ClusterIdentity":
        """Return this identity with what only the other, of the same cluster, knows."""
        return ClusterIdentity(self.uid or other.uid, self.ca or other.ca)


@dataclass(frozen=True)
class Owner:
    """A TargetCluster as a target knows it.

    Attributes:
        hub: the id of the cluster with the TargetCluster.
        cluster: the TargetCluster's `namespace/name`.
    """

    hub: str
    cluster: str

    def __str__(self) -> str:
        return f"{self.hub}/{self.cluster}"

    @property
    def selector(self) -> str:
        """Return the label selector by which the objects of this owner are listed."""
        return f"{LABEL_MEMBER_OF}={self.member}"

    @property
    def member(self) -> str:
        """Return the value of the label that the objects of this owner carry."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:32]

    def mark(self, place: str) -> str:
        """Return the mark of an object at `namespace/name`, without a namespace `/name`."""
        return f"{self}:{place}"


def marked_owner(mark: str, place: str) -> str:
    """Return whose mark an object at this place carries; empty for none and for a copied one.

    A copy of an object carries the mark of the original, which names another place.
    """
    owner, colon, marked = mark.partition(":")
    return "" if colon and marked != place else owner


def is_namespace(namespace: object) -> bool:
    """Tell whether a namespace can have this name, or it is empty, for a cluster-scoped object."""
    return isinstance(namespace, str) and (not namespace or bool(DNS_LABEL.fullmatch(namespace)))


def name_problem(name: object) -> str:
    """Return why no object of any kind can have a name; empty for one that some can have."""
    if not isinstance(name, str) or not 0 < len(name) <= 253:
        return "must be a string of 1 to 253 characters"
    if name in {".", ".."} or not name.isprintable() or set("/%") & set(name):
        return "must not hold /, % or control characters, nor be . or .."
    return ""
