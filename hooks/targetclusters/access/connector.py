"""Opens a cluster: reads the Secret that its TargetCluster names, and connects by what is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from hooks.http.deadline import Deadline
from hooks.kube.client import ApiServer, Kube, KubeError, KubeRefused, NotFound
from hooks.targetclusters.access.kubeconfig import BadKubeconfig, Kubeconfig, read_secret
from hooks.targetclusters.access.transport import connect
from hooks.targetclusters.health.judge import SECRET_NOT_FOUND, Fault, Stop


class NoAccess(Exception):
    """There is no way to the cluster; `stop` says why, and `kubeconfig` what could be read."""

    def __init__(self, stop: Stop, kubeconfig: Kubeconfig | None = None) -> None:
        super().__init__(stop.fault.message)
        self.stop = stop
        self.kubeconfig = kubeconfig


@dataclass(frozen=True)
class Access:
    """A way to a cluster."""

    api: ApiServer
    kubeconfig: Kubeconfig


@dataclass(frozen=True)
class Connector:
    """Opens clusters.

    Attributes:
        own: the API server with the TargetClusters, their Secrets and sources.
        user_agent: what the clusters' audit logs show of us.
    """

    own: Kube
    user_agent: str

    @contextmanager
    def open(
        self, namespace: str, secret: str, *, max_answer_bytes: int, deadline: Deadline
    ) -> Iterator[Access]:
        """Open the cluster whose kubeconfig a Secret holds; its connections are closed at the end.

        Args:
            namespace: the TargetCluster's; no other one's Secrets are ever read.
            secret: the Secret's name.
            max_answer_bytes: of each of the cluster's answers.
            deadline: of the reading.

        Raises:
            NoAccess: saying why there is none.
        """
        kubeconfig = _read(self.own, namespace, secret, deadline)
        try:
            api = connect(kubeconfig, user_agent=self.user_agent, max_answer_bytes=max_answer_bytes)
        except BadKubeconfig as error:
            raise NoAccess(_unusable(secret, error), kubeconfig) from error
        try:
            yield Access(api, kubeconfig)
        finally:
            api.close()


def _read(own: Kube, namespace: str, secret: str, deadline: Deadline) -> Kubeconfig:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(secret, safe='')}"
    try:
        return read_secret(own.get(path, deadline=deadline))
    except NotFound:
        message = f"there is no Secret {secret}, which should hold the kubeconfig"
        raise NoAccess(Stop("kubeconfig", Fault(SECRET_NOT_FOUND, message))) from None
    except KubeRefused as error:
        raise NoAccess(Stop("kubeconfig", Fault("SecretForbidden", str(error)))) from error
    except KubeError as error:
        raise NoAccess(Stop("secret", Fault("SecretUnreadable", str(error)))) from error
    except BadKubeconfig as error:
        raise NoAccess(_unusable(secret, error)) from error


def _unusable(secret: str, error: BadKubeconfig) -> Stop:
    return Stop("kubeconfig", Fault(error.reason, f"Secret {secret}: {error}"))
