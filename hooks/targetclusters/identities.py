"""Reads which cluster an API server belongs to: the hub once, a target each time."""

import re

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeError, KubeRefused
from hooks.kube.objects import part
from hooks.targetclusters.sync.plan.identity import ClusterIdentity

#: The namespace whose UID stands for a cluster, as OpenTelemetry and others use it.
_PATH = "/api/v1/namespaces/kube-system"
_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")


class Hub:
    """The cluster with the TargetClusters.

    Args:
        own: its API server.
        configured: its id, if a setting says it; empty for the UID of its namespace kube-system.
    """

    def __init__(self, own: Kube, configured: str) -> None:
        self._own = own
        self._id = configured

    def id(self, deadline: Deadline) -> str:
        """Return what marks on targets call the hub. Raises KubeError."""
        if not self._id:
            self._id = _read_uid(self._own, deadline)
        return self._id


def read_identity(target: Kube, ca: str, deadline: Deadline) -> ClusterIdentity:
    """Return which cluster a kubeconfig leads to, without the UID if the account may not read it.

    Args:
        target: the cluster.
        ca: the fingerprint of the authority in the kubeconfig; empty without one.
        deadline: of the request.

    Raises:
        KubeError: the target does not answer, or rejects the credentials.
    """
    try:
        return ClusterIdentity(_read_uid(target, deadline), ca)
    except KubeRefused as error:
        if error.code == 401:
            raise
        return ClusterIdentity(ca=ca)


def _read_uid(kube: Kube, deadline: Deadline) -> str:
    uid = part(kube.get(_PATH, deadline=deadline), "metadata").get("uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise KubeError(f"GET {_PATH}: the answer has no metadata.uid")
    return uid
