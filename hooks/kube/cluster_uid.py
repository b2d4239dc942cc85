"""Reads what stands for a cluster: the UID of its namespace kube-system, as others use it too."""

import re

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeError
from hooks.kube.kinds import NAMESPACE
from hooks.kube.objects import part

_PATH = NAMESPACE.path(name="kube-system")
_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")


def read_cluster_uid(kube: Kube, deadline: Deadline) -> str:
    """Return the UID of a cluster. Raises KubeError."""
    uid = part(kube.get(_PATH, deadline=deadline), "metadata").get("uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise KubeError(f"GET {_PATH}: the answer has no metadata.uid")
    return uid


class ThisCluster:
    """The cluster that the hooks run for.

    Args:
        kube: its API server.
        configured: its id, if a setting says it; empty for the UID, which is read once.
    """

    def __init__(self, kube: Kube, configured: str) -> None:
        self._kube = kube
        self._id = configured

    def id(self, deadline: Deadline) -> str:
        """Return what our marks elsewhere call the cluster. Raises KubeError."""
        if not self._id:
            self._id = read_cluster_uid(self._kube, deadline)
        return self._id
