"""What is known of a kubeconfig, and of the cluster and account that it led to, goes with it."""

import pytest

from hooks.kube.times import timestamp
from tests.targets import fake_cluster
from tests.targets.certificates import Authority
from tests.targets.driving import NOW, operating
from tests.targets.fake_cluster import IDENTITY, REVIEWS, FakeCluster
from tests.targets.objects import encoded, jwt, kubeconfig, secret
from tests.targets.own_cluster import OwnCluster
from tests.unit.targetclusters.watching import TOKEN, driven, own_cluster, put_kubeconfig

HOUR, DAY = 3600.0, 86400.0
METRIC = 'target_cluster_credential_expiry_timestamp_seconds{name="example",namespace="team"}'
UNUSABLE = {
    "a program": (
        kubeconfig("https://a.example", user={"exec": {"command": "id"}}),
        "ExecRefused",
        "user.exec",
    ),
    "no YAML": ("{", "KubeconfigInvalid", "Secret target"),
    "no server": (kubeconfig(""), "NoServer", "Secret target"),
    "absent": ("", "SecretNotFound", "Secret target does not exist"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_kubeconfig_that_cannot_be_used_is_named_though_the_one_before_has_ended(
    name: str,
) -> None:
    content, reason, named = UNUSABLE[name]
    token = jwt(iat=NOW - 10 * HOUR, exp=NOW + 10)
    with (
        fake_cluster.running(FakeCluster(token=token)) as cluster,
        operating(own_cluster(cluster.url, token=token)) as operator,
    ):
        watched = driven(operator, failureThreshold=2)
        watched.probe()
        assert watched.status["user"]
        operator.clock.now += 60
        if content:
            put_kubeconfig(operator, content)
        else:
            assert isinstance(operator.own, OwnCluster)
            operator.own.remove("Secret", "target", "team")
        for _ in range(3):
            watched.probe()
        for condition in ("CredentialsValid", "Ready"):
            assert watched.says(condition) == f"False {reason}"
            assert named in watched.condition(condition)["message"]
        assert watched.says("Stalled") == f"True {reason}"
        for field in ("credentialExpiry", "credentialRenewBy", "user"):
            assert field not in watched.status
        assert METRIC not in operator.metrics()


def test_of_two_credentials_the_end_of_that_is_said_which_is_to_be_renewed_first() -> None:
    pair = Authority().issue("admin", starts=NOW - 300 * DAY, ends=NOW + 5 * DAY)
    token = jwt(iat=NOW, exp=NOW + HOUR)
    user = {
        "token": token,
        "client-certificate-data": encoded(pair.certificate),
        "client-key-data": encoded(pair.key),
    }
    with fake_cluster.running(FakeCluster(token=token)) as cluster:
        own = OwnCluster()
        own.put(secret(kubeconfig(cluster.url, user=user)))
        with operating(own) as operator:
            watched = driven(operator)
            status = watched.probe()
            assert status["credentialExpiry"] == timestamp(NOW + 5 * DAY)
            assert status["credentialRenewBy"] == timestamp(NOW - 2 * DAY)
            assert watched.says("CredentialsValid") == "True ExpiringSoon"
            operator.clock.now += HOUR
            status = watched.probe()
            assert status["credentialExpiry"] == timestamp(NOW + HOUR)
            assert watched.says("CredentialsValid") == "True Expired"


def test_what_one_cluster_said_does_not_stand_beside_the_server_of_another() -> None:
    with (
        fake_cluster.running(FakeCluster(uid="of-a", user="alice")) as one,
        fake_cluster.running(FakeCluster(uid="of-b", user="bob", version="")) as other,
        operating(own_cluster(one.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1)
        status = watched.probe()
        assert (status["user"], status["clusterUID"]) == ("alice", "of-a")
        for path in (REVIEWS, IDENTITY):
            other.answers[path] = (404, {"kind": "Status", "message": "not found"})
        put_kubeconfig(operator, kubeconfig(other.url, user={"token": TOKEN}))
        status = watched.probe()
        assert status["server"] == other.url
        assert watched.says("CredentialsValid") == "True Accepted"
        for field in ("user", "clusterUID", "version"):
            assert field not in status


def test_a_cluster_that_begins_to_hide_who_we_are_and_its_version_is_believed() -> None:
    with (
        fake_cluster.running(FakeCluster(user="alice")) as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator)
        known = watched.probe()
        assert known["user"] == "alice"
        assert known["version"]
        cluster.answers[REVIEWS] = (404, {"kind": "Status", "message": "not found"})
        cluster.version, cluster.token = "", "a-token-that-is-new"
        put_kubeconfig(operator, kubeconfig(cluster.url, user={"token": cluster.token}))
        status = watched.probe()
        assert status["server"] == known["server"]
        assert "version" not in status
        assert "user" not in status


def test_a_spec_that_names_a_secret_that_is_not_there_is_never_ready() -> None:
    with (
        fake_cluster.running() as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=5)
        watched.probe()
        assert watched.says("Ready") == "True Healthy"
        watched.change(kubeconfigSecret="typo")
        watched.probe()
        assert watched.says("Ready") == "False SecretNotFound"
        assert watched.says("Stalled") == "True SecretNotFound"
        watched.change(kubeconfigSecret="target")
        watched.probe()
        assert watched.says("Ready") == "True Healthy"


def test_nobody_is_said_to_accept_what_has_ended_before_an_answer_shows_that() -> None:
    token = jwt(iat=NOW - 10 * HOUR, exp=NOW + 100)
    with (
        fake_cluster.running(FakeCluster(token=token)) as cluster,
        operating(own_cluster(cluster.url, token=token)) as operator,
    ):
        watched = driven(operator, failureThreshold=2)
        watched.probe()
        operator.clock.now = NOW + 200
        watched.call()
        assert "nothing has shown since" in watched.condition("CredentialsValid")["message"]
        watched.probe()
        assert watched.says("CredentialsValid") == "True Expired"
        assert "still accepts them" in watched.condition("CredentialsValid")["message"]
