import pytest

from hooks.http.bounded_json import Json
from tests.kubes import Call
from tests.targets import fake_cluster, servers
from tests.targets.driving import NOW, Clock, Operator, operating
from tests.targets.fake_cluster import FakeCluster, node, pod
from tests.targets.objects import kubeconfig, secret
from tests.targets.own_cluster import OwnCluster
from tests.unit.targetclusters.watching import TOKEN, driven, own_cluster, put_kubeconfig


def test_a_healthy_cluster_is_ready_and_its_facts_are_shown() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        status = watched.probe()
        assert watched.says("Ready") == "True Healthy"
        assert watched.condition("Ready")["message"] == "v1.36.3, 3 of 3 nodes ready"
        assert status["version"] == "v1.36.3"
        assert status["nodes"] == {"ready": 3, "total": 3, "summary": "3/3", "notReady": []}
        assert status["capacity"] == {"cpu": "12", "memory": "24Gi", "pods": "330"}
        assert status["systemPods"] == {"ready": 1, "total": 1, "notReady": []}
        assert status["lastContactTime"] == "2027-01-15T08:00:00Z"
        assert status["server"] == cluster.url
        assert status["stale"] is False
        assert status["observedGeneration"] == 1
        assert "credentialExpiry" not in status
        assert [event.reason for event in operator.events] == ["ClusterReady"]


def test_before_the_first_probe_has_ended_nothing_is_claimed() -> None:
    with (
        servers.serving(servers.black_hole) as hole,
        operating(own_cluster(hole.url)) as operator,
    ):
        watched = driven(operator, healthChecks={"timeout": "1s"})
        first = watched.call()
        assert watched.says("Ready") == "Unknown NotProbed"
        assert watched.says("Reconciling") == "True NewSpec"
        assert watched.says("ResourcesSynced") == "Unknown Disabled"
        assert watched.says("Healing") == "False Disabled"
        assert first["resyncAfterSeconds"] <= 1
        assert first["children"] == []


def test_a_cluster_out_of_reach_says_since_when_and_what_was_known_is_stale() -> None:
    with operating(OwnCluster()) as operator:
        watched = driven(operator)
        with fake_cluster.running() as cluster:
            put_kubeconfig(operator, kubeconfig(cluster.url, user={"token": TOKEN}))
            known = watched.probe()
        status = watched.probe()
        assert watched.says("Reachable") == "True Answered"
        assert watched.condition("Reachable")["message"].startswith("1 of 2 probes failed: ")
        assert status["stale"] is True
        status = watched.probe()
        assert watched.says("Reachable") == "False Unreachable"
        assert "refused" in watched.condition("Reachable")["message"]
        assert watched.says("NodesReady") == "Unknown Unreachable"
        assert watched.says("Ready") == "False Unreachable"
        assert status["lastContactTime"] == known["lastContactTime"]
        assert status["nodes"] == known["nodes"]
        assert [e.reason for e in operator.events] == ["ClusterReady", "ClusterNotReady"]


def test_a_stopped_cluster_is_noticed_within_two_intervals() -> None:
    with (
        servers.refusing() as refusing,
        fake_cluster.running() as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, monitorInterval="30s")
        watched.probe()
        stopped = operator.clock.now  # the worst moment: a probe has just found that all is well
        put_kubeconfig(operator, kubeconfig(refusing))
        while watched.condition("Reachable")["status"] == "True":
            watched.probe()
        assert operator.clock.now - stopped <= 2 * 30.0 + 0.1


def test_thresholds_hold_while_a_cluster_flaps() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator, failureThreshold=3, successThreshold=2)
        statuses = []
        for works in (True, False, False, True, False, False, False, True, False, True, True):
            cluster.readyz = (200, "ok") if works else (500, "[+]ping ok\n[-]etcd failed: reason")
            watched.probe()
            statuses.append(watched.condition("Reachable")["status"])
        assert statuses == [*["True"] * 6, *["False"] * 4, "True"]


def test_a_restart_does_not_forget_the_count() -> None:
    with operating(OwnCluster()) as operator, servers.refusing() as url:
        watched = driven(operator, failureThreshold=2)
        with fake_cluster.running() as cluster:
            watched.operator = Operator(own_cluster(cluster.url), clock=operator.clock)
            watched.probe()
            watched.operator.hook.close()
        for reachable in ("True", "False"):
            watched.operator = Operator(own_cluster(url), clock=operator.clock)
            watched.probe()
            assert watched.condition("Reachable")["status"] == reachable
            watched.operator.hook.close()


@pytest.mark.parametrize(
    ("change", "spec", "message"),
    [
        pytest.param(
            {"nodes": [node("n-1", ready=False), node("n-2", ready=False)]},
            {},
            "0 of 2 nodes are ready, 1 required; not ready: n-1, n-2",
            id="no-node-is-ready",
        ),
        pytest.param({"nodes": []}, {}, "0 of 0 nodes are ready, 1 required", id="no-nodes"),
        pytest.param(
            {"nodes": [node("n-1"), node("n-2"), node("n-3", ready=False)]},
            {"healthChecks": {"minReadyNodes": "80%"}},
            "2 of 3 nodes are ready, 80% required; not ready: n-3",
            id="a-share",
        ),
        pytest.param(
            {"pods": {"kube-system": [pod("dns", ready=False), pod("job", phase="Succeeded")]}},
            {},
            "0 of 1 pods are ready in kube-system; not ready: kube-system/dns",
            id="a-system-pod",
        ),
        pytest.param(
            {"pods": {"kube-system": [pod("dns")], "mesh": [pod("proxy", ready=False)]}},
            {"healthChecks": {"podNamespaces": ["kube-system", "mesh"]}},
            "1 of 2 pods are ready in kube-system, mesh; not ready: mesh/proxy",
            id="another-namespace",
        ),
    ],
)
def test_an_api_that_answers_is_not_enough(change: Json, spec: Json, message: str) -> None:
    with (
        fake_cluster.running(FakeCluster(**change)) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1, **spec)
        watched.probe()
        assert watched.condition("Ready")["status"] == "False"
        assert watched.condition("Ready")["message"] == message
        assert watched.condition("Reachable")["status"] == "True"


@pytest.mark.parametrize(
    ("change", "spec"),
    [
        pytest.param(
            {"nodes": []}, {"healthChecks": {"minReadyNodes": 0}}, id="no-nodes-are-asked-for"
        ),
        pytest.param(
            {"pods": {"kube-system": [pod("dns", ready=False)]}},
            {"healthChecks": {"podNamespaces": []}},
            id="no-pods-are-asked-for",
        ),
        pytest.param(
            {
                "pods": {
                    "kube-system": [
                        pod("dns"),
                        pod("old", ready=False, phase="Failed", reason="Evicted"),
                    ]
                }
            },
            {},
            id="an-evicted-pod",
        ),
        pytest.param({"readyz": (403, "forbidden")}, {}, id="readyz-is-hidden"),
        pytest.param({"readyz": (404, "not found")}, {}, id="readyz-is-not-there"),
    ],
)
def test_what_was_not_asked_for_does_not_matter(change: Json, spec: Json) -> None:
    with (
        fake_cluster.running(FakeCluster(**change)) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, **spec)
        watched.probe()
        assert watched.says("Ready") == "True Healthy"


def test_a_cluster_that_is_not_ready_says_which_of_its_checks_fails() -> None:
    broken = FakeCluster(readyz=(500, "[+]ping ok\n[-]etcd failed: reason withheld\n"))
    with fake_cluster.running(broken) as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator, failureThreshold=1)
        status = watched.probe()
        assert watched.says("Reachable") == "False NotReady"
        assert "/readyz answers 500: etcd failed: reason withheld" in str(status["conditions"])


def test_what_may_not_be_read_is_unknown_and_named() -> None:
    forbidden = {
        "/api/v1/nodes": (403, {"kind": "Status", "message": 'nodes is forbidden: User "u"'})
    }
    with (
        fake_cluster.running(FakeCluster(answers=forbidden)) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1)
        status = watched.probe()
        assert watched.says("NodesReady") == "Unknown Forbidden"
        assert watched.says("SystemPodsReady") == "True AllReady"
        assert watched.says("Ready") == "Unknown Forbidden"
        assert status["stale"] is True


@pytest.mark.parametrize(
    ("named", "said"), [({}, "True NoPods"), ({"podNamespaces": ["kube-sytem"]}, "Unknown NoPods")]
)
def test_a_namespace_that_is_named_has_pods(named: dict[str, list[str]], said: str) -> None:
    with (
        fake_cluster.running(FakeCluster(pods={})) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1, healthChecks=named)
        watched.probe()
        assert watched.says("SystemPodsReady") == said


class Gateway(FakeCluster):
    """A server that is no API server: it refuses everything, and names nobody."""

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, str]:
        code, body = super().answer(path, query, token)
        is_answered = path in self.answers
        return (code, body) if is_answered else (404, '{"message": "no route matched"}')


@pytest.mark.parametrize(
    ("answers", "credentials", "reachable"),
    [
        pytest.param({}, "Unknown NotProbed", "False NotKubernetes", id="nothing"),
        pytest.param(
            {"/version": (200, {"gitVersion": "v1.36.3"})},
            "Unknown NotShown",
            "True Answered",
            id="a version, which everybody may read",
        ),
        pytest.param(
            {"/version": (403, {"message": 'User "u" cannot get path "/version"'})},
            "True Accepted",
            "True Answered",
            id="our name",
        ),
        pytest.param(
            {"/api/v1/nodes": (200, {"items": []})}, "True Accepted", "True Answered", id="a list"
        ),
        pytest.param(
            {"/api/v1/nodes": (200, {})}, "Unknown NotProbed", "False NotKubernetes", id="no list"
        ),
    ],
)
def test_a_cluster_is_what_answers_as_one(
    answers: dict[str, tuple[int, Json]], credentials: str, reachable: str
) -> None:
    checks = {"minReadyNodes": 0, "podNamespaces": []}
    with (
        fake_cluster.running(Gateway(answers=answers)) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1, healthChecks=checks)
        watched.probe()
        assert watched.says("CredentialsValid") == credentials
        assert watched.says("Reachable") == reachable
        assert (watched.says("Ready") == "True Healthy") is (credentials == "True Accepted")


def test_a_changed_spec_is_probed_at_once() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator, monitorInterval="1h")
        watched.probe()
        operator.clock.now += 1
        watched.change(failureThreshold=5)
        watched.call()
        assert watched.says("Reconciling") == "True NewSpec"
        watched.probe()
        assert cluster.probes == 2
        assert watched.says("Reconciling") == "False Observed"
        assert watched.status["observedGeneration"] == 2


def test_calls_between_probes_change_nothing() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator, monitorInterval="1h")  # its turn may come early
        status = watched.probe()
        for seconds in (0.0, 1.0, 20.0):
            operator.clock.now = NOW + seconds
            assert watched.call()["status"] == status
        assert cluster.probes == 1
        assert len(operator.events) == 1


def test_a_status_that_was_not_written_is_answered_again() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        status = watched.probe()
        del watched.cluster["status"]
        assert watched.call()["status"]["version"] == status["version"]
        assert cluster.probes == 1


def test_the_metrics_show_what_the_status_shows_and_end_with_the_cluster() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        watched.probe()
        labels = '{name="example",namespace="team"}'
        shown = operator.metrics()
        assert shown[f"target_cluster_health_status{labels}"] == 1
        assert shown[f"target_cluster_nodes_ready{labels}"] == 3
        assert shown[f"target_cluster_last_contact_timestamp_seconds{labels}"] == NOW
        success = '{name="example",namespace="team",result="success"}'
        assert shown[f"target_cluster_resource_sync_count{success}"] == 0
        assert watched.call(finalizing=True)["finalized"] is True
        assert not [line for line in operator.metrics() if "example" in line]


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.black_hole, id="never-answers"),
        pytest.param(servers.dripping_headers, id="headers-drip"),
        pytest.param(servers.dripping_body, id="body-drips"),
        pytest.param(servers.endless_body, id="body-does-not-end"),
        pytest.param(servers.answering(b"", status="302 Found"), id="redirects"),
        pytest.param(servers.answering(b"<html>"), id="no-json"),
        pytest.param(servers.answering(b'{"gitVersion": 1'), id="cut-json"),
        pytest.param(servers.answering(b"[" + b"{}," * 1_000_000 + b"0]"), id="swelling-json"),
    ],
)
def test_a_hostile_cluster_ends_in_a_condition(behaviour: servers.Behaviour) -> None:
    with (
        servers.serving(behaviour) as server,
        operating(own_cluster(server.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1, healthChecks={"timeout": "1s"})
        status = watched.probe()
        assert watched.condition("Reachable")["status"] == "False"
        assert watched.condition("Ready")["status"] == "False"
        assert len(str(status)) < 10_000


def test_the_time_of_a_probe_includes_that_for_its_sources() -> None:
    clock = Clock()

    class Slow(OwnCluster):
        def answer(self, call: Call) -> Json:
            clock.now += 4.0 * call.path.endswith("/configmaps/app")
            return super().answer(call)

    sources = [{"kind": "ConfigMap", "name": "app"}]
    with fake_cluster.running() as cluster:
        own = Slow()
        own.put(secret(kubeconfig(cluster.url, user={"token": TOKEN})))
        operator = Operator(own, clock=clock)
        try:
            watched = driven(operator, resourceSyncPolicy={"enabled": True, "sources": sources})
            assert watched.probe()["probe"]["durationSeconds"] >= 4.0
        finally:
            operator.hook.close()


def test_a_bug_in_the_background_is_no_secret_and_no_end() -> None:
    class Broken(OwnCluster):
        def answer(self, call: Call) -> Json:
            raise ZeroDivisionError(call.path)

    with operating(Broken()) as operator:
        watched = driven(operator)
        status = watched.probe()
        assert watched.says("Ready") == "Unknown InternalError"
        assert "/secrets/" not in str(status)
        with fake_cluster.running() as cluster:
            operator.hook.close()
            watched.operator = Operator(own_cluster(cluster.url), clock=operator.clock)
            watched.probe()
            assert watched.says("Ready") == "True Healthy"
            watched.operator.hook.close()


def test_a_cluster_of_a_namespace_that_is_not_watched_is_answered_unchanged() -> None:
    with (
        fake_cluster.running() as cluster,
        operating(own_cluster(cluster.url), watch_namespaces=("elsewhere",)) as operator,
    ):
        other = driven(operator)
        other.cluster["status"] = {"version": "v1.2.3", "observedGeneration": 1}
        other.children = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "example-inventory", "namespace": "team"},
                "data": {"entries.jsonl": "as it is"},
            }
        ]
        answer = other.call()
        assert answer["status"] == {"version": "v1.2.3", "observedGeneration": 1}
        assert answer["children"][0]["data"] == {"entries.jsonl": "as it is"}
        assert "resyncAfterSeconds" not in answer
        assert other.call(finalizing=True)["finalized"] is True
        assert cluster.probes == 0
        assert "example" not in str(operator.metrics())
