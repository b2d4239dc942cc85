"""Which cluster a kubeconfig leads to, whatever its address and name."""

from dataclasses import dataclass


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
