"""Who writes a Service's status, as the API server notes it in `metadata.managedFields`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.kube.objects import items, part
from hooks.names import LOAD_BALANCER_READY

#: What a writer of a whole condition has written.
_WRITTEN = frozenset({"f:message", "f:reason", "f:status"})
_OUR_CONDITION = f'k:{{"type":"{LOAD_BALANCER_READY}"}}'


@dataclass(frozen=True)
class Writer:
    """Another writer of the status.

    Attributes:
        manager: as the API server names it; empty if it left no trace.
        wrote_address, wrote_condition: it wrote the address, or a part of our condition; the
            condition is soon ours again, so that makes no other writer.
    """

    manager: str = ""
    wrote_address: bool = False
    wrote_condition: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Writers:
    """The writers of a Service's status.

    Attributes:
        own: our name; empty where it is not known.
        own_time: when we last wrote, if something of that is still there.
        others: first who wrote the address, then who wrote a part of our condition; never empty.
    """

    own: str
    own_time: str
    others: tuple[Writer, ...]


def find_writers(service: Json, own: str) -> Writers:
    """Find who wrote what of a Service's status.

    The API server notes the last writer of each field. A removal leaves no trace of its own, only
    the other fields that its writer wrote.

    Args:
        service: the Service.
        own: our name, as read before. It is read again from a Service that has our condition: ours
            is the entry with its type, else the only one with anything of it, which has all of it.
    """
    entries = {
        str(entry.get("manager") or ""): (str(entry.get("time") or ""), fields)
        for entry in items(service, "metadata", "managedFields")
        if (fields := part(entry, "fieldsV1", "f:status"))
    }
    ours = (name for name, (_, fields) in entries.items() if "f:type" in _our_condition(fields))
    own = next(ours, own if own in entries else _only_writer(entries) or own)
    own_time, _ = entries.pop(own, ("", {}))
    others = [
        Writer(name, "f:ingress" in part(fields, "f:loadBalancer"), bool(_our_condition(fields)))
        for name, (_, fields) in entries.items()
    ]
    others.sort(key=lambda each: (each.wrote_address, each.wrote_condition), reverse=True)
    return Writers(own, own_time, tuple(others) or (Writer(),))


def _only_writer(entries: Mapping[str, tuple[str, Json]]) -> str:
    """Return who alone wrote our condition, but for its type; empty if nobody did.

    Now and then the API server notes nobody for the type (seen on 1.36).
    """
    found = {name: _our_condition(fields) for name, (_, fields) in entries.items()}
    writers = [name for name, fields in found.items() if fields]
    is_whole = len(writers) == 1 and found[writers[0]].keys() >= _WRITTEN
    return writers[0] if is_whole else ""


def _our_condition(fields: Json) -> Json:
    return part(fields, "f:conditions", _OUR_CONDITION)
