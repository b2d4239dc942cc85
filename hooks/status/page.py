"""Makes the page: first its content, as JSON has it, then HTML of that content and nothing else.

Every text comes from objects that others write. Jinja escapes them all; none becomes a link.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hooks import VERSION
from hooks.http.bounded_json import Json
from hooks.kube.patterns import OBJECT_NAME
from hooks.kube.times import read_time, timestamp
from hooks.names import ANNOTATION_MODE
from hooks.status.collect import Listed, Snapshot
from hooks.status.guide import Guide
from hooks.status.model import Severity, Trouble
from hooks.status.rows import (
    EventRow,
    LoadBalancerRow,
    NodeRow,
    Said,
    ServiceRow,
    TargetClusterRow,
)
from hooks.status.trouble import judge, ranked
from hooks.webhook.hook import Document

#: Rows of each table; what is wrong comes first, and the rest is counted.
MAX_TROUBLES = 100
MAX_ROWS = 200
MAX_PLANS = 50
MAX_EVENTS = 50

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_STYLE = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: No script, no request, no frame: the page is one text, and nothing in it can load another.
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: What the first word of a planned change does to CloudStack.
_ADDS = frozenset({"add", "associate", "assign", "create", "open", "tag", "join", "record"})
_REMOVES = frozenset({"close", "delete", "forget", "give", "release", "remove", "untag"})
#: From how many seconds on an age is given in which unit, and its seconds.
_UNITS = ((172_800, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))

R = TypeVar("R")


def content(snapshot: Snapshot, guide: Guide, now: float) -> Json:
    """Return what the page says, as its JSON twin has it.

    Args:
        snapshot: what was read.
        guide: what the documentation says of reasons.
        now: epoch seconds.
    """
    found = judge(snapshot, now)
    worst: dict[tuple[str, str], Severity] = {}
    for each in found:
        key = each.kind, each.names[0]
        worst[key] = min(each.severity, worst.get(key, each.severity))
    shown = ranked(found)
    return {
        "version": VERSION,
        "readAt": timestamp(snapshot.read_at),
        "readSeconds": round(snapshot.seconds, 3),
        "ageSeconds": max(0, round(now - snapshot.read_at)),
        "troubles": _bounded([_trouble(each, guide, now) for each in shown], MAX_TROUBLES),
        "loadBalancers": _load_balancers(snapshot, worst),
        "plans": _plans(snapshot.load_balancers, snapshot.services.rows),
        "nodes": _nodes(snapshot, worst),
        "targetClusters": _target_clusters(snapshot.target_clusters, worst, now),
        "healing": _healing(snapshot.target_clusters, now),
        "events": _bounded(
            [_event(each, now) for each in snapshot.events.rows[:MAX_EVENTS]],
            MAX_EVENTS,
            total=len(snapshot.events.rows) + snapshot.events.unread,
        ),
        "lists": [_list(kind, listed, now) for kind, listed in snapshot.kinds.items()],
    }


def json_page(said: Json) -> Document:
    """Return the content as JSON."""
    text = json.dumps(said, indent=1, ensure_ascii=True) + "\n"
    return Document(text, "application/json", HEADERS)


def html_page(template: str, **values: object) -> Document:
    """Return a page as HTML."""
    style = Markup(_STYLE)  # noqa: S704 - a file of ours
    text = _ENVIRONMENT.get_template(template).render(style=style, version=VERSION, **values)
    return Document(text, "text/html; charset=utf-8", HEADERS)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _bounded(rows: Sequence[Json], limit: int, *, total: int = 0) -> Json:
    """Return the first rows, and how many there are besides."""
    shown = list(rows[:limit])
    total = max(total, len(rows))
    return {"rows": shown, "total": total, "leftOut": total - len(shown)}


def _trouble(trouble: Trouble, guide: Guide, now: float) -> Json:
    found = guide.help_for(trouble.section, trouble.condition, trouble.reason)
    more = trouble.count - len(trouble.names)
    return {
        "state": trouble.severity.word,
        "kind": trouble.kind,
        "objects": list(trouble.names),
        "more": more,
        "reason": trouble.reason,
        "message": trouble.message,
        "also": list(trouble.also),
        "since": trouble.since,
        "age": _age(trouble.since, now),
        "helps": found.helps if found else "",
        "help": f"/troubleshooting#{found.anchor}" if found else "",
        "command": trouble.command,
    }


def _state(
    worst: Mapping[tuple[str, str], Severity], kind: str, name: str, said: Said
) -> tuple[int, str]:
    """Return the rank and the word of an object's state: of its trouble, else of its condition."""
    if (kind, name) in worst:
        return worst[kind, name], worst[kind, name].word
    return (9, "Ready") if said.status == "True" else (8, "Not known yet")


def _sorted(rows: Iterable[tuple[int, Json]], listed: Listed[R]) -> Json:
    """Put the rows in order, the worst first, and bound them."""
    ordered = [row for _, row in sorted(rows, key=lambda each: (each[0], each[1]["name"]))]
    return _bounded(ordered, MAX_ROWS, total=len(ordered) + listed.unread)


def _load_balancers(snapshot: Snapshot, worst: Mapping[tuple[str, str], Severity]) -> Json:
    rows: dict[str, tuple[int, Json]] = {}
    for service in snapshot.services.rows:
        name = service.named.key
        if service.ready.status or ("Service", name) in worst:
            rank, word = _state(worst, "Service", name, service.ready)
            rows[name] = rank, _load_balancer(name, word, service.shown, service.ready)
    for each in snapshot.load_balancers.rows:
        ready = _ready(each.conditions)
        rank, word = _state(worst, "Service", each.service, ready)
        row = _load_balancer(each.service, word, each.address, ready)
        rows[each.service] = rank, row | {"rules": each.rules, "members": each.members}
    return _sorted(rows.values(), snapshot.load_balancers)


def _load_balancer(name: str, state: str, address: str, ready: Said) -> Json:
    return {
        "name": name,
        "state": state,
        "address": address,
        "rules": "",
        "members": "",
        "reason": ready.reason,
    }


def _plans(listed: Listed[LoadBalancerRow], services: Iterable[ServiceRow]) -> Json:
    """Return the planned changes of each load balancer, and what carries them out."""
    there = {each.named.key for each in services}
    rows = [
        {
            "name": each.service,
            "summary": each.plan_summary,
            "changes": [{"sign": _sign(text), "text": text} for text in each.plan],
            "command": _apply_command(each, has_service=each.service in there),
        }
        for each in listed.rows
        if each.plan
    ]
    return _bounded(sorted(rows, key=lambda row: str(row["name"])), MAX_PLANS)


def _sign(change: str) -> str:
    verb = change.split(" ", 1)[0]
    return "+" if verb in _ADDS else "-" if verb in _REMOVES else "~"


def _apply_command(row: LoadBalancerRow, *, has_service: bool) -> str:
    """Return the command that sets the mode; empty where the Service is gone."""
    namespace, _, name = row.service.partition("/")
    if has_service and OBJECT_NAME.fullmatch(namespace) and OBJECT_NAME.fullmatch(name):
        mode = f"{ANNOTATION_MODE}=apply --overwrite"
        return f"kubectl --namespace {namespace} annotate service {name} {mode}"
    return ""


def _nodes(snapshot: Snapshot, worst: Mapping[tuple[str, str], Severity]) -> Json:
    instances = {each.named.name: each for each in snapshot.instances.rows}

    def row(node: NodeRow) -> tuple[int, Json]:
        name = node.named.name
        rank, word = _state(worst, "Node", name, node.ready)
        instance = instances.get(name)
        return rank, {
            "name": name,
            "state": word,
            "vm": instance.state if instance else "",
            "address": instance.address if instance else "",
            "offering": instance.offering if instance else "",
            "zone": (instance.zone if instance else "") or node.zone,
        }

    return _sorted(map(row, snapshot.nodes.rows), snapshot.nodes)


def _target_clusters(
    listed: Listed[TargetClusterRow], worst: Mapping[tuple[str, str], Severity], now: float
) -> Json:
    def row(each: TargetClusterRow) -> tuple[int, Json]:
        name = each.named.key
        rank, word = _state(worst, "TargetCluster", name, _ready(each.conditions))
        conditions = {said.type: said for said in each.conditions}
        healing = conditions.get("Healing", Said())
        fields = "; ".join(f"{key} {value}" for key, value in each.healing)
        return rank, {
            "name": name,
            "state": "Suspended" if each.suspended and rank > 7 else word,
            "version": each.version,
            "nodes": each.nodes,
            "synced": conditions.get("ResourcesSynced", Said()).reason,
            "healing": fields or healing.reason,
            "lastContact": each.last_contact,
            "contactAge": _age(each.last_contact, now),
            "credentialExpiry": each.expiry,
        }

    return _sorted(map(row, listed.rows), listed)


def _healing(listed: Listed[TargetClusterRow], now: float) -> Json:
    """Return what healing sees to on all target clusters, first what it has given up."""
    rows = [
        {
            "name": each.named.key,
            "kind": fault.kind,
            "object": fault.object,
            "since": fault.since,
            "age": _age(fault.since, now),
            "givenUp": fault.is_given_up,
            "attempts": fault.attempts,
            "repair": fault.repair,
            "tried": fault.tried,
            "triedAge": _age(fault.tried, now),
            "says": fault.says,
        }
        for each in listed.rows
        for fault in each.faults
    ]
    rows.sort(key=lambda row: (not row["givenUp"], row["name"], row["kind"], row["object"]))
    return _bounded(rows, MAX_ROWS)


def _event(event: EventRow, now: float) -> Json:
    return {
        "last": event.last,
        "age": _age(event.last, now),
        "type": event.type,
        "object": f"{event.kind} {event.object}",
        "reason": event.reason,
        "message": event.message,
        "count": event.count,
    }


def _list(kind: str, listed: Listed[Any], now: float) -> Json:
    return {
        "kind": kind,
        "read": len(listed.rows),
        "leftOut": listed.unread,
        "ageSeconds": max(0, round(now - listed.read_at)) if listed.read_at else None,
        "problem": listed.problem,
    }


def _ready(conditions: Iterable[Said]) -> Said:
    return next((each for each in conditions if each.type == "Ready"), Said())


def _age(text: str, now: float) -> str:
    """Return how long ago a time was; empty for what is none."""
    time = read_time(text)
    if time is None:
        return ""
    seconds = max(0.0, now - time)
    return next(f"{seconds // unit:.0f} {name}" for least, unit, name in _UNITS if seconds >= least)
