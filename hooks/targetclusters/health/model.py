"""What a probe finds of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hooks.kube.identity import ClusterIdentity
from hooks.targetclusters.sync.plan.model import WantedDigest

#: How many nodes or pods a status names; the others are only counted.
NAMED = 10

#: Seconds before a credential ends from which on its renewal is late, and the share of its own life
#: that they are at most: whatever renews credentials by itself does so after half to nine tenths.
EXPIRY_NOTICE = 7 * 86400.0
EXPIRY_SHARE = 0.1

#: The reason of a failure when the Secret does not exist.
SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - no password
#: The same when it holds no kubeconfig.
KUBECONFIG_MISSING = "KubeconfigMissing"
#: The same, because its namespace is being deleted: it will not come back.
NAMESPACE_DELETED = "NamespaceDeleted"

#: What failed: something on our side (the API server with the TargetClusters, what it holds, or we
#: ourselves), finding a kubeconfig there, using that, the connection to the cluster, the cluster's
#: check of the credentials, or a single list. All but a list end a probe.
FailureKind = Literal["own", "absent", "kubeconfig", "connection", "credentials", "list"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be read.

    Attributes:
        reason: in CamelCase, for a condition.
        message: fit for a status: printable, bounded, without secrets.
    """

    kind: FailureKind
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a credential holds, in epoch seconds.

    Attributes:
        start: None if it does not say when it was made.
    """

    end: float
    start: float | None = None

    @property
    def renew_by(self) -> float:
        """Return when its renewal is late."""
        notice = EXPIRY_NOTICE
        if self.start is not None and self.start < self.end:
            notice = min(notice, (self.end - self.start) * EXPIRY_SHARE)
        return max(self.end - notice, 0.0)


@dataclass(frozen=True, slots=True)
class ReadyCount:
    """How many nodes or pods there are, and how many are ready.

    Attributes:
        not_ready: the names of the first NAMED that are not ready.
    """

    ready: int = 0
    total: int = 0
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes of a cluster, with the sums of their capacity and of what pods may use of it."""

    count: ReadyCount
    capacity: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe of a cluster found.

    Attributes:
        started_at: epoch seconds, to the millisecond.
        seconds: how long it took.
        generation: the generation of the TargetCluster that it followed.
        failure: what ended it early.
        server: the API server's URL; empty if no kubeconfig could be read.
        access: the version of the kubeconfig's Secret; empty if it could not be read.
        ca: the fingerprint of the authority in the kubeconfig; empty without one.
        verified: whether the server's certificate is checked.
        two_credentials: whether the kubeconfig holds a certificate and a token or password.
        lifetimes: of the kubeconfig's credentials that end.
        answered: whether the cluster answered anything at all.
        accepted: whether this probe saw that the cluster takes our credentials: it said who we are,
            or answered a list.
        cluster: which cluster it is; None if that is not known.
        identity_age: how many probes ago it was asked which cluster it is.
        user: who we are there; empty if it does not say, None if that is not known.
        version: empty if the cluster hides it.
        version, nodes, pods: None if the probe ended before them.
        desired: the digest of what the sources want on the cluster; None if they were not read.
        refusal: why the inventory is not written; empty if it is, or if that is not known.
    """

    started_at: float
    seconds: float
    generation: int
    failure: Failure | None = None
    server: str = ""
    access: tuple[str, ...] = ()
    ca: str = ""
    verified: bool = True
    two_credentials: bool = False
    lifetimes: tuple[Lifetime, ...] = ()
    answered: bool = False
    accepted: bool = True
    cluster: ClusterIdentity | None = None
    identity_age: int = 0
    user: str | None = None
    version: str | None = None
    nodes: Nodes | Failure | None = None
    pods: ReadyCount | Failure | None = None
    desired: WantedDigest | None = None
    refusal: str = ""
