"""Takes a lease on an address before it is released, untagged or taken over.

CloudStack's deletions know no precondition: what was ours when it was read may be another's when
it is deleted. Whoever hands an address over takes the lease first, reads the address again, and
goes on if that changes nothing.
"""

from contextlib import suppress
from uuid import uuid4

from hooks.cloudstack.commands.tags import ResourceType, create_tags, delete_tags
from hooks.cloudstack.errors import CloudStackError, Refused
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.leases import lease_on, lease_seconds, new_lease
from hooks.names import TAG_LEASE

#: Seconds for which a job may run on after the call that started it.
JOB_SECONDS = 30.0


class Handover:
    """The lease that one call holds on one address at a time.

    A call that does not know how its action ended leaves the lease to the next call of the load
    balancer, if that is in this process. Any other call replaces it in the end.
    """

    def __init__(self, context: CallContext) -> None:
        self._context = context
        self._address_id, self._text = context.leases.inherit(context.uid)
        self._is_unsettled = False
        self._old: dict[str, str] = {}
        self._ended: set[str] = set()

    def begin(self, address: PublicIpAddress) -> None:
        """Put our lease on an address, in the place of one whose call has surely ended.

        Raises:
            Refused: another call has the lease, or the address cannot be tagged.
            CloudStackError: it is not known who has it.
        """
        context, present = self._context, lease_on(address)
        # What was read before our own lease ended shows it still.
        present = "" if present in self._ended else present
        is_held = self.is_held(address)
        seen = context.leases.see(address.id, present) if present else 0.0
        needs_renewal = seen > lease_seconds(present) / 2
        if is_held and not needs_renewal:
            return
        self.end()
        if present and not is_held:
            self._remove_old(address, present, seen)
        self._address_id = address.id
        seconds = context.deadline.remaining() + JOB_SECONDS
        self._text = new_lease(context.clock(), seconds, uuid4().hex)
        tags = create_tags(ResourceType.ADDRESS, [address.id], {TAG_LEASE: self._text})
        try:
            context.run(tags)
        except Refused:
            self.forget()
            raise
        context.leases.see(address.id, self._text)

    def is_held(self, address: PublicIpAddress) -> bool:
        """Tell whether the lease on an address, as it was read, is ours."""
        return address.id == self._address_id and lease_on(address) == self._text

    def remove_at_end(self, address: PublicIpAddress) -> None:
        """Take the lease of a call that has surely ended off an address when this call ends."""
        self._old[address.id] = lease_on(address)

    def leave(self) -> None:
        """Leave the lease to the next call: how an action ended is unknown, or it goes on."""
        self._is_unsettled = True

    def forget(self) -> None:
        """Hold no lease: it has gone with its address, or with the mark."""
        self._address_id = self._text = ""

    def close(self) -> None:
        """End, with what is to be removed at the end."""
        self.end()
        for address_id, text in self._old.items():
            with suppress(CloudStackError):
                self._delete(address_id, text)

    def end(self) -> None:
        """Take the lease off an address that stays, or leave it to the next call."""
        if not self._address_id:
            return
        left, self._address_id = (self._address_id, self._text), ""
        if self._is_unsettled:
            self._context.leases.leave(self._context.uid, *left)
            return
        self._ended.add(left[1])
        try:
            self._delete(*left)
        except Refused:
            pass
        except CloudStackError:
            self._context.leases.leave(self._context.uid, *left)

    def _remove_old(self, address: PublicIpAddress, present: str, seen: float) -> None:
        if seen <= (seconds := lease_seconds(present)):
            problem = (
                f"another call releases, untags or takes over {address.ip_address}, by its tag "
                f"{TAG_LEASE} {present}. It is replaced after {seconds:.0f} s, and has been seen "
                f"for {seen:.0f} s"
            )
            raise Refused("createTags", 0, problem)
        # Of two who replace it, one finds it gone or another's, and is refused.
        self._delete(address.id, present)

    def _delete(self, address_id: str, text: str) -> None:
        self._context.run(delete_tags(ResourceType.ADDRESS, [address_id], {TAG_LEASE: text}))
