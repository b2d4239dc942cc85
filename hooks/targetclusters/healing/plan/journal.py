"""Reads and writes the journal of a cluster's faults as a text."""

from dataclasses import replace

import msgspec

from hooks.http.texts import shorten
from hooks.targetclusters.healing.plan.model import Journal, Machine, Record

#: Bytes of a journal: Kubernetes takes 256 KiB of annotations, and there is one more.
MAX_BYTES = 220 * 1024
#: Characters of an outcome in a journal that would be larger. With these, MAX_RECORDS with the
#: longest names fit: no attempt is forgotten for want of room.
SHORT_OUTCOME = 50


class Unreadable(Exception):
    """The text is no journal: what was tried is not known, so nothing may be."""


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    records: list[Record]
    again: float = 0.0
    started: float = 0.0
    machines: tuple[Machine, ...] = ()
    place: str = ""


def read_journal(text: str) -> Journal:
    """Read a journal; an empty text is an empty one. Raises Unreadable."""
    if not text:
        return Journal()
    try:
        found = msgspec.json.decode(text, type=_Written)
    except msgspec.DecodeError as error:
        raise Unreadable(f"is no journal of repairs: {error}") from None
    records = {each.key: each for each in found.records}
    return Journal(records, found.again, found.started, found.machines, found.place)


def write_journal(journal: Journal) -> str:
    """Write a journal, the same text for the same content, with shorter outcomes if it is long."""
    records = [journal.records[key] for key in sorted(journal.records)]
    written = _Written(records, journal.again, journal.started, journal.machines, journal.place)
    text = msgspec.json.encode(written)
    if len(text) > MAX_BYTES:
        written.records = [
            replace(each, outcome=shorten(each.outcome, SHORT_OUTCOME)) for each in records
        ]
        text = msgspec.json.encode(written)
    return text.decode()
