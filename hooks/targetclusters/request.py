"""What is read of a TargetCluster's request, with the CRD's defaults."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from hooks.http.bounded_json import Json
from hooks.kube.durations import parse_duration
from hooks.names import (
    API_VERSION,
    CONTROLLER_FINALIZER,
    TARGET_CLUSTER_GROUP,
    TARGET_CLUSTERS_CONTROLLER,
)
from hooks.targetclusters.sync.plan.model import SyncPolicy
from hooks.webhook.requests import (
    ConditionView,
    NonEmpty,
    NoObjects,
    Object,
    ObjectName,
    Time,
    View,
    convert,
    exactly,
    raw_objects,
)

#: The longest interval, in seconds: a year from now is still a time that can be written.
YEAR = 365 * 86400.0

_API = f"{TARGET_CLUSTER_GROUP}/{API_VERSION}"
_CONFIG_MAPS = "ConfigMap.v1"
_PERCENT = re.compile(r"(100|[0-9]{1,2})%")
Retries = Annotated[int, msgspec.Meta(ge=0, le=100, description="a number from 0 to 100")]
Concurrency = Annotated[int, msgspec.Meta(ge=1, le=10, description="a number from 1 to 10")]
Threshold = Annotated[int, msgspec.Meta(ge=1, description="a whole number of 1 or more")]


class Duration(float):
    """Seconds. A duration outside of the bounds counts as the bound next to it."""

    least, most = 0.0, YEAR
    wanted = "a duration such as 30s, 5m or 1h30m"

    @classmethod
    def read(cls, text: str) -> "Duration":
        """Read a duration as Kubernetes users write it. Raises ValueError."""
        return cls(min(cls.most, max(cls.least, parse_duration(text))))


class Interval(Duration):
    """Seconds between two jobs. API servers before 1.25 do not check the CRD's lower bound."""

    least = 1.0


class ProbeTimeout(Interval):
    """Seconds that a probe may take."""

    most = 300.0


class IntOrPercent(str):
    """A number such as `3`, or a percentage of a whole such as `80%`."""

    __slots__ = ()
    wanted = 'a number, such as 3, or a share, such as "80%"'

    @classmethod
    def read(cls, value: object) -> "IntOrPercent":
        """Read a JSON number or a percentage. Raises ValueError."""
        is_number = type(value) is int and value >= 0
        if not is_number and not (isinstance(value, str) and _PERCENT.fullmatch(value)):
            raise ValueError(cls.wanted)
        return cls(value)

    @property
    def is_none(self) -> bool:
        """Tell whether it is none of any whole."""
        return int(self.removesuffix("%")) == 0

    def of(self, total: int) -> int:
        """Return how many that is of a whole, rounded up: of nothing, a share asks for one."""
        number = int(self.removesuffix("%"))
        return -(-number * max(1, total) // 100) if self.endswith("%") else number


class HealthChecks(View, frozen=True):
    """What makes a reachable cluster a healthy one.

    Attributes:
        min_ready_nodes: how many nodes must be ready; none: nodes are not asked about.
        pod_namespaces: namespaces whose pods must be ready.
        min_ready_pods: how many of these pods must be ready; none: pods are not asked about.
    """

    timeout: ProbeTimeout = ProbeTimeout(10)
    min_ready_nodes: IntOrPercent = IntOrPercent(1)
    pod_namespaces: tuple[ObjectName, ...] = ("kube-system",)
    min_ready_pods: IntOrPercent = IntOrPercent("100%")

    @property
    def asks_nodes(self) -> bool:
        """Tell whether any node must be ready."""
        return not self.min_ready_nodes.is_none

    @property
    def asks_pods(self) -> bool:
        """Tell whether any pod must be ready."""
        return bool(self.pod_namespaces) and not self.min_ready_pods.is_none


class ResourceSync(SyncPolicy, frozen=True):
    """Whether and how often resources are synced, and from where."""

    enabled: bool = False
    interval: Interval = msgspec.field(name="syncInterval", default=Interval(300))
    target_namespace: str = ""


class WindowDuration(Duration):
    """Seconds that a maintenance window lasts."""

    least = 60.0


class MaintenanceWindow(View, frozen=True):
    """A time in which repairs are allowed; whoever repairs finds out whether it can be read.

    Attributes:
        schedule: when it begins: five fields of cron.
        time_zone: whose clock that is about, a name of the IANA.
    """

    schedule: str
    duration: WindowDuration
    time_zone: str = "UTC"


class Backoff(View, frozen=True):
    """The time between two attempts: `first` after one, then twice as long after each."""

    first: Interval = Interval(300)
    longest: Interval = Interval(1800)


class HealedPods(View, frozen=True):
    """Whether and which pods are deleted, so that their controllers make others.

    Attributes:
        namespaces: of these pods; None for those whose pods the health checks look at.
        timeout: how long a pod is ill before that.
    """

    enabled: bool = False
    namespaces: tuple[ObjectName, ...] | None = None
    timeout: Interval = msgspec.field(name="podTimeout", default=Interval(600))


class Healing(View, frozen=True):
    """Whether and how faults are repaired."""

    enabled: bool = False
    mode: Literal["Repair", "Plan"] = "Repair"
    max_retry: Retries = 3
    max_concurrent: Concurrency = 1
    node_timeout: Interval = Interval(300)
    startup_timeout: Interval = Interval(1200)
    max_unhealthy: IntOrPercent = IntOrPercent("40%")
    backoff: Backoff = Backoff()
    maintenance_windows: tuple[MaintenanceWindow, ...] = ()
    pods: HealedPods = HealedPods()


class CloudStackAccount(View, frozen=True):
    """Where the cluster's VMs run.

    Attributes:
        config_secret: name of the Secret with the account, in the TargetCluster's own namespace.
        kubernetes_cluster_id: of the cluster in CloudStack's Kubernetes Service; empty for none.
    """

    config_secret: ObjectName = ""
    kubernetes_cluster_id: Annotated[
        str,
        msgspec.Meta(pattern=r"^[0-9a-fA-F-]{0,64}\Z", description="an id such as CloudStack's"),
    ] = msgspec.field(name="kubernetesClusterID", default="")


class Spec(View, frozen=True):
    """A TargetCluster's spec.

    Attributes:
        kubeconfig_secret: name of the Secret, in the TargetCluster's own namespace.
        failure_threshold: probes in a row that must fail before a condition says so.
        success_threshold: probes in a row that must succeed before a condition says so again.
        suspend: nothing is written to the cluster.
    """

    kubeconfig_secret: ObjectName = ""
    monitor_interval: Interval = Interval(30)
    failure_threshold: Threshold = 2
    success_threshold: Threshold = 1
    health: HealthChecks = msgspec.field(name="healthChecks", default=HealthChecks())
    sync: ResourceSync = msgspec.field(name="resourceSyncPolicy", default=ResourceSync())
    healing: Healing = msgspec.field(name="autoHealing", default=Healing())
    cloud_stack: CloudStackAccount = CloudStackAccount()
    deletion_policy: Literal["Orphan", "Delete"] = "Orphan"
    finalize_timeout: Duration = Duration(600)
    suspend: bool = False

    @property
    def healed_namespaces(self) -> tuple[str, ...]:
        """Return the namespaces whose pods are healed."""
        if not self.healing.pods.enabled:
            return ()
        own = self.healing.pods.namespaces
        return self.health.pod_namespaces if own is None else own


class _Check(View, frozen=True):
    condition: NonEmpty
    failures: int = 0
    successes: int = 0


class _Probe(View, frozen=True):
    last_time: str = ""
    duration_seconds: float = 0.0
    observed_generation: int = 0
    checks: tuple[_Check, ...] = ()


class _Sync(View, frozen=True):
    last_time: str = ""
    last_success_time: str = ""
    attempts: int = 0
    objects: int = 0


class _Healing(View, frozen=True):
    last_time: str = ""


class Status(View, frozen=True):
    """Checks what the plan reads of the status that it wrote; the answer repeats the dict."""

    conditions: tuple[ConditionView, ...] = ()
    version: str = ""
    credential_expiry: str = ""
    credential_renew_by: str = ""
    nodes: Json = msgspec.field(default_factory=dict)
    healing: _Healing = _Healing()
    probe: _Probe = _Probe()
    sync: _Sync = _Sync()


class _Metadata(View, frozen=True):
    namespace: ObjectName
    name: ObjectName
    uid: str = ""
    generation: int | None = None
    deletion_timestamp: Time | None = None
    finalizers: tuple[str, ...] = ()


class _TargetCluster(View, frozen=True, kw_only=True):
    kind: Literal["TargetCluster"] = "TargetCluster"
    api_version: Annotated[str, exactly(_API)] = _API
    metadata: _Metadata
    spec: Spec = Spec()
    status: Status = Status()


class _ConfigMap(Object, frozen=True, kw_only=True):
    data: Json = msgspec.field(default_factory=dict)


class _ControllerMetadata(View, frozen=True):
    name: str = ""


class _Controller(View, frozen=True):
    metadata: _ControllerMetadata = _ControllerMetadata()


class _Request(View, frozen=True, kw_only=True):
    controller: _Controller = _Controller()
    parent: _TargetCluster
    children: dict[Annotated[str, exactly(_CONFIG_MAPS)], dict[str, _ConfigMap]] = msgspec.field(
        default_factory=dict
    )
    related: NoObjects = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class TargetClusterRequest:
    """A sync or finalize request.

    Attributes:
        cluster: the TargetCluster as it came.
        config_maps: its children, which hold the inventory, as they came, by name.
        controller: the name of the controller for which Metacontroller calls; empty for none.
    """

    cluster: Json
    spec: Spec
    config_maps: tuple[Json, ...]
    controller: str

    @property
    def is_deleting(self) -> bool:
        """Tell whether it is being deleted; if not, a finalize call hands it to another shard."""
        return bool(self.cluster["metadata"].get("deletionTimestamp"))

    @property
    def other_shard(self) -> str:
        """Return another controller of ours that has not let it go, empty for none.

        Metacontroller's finalizer stays until the finalize hook of its controller has answered.
        """
        finalizers = self.cluster["metadata"].get("finalizers") or ()
        held = [
            each.removeprefix(CONTROLLER_FINALIZER)
            for each in finalizers
            if each.startswith(CONTROLLER_FINALIZER)
        ]
        ours = [each for each in held if f"{each}-".startswith(f"{TARGET_CLUSTERS_CONTROLLER}-")]
        return next((each for each in ours if self.controller not in ("", each)), "")

    @property
    def children(self) -> list[Json]:
        """Return the ConfigMaps with only the fields that we own."""
        return [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {key: config_map["metadata"].get(key) for key in ("name", "namespace")},
                "data": config_map.get("data") or {},
            }
            for config_map in self.config_maps
        ]


def read(body: Json, *, default_secret: str) -> TargetClusterRequest:
    """Read what Metacontroller sends for a TargetCluster.

    Args:
        body: the request.
        default_secret: the Secret of TargetClusters that name none.

    Raises:
        BadRequest: naming the field.
    """
    request = convert(body, _Request)
    parent = request.parent
    spec = parent.spec
    if not spec.kubeconfig_secret:
        spec = msgspec.structs.replace(spec, kubeconfig_secret=default_secret)
    config_maps = raw_objects(body, "children", _CONFIG_MAPS)
    return TargetClusterRequest(
        cluster=body["parent"],
        spec=spec,
        config_maps=tuple(config_maps[name] for name in sorted(config_maps)),
        controller=request.controller.metadata.name,
    )
