"""Decides what is wrong, how badly, and in whose words: the conditions that the objects have.

The worst comes first, and of the same kind what lasts longest. Objects with the same trouble are
one entry, so that a CloudStack that does not answer is one trouble and not two hundred.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from hooks.kube.patterns import OBJECT_NAME
from hooks.names import (
    EVENT_DELETION_HELD,
    NODE_ANNOTATION_PREFIX,
    REASON_PLAN_ONLY,
    TAINT_UNINITIALIZED,
)
from hooks.status.collect import NOT_INSTALLED, Snapshot
from hooks.status.model import (
    NO_ADDRESS,
    NO_POD,
    NOT_DELETED,
    NOT_READY,
    TAINTED,
    UNDER_WAY,
    Severity,
    Trouble,
)
from hooks.status.rows import (
    EventRow,
    InstanceRow,
    LoadBalancerRow,
    NodeRow,
    Said,
    ServiceRow,
    TargetClusterRow,
    find_said,
)
from hooks.status.unanswered import hanging, outdated, stale, unanswered

#: Names that one entry shows.
MAX_NAMES = 8
#: What the provider ids of our Nodes begin with; the second is that of other providers of old.
OUR_PROVIDERS = ("external-cloudstack://", "cloudstack://")


_PLANNED = frozenset({REASON_PLAN_ONLY, "DeletionPlanned", "ChangesPlanned"})
#: Reasons of a condition that is not True by somebody's wish.
_WISHED = frozenset({"Disabled", "Suspended", "NotAsked"})
#: Conditions that are good when False.
_GOOD_WHEN_FALSE = frozenset({"Reconciling", "Stalled", "ChangesPlanned"})


def judge(snapshot: Snapshot, now: float) -> list[Trouble]:
    """Return everything that is wrong, one trouble for each object.

    Args:
        snapshot: what was read.
        now: epoch seconds.
    """
    return [
        *_unread(snapshot),
        *_of_services(snapshot, now),
        *_of_nodes(snapshot, now),
        *_of_target_clusters(snapshot.target_clusters.rows, now),
    ]


def ranked(found: Iterable[Trouble]) -> list[Trouble]:
    """Return the troubles with those alike as one, the worst first."""
    return sorted(_grouped(found), key=lambda each: (each.severity, each.since or "~", each.names))


def _grouped(found: Iterable[Trouble]) -> list[Trouble]:
    """Make one trouble of those that differ in their objects alone."""
    groups: dict[tuple[object, ...], Trouble] = {}
    for each in found:
        key = (each.severity, each.kind, each.reason, each.message, each.also)
        first = groups.get(key)
        if first is None:
            groups[key] = each
            continue
        names = (*first.names, *each.names)[:MAX_NAMES]
        since = min(filter(None, (first.since, each.since)), default="")
        groups[key] = replace(first, names=names, count=first.count + 1, since=since)
    return list(groups.values())


def _unread(snapshot: Snapshot) -> Iterator[Trouble]:
    for kind, listed in snapshot.kinds.items():
        if listed.problem and listed.problem != NOT_INSTALLED:
            yield Trouble(
                Severity.FAILS, "Page", (kind,), "ListFailed", listed.problem, section=NO_POD
            )


def _of_services(snapshot: Snapshot, now: float) -> Iterator[Trouble]:
    """Judge load balancers; a Service whose load balancer is in trouble is not told again."""
    told = set()
    served = set()
    for row in snapshot.load_balancers.rows:
        served.add(row.service)
        if trouble := _of_load_balancer(row, now):
            told.add(row.service)
            yield trouble
    for service in snapshot.services.rows:
        if service.named.key in told:
            continue
        if trouble := _of_service(service, now, has_load_balancer=service.named.key in served):
            yield trouble


def _about(kind: str, key: str, ready: Said, section: str, also: tuple[str, ...] = ()) -> Trouble:
    """Say what its Ready condition says of an object, as a trouble."""
    namespace, _, name = key.rpartition("/")
    return Trouble(
        Severity.FAILS,
        kind,
        (key,),
        ready.reason,
        ready.message,
        also=also,
        section=section,
        command=_describe(kind.lower(), namespace, name),
        since=ready.since,
    )


def _of_load_balancer(row: LoadBalancerRow, now: float) -> Trouble | None:
    ready = find_said(row.conditions, "Ready")
    also = tuple(each.message for each in _others(row.conditions, ready) if each.message)
    about = _about("Service", row.service, ready, NO_ADDRESS, (*also, *row.missing))
    if not ready.status:
        message = "Nobody has looked after its load balancer yet: the hooks are not called"
        return unanswered(about, row.named, message, now)
    if trouble := hanging(about, row.named, now) or outdated(about, row.named):
        return trouble
    if ready.status == "True":
        return _of_serving(about, row, ready)
    return replace(about, severity=_severity(ready.reason))


def _of_serving(about: Trouble, row: LoadBalancerRow, ready: Said) -> Trouble | None:
    """Judge a load balancer that is Ready: changes may wait, parts lack, or its certificate end."""
    planned = find_said(row.conditions, "ChangesPlanned")
    if planned.status == "True":
        reason, message = planned.reason, f"{ready.message}. {planned.message}"
        return replace(
            about, severity=Severity.PLANNED, reason=reason, message=message, also=row.missing
        )
    impaired = replace(about, severity=Severity.IMPAIRED)
    if ready.reason != "Serving" or about.also:
        return impaired
    ending = [each for each in row.conditions if each.reason == "ExpiresSoon"]
    for each in ending:
        return replace(impaired, reason=each.reason, message=each.message, since=each.since)
    return None


def _of_service(row: ServiceRow, now: float, *, has_load_balancer: bool) -> Trouble | None:
    ready = row.ready
    about = _about("Service", row.named.key, ready, NO_ADDRESS)
    if trouble := hanging(about, row.named, now):
        return trouble
    if ready.status == "True" or (ready.reason in UNDER_WAY and has_load_balancer):
        return None
    if ready.status:
        return replace(about, severity=_severity(ready.reason))
    if not row.wanted or row.shown or has_load_balancer:
        return None
    message = (
        "It has no condition and no load balancer: the hooks are not called, or do not serve it"
    )
    return unanswered(about, row.named, message, now)


def _of_nodes(snapshot: Snapshot, now: float) -> Iterator[Trouble]:
    instances = {row.named.name: row for row in snapshot.instances.rows}
    warnings: dict[str, EventRow] = {}
    for event in snapshot.events.rows:  # the newest first
        if event.kind == "Node" and event.type == "Warning":
            warnings.setdefault(event.object.rpartition("/")[2], event)
    can_miss = snapshot.instances.read_at and not snapshot.instances.unread
    for node in snapshot.nodes.rows:
        instance = instances.get(node.named.name)
        warning = warnings.get(node.named.name)
        if trouble := _of_node(node, instance, warning, now):
            yield trouble
        elif instance is None and can_miss and node.provider_id.startswith(OUR_PROVIDERS):
            message = "It has no CloudStackInstance: the hooks are not called"
            yield from filter(None, [unanswered(_node(node), node.named, message, now)])


def _node(node: NodeRow) -> Trouble:
    name = node.named.name
    command = _describe("node", "", name)
    return Trouble(Severity.FAILS, "Node", (name,), "", "", (), TAINTED, command, node.ready.since)


def _of_node(
    node: NodeRow, instance: InstanceRow | None, warning: EventRow | None, now: float
) -> Trouble | None:
    about = _node(node)
    if node.uninitialized:
        if warning:
            return replace(
                about, reason=warning.reason, message=warning.message, since=warning.last
            )
        message = f"It has the taint {TAINT_UNINITIALIZED}, and no Event says why"
        return unanswered(replace(about, since=""), node.named, message, now)
    bad = [each for each in instance.conditions if each.status == "False"] if instance else []
    if bad and instance:
        also = tuple(each.message for each in bad[1:])
        if warning and warning.reason == EVENT_DELETION_HELD:
            return replace(
                about,
                reason=warning.reason,
                message=warning.message,
                also=(bad[0].message, *also),
                section=NOT_DELETED,
                command=_confirm(node.named.name),
                since=instance.missing_since or bad[0].since,
            )
        first = bad[0]
        return replace(
            about, reason=first.reason, message=first.message, also=also, since=first.since
        )
    if instance and instance.state not in ("", "Running"):
        message = f"CloudStack says that its VM is {instance.state}"
        return replace(about, reason="VMNotRunning", message=message)
    if node.ready.status and node.ready.status != "True":
        ready = node.ready
        message = f"Its VM runs, and the Node is not Ready: {ready.message or ready.reason}"
        return replace(about, severity=Severity.IMPAIRED, reason=ready.reason, message=message)
    return None


def _of_target_clusters(found: Iterable[TargetClusterRow], now: float) -> Iterator[Trouble]:
    for row in found:
        if trouble := _of_target_cluster(row, now):
            yield trouble


def _of_target_cluster(row: TargetClusterRow, now: float) -> Trouble | None:
    ready = find_said(row.conditions, "Ready")
    about = _about("TargetCluster", row.named.key, ready, NOT_READY)
    if trouble := stale(about, row, now):
        return trouble
    if not ready.status:
        return None
    bad = [each for each in _others(row.conditions, ready) if each.reason not in _WISHED]
    changed = [each for each in row.conditions if each.type == "ClusterChanged"]
    expiring = [each for each in row.conditions if each.reason == "ExpiringSoon"]
    causes = [each for each in (*bad, *expiring, *changed) if each.message]
    if ready.status == "True" and not causes:
        return None
    first = causes[0] if ready.status == "True" else ready
    also = tuple(each.message for each in causes if each.message != first.message)
    severity = Severity.FAILS if ready.status == "False" else Severity.IMPAIRED
    return replace(
        about,
        severity=Severity.WAITS if ready.reason in UNDER_WAY else severity,
        reason=first.reason,
        message=first.message,
        also=(*also, *row.results),
        since=first.since,
        condition=_cause(row.conditions, first),
    )


def _severity(reason: str) -> Severity:
    """Return how bad it is that an object is not ready."""
    if reason in _PLANNED:
        return Severity.PLANNED
    return Severity.WAITS if reason in UNDER_WAY else Severity.FAILS


def _others(conditions: Iterable[Said], ready: Said) -> list[Said]:
    """Return the conditions besides Ready that are not as they should be, the first cause first."""
    bad = [
        each
        for each in conditions
        if each.type not in ("Ready", "ClusterChanged", *_GOOD_WHEN_FALSE)
        and each.status == "False"
        and each.message != ready.message
    ]
    stalled = [each for each in conditions if each.type == "Stalled" and each.status == "True"]
    return [*bad, *(each for each in stalled if each.message != ready.message)]


def _cause(conditions: Iterable[Said], ready: Said) -> str:
    """Return the type of the condition that Ready repeats."""
    said = ready.reason, ready.message
    same = (each for each in conditions if (each.reason, each.message) == said)
    return next((each.type for each in same if each.type not in ("Ready", "Stalled")), "")


def _describe(kind: str, namespace: str, name: str) -> str:
    """Return the command that shows all of an object; empty where a name could be another word."""
    if not all(OBJECT_NAME.fullmatch(each) for each in (namespace or "none", name)):
        return ""
    place = f"--namespace {namespace} " if namespace else ""
    return f"kubectl {place}describe {kind} {name}"


def _confirm(node: str) -> str:
    if not OBJECT_NAME.fullmatch(node):
        return ""
    return f"kubectl annotate node {node} {NODE_ANNOTATION_PREFIX}confirm-deletion=true"
