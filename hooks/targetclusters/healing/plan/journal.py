"""Reads and writes the journal of a cluster's faults as a text."""

import msgspec

from hooks.targetclusters.healing.plan.model import Journal, Record


class Unreadable(Exception):
    """The text is no journal: what was tried is not known, so nothing may be."""


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    records: list[Record]
    again: float = 0.0


def read_journal(text: str) -> Journal:
    """Read a journal; an empty text is an empty one. Raises Unreadable."""
    if not text:
        return Journal()
    try:
        found = msgspec.json.decode(text, type=_Written)
    except msgspec.DecodeError as error:
        raise Unreadable(f"is no journal of repairs: {error}") from None
    return Journal({each.key: each for each in found.records}, found.again)


def write_journal(journal: Journal) -> str:
    """Write a journal, the same text for the same content."""
    records = [journal.records[key] for key in sorted(journal.records)]
    return msgspec.json.encode(_Written(records, journal.again)).decode()
