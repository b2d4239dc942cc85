"""What answers is not, or cannot be seen to be, the cluster that the objects are on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks.http.bounded_json import Json
from tests.controlplane.polling import until
from tests.integration.targetclusters.stage import source
from tests.targets.certificates import Authority
from tests.targets.driving import NAMESPACE, Driven, Operator, target_cluster
from tests.targets.objects import encoded, kubeconfig, secret
from tests.targets.own_cluster import OwnCluster
from tools.api_server import ApiServer, RefusedError, Request, Store

Answer = tuple[int, Json | str]
FIRST = Authority()
KINDS = {"configmaps": "ConfigMap", "namespaces": "Namespace", "nodes": "Node", "pods": "Pod"}
RESOURCES = [
    {"name": name, "kind": kind, "namespaced": name in ("configmaps", "pods")}
    for name, kind in KINDS.items()
]
ANSWERS: dict[str, Answer] = {
    "/readyz": (200, "ok"),
    "/version": (200, {"gitVersion": "v1.36.3"}),
    "/apis": (200, {"groups": []}),
    "/api/v1": (200, {"resources": RESOURCES}),
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": (
        201,
        {"status": {"userInfo": {"username": "op"}}},
    ),
}


class Target(Store):
    """A cluster in memory, which may be made to answer something else."""

    def __init__(self, uid: str) -> None:
        system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
        system["metadata"] |= {"uid": uid}  # type: ignore[operator]
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n-1"}, "status": ready}
        super().__init__([system, node])
        self.instead: Callable[[Request], Answer | None] = lambda _: None

    def answer(self, request: Request) -> tuple[int, Json]:
        found = self.instead(request) or ANSWERS.get(request.path)
        return found or super().answer(request)  # type: ignore[return-value]

    def names(self) -> set[str]:
        above = f"/api/v1/namespaces/{NAMESPACE}/configmaps/"
        return {path.removeprefix(above) for path in self.objects if path.startswith(above)}


@contextmanager
def serving(uid: str) -> Iterator[tuple[str, Target]]:
    server = ApiServer()
    server.store = target = Target(uid)
    with server:
        yield server.url, target


def without_route(request: Request) -> Answer:
    return 404, {"message": f"no Route matched with {request.path}"}


def without_anything(request: Request) -> None:
    raise RefusedError(404, "NotFound", f"{request.path} is not here")


def without_uid(request: Request) -> None:
    if request.path.endswith("/kube-system"):
        raise RefusedError(403, "Forbidden", 'namespaces "kube-system" is forbidden')


def watched(url: str, *, authority: Authority | None = None) -> Driven:
    """Return a TargetCluster whose three ConfigMaps are on its cluster."""
    own = OwnCluster()
    lead(own, url, authority)
    for name in "abc":
        own.put(source(name, NAMESPACE))
    spec: Json = {"resourceSyncPolicy": {"enabled": True}, "deletionPolicy": "Delete"}
    spec["finalizeTimeout"] = "30s"
    driven = Driven(Operator(own), target_cluster(kubeconfigSecret="target", **spec))
    go_on(driven, lambda: driven.says("ResourcesSynced") == "True Synced")
    return driven


def lead(own: OwnCluster, url: str, authority: Authority | None) -> None:
    more = {"certificate-authority-data": encoded(authority.pem)} if authority else {}
    own.put(secret(kubeconfig(url, cluster=more), namespace=NAMESPACE))


def go_on(driven: Driven, is_done: Callable[[], bool], *, deleting: bool = False) -> None:
    """Call when the hook asks for it, and at least every five seconds."""

    def call() -> bool:
        wait = driven.call(finalizing=deleting).get("resyncAfterSeconds", 1)
        if is_done():
            return True
        driven.operator.clock.now += min(wait, 5)
        return False

    until(call, "the TargetCluster is as far")


def said(driven: Driven) -> str:
    return " ".join(f"{each.reason}: {each.message}" for each in driven.operator.events)


@pytest.mark.parametrize("answer", [without_route, without_anything])
def test_404_for_everything_is_no_proof_that_anything_is_gone(
    answer: Callable[[Request], Answer | None],
) -> None:
    with serving("uid-a") as (url, target):
        driven = watched(url)
        target.instead = answer
        go_on(driven, lambda: bool(driven.answers[-1].get("finalized")), deleting=True)
        assert target.names() == {"a", "b", "c"}
        assert "ResourcesOrphaned: 3 objects are left on the cluster" in said(driven)
        assert "ResourcesDeleted" not in said(driven)
        driven.operator.hook.close()


@pytest.mark.parametrize("authority", [None, Authority()], ids=["no authority", "one for both"])
def test_another_cluster_whose_uid_is_not_said_is_not_taken_for_the_former_one(
    authority: Authority | None,
) -> None:
    with serving("uid-a") as (url, first), serving("uid-b") as (other_url, other):
        driven = watched(url, authority=authority)
        other.instead = without_uid
        assert isinstance(driven.operator.own, OwnCluster)
        lead(driven.operator.own, other_url, authority)
        go_on(driven, lambda: other.names() == {"a", "b", "c"})
        go_on(driven, lambda: driven.says("ClusterChanged") == "True ObjectsLeft")
        assert "3 objects on uid-a" in driven.condition("ClusterChanged")["message"]
        go_on(driven, lambda: bool(driven.answers[-1].get("finalized")), deleting=True)
        assert (first.names(), other.names()) == ({"a", "b", "c"}, set())
        driven.operator.hook.close()


@contextmanager
def false_claim() -> Iterator[tuple[Driven, Target, Target, str]]:
    """Lead from one cluster to another that comes to say the first one's UID.

    Yields:
        The TargetCluster, both clusters, and the first one's URL.
    """
    with serving("uid-a") as (url, first), serving("uid-b") as (other_url, other):
        driven = watched(url, authority=FIRST)
        own = driven.operator.own
        assert isinstance(own, OwnCluster)
        lead(own, other_url, Authority())
        go_on(driven, lambda: other.names() == {"a", "b", "c"})
        go_on(driven, lambda: driven.says("ClusterChanged") == "True ObjectsLeft")
        for name in "ab":
            own.remove("ConfigMap", name, NAMESPACE)
        go_on(driven, lambda: other.names() == {"c"})
        other.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"] = "uid-a"
        go_on(driven, lambda: driven.says("ResourcesSynced") == "False Interrupted")
        yield driven, first, other, url
        driven.operator.hook.close()


def listed(driven: Driven) -> dict[str, int]:
    """Return how many objects each ConfigMap of the inventory lists."""
    maps = ((each["metadata"]["name"], each["data"]["entries.jsonl"]) for each in driven.children)
    return {name: text.count("\n") for name, text in maps}


def test_a_cluster_that_says_anothers_uid_does_not_get_the_list_of_what_is_left_there() -> None:
    with false_claim() as (driven, first, other, url):
        (aside,) = listed(driven).keys() - {"example-inventory"}
        assert f"from ConfigMap {aside}" in driven.condition("ResourcesSynced")["message"]
        assert listed(driven) == {"example-inventory": 1, aside: 3}
        assert (first.names(), other.names()) == ({"a", "b", "c"}, {"c"})
        assert isinstance(driven.operator.own, OwnCluster)
        lead(driven.operator.own, url, FIRST)
        go_on(driven, lambda: first.names() == {"c"})
        go_on(driven, lambda: driven.says("ResourcesSynced") == "True Synced")
        assert "1 objects on uid-b" in driven.condition("ClusterChanged")["message"]


def test_a_person_may_confirm_a_cluster_whose_authority_is_another() -> None:
    with false_claim() as (driven, _, _, _):
        (aside,) = (one for one in driven.children if "-of-" in one["metadata"]["name"])
        for key in ("clusterCA", "clusterPlace"):
            del aside["data"][key]
        go_on(driven, lambda: driven.says("ResourcesSynced") == "True Synced")
        assert "1 objects on uid-b" in driven.condition("ClusterChanged")["message"]


def test_nothing_is_deleted_on_a_cluster_that_says_anothers_uid() -> None:
    with false_claim() as (driven, first, other, _):
        go_on(driven, lambda: bool(driven.answers[-1].get("finalized")), deleting=True)
        assert (first.names(), other.names()) == ({"a", "b", "c"}, {"c"})
        assert "the cluster says that it is uid-a" in said(driven)
