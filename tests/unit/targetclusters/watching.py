"""A TargetCluster with a kubeconfig, watched by an operator of its own."""

from typing import Any

from hooks.http.bounded_json import Json
from hooks.kube.cluster_uid import ThisCluster
from hooks.targetclusters.access.kubeconfig_secrets import KubeconfigSecrets
from hooks.targetclusters.clusters import Shared, WatchedCluster
from hooks.targetclusters.jobs import JobPools
from tests.hooks import dependencies
from tests.targets.driving import Clock, Driven, Operator, target_cluster
from tests.targets.objects import kubeconfig, secret
from tests.targets.own_cluster import OwnCluster

TOKEN = "a-token-of-some-length"


def own_cluster(url: str, **user: object) -> OwnCluster:
    own = OwnCluster()
    own.put(secret(kubeconfig(url, user={"token": TOKEN, **user})))
    return own


def driven(operator: Operator, **spec: Any) -> Driven:
    return Driven(operator, target_cluster(kubeconfigSecret="target", **spec))


def put_kubeconfig(operator: Operator, text: str) -> None:
    """Replace what the Secret holds."""
    assert isinstance(operator.own, OwnCluster)
    operator.own.put(secret(text))


def record(metadata: Json) -> WatchedCluster:
    """Make the record of a TargetCluster that runs no jobs."""
    idle = JobPools("idle", threads=1)
    own, clock = OwnCluster(), Clock()
    secrets = KubeconfigSecrets(own, default="default", monotonic=clock)
    shared = Shared(ThisCluster(own, ""), secrets, idle, idle, idle)
    return WatchedCluster(metadata, dependencies(own, clock=clock), shared)
