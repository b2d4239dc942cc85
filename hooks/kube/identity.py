"""Which cluster a kubeconfig leads to, whatever its address and name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterIdentity:
    """Which cluster it is, whatever its address and name.

    Attributes:
        uid: of its namespace kube-system; empty if the account may not read it.
        ca: `sha256:` and the fingerprint of the authority that its certificate is checked
            against; empty if the kubeconfig has none.
        place: where the kubeconfig leads: a digest of server and authority; empty if not known.
    """

    uid: str = ""
    ca: str = ""
    place: str = ""

    def __str__(self) -> str:
        return self.uid or self.ca or self.place

    @property
    def key(self) -> str:
        """Return what tells it from any other cluster: an authority may have several."""
        return self.uid or self.place or self.ca

    def same_as(self, other: "ClusterIdentity") -> bool | None:
        """Tell whether both are one cluster; None if that cannot be known.

        Several clusters may have one authority. So where not both say their UID, both are one only
        at the same place.
        """
        if self.uid and other.uid:
            return self.uid == other.uid
        if self.ca and other.ca and self.ca != other.ca:
            return False
        if self.place and other.place:
            return self.place == other.place
        return True if self.ca and other.ca else None

    def is_confirmed_by(self, other: "ClusterIdentity") -> bool:
        """Tell whether more than the UID, which any server can say, shows that both are one.

        This is so too where of this one nothing but its UID is known.
        """
        if self.ca:
            return self.ca == other.ca
        return not self.place or self.place == other.place

    def completed_by(self, other: "ClusterIdentity") -> "ClusterIdentity":
        """Return this identity with what only the other, of the same cluster, knows."""
        uid, ca = self.uid or other.uid, self.ca or other.ca
        return ClusterIdentity(uid, ca, self.place or other.place)
