"""A TargetCluster with a kubeconfig, watched by an operator of its own."""

from typing import Any

from tests.targets.driving import Driven, Operator, target_cluster
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
