import json
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.answer_memory import AnswerBounds
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import ApiServer, KubeRequest
from hooks.targetclusters.access import connector
from hooks.targetclusters.access.connector import MAX_VALUES
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from hooks.targetclusters.health.model import Failure, Nodes, ProbeResult, ReadyCount
from hooks.targetclusters.health.probe import MAX_ANSWER_BYTES, probe_cluster
from tests.controlplane.polling import PATIENCE
from tests.targets import fake_cluster, servers
from tests.targets.fake_cluster import Crowded, FakeCluster, node, pod
from tests.targets.objects import ON_LOOPBACK


def connected(url: str) -> AbstractContextManager[ApiServer]:
    kubeconfig = Kubeconfig(url)
    context = connector.tls_context(kubeconfig)
    return connector.connect(
        kubeconfig,
        context,
        user_agent="tests",
        bounds=AnswerBounds(MAX_ANSWER_BYTES, MAX_VALUES),
        destinations=ON_LOOPBACK,
    )


STARTED = ProbeResult(0.0, 0.0, 1)


def probed(url: str, *, seconds: float = 5.0) -> ProbeResult:
    with connected(url) as api:
        return probe_cluster(
            api, STARTED, pod_namespaces=["kube-system"], deadline=Deadline(seconds)
        )


def probed_in_a_row(
    cluster: FakeCluster, times: int, *, before: ProbeResult | None = None
) -> ProbeResult:
    found = before
    with connected(cluster.url) as api:
        for _ in range(times):
            found = probe_cluster(
                api, STARTED, before=found, pod_namespaces=["kube-system"], deadline=Deadline(5)
            )
    assert found is not None
    return found


def test_50000_nodes_are_counted_in_little_memory() -> None:
    with fake_cluster.running(Crowded()) as cluster, connected(cluster.url) as api:
        tracemalloc.start()
        try:
            found = probe_cluster(api, STARTED, pod_namespaces=[], deadline=Deadline(PATIENCE))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert cluster.asked["/api/v1/nodes"] == 1000
    assert isinstance(found.nodes, Nodes)
    assert (found.nodes.count.ready, found.nodes.count.total) == (45_000, 50_000)
    assert found.nodes.count.not_ready == tuple(f"n-{number}" for number in range(0, 100, 10))
    assert found.nodes.capacity["cpu"] == "200000"
    assert peak < 2 * MAX_ANSWER_BYTES


def test_nodes_that_cannot_be_listed_in_time_leave_the_cluster_reachable() -> None:
    endless = {"metadata": {"continue": "more"}, "items": [node("n")]}
    with fake_cluster.running(FakeCluster(answers={"/api/v1/nodes": (200, endless)})) as cluster:
        found = probed(cluster.url, seconds=0.5)
    assert found.failure is None
    assert found.version == "v1.36.3"
    assert isinstance(found.nodes, Failure)
    assert found.nodes.reason == "NotRead"


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.black_hole, id="never-answers"),
        pytest.param(servers.dripping_headers, id="drips"),
        pytest.param(servers.answering(b"", status="302 Found"), id="redirects"),
        pytest.param(servers.answering(b"<html>ok</html>"), id="no-json"),
        pytest.param(servers.answering(b"[" * 50_000), id="deep"),
    ],
)
def test_a_server_that_is_no_cluster_is_out_of_contact(behaviour: servers.Behaviour) -> None:
    with servers.serving(behaviour) as server:
        found = probed(server.url, seconds=0.5)
    assert found.failure is not None
    assert found.failure.kind == "connection"
    assert len(found.failure.message) <= 400


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"items": "none"}, id="items-are-text"),
        pytest.param({"items": [7]}, id="an-item-is-a-number"),
        pytest.param({"metadata": [], "items": []}, id="metadata-is-a-list"),
        pytest.param({"metadata": "x", "items": []}, id="metadata-is-text"),
        pytest.param({}, id="nothing"),
        pytest.param({"items": [{"status": 7, "metadata": None}]}, id="a-node-is-none"),
        pytest.param(
            {"items": [{"status": {"conditions": 7, "capacity": [1]}, "metadata": {"name": 7}}]},
            id="a-nodes-fields-are-none",
        ),
    ],
)
def test_lists_that_are_none_are_no_errors_of_ours(answer: Json) -> None:
    answers = {"/api/v1/nodes": (200, answer), "/api/v1/namespaces/kube-system/pods": (200, answer)}
    with fake_cluster.running(FakeCluster(answers=answers)) as cluster:
        found = probed(cluster.url)
    assert found.failure is None
    assert isinstance(found.nodes, Nodes | Failure)
    assert isinstance(found.pods, ReadyCount | Failure)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "Ready", "True", "1Gi"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["items", "metadata", "name", "status", "conditions", "type", "capacity"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(answer=st.dictionaries(st.sampled_from(["items", "metadata", "gitVersion"]), JSON_VALUES))
def test_any_answer_is_understood_or_a_fault(answer: Json) -> None:
    found = probe_cluster(
        Canned(answer), STARTED, pod_namespaces=["kube-system"], deadline=Deadline(5)
    )
    assert json.dumps(found.version) is not None


class Canned(ApiServer):
    """Answers everything with the same."""

    def __init__(self, answer: Json) -> None:
        self._answer = answer

    def read_text(self, path: str, *, deadline: Deadline) -> tuple[int, str]:
        del path, deadline
        return 200, "ok"

    def call(self, request: KubeRequest) -> Json:
        del request
        return self._answer


def refusing(path: str, code: int, message: str) -> FakeCluster:
    return FakeCluster(answers={path: (code, {"kind": "Status", "code": code, "message": message})})


def test_a_hidden_version_says_nothing_about_the_rest() -> None:
    with fake_cluster.running(refusing("/version", 403, "forbidden")) as cluster:
        found = probed(cluster.url)
    assert (found.failure, found.answered, found.version) == (None, True, "")
    assert isinstance(found.nodes, Nodes)


def test_who_we_are_is_asked() -> None:
    with fake_cluster.running() as cluster:
        found = probed(cluster.url)
    assert found.user == "system:serviceaccount:access:operator"
    assert str(found.cluster) == "uid-of-kube-system"


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(FakeCluster(user="system:anonymous"), id="answered"),
        pytest.param(
            refusing(
                fake_cluster.REVIEWS,
                403,
                'x is forbidden: User "system:anonymous" cannot create resource',
            ),
            id="in-the-refusal",
        ),
    ],
)
def test_credentials_that_the_cluster_does_not_know_are_not_accepted(cluster: FakeCluster) -> None:
    with fake_cluster.running(cluster) as served:
        found = probed(served.url)
    assert found.failure is not None
    assert (found.failure.kind, found.failure.reason) == ("credentials", "Anonymous")


@pytest.mark.parametrize(
    ("code", "user", "asked"),
    [
        pytest.param(404, "", 1, id="before-1.28"),
        pytest.param(403, "", 1, id="forbidden"),
        pytest.param(500, None, 3, id="out-of-order"),
    ],
)
def test_a_cluster_that_does_not_say_who_we_are_is_judged_by_the_rest(
    code: int, user: str | None, asked: int
) -> None:
    with fake_cluster.running(refusing(fake_cluster.REVIEWS, code, "no")) as cluster:
        found = probed_in_a_row(cluster, 3)
    assert (found.failure, found.user) == (None, user)
    assert cluster.asked[fake_cluster.REVIEWS] == asked


def test_who_we_are_is_asked_once_and_which_cluster_it_is_every_tenth_time() -> None:
    with fake_cluster.running() as cluster:
        found = probed_in_a_row(cluster, 20)
        assert dict(cluster.asked) == {
            "/readyz": 20,
            "/version": 20,
            fake_cluster.REVIEWS: 1,
            fake_cluster.IDENTITY: 2,
            "/api/v1/nodes": 20,
            "/api/v1/namespaces/kube-system/pods": 20,
        }
        assert found.user == "system:serviceaccount:access:operator"
        cluster.uid = "uid-of-another"
        found = probed_in_a_row(cluster, 1, before=found)
        assert str(found.cluster) == "uid-of-another"


def other_kubeconfig(found: ProbeResult, _: FakeCluster) -> ProbeResult:
    return replace(found, access=("former",))


def rejected(found: ProbeResult, cluster: FakeCluster) -> ProbeResult:
    cluster.token = "another"
    return probed_in_a_row(cluster, 1, before=found)


def rejected_in_a_list(found: ProbeResult, cluster: FakeCluster) -> ProbeResult:
    cluster.answers["/api/v1/nodes"] = (401, {"message": "Unauthorized"})
    return probed_in_a_row(cluster, 1, before=found)


def out_of_order(found: ProbeResult, cluster: FakeCluster) -> ProbeResult:
    cluster.readyz = (500, "[-]etcd failed")
    return probed_in_a_row(cluster, 1, before=found)


@pytest.mark.parametrize("happened", [other_kubeconfig, rejected, rejected_in_a_list, out_of_order])
def test_after_trouble_and_with_another_kubeconfig_both_are_asked_again(
    happened: Callable[[ProbeResult, FakeCluster], ProbeResult],
) -> None:
    with fake_cluster.running() as cluster:
        before = happened(probed_in_a_row(cluster, 1), cluster)
        cluster.token, cluster.readyz = "", (200, "ok")
        cluster.answers.clear()
        cluster.user, cluster.uid = "someone", "uid-of-another"
        found = probed_in_a_row(cluster, 1, before=before)
    assert (found.user, str(found.cluster)) == ("someone", "uid-of-another")
    assert [cluster.asked[path] for path in (fake_cluster.REVIEWS, fake_cluster.IDENTITY)] == [2, 2]


def test_credentials_that_a_cluster_no_longer_knows_show_in_a_refused_list() -> None:
    forbidden = {"message": 'nodes is forbidden: User "system:anonymous" cannot list resource'}
    with fake_cluster.running() as cluster:
        before = probed_in_a_row(cluster, 1)
        cluster.answers["/api/v1/nodes"] = (403, forbidden)
        found = probed_in_a_row(cluster, 1, before=before)
    assert found.failure is not None
    assert (found.failure.kind, found.failure.reason) == ("credentials", "Anonymous")


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        pytest.param({"phase": "Failed"}, False, id="failed"),
        pytest.param({"phase": "Failed", "reason": "Terminated"}, False, id="shut-down"),
        pytest.param({"phase": "Failed", "reason": "NodeAffinity"}, False, id="misplaced"),
        pytest.param({"phase": "Failed", "reason": "OutOfcpu"}, False, id="no-room"),
        pytest.param({"phase": "Succeeded"}, False, id="succeeded"),
        pytest.param({"phase": "Pending"}, True, id="pending"),
        pytest.param({"phase": "Running"}, True, id="running"),
    ],
)
def test_what_will_never_run_again_is_not_counted(status: dict[str, str], counts: bool) -> None:
    pods = [pod("dns"), pod("other", ready=False, **status)]
    with fake_cluster.running(FakeCluster(pods={"kube-system": pods})) as cluster:
        found = probed(cluster.url)
    assert isinstance(found.pods, ReadyCount)
    assert (found.pods.ready, found.pods.total) == (1, 2 if counts else 1)


def test_pods_of_a_node_that_is_down_count_with_their_node() -> None:
    nodes = [node("up"), node("down", ready=False)]
    on_nodes = [pod("on-up"), pod("on-down", ready=False), pod("stuck", ready=False)]
    for one, name in zip(on_nodes, ("up", "down", "up"), strict=True):
        one["spec"] = {"nodeName": name}
    served = FakeCluster(nodes=nodes, pods={"kube-system": on_nodes})
    with fake_cluster.running(served) as cluster:
        found = probed(cluster.url)
    assert found.pods == ReadyCount(1, 2, ("kube-system/stuck",))
