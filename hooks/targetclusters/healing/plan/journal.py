"""Reads and writes the journal of a cluster's faults as a text."""

from dataclasses import replace

import msgspec

from hooks.http.bounded_json import Json
from hooks.http.texts import shorten
from hooks.targetclusters.healing.plan.known_nodes import shorten_known
from hooks.targetclusters.healing.plan.model import Journal, Record
from hooks.targetclusters.healing.plan.versions import read_fields, write_fields

#: Bytes of a journal: Kubernetes takes 256 KiB of annotations, and there is one more.
MAX_BYTES = 236 * 1024
#: Characters of an outcome in a journal that would be larger. With these, MAX_RECORDS with the
#: longest names fit: no attempt is forgotten for want of room.
SHORT_OUTCOME = 40


class Unreadable(Exception):
    """The text is no journal: what was tried is not known, so nothing may be."""


class _Read(msgspec.Struct):
    records: list[Json]


def read_journal(text: str) -> Journal:
    """Read a journal; an empty text is an empty one. Raises Unreadable."""
    if not text:
        return Journal()
    try:
        found = msgspec.json.decode(text, type=Json)
        read = [read_fields(each, Record) for each in msgspec.convert(found, _Read).records]
        journal = read_fields({**found, "records": {}}, Journal)
    except msgspec.DecodeError as error:
        raise Unreadable(f"is no journal of repairs: {error}") from None
    return replace(journal, records={each.key: each for each in read})


def write_journal(journal: Journal) -> str:
    """Write a journal, the same text for the same content.

    One that is too long has shorter outcomes. If that is not enough, what only another version of
    the operator knows goes, except what is being done or owed, and then nodes that were seen Ready.
    """
    text = _write(journal)
    if len(text) > MAX_BYTES:
        journal = _with(journal, [_shortened(each) for each in journal.records.values()])
        text = _write(journal)
    if len(text) > MAX_BYTES:
        kept = [each for each in journal.records.values() if each.is_known or not each.is_settled]
        journal = _with(journal, [replace(each, unknown={}) for each in kept])
        journal = replace(journal, unknown={})
        text = _write(journal)
    if len(text) > MAX_BYTES:
        text = _write(replace(journal, known=shorten_known(journal.known, len(text) - MAX_BYTES)))
    return text.decode()


def _write(journal: Journal) -> bytes:
    records = [write_fields(journal.records[key]) for key in sorted(journal.records)]
    return msgspec.json.encode({**write_fields(replace(journal, records={})), "records": records})


def _with(journal: Journal, records: list[Record]) -> Journal:
    return replace(journal, records={each.key: each for each in records})


def _shortened(record: Record) -> Record:
    return replace(record, outcome=shorten(record.outcome, SHORT_OUTCOME))
