import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError, KubeRefused, KubeUnreachable, NotFound
from hooks.targetclusters.access.kubeconfig_secrets import LIST_TTL, KubeconfigSecrets
from hooks.targetclusters.sources.memory import SourceCache, SourceMemory
from hooks.targetclusters.sources.reading import SourceReader, read_sources
from hooks.targetclusters.sync.plan.model import DesiredSet
from tests.kubes import Call
from tests.targets.driving import Clock, target_cluster
from tests.targets.objects import secret
from tests.targets.own_cluster import OwnCluster

PATH = "/apis/targetcluster.example.com/v1alpha1/namespaces/team/targetclusters"


def knowing(own: OwnCluster, clock: Clock | None = None) -> KubeconfigSecrets:
    return KubeconfigSecrets(own, default="the-default", monotonic=clock or Clock())


def synced(own: OwnCluster, name: str) -> DesiredSet:
    """Read one Secret as the source of a TargetCluster."""
    sources = [{"kind": "Secret", "name": name}]
    never = lambda deadline: knowing(own).names("team", deadline)  # noqa: E731
    return read_sources(
        SourceReader(own, never, SourceCache(), SourceMemory()),
        target_cluster("mine", resourceSyncPolicy={"sources": sources}),
        Deadline(5),
    )


@pytest.fixture
def own() -> OwnCluster:
    own = OwnCluster()
    own.store.put(target_cluster("production", kubeconfigSecret="production"))
    own.store.put(target_cluster("without"))
    own.store.put(target_cluster("elsewhere", "other", kubeconfigSecret="elsewhere"))
    return own


def test_those_of_all_target_clusters_of_the_namespace_and_the_default(own: OwnCluster) -> None:
    assert knowing(own).names("team", Deadline(5)) == {"production", "the-default"}


def test_the_list_is_read_once_and_again_when_it_is_old(own: OwnCluster) -> None:
    clock = Clock()
    secrets = knowing(own, clock)
    for _ in range(3):
        secrets.names("team", Deadline(5))
    assert own.reads == [PATH]
    own.store.put(target_cluster("new", kubeconfigSecret="new"))
    clock.now += LIST_TTL
    assert "new" in secrets.names("team", Deadline(5))


@pytest.mark.parametrize("name", ["production", "the-default"])
def test_a_kubeconfig_is_no_source(own: OwnCluster, name: str) -> None:
    own.put(secret("a kubeconfig", name=name))
    desired = synced(own, name)
    assert desired.objects == ()
    assert [str(problem) for problem in desired.problems] == [
        f"Secret/{name}: holds the kubeconfig of a TargetCluster and is never synced"
    ]
    assert not own.whole_reads


def test_a_secret_that_no_target_cluster_of_the_namespace_names_is_a_source(
    own: OwnCluster,
) -> None:
    own.put(secret("anything", name="elsewhere"))
    assert len(synced(own, "elsewhere").objects) == 1


class Partial(OwnCluster):
    """Answers everything but the list of TargetClusters."""

    def __init__(self, failure: KubeError) -> None:
        super().__init__()
        self.list_failure = failure

    def answer(self, call: Call) -> Json:
        if call.path == PATH:
            raise self.list_failure
        return super().answer(call)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(KubeUnreachable(f"GET {PATH}: timeout"), id="out of reach"),
        pytest.param(KubeRefused(f"GET {PATH}", 403, "forbidden"), id="forbidden"),
        pytest.param(NotFound(f"GET {PATH}", 404, "not found"), id="its kind is not there"),
    ],
)
def test_while_they_are_unknown_no_secret_is_a_source_and_nothing_is_pruned(
    failure: KubeError,
) -> None:
    own = Partial(failure)
    own.put(secret("anything", name="app"))
    desired = synced(own, "app")
    assert desired.objects == ()
    assert desired.failed_sources == {"Secret/app"}
    assert f"cannot be read: GET {PATH}" in str(desired.problems[0])
    assert not own.whole_reads


@pytest.mark.parametrize("answer", [{}, {"metadata": None}, {"metadata": {"name": "app"}}])
def test_an_answer_that_is_no_object_is_an_error_of_its_source(answer: Json) -> None:
    class Careless(OwnCluster):
        def answer(self, call: Call) -> Json:
            return answer if "/secrets/" in call.path else super().answer(call)

    desired = synced(Careless(), "app")
    assert desired.failed_sources == {"Secret/app"}
    assert "has no metadata." in str(desired.problems[0])
