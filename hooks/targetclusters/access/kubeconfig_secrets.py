"""Knows which Secrets hold the credentials of TargetClusters: they are never synced to a target.

Who may create a TargetCluster could have the operator copy another's kubeconfig, or the keys of a
CloudStack account, otherwise.
"""

import threading

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.kube.client import Kube, KubeError, NotFound
from hooks.kube.kinds import Kind
from hooks.kube.objects import part
from hooks.names import API_VERSION, TARGET_CLUSTER_GROUP, TARGET_CLUSTER_KIND

#: Seconds for which the list of a namespace's TargetClusters is used.
LIST_TTL = 5.0
TARGET_CLUSTER = Kind(
    f"{TARGET_CLUSTER_GROUP}/{API_VERSION}", TARGET_CLUSTER_KIND, "targetclusters", namespaced=True
)


class KubeconfigSecrets:
    """The names of these Secrets by namespace; used by many threads at once.

    Args:
        own: the API server with the TargetClusters.
        default: the Secret of TargetClusters that name none.
        monotonic: monotonic seconds.
    """

    def __init__(self, own: Kube, *, default: str, monotonic: Monotonic) -> None:
        self._own = own
        self._default = default
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._listed: dict[str, tuple[float, frozenset[str]]] = {}

    def names(self, namespace: str, deadline: Deadline) -> frozenset[str]:
        """Return the names in a namespace.

        Raises:
            KubeError: they cannot be read, so any Secret might be one.
        """
        now = self._monotonic()
        with self._lock:
            self._listed = {
                key: listed for key, listed in self._listed.items() if now - listed[0] < LIST_TTL
            }
            if namespace in self._listed:
                return self._listed[namespace][1]
        try:
            clusters = self._own.list(TARGET_CLUSTER.path(namespace), deadline=deadline)
            # Of a page, only the names stay in memory.
            named = [name for cluster in clusters for name in _credentials(cluster)]
        except NotFound as error:  # of the kind, not of a source
            raise KubeError(str(error)) from error
        found = frozenset({self._default, *(name for name in named if isinstance(name, str))})
        with self._lock:
            self._listed[namespace] = now, found
        return found


def _credentials(cluster: Json) -> tuple[object, object]:
    """Return the names of the Secrets with a TargetCluster's kubeconfig and CloudStack account."""
    spec = part(cluster, "spec")
    return spec.get("kubeconfigSecret"), part(spec, "cloudStack").get("configSecret")
