"""What an address must be that a call has associated."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call asked CloudStack for when it associated an address.

    Attributes:
        ip: empty for any.
        network_id: for which.
        since: epoch seconds of CloudStack's own clock before which it was not associated.
        vpc_id: of the VPC whose tier the network is, else empty.
    """

    ip: str
    network_id: str
    since: float = 0.0
    vpc_id: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Return VPC and network of the address. A VPC's has no network before its first rule."""
        return self.vpc_id, "" if self.vpc_id else self.network_id
