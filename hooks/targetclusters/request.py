"""What a TargetCluster asks for: its spec, with the defaults of the CRD, as the hook reads it."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from hooks.http.bounded_json import Json
from hooks.kube.durations import parse_duration
from hooks.targetclusters.sync.plan.model import ConflictPolicy, DriftPolicy, SyncPolicy
from hooks.webhook.contract import BadRequest, CompositeRequest
from hooks.webhook.requests import Map, Required, Shape, composite_request

T = TypeVar("T")

DeletionPolicy = Literal["Orphan", "Delete"]

#: Intervals are held between these, in seconds: the CRD admits no shorter ones where the API
#: server checks its rules (1.25 and newer), and a moment a year from now can still be written.
MIN_INTERVAL = 1.0
MAX_INTERVAL = 365 * 86400.0
#: The longest that a probe may take, in seconds; the CRD says so too.
MAX_PROBE = 300.0

_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PERCENT = re.compile(r"(100|[0-9]{1,2})%")

SPEC: Shape = {
    "kubeconfigSecret": str,
    "monitorInterval": str,
    "failureThreshold": int,
    "successThreshold": int,
    "healthChecks": {"timeout": str, "podNamespaces": [str]},
    "resourceSyncPolicy": {
        "enabled": bool,
        "syncInterval": str,
        "targetNamespace": str,
        "sources": [
            {
                "kind": str,
                "name": str,
                "namespace": str,
                "selector": {"matchLabels": Map(str)},
                "as": str,
                "targetName": str,
                "targetNamespace": str,
            }
        ],
        "prune": bool,
        "driftPolicy": str,
        "conflictPolicy": str,
    },
    "autoHealing": {"enabled": bool, "maxRetry": int, "mode": str, "nodeTimeout": str},
    "cloudStack": {"configSecret": str, "kubernetesClusterID": str},
    "deletionPolicy": str,
    "finalizeTimeout": str,
    "suspend": bool,
}
STATUS: Shape = {
    "conditions": [
        {
            "type": Required(str),
            "status": Required(str),
            "reason": str,
            "message": str,
            "lastTransitionTime": str,
        }
    ],
    "version": str,
    "server": str,
    "lastContactTime": str,
    "stale": bool,
    "credentialExpiry": str,
    "nodes": {"ready": int, "total": int},
    "probe": {
        "lastTime": str,
        "durationSeconds": float,
        "observedGeneration": int,
        "checks": [{"condition": Required(str), "failures": int, "successes": int}],
    },
    "sync": {
        "lastTime": str,
        "lastSuccessTime": str,
        "durationSeconds": float,
        "observedGeneration": int,
        "attempts": int,
        "objects": int,
    },
}


@dataclass(frozen=True)
class IntOrPercent:
    """So many of a whole: a number, or a percentage of it."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """Answer how many that is, rounded up."""
        return -(-self.number * total // 100) if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


@dataclass(frozen=True)
class HealthChecks:
    """What makes a reachable cluster a healthy one.

    Attributes:
        timeout: seconds that a probe may take.
        min_ready_nodes: how many nodes must be ready.
        pod_namespaces: namespaces whose pods must be ready.
    """

    timeout: float = 10.0
    min_ready_nodes: IntOrPercent = IntOrPercent(1)
    pod_namespaces: tuple[str, ...] = ("kube-system",)


@dataclass(frozen=True)
class Spec:
    """A TargetCluster's spec; durations are in seconds.

    Attributes:
        kubeconfig_secret: name of the Secret, in the TargetCluster's own namespace.
        failure_threshold: probes in a row that must fail before a condition says so.
        success_threshold: probes in a row that must succeed before one says yes again.
        sync_enabled: whether resources are brought to the cluster.
        healing_enabled: whether repair is asked for.
        suspend: nothing is written to the cluster or to CloudStack.
    """

    kubeconfig_secret: str
    monitor_interval: float = 30.0
    failure_threshold: int = 2
    success_threshold: int = 1
    health: HealthChecks = HealthChecks()
    sync_enabled: bool = False
    sync_interval: float = 300.0
    sync_policy: SyncPolicy = field(default_factory=SyncPolicy)
    healing_enabled: bool = False
    deletion_policy: DeletionPolicy = "Orphan"
    finalize_timeout: float = 600.0
    suspend: bool = False


def read_request(body: Json) -> CompositeRequest:
    """Read what Metacontroller sends for a TargetCluster.

    Raises:
        BadRequest: naming the field.
    """
    request = composite_request(body, spec=SPEC, status=STATUS)
    metadata = request["parent"]["metadata"]
    for part in ("namespace", "name"):
        _object_name(metadata.get(part) or "", f"parent.metadata.{part}")
    return request


def read_spec(cluster: Json, *, default_secret: str) -> Spec:
    """Read a TargetCluster's spec.

    Args:
        cluster: the TargetCluster, of the shape that `read_request` has checked.
        default_secret: the Secret of TargetClusters that name none.

    Raises:
        BadRequest: naming the field.
    """
    spec = cluster.get("spec") or {}
    sync = spec.get("resourceSyncPolicy") or {}
    interval = _duration(spec, "monitorInterval", "30s")
    return Spec(
        kubeconfig_secret=_object_name(
            spec.get("kubeconfigSecret") or default_secret, "parent.spec.kubeconfigSecret"
        ),
        monitor_interval=interval,
        failure_threshold=max(1, _or(spec.get("failureThreshold"), 2)),
        success_threshold=max(1, _or(spec.get("successThreshold"), 1)),
        health=_health_checks(spec.get("healthChecks") or {}),
        sync_enabled=bool(sync.get("enabled")),
        sync_interval=_duration(sync, "syncInterval", "5m", "resourceSyncPolicy."),
        sync_policy=_sync_policy(sync),
        healing_enabled=bool((spec.get("autoHealing") or {}).get("enabled")),
        deletion_policy=cast(
            "DeletionPolicy", _choice(spec, "deletionPolicy", ("Orphan", "Delete"))
        ),
        finalize_timeout=_duration(spec, "finalizeTimeout", "10m", lower=0.0),
        suspend=bool(spec.get("suspend")),
    )


def _health_checks(checks: Json) -> HealthChecks:
    namespaces = checks.get("podNamespaces")
    if namespaces is None:
        namespaces = ["kube-system"]
    return HealthChecks(
        timeout=min(MAX_PROBE, _duration(checks, "timeout", "10s", "healthChecks.")),
        min_ready_nodes=_int_or_percent(
            _or(checks.get("minReadyNodes"), 1), "parent.spec.healthChecks.minReadyNodes"
        ),
        pod_namespaces=tuple(
            _object_name(name, f"parent.spec.healthChecks.podNamespaces[{index}]")
            for index, name in enumerate(namespaces)
        ),
    )


def _sync_policy(sync: Json) -> SyncPolicy:
    drift = _choice(sync, "driftPolicy", ("Correct", "Report"), "resourceSyncPolicy.")
    conflict = _choice(sync, "conflictPolicy", ("Keep", "Overwrite"), "resourceSyncPolicy.")
    return SyncPolicy(
        prune=_or(sync.get("prune"), True),
        drift=cast("DriftPolicy", drift),
        conflict=cast("ConflictPolicy", conflict),
    )


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _duration(
    where: Json, key: str, default: str, prefix: str = "", lower: float = MIN_INTERVAL
) -> float:
    field = f"parent.spec.{prefix}{key}"
    text = where.get(key)
    try:
        seconds = parse_duration(default if text is None else text, field=field)
    except ValueError as error:
        raise BadRequest(field, str(error).removeprefix(f"{field}: ")) from None
    return min(MAX_INTERVAL, max(lower, seconds))


def _choice(where: Json, key: str, choices: Collection[str], prefix: str = "") -> str:
    """Read one of several words; the first is the default."""
    value = where.get(key)
    if value is None:
        return next(iter(choices))
    if value not in choices:
        raise BadRequest(
            f"parent.spec.{prefix}{key}", f"is {value!r}, must be one of {', '.join(choices)}"
        )
    return str(value)


def _int_or_percent(value: object, field: str) -> IntOrPercent:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return IntOrPercent(value)
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        return IntOrPercent(int(match[1]), percent=True)
    raise BadRequest(field, 'must be a number of nodes, such as 3, or a share, such as "80%"')


def _object_name(name: str, field: str) -> str:
    """Let only that pass which can stand in a path of the API server."""
    if len(name) > 253 or not _OBJECT_NAME.fullmatch(name):
        raise BadRequest(field, "must be a name: small letters, digits, - and .")
    return name
