"""What a load balancer's own status and annotations remember of earlier calls."""

from dataclasses import dataclass

import msgspec

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.times import moment, read_time
from hooks.webhook.requests import ConditionView, Time, View


class RecordedAddress(View, frozen=True):
    """The address as our own status has it.

    Attributes:
        id: empty until the address was seen to be ours; the IP itself for one of the tier.
        chosen_at: when it was chosen, until it was seen to be ours.
        allocated_at: CloudStack's time of the allocation, which tells it from a later one.
        tries: choices that turned out to be taken.
        published: the Service may show it.
        named: the Service names it since it was acquired, or since it became the user's.
    """

    ip: str = ""
    id: str = ""
    network_id: str = msgspec.field(name="networkID", default="")
    associated_by_controller: bool = False
    chosen_at: Time | None = None
    allocated_at: Time | None = None
    tries: int = 0
    published: bool = False
    named: bool = False

    @property
    def is_internal(self) -> bool:
        """Tell whether internal load balancers of ours are on it: such an address has no id."""
        return self.id == self.ip

    def is_of(self, address: PublicIpAddress) -> bool:
        """Tell whether CloudStack still shows the very allocation that was recorded."""
        return (self.ip, self.allocated_at) == (address.ip_address, address.allocated_at)


class RecordedChange(View, frozen=True):
    """The change from one address to another, as our own status has it.

    It says in which order things happen to addresses with our mark, never whose one is.

    Attributes:
        to: the IP that the Service asks for, before anything is done about it in CloudStack.
        former: the address that served before; None until the new one serves.
        switched_at: since when the new one serves.
    """

    to: str = ""
    former: RecordedAddress | None = None
    switched_at: Time | None = None


@dataclass(frozen=True, slots=True)
class Acquiring:
    """The record that a call of ours acquires an address, as an annotation has it.

    A record that is still there later is of a call whose outcome is unknown.

    Attributes:
        place: the IP that we asked for. If CloudStack chose: `ID/TIME`, what its answer named, and
            since when of its own clock (epoch seconds). Empty if there is no record, or none that
            can be read.
        since: epoch seconds.
        seal: proves that we wrote it.
        text: the whole annotation; empty if there is none.
    """

    place: str = ""
    since: float = 0.0
    seal: str = ""
    text: str = ""

    @classmethod
    def read(cls, text: str) -> "Acquiring":
        """Read an annotation."""
        words = text.split(" ")
        since = read_time(words[1]) if len(words) == 3 else None
        return cls(text=text) if since is None else cls(words[0], since, words[2], text)

    @classmethod
    def of(cls, place: str, since: float, seal: str) -> "Acquiring":
        """Make a record; `since` is in epoch seconds."""
        return cls(place, since, seal, f"{place} {moment(since)} {seal}")

    @property
    def address(self) -> str:
        """Return the IP, or the id of an address that CloudStack chose."""
        return self.place.partition("/")[0]

    @property
    def is_chosen(self) -> bool:
        """Tell whether CloudStack chose, so that the record has an id."""
        return "/" in self.place

    def names(self, address: PublicIpAddress) -> bool:
        """Tell whether this is the address, and not an allocation before the call's."""
        if not self.is_chosen:
            return address.ip_address == self.place
        id_, _, since = self.place.partition("/")
        allocated_at = address.allocated_at
        is_new = allocated_at is None or not since.isdigit() or allocated_at >= int(since)
        return address.id == id_ and is_new


#: There is no record.
NO_RECORD = Acquiring()
#: Seconds after which a call that wrote a record has surely ended: the longest HOOK_DEADLINE, and
#: 30 s for its last job.
LONGEST_CALL = 330.0


class RepeatedDrift(View, frozen=True):
    """Hash and count of the drift checks in a row that found the same drift."""

    what: str = ""
    times: int = 0


class RecordedRule(View, frozen=True):
    """The rule of a port as our own status has it; without an id where there is none.

    `reason` says what it lacks; empty for nothing.
    """

    id: str = ""
    reason: str = ""


class RecordedCertificate(View, frozen=True):
    """The certificate that CloudStack has, or is about to get, as our own status has it."""

    digest: str = ""


class RecordedStatus(View, frozen=True):
    """What our own status says: all that is remembered of earlier calls.

    Attributes:
        address: None where none is chosen yet.
        change: what is known of a change to another address; None while there is none.
        withdrawn_address: the IP that the Service must not show; empty for none.
        rules_since: since when every rule has existed.
        fingerprint: of what was asked for at the last finished check; empty while work goes on.
    """

    address: RecordedAddress | None = None
    change: RecordedChange | None = msgspec.field(name="addressChange", default=None)
    withdrawn_address: str = ""
    network_id: str = msgspec.field(name="networkID", default="")
    last_check: Time | None = msgspec.field(name="lastCheckTime", default=None)
    next_check: Time | None = msgspec.field(name="nextCheckTime", default=None)
    rules_since: Time | None = None
    rules: tuple[RecordedRule, ...] = ()
    certificate: RecordedCertificate | None = None
    fingerprint: str = msgspec.field(name="checkedFor", default="")
    repeated_drift: RepeatedDrift = RepeatedDrift()
    conditions: tuple[ConditionView, ...] = ()

    def __post_init__(self) -> None:
        """Drop an address without an IP, which is none."""
        if self.address and not self.address.ip:
            msgspec.structs.force_setattr(self, "address", None)

    @property
    def claimed(self) -> RecordedAddress | None:
        """Return the address that was seen to be ours; None where none was, or is only chosen."""
        return self.address if self.address and self.address.id else None

    def has_claimed(self, *, internal: bool) -> bool:
        """Tell whether an address of this kind was seen to be ours."""
        return self.claimed is not None and self.claimed.is_internal is internal

    @property
    def former(self) -> RecordedAddress | None:
        """Return the address that served before the one that serves now; None if there is none."""
        former = self.change.former if self.change else None
        return former if former and former.ip else None

    @property
    def changing(self) -> frozenset[str]:
        """Return the IPs of a change, without that of the address that serves."""
        change, former = self.change, self.former
        ips = {change.to if change else "", former.ip if former else ""}
        return frozenset(ips - {"", self.address.ip if self.address else ""})

    def claimed_as(self, ip: str) -> RecordedAddress | None:
        """Return the address that was seen to be ours and has this IP, else the one that serves."""
        former = self.former
        return former if former and former.ip == ip else self.claimed

    def condition(self, kind: str) -> ConditionView:
        """Return the condition of a type, one without a status where there is none."""
        found = (each for each in self.conditions if each.type == kind)
        return next(found, ConditionView(kind, ""))
