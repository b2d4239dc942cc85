"""Reads which cluster a kubeconfig leads to."""

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeError, KubeRefused, NotFound
from hooks.kube.cluster_uid import read_cluster_uid
from hooks.kube.identity import ClusterIdentity

#: Seconds in which it is asked again, also by a round that is out of time.
_AGAIN_SECONDS = 5.0


def read_identity(target: Kube, ca: str, deadline: Deadline, *, place: str = "") -> ClusterIdentity:
    """Return which cluster a kubeconfig leads to, without the UID if the account may not read it.

    Args:
        target: the cluster.
        ca: the fingerprint of the authority in the kubeconfig; empty without one.
        deadline: of the request.
        place: where the kubeconfig leads, as ClusterIdentity has it.

    Raises:
        KubeError: the target does not answer, or rejects the credentials.
    """
    try:
        return ClusterIdentity(read_cluster_uid(target, deadline), ca, place)
    except KubeRefused as error:
        if error.code == 401 or (error.code == 404 and not isinstance(error, NotFound)):
            raise
        return ClusterIdentity(ca=ca, place=place)


def leads_elsewhere(target: Kube, cluster: ClusterIdentity) -> bool:
    """Tell whether a target says that it is another cluster by now; never raises KubeError.

    A name, or what balances behind it, may lead elsewhere since. One that does not answer any more
    says nothing.
    """
    try:
        now = read_identity(target, cluster.ca, Deadline(_AGAIN_SECONDS), place=cluster.place)
    except KubeError:
        return False
    return now.same_as(cluster) is False
