"""Memory for the answers of servers: those of one kind share it, and wait for it in turns.

An answer takes memory while it arrives, while credentials are looked for in it, and as what it is
once parsed, until nobody uses that any more. Each of the three is bounded for all answers together.
Small answers wait for nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hooks.http.bounded_json import BadJson, Json, has_more_values, parse_json, parsing_bytes
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.fair_share import PAYER, FairShare, Grows, Payer
from hooks.http.sockets import NoRoom

#: The largest answer, in bytes: a page of 500 VMs has about 2 MB, an object of Kubernetes at
#: most 1.5 MiB.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
#: Bytes of the largest answer for each value in one: `[]` takes thirty times its text in memory.
BYTES_PER_VALUE = 16

#: Bytes of all answers that arrive or wait to be parsed, and of an answer that always may.
READ_BYTES = 48 * 1024 * 1024
SMALL_BYTES = 64 * 1024
#: Bytes of what all answers become once parsed, as they are estimated, and of one that always may.
PARSE_BYTES = 144 * 1024 * 1024
SMALL_PARSE = 512 * 1024
#: Seconds that an answer over SMALL_BYTES may take to arrive while others need its memory.
HELD_SECONDS = 10.0


class _NoRoomToParse(BadJson):
    """No memory became free in time to parse an answer; str() continues "the answer "."""


class AnswerMemory:
    """The memory for the answers of servers of one kind.

    Args:
        read_bytes: of all answers that arrive or wait to be parsed.
        parse_bytes: of what all answers become once parsed.
        monotonic: monotonic seconds.
    """

    def __init__(
        self,
        read_bytes: int = READ_BYTES,
        parse_bytes: int = PARSE_BYTES,
        *,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self.reading = FairShare(read_bytes, free=SMALL_BYTES, monotonic=monotonic)
        self.parsed = FairShare(parse_bytes, free=SMALL_PARSE)
        self._turns = FairShare(1)

    @contextmanager
    def turn(self, size: int, deadline: Deadline) -> Iterator[None]:
        """Let one large text at a time be searched for credentials, which takes much memory.

        Raises:
            NoRoom: others had their turns until the deadline.
        """
        payer = PAYER.get()
        if size <= SMALL_BYTES:
            yield
            return
        if not self._turns.take(payer, 1, deadline, cost=size):
            raise NoRoom("was not searched for credentials in time, others came first")
        try:
            yield
        finally:
            self._turns.give_back(payer, 1)


class Lease:
    """A part of a share that one answer holds; it is given back when nobody has the lease."""

    __slots__ = ("_large_since", "_payer", "_share", "amount")

    def __init__(self, share: FairShare) -> None:
        self._share = share
        self._payer: Payer = PAYER.get()
        self._large_since: float | None = None
        self.amount = 0

    def grow(self, amount: int, deadline: Deadline) -> bool:
        """Hold this amount in all; return whether there was so much in time."""
        more = amount - self.amount
        if more > 0:
            grows = Grows(id(self), self.amount)
            if not self._share.take(self._payer, more, deadline, grows=grows):
                return False
            self.amount = amount
        return True

    def shrink(self, amount: int) -> None:
        """Give back what is more than this amount."""
        if (more := self.amount - amount) > 0:
            self.amount = amount
            self._share.give_back(self._payer, more, holder=id(self))

    @property
    def is_overdue(self) -> bool:
        """Tell whether a large answer has arrived for too long, and somebody needs its memory."""
        if self.amount <= SMALL_BYTES:
            return False
        now = self._share.monotonic()
        if self._large_since is None:
            self._large_since = now
        return now - self._large_since > HELD_SECONDS and self._share.is_needed(self._payer)

    def __del__(self) -> None:
        """Give back what is held."""
        if self.amount:
            self._share.give_back(self._payer, self.amount, holder=id(self))


class Held(dict[str, Any]):
    """A parsed answer; its memory counts for as long as somebody has it."""

    __slots__ = ("lease",)

    def __init__(self, content: Json, lease: Lease) -> None:
        super().__init__(content)
        self.lease = lease

    def holding(self, part: Json) -> "Held":
        """Return a part of it, which holds the memory of the whole."""
        return Held(part, self.lease)


@dataclass(frozen=True)
class AnswerBounds:
    """What the answers to one client may be.

    Attributes:
        max_bytes: of one answer.
        max_values: in one answer.
        memory: which they share with those to others.
    """

    max_bytes: int = MAX_ANSWER_BYTES
    max_values: int = MAX_ANSWER_BYTES // BYTES_PER_VALUE
    memory: AnswerMemory = field(default_factory=AnswerMemory)

    def parse(self, body: bytes | bytearray, deadline: Deadline) -> Any:  # noqa: ANN401 - any JSON value
        """Parse an answer once there is memory for it; an object is a Held one. Raises BadJson."""
        lease, most = Lease(self.memory.parsed), self.max_values
        is_refused = has_more_values(body, most)  # that needs no memory
        if not is_refused and not lease.grow(parsing_bytes(body, most), deadline):
            raise _NoRoomToParse("waited for memory until no time was left")
        value = parse_json(body, max_values=most)
        return Held(value, lease) if isinstance(value, dict) else value
