import pytest

from hooks.http.bounded_json import Json
from hooks.kube.client import KubeError, KubeRefused, KubeUnreachable
from hooks.kube.times import timestamp
from tests.targets import fake_cluster, servers
from tests.targets.driving import NOW, Operator, operating
from tests.targets.fake_cluster import IDENTITY, REVIEWS, FakeCluster
from tests.targets.objects import jwt, kubeconfig, secret
from tests.targets.own_cluster import OwnCluster
from tests.unit.targetclusters.watching import TOKEN, driven, own_cluster, put_kubeconfig

HOUR, DAY = 3600.0, 86400.0


def test_credentials_that_are_not_accepted_are_told_from_a_cluster_out_of_reach() -> None:
    with (
        fake_cluster.running(FakeCluster(token="another")) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1)
        watched.probe()
        assert watched.says("CredentialsValid") == "False Unauthorized"
        assert watched.says("Reachable") == "True Answered"
        assert watched.says("Ready") == "False Unauthorized"
        assert watched.says("Stalled") == "True Unauthorized"


def test_a_token_is_not_sent_over_http_unless_that_is_meant() -> None:
    with (
        servers.serving(servers.black_hole) as server,
        operating(own_cluster(server.url), http_credentials=False) as operator,
    ):
        watched = driven(operator, failureThreshold=1)
        watched.probe()
        assert watched.says("CredentialsValid") == "False HttpRefused"
        assert watched.says("Stalled") == "True HttpRefused"
        message = watched.condition("CredentialsValid")["message"]
        assert f"Secret target: clusters[c].cluster.server: is '{server.url}'" in message
        assert server.connections == 0
        put_kubeconfig(operator, kubeconfig(server.url))
        watched.change(timeoutSeconds=1)
        watched.probe()
        assert watched.says("Reachable") == "False Unreachable"
        assert server.connections == 1
        assert b"uthorization" not in b"".join(server.requests)


def test_a_rotated_secret_counts_at_the_next_probe() -> None:
    with (
        fake_cluster.running(FakeCluster(token="new-token-of-length")) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1, successThreshold=5)
        watched.probe()
        assert watched.says("CredentialsValid") == "False Unauthorized"
        rotated = kubeconfig(cluster.url, user={"token": "new-token-of-length"})
        put_kubeconfig(operator, rotated)
        watched.probe()
        assert watched.says("CredentialsValid") == "True Accepted"
        assert watched.says("Ready") == "True Healthy"


def test_who_we_are_is_asked_again_with_another_kubeconfig_and_after_a_restart() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)

        def asked_in_two_probes() -> list[int]:
            cluster.asked.clear()
            watched.probe()
            watched.probe()
            return [cluster.asked[path] for path in (REVIEWS, IDENTITY)]

        assert asked_in_two_probes() == [1, 1]
        assert asked_in_two_probes() == [0, 0]
        cluster.user = "the-new-one"
        put_kubeconfig(operator, kubeconfig(cluster.url, user={"token": "new-token-of-length"}))
        assert asked_in_two_probes() == [1, 1]
        assert watched.status["user"] == "the-new-one"
        watched.operator = Operator(operator.own, clock=operator.clock)
        assert asked_in_two_probes() == [1, 1]
        watched.operator.hook.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(None, "SecretNotFound", id="no-secret"),
        pytest.param("", "KubeconfigMissing", id="empty"),
        pytest.param("{", "KubeconfigInvalid", id="wrong"),
        pytest.param(
            kubeconfig("https://h", user={"exec": {"command": "id"}}), "ExecRefused", id="exec"
        ),
        pytest.param(kubeconfig(""), "NoServer", id="no-server"),
    ],
)
def test_each_kubeconfig_that_cannot_be_used_has_its_condition(
    text: str | None, reason: str
) -> None:
    own = OwnCluster()
    if text is not None:
        own.put(secret(text))
    with operating(own) as operator:
        watched = driven(operator)
        watched.probe()
        assert watched.says("CredentialsValid") == f"False {reason}"
        assert watched.says("Ready") == f"False {reason}"
        assert watched.says("Stalled") == f"True {reason}"
        assert watched.says("Reachable") == f"Unknown {reason}"
        assert "Secret target" in watched.condition("Ready")["message"]


@pytest.mark.parametrize(
    ("failure", "valid"),
    [
        (KubeUnreachable("GET /api: timeout"), "Unknown SecretUnreadable"),
        (KubeRefused("GET /api", 401, "the token is not accepted"), "Unknown SecretForbidden"),
    ],
)
def test_an_own_api_server_that_fails_is_not_held_against_the_credentials(
    failure: KubeError, valid: str
) -> None:
    with fake_cluster.running() as cluster:
        own = own_cluster(cluster.url)
        with operating(own) as operator:
            watched = driven(operator, failureThreshold=2)
            watched.probe()
            own.failure = failure
            watched.probe()
            assert watched.says("Ready") == "True Healthy"
            watched.probe()
            assert watched.says("CredentialsValid") == valid
            assert watched.says("Stalled") == "False NothingToDo"


def take_away(own: OwnCluster, instead: Json | None) -> None:
    """Delete the kubeconfig's Secret, or put another there."""
    if instead is None:
        own.remove("Secret", "target", "team")
    else:
        own.put(instead)


@pytest.mark.parametrize(
    "absent",
    [
        pytest.param(None, id="no-secret"),
        pytest.param(secret("") | {"data": {}}, id="no-key"),
        pytest.param(secret(""), id="empty"),
    ],
)
def test_a_kubeconfig_that_is_made_again_is_no_outage(absent: Json | None) -> None:
    with fake_cluster.running() as cluster:
        own = own_cluster(cluster.url)
        with operating(own) as operator:
            watched = driven(operator, failureThreshold=3)
            watched.probe()
            made = secret(kubeconfig(cluster.url, user={"token": TOKEN}))
            for _ in range(2):
                take_away(own, absent)
                watched.probe()
                watched.operator.hook.close()  # a restart forgets nothing
                watched.operator = Operator(own, clock=operator.clock, events=operator.events)
                status = watched.probe()
                assert watched.says("Ready") == "True Healthy"
                assert watched.says("Stalled") == "False NothingToDo"
                message = watched.condition("CredentialsValid")["message"]
                assert message.startswith("2 of 3 probes failed: Secret target")
                assert status["stale"] is True
                own.put(made)
                watched.probe()
                assert watched.says("CredentialsValid") == "True Accepted"
            take_away(own, absent)
            for _ in range(3):
                watched.probe()
            reason = "SecretNotFound" if absent is None else "KubeconfigMissing"
            assert watched.says("Stalled") == f"True {reason}"
            assert watched.says("Ready") == f"False {reason}"
            reasons = [event.reason for event in operator.events]
            assert reasons == ["ClusterReady", "ClusterNotReady"]
            watched.operator.hook.close()


def test_a_token_that_is_renewed_in_time_is_never_announced() -> None:
    with (
        fake_cluster.running() as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, monitorInterval="5m")
        said, made = set(), 0.0
        for _ in range(3):
            made = operator.clock.now
            cluster.token = jwt(iat=made, exp=made + HOUR)
            put_kubeconfig(operator, kubeconfig(cluster.url, user={"token": cluster.token}))
            while operator.clock.now < made + 2 / 3 * HOUR:
                watched.probe()
                said.add(watched.says("CredentialsValid"))
        assert said == {"True Accepted"}
        assert watched.status["credentialExpiry"] == timestamp(made + HOUR)
        assert watched.status["credentialRenewBy"] == timestamp(made + 0.9 * HOUR)
        operator.clock.now = made + 0.9 * HOUR
        watched.call()
        assert watched.says("CredentialsValid") == "True ExpiringSoon"
        reasons = [event.reason for event in operator.events]
        assert reasons == ["ClusterReady", "CredentialsExpiring"]


def test_the_status_of_an_older_version_is_read_as_it_was_meant() -> None:
    token = jwt(iat=NOW - HOUR, exp=NOW + DAY)
    with (
        fake_cluster.running(FakeCluster(token=token)) as cluster,
        operating(own_cluster(cluster.url, token=token)) as operator,
    ):
        watched = driven(operator, monitorInterval="1h")
        watched.probe()
        assert watched.says("CredentialsValid") == "True Accepted"
        del watched.cluster["status"]["credentialRenewBy"]
        watched.call()
        assert watched.says("CredentialsValid") == "True ExpiringSoon"


@pytest.mark.parametrize(
    ("ends_in", "valid", "ready"),
    [
        pytest.param(8 * DAY, "True Accepted", "True Healthy", id="more-than-a-week"),
        pytest.param(6 * DAY, "True ExpiringSoon", "True Healthy", id="less-than-a-week"),
        pytest.param(-1.0, "True Expired", "True Healthy", id="past-and-still-accepted"),
    ],
)
def test_the_end_of_the_credentials_is_announced(ends_in: float, valid: str, ready: str) -> None:
    token = jwt(exp=NOW + ends_in)
    with (
        fake_cluster.running(FakeCluster(token=token)) as cluster,
        operating(own_cluster(cluster.url, token=token)) as operator,
    ):
        watched = driven(operator)
        watched.probe()
        assert watched.says("CredentialsValid") == valid
        assert watched.says("Ready") == ready
        metric = (
            'target_cluster_credential_expiry_timestamp_seconds{name="example",namespace="team"}'
        )
        assert operator.metrics()[metric] == NOW + ends_in
        announced = "CredentialsExpiring" in [event.reason for event in operator.events]
        assert announced is (valid != "True Accepted")


def test_the_end_comes_without_a_probe() -> None:
    token = jwt(exp=NOW + 10)
    with (
        fake_cluster.running(FakeCluster(token=token)) as cluster,
        operating(own_cluster(cluster.url, token=token)) as operator,
    ):
        watched = driven(operator, monitorInterval="1h")
        watched.probe()
        assert watched.says("Ready") == "True Healthy"
        operator.clock.now += 10
        watched.call()
        assert watched.says("CredentialsValid") == "True Expired"
        assert cluster.probes == 1


def test_a_hostile_cluster_cannot_make_the_operator_show_its_token() -> None:
    echo = (403, {"kind": "Status", "message": f"you sent {TOKEN} and Bearer {TOKEN}"})
    hostile = FakeCluster(answers={"/api/v1/nodes": echo}, version=f"v{TOKEN}")
    with fake_cluster.running(hostile) as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator, failureThreshold=1)
        status = watched.probe()
        assert "you sent ***" in watched.condition("NodesReady")["message"]
        assert TOKEN not in str(status)
        assert TOKEN not in str(operator.events)


def test_another_namespaces_secret_is_out_of_reach() -> None:
    with fake_cluster.running() as cluster:
        own = OwnCluster()
        own.put(secret(kubeconfig(cluster.url, user={"token": TOKEN}), namespace="other"))
        with operating(own) as operator:
            watched = driven(operator)
            watched.probe()
            assert watched.says("CredentialsValid") == "False SecretNotFound"
            assert not [path for path in own.reads if "/namespaces/other/" in path]
        assert cluster.probes == 0
