"""Writes a TargetCluster's status from the status so far and the newest probe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.objects import part
from hooks.kube.times import moment, read_time, timestamp
from hooks.targetclusters.health import judge
from hooks.targetclusters.health.judge import CHECKS, CREDENTIALS, CheckState
from hooks.targetclusters.health.model import Lifetime, Nodes, ProbeResult, ReadyCount
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.healing import HealingDecision
from hooks.targetclusters.plan.syncing import Decision

#: The condition that exists while objects are left on a former cluster.
CLUSTER_CHANGED = "ClusterChanged"
#: What probes read of a cluster; kept, and marked as stale, if a later probe cannot read it.
_READ_FIELDS = ("version", "nodes", "capacity", "allocatable", "systemPods")
#: What probes read of a kubeconfig; it goes with that.
_OF_CREDENTIALS = ("credentialExpiry", "credentialRenewBy")
#: What probes read of the cluster that a server's URL led to; it goes with that URL.
_OF_CLUSTER = (*_READ_FIELDS, "clusterUID", "user")
#: What other parts of the plan write.
_OTHERS = ("conditions", "sync", "healing")


@dataclass(frozen=True)
class ProbedStatus:
    """A status with the newest probe counted.

    Attributes:
        fields: the status without conditions, `sync` and `healing`.
        checks: the conditions that probes decide.
    """

    fields: Json
    checks: Mapping[str, CheckState]


def add_probe(facts: Facts) -> ProbedStatus:
    """Return the status with the newest probe counted, unless the status holds it already.

    The status may hold it from an earlier call, or hold a later one from another replica.
    """
    status, probe = facts.status, facts.probe.latest
    checks = judge.read_checks(status)
    fields = {key: value for key, value in status.items() if key not in _OTHERS}
    counted = part(status, "probe")
    if probe is None or facts.is_counted(probe, counted.get("lastTime")):
        return ProbedStatus(fields, checks)
    is_new = probe.generation != counted.get("observedGeneration")
    checks = judge.count_probe(checks, probe, facts.request.spec, is_new=is_new)
    for name in _outlived(probe, fields.get("server"), checks[CREDENTIALS].condition):
        fields.pop(name, None)
    fields |= _probed_fields(probe)
    if any(field in fields for field in _READ_FIELDS):
        fields["stale"] = not (
            probe.version is not None
            and (isinstance(probe.nodes, Nodes) or not facts.request.spec.health.asks_nodes)
            and (isinstance(probe.pods, ReadyCount) or not facts.request.spec.health.asks_pods)
        )
    fields["probe"] = {
        "lastTime": moment(probe.started_at),
        "durationSeconds": round(probe.seconds, 3),
        "observedGeneration": probe.generation,
        "checks": [
            {"condition": check, "failures": state.failures, "successes": state.successes}
            for check, state in checks.items()
        ],
    }
    return ProbedStatus(fields, checks)


def write_status(
    facts: Facts, probed: ProbedStatus, decision: Decision, healed: HealingDecision
) -> Json:
    """Write the whole status, from the one with the newest probe counted."""
    checks = {check: probed.checks[check].condition for check in CHECKS}
    checks[CREDENTIALS] = _with_expiry(probed.checks[CREDENTIALS], probed.fields, facts.now)
    conditions = merge_conditions(
        facts.status.get("conditions") or [],
        [
            _ready(checks, probed.fields),
            _reconciling(probed.fields, facts.generation),
            _stalled(checks[CREDENTIALS]),
            *checks.values(),
            decision.condition,
            *_cluster_changed(facts),
            healed.condition,
        ],
        now=facts.now,
        generation=facts.generation,
    )
    sync = decision.sync or facts.status.get("sync")
    return {
        **probed.fields,
        "observedGeneration": facts.generation,
        "conditions": conditions,
        **({"sync": sync} if sync else {}),
        **({"healing": healed.status} if healed.status else {}),
    }


def _outlived(probe: ProbeResult, server: str | None, credentials: Condition) -> tuple[str, ...]:
    """Return which fields say something of a kubeconfig, cluster or account that is no more.

    Args:
        probe: the newest.
        server: where the kubeconfig led to so far.
        credentials: what is said of them with the probe counted.
    """
    failure = probe.failure
    no_kubeconfig = failure is not None and failure.kind in ("kubeconfig", "absent")
    is_said = credentials.status == "False"
    return (
        *(_OF_CREDENTIALS if probe.server or (no_kubeconfig and is_said) else ()),
        *(_OF_CLUSTER if probe.server and probe.server != server else ()),
        *(("user",) if probe.user is not None or (no_kubeconfig and is_said) else ()),
        *(("version",) if probe.version is not None else ()),
        *(("clusterUID",) if probe.cluster is not None else ()),
    )


def _probed_fields(probe: ProbeResult) -> Json:
    """Write what a probe has read; what it has not read is absent."""
    fields: Json = {}
    if probe.server:
        fields["server"] = probe.server
    if probe.lifetimes:
        ended = [each for each in probe.lifetimes if each.end <= probe.started_at]
        first = min(ended or probe.lifetimes, key=lambda each: each.renew_by)
        fields["credentialExpiry"] = timestamp(first.end)
        fields["credentialRenewBy"] = timestamp(first.renew_by)
    if probe.answered:
        fields["lastContactTime"] = timestamp(probe.started_at)
    if probe.cluster is not None and str(probe.cluster):
        fields["clusterUID"] = str(probe.cluster)
    if probe.user:
        fields["user"] = probe.user
    if probe.version:
        fields["version"] = probe.version
    if isinstance(probe.nodes, Nodes):
        count = probe.nodes.count
        fields["nodes"] = {**_count(count), "summary": f"{count.ready}/{count.total}"}
        fields["capacity"] = dict(probe.nodes.capacity)
        fields["allocatable"] = dict(probe.nodes.allocatable)
    if isinstance(probe.pods, ReadyCount):
        fields["systemPods"] = _count(probe.pods)
    return fields


def _with_expiry(credentials: CheckState, fields: Json, now: float) -> Condition:
    """Return CredentialsValid with what the status says of the credentials' end.

    The status of an older version says only when that is.
    """
    expires = read_time(fields.get("credentialExpiry"))
    if expires is None:
        return credentials.condition
    renew_by = read_time(fields.get("credentialRenewBy")) or Lifetime(expires).renew_by
    last = read_time(fields.get("lastContactTime"))
    return judge.with_expiry(credentials, expires, renew_by, now=now, last_contact=last)


def _count(count: ReadyCount) -> Json:
    return {"ready": count.ready, "total": count.total, "notReady": list(count.not_ready)}


def _ready(checks: Mapping[str, Condition], fields: Json) -> Condition:
    """Sum up the checks: any False decides, then any Unknown; the most fundamental first."""
    for status in ("False", "Unknown"):
        for condition in checks.values():
            if condition.status == status:
                return replace(condition, type="Ready")
    nodes = part(fields, "nodes")
    parts = [str(fields["version"])] if fields.get("version") else []
    if nodes:
        parts.append(f"{nodes.get('ready')} of {nodes.get('total')} nodes ready")
    message = ", ".join(parts) or "all that is asked for holds"
    return Condition("Ready", "True", "Healthy", message)


def _reconciling(fields: Json, generation: int) -> Condition:
    """Tell whether the latest spec still waits for its first probe."""
    if part(fields, "probe").get("observedGeneration") == generation:
        return Condition("Reconciling", "False", "Observed", "the latest spec is in use")
    return Condition("Reconciling", "True", "NewSpec", "the latest spec has not been probed yet")


def _stalled(credentials: Condition) -> Condition:
    """Tell whether nothing can go on before somebody acts."""
    is_over = credentials.status == "Unknown" and credentials.reason == "Expired"
    if credentials.status == "False" or is_over:
        return replace(credentials, type="Stalled", status="True")
    return Condition("Stalled", "False", "NothingToDo", "no action is needed")


def _cluster_changed(facts: Facts) -> tuple[Condition, ...]:
    """Say what is left on former clusters; the condition exists as long as something is."""
    if not facts.left_behind:
        return ()
    message = f"the kubeconfig led to another cluster before; left there: {facts.left_behind}"
    return (Condition(CLUSTER_CHANGED, "True", "ObjectsLeft", message),)
