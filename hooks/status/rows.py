"""What the page keeps of each object: short, printable texts and few of them.

Whoever may write an object writes these texts. They are data here: cut, made printable, and never
read as a link, a command or markup.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.http.texts import one_line
from hooks.kube.durations import parse_duration
from hooks.kube.objects import find_condition, items, labels, part
from hooks.kube.services import wants_load_balancer
from hooks.names import (
    ANNOTATION_MODE,
    LABEL_ZONE,
    LOAD_BALANCER_READY,
    TAINT_SHUTDOWN,
    TAINT_UNINITIALIZED,
)

#: Characters of a name, of a word or number, and of a sentence.
NAME, WORD, SENTENCE = 253, 80, 1024
#: Entries of a list in one object: of a plan, of what is missing, of conditions.
MAX_PLAN, MAX_ENTRIES = 100, 16
#: Faults that a status has at most.
MAX_FAULTS = 20
#: What `status.healing` says of its last round, which is not what is wrong.
_TIMES_OF_HEALING = frozenset({"lastTime", "durationSeconds", "observedGeneration"})


@dataclass(frozen=True, slots=True)
class Said:
    """A condition, as an object has it; all empty for one that it lacks."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """Which object a row is about; cluster-scoped ones have no namespace.

    Attributes:
        deleted: since when it is being deleted; empty if it is not.
        finalizers: what holds the deletion.
        is_outdated: its status is about an earlier spec.
    """

    namespace: str
    name: str
    uid: str
    created: str
    deleted: str = ""
    finalizers: tuple[str, ...] = ()
    is_outdated: bool = False

    @property
    def key(self) -> str:
        """Return `NAMESPACE/NAME`, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class LoadBalancerRow:
    """A CloudStackLoadBalancer, and the Service that it is of."""

    named: Named
    service: str
    service_uid: str
    address: str
    rules: str
    members: str
    mode: str
    missing: tuple[str, ...]
    plan: tuple[str, ...]
    plan_summary: str
    conditions: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A Service of type LoadBalancer; `ready` is the condition that marks it as ours."""

    named: Named
    wanted: bool
    planned: bool
    shown: str
    ready: Said


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A Node."""

    named: Named
    ready: Said
    provider_id: str
    zone: str
    uninitialized: bool
    shut_down: bool


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """A CloudStackInstance, whose name is the Node's."""

    named: Named
    state: str
    address: str
    offering: str
    zone: str
    missing_since: str
    conditions: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Something that healing sees to: a node, a pod, a control plane.

    Attributes:
        since, tried: when it was seen first, and when its last repair was.
        says: why nothing is done now, what would be, or what became of the last repair.
    """

    kind: str
    object: str
    since: str
    attempts: int
    repair: str
    tried: str
    says: str
    is_given_up: bool


@dataclass(frozen=True, slots=True)
class TargetClusterRow:
    """A TargetCluster.

    Attributes:
        interval: seconds between two probes.
        healing: what its status says of healing, field by field.
        faults: what healing sees to, of them the first.
    """

    named: Named
    version: str
    server: str
    nodes: str
    stale: bool
    suspended: bool
    last_contact: str
    interval: float
    expiry: str
    healing: tuple[tuple[str, str], ...]
    faults: tuple[FaultRow, ...]
    results: tuple[str, ...]
    conditions: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An Event of one of our operators."""

    source: str
    kind: str
    object: str
    type: str
    reason: str
    message: str
    count: int
    last: str = field(default="")


def load_balancer_row(obj: Json) -> LoadBalancerRow:
    """Read a CloudStackLoadBalancer."""
    spec, status = part(obj, "spec"), part(obj, "status")
    service = part(spec, "service")
    named = _named(obj)
    namespace = _text(service.get("namespace"), NAME) or named.namespace
    return LoadBalancerRow(
        named=named,
        service=f"{namespace}/{_text(service.get('name'), NAME)}",
        service_uid=_text(service.get("uid"), NAME),
        address=_text(part(status, "address").get("ip")),
        rules=_text(status.get("ruleSummary")),
        members=_text(status.get("memberSummary")),
        mode=_text(spec.get("mode")) or "Apply",
        missing=_texts(items(status, "members", "missing"), MAX_ENTRIES),
        plan=_texts(items(status, "plan"), MAX_PLAN),
        plan_summary=_text(status.get("planSummary")),
        conditions=_conditions(obj, "status"),
    )


def service_row(obj: Json, *, without_class: bool) -> ServiceRow | None:
    """Read a Service; None if it is of another type and not marked as ours."""
    ready = find_condition(obj, LOAD_BALANCER_READY)
    if part(obj, "spec").get("type") != "LoadBalancer" and not ready:
        return None
    shown = [each for each in items(obj, "status", "loadBalancer", "ingress") if each]
    first = shown[0] if shown and isinstance(shown[0], dict) else {}
    mode = part(obj, "metadata", "annotations").get(ANNOTATION_MODE)
    return ServiceRow(
        named=_named(obj),
        wanted=wants_load_balancer(obj, without_class=without_class),
        planned=str(mode).strip().lower() == "plan",
        shown=_text(first.get("hostname") or first.get("ip"), NAME),
        ready=_said(ready),
    )


def node_row(obj: Json) -> NodeRow:
    """Read a Node."""
    taints = [each for each in items(obj, "spec", "taints") if isinstance(each, dict)]
    keys = {each.get("key") for each in taints}
    return NodeRow(
        named=_named(obj),
        ready=_said(find_condition(obj, "Ready")),
        provider_id=_text(part(obj, "spec").get("providerID"), NAME),
        zone=_text(labels(obj).get(LABEL_ZONE)),
        uninitialized=TAINT_UNINITIALIZED in keys,
        shut_down=TAINT_SHUTDOWN in keys,
    )


def instance_row(obj: Json) -> InstanceRow:
    """Read a CloudStackInstance."""
    observed = part(obj, "observed")
    return InstanceRow(
        named=_named(obj),
        state=_text(observed.get("state")),
        address=_text(observed.get("address")),
        offering=_text(observed.get("offering")),
        zone=_text(observed.get("zone")),
        missing_since=_text(part(observed, "missing").get("since")),
        conditions=_conditions(obj, "observed"),
    )


def target_cluster_row(obj: Json) -> TargetClusterRow:
    """Read a TargetCluster."""
    status = part(obj, "status")
    results = (each for each in items(status, "sync", "results") if isinstance(each, dict))
    return TargetClusterRow(
        named=_named(obj),
        version=_text(status.get("version")),
        server=_text(status.get("server"), NAME),
        nodes=_text(part(status, "nodes").get("summary")),
        stale=status.get("stale") is True,
        suspended=part(obj, "spec").get("suspend") is True,
        last_contact=_text(status.get("lastContactTime")),
        interval=_seconds(part(obj, "spec").get("monitorInterval")),
        expiry=_text(status.get("credentialExpiry")),
        healing=_fields(part(status, "healing")),
        faults=_faults(status),
        results=_texts(map(_result, results), MAX_ENTRIES),
        conditions=_conditions(obj, "status"),
    )


def event_row(obj: Json) -> EventRow:
    """Read an Event."""
    about = part(obj, "involvedObject")
    namespace, name = _text(about.get("namespace"), NAME), _text(about.get("name"), NAME)
    count = obj.get("count")
    return EventRow(
        source=_text(part(obj, "source").get("component") or obj.get("reportingComponent"), NAME),
        kind=_text(about.get("kind")),
        object=f"{namespace}/{name}" if namespace else name,
        type=_text(obj.get("type")),
        reason=_text(obj.get("reason")),
        message=_text(obj.get("message"), SENTENCE),
        count=count if isinstance(count, int) else 1,
        last=_text(obj.get("lastTimestamp") or obj.get("eventTime")),
    )


def _named(obj: Json) -> Named:
    metadata = part(obj, "metadata")
    namespace, name, uid = (_text(metadata.get(key), NAME) for key in ("namespace", "name", "uid"))
    created = _text(metadata.get("creationTimestamp"))
    deleted = _text(metadata.get("deletionTimestamp"))
    finalizers = _texts(items(metadata, "finalizers"), MAX_ENTRIES)
    generation, observed = metadata.get("generation"), part(obj, "status").get("observedGeneration")
    is_outdated = (
        isinstance(generation, int) and isinstance(observed, int) and generation > observed
    )
    return Named(namespace, name, uid, created, deleted, finalizers, is_outdated)


def _conditions(obj: Json, place: str) -> tuple[Said, ...]:
    found = [each for each in items(obj, place, "conditions") if isinstance(each, dict)]
    return tuple(_said(each) for each in found[:MAX_ENTRIES])


def _said(condition: Json) -> Said:
    kind, status, reason = (_text(condition.get(key)) for key in ("type", "status", "reason"))
    message = _text(condition.get("message"), SENTENCE)
    return Said(kind, status, reason, message, _text(condition.get("lastTransitionTime")))


def _result(result: Json) -> str:
    """Say what happened to one object of a sync."""
    return ": ".join(_text(result.get(key), NAME) for key in ("outcome", "object", "message"))


def _fields(healing: Json) -> tuple[tuple[str, str], ...]:
    """Return what a status says of healing, without lists and objects within it."""
    simple = {
        key: value
        for key, value in healing.items()
        if isinstance(value, str | int | float) and key not in _TIMES_OF_HEALING
    }
    return tuple((_text(key), _text(str(value), NAME)) for key, value in simple.items())[
        :MAX_ENTRIES
    ]


def _faults(status: Json) -> tuple[FaultRow, ...]:
    found = [each for each in items(status, "healing", "faults") if isinstance(each, dict)]
    return tuple(map(_fault, found[:MAX_FAULTS]))


def _fault(fault: Json) -> FaultRow:
    attempts = fault.get("attempts")
    says = [_text(fault.get(key), SENTENCE) for key in ("waits", "planned", "lastOutcome")]
    return FaultRow(
        kind=_text(fault.get("kind")),
        object=_text(fault.get("object"), NAME),
        since=_text(fault.get("since")),
        attempts=attempts if isinstance(attempts, int) else 0,
        repair=_text(fault.get("repair")),
        tried=_text(fault.get("lastTry")),
        says=next(filter(None, says), ""),
        is_given_up=fault.get("givenUp") is True,
    )


def _texts(values: Iterable[object], limit: int) -> tuple[str, ...]:
    texts = [_text(each, SENTENCE) for each in values if isinstance(each, str)]
    kept = texts[:limit]
    return (*kept, f"… and {len(texts) - limit} more") if len(texts) > limit else tuple(kept)


def _seconds(value: object) -> float:
    with suppress(ValueError):
        return parse_duration(value) if isinstance(value, str) else 0.0
    return 0.0


def _text(value: object, limit: int = WORD) -> str:
    return one_line(value, limit) if isinstance(value, str) else ""


def find_said(conditions: Iterable[Said], kind: str) -> Said:
    """Return the condition of a type; an empty one if there is none."""
    return next((each for each in conditions if each.type == kind), Said())
