"""Kubeconfigs good and bad, on a real API server that takes tokens and client certificates."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from hooks.kube.times import epoch
from tests.controlplane import Cluster, ControlPlane
from tests.controlplane.api import Object
from tests.e2e.targets import (
    NAMESPACE,
    TargetPlatform,
    add_node,
    condition,
    kubeconfig_of,
    says,
)
from tests.targets.certificates import Authority, Certificate
from tests.targets.objects import encoded, jwt, kubeconfig

EXPIRY = "target_cluster_credential_expiry_timestamp_seconds"
DAY = 86400.0
USER = "somebody"
AUTHORITY = Authority()


@pytest.fixture(scope="module")
def target(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    authorities = tmp_path_factory.mktemp("authorities") / "clients.pem"
    authorities.write_text(AUTHORITY.pem)
    flags = (f"--client-ca-file={authorities}",)
    with control_plane.target_cluster("guarded", flags=flags) as running:
        add_node(running, "worker-1")
        running.kubectl(
            "create", "clusterrolebinding", USER, "--clusterrole=cluster-admin", f"--user={USER}"
        )
        yield running


def kubeconfig_with(target: Cluster, user: dict[str, object]) -> str:
    """Return the target's kubeconfig with another user in it."""
    authority = {"certificate-authority-data": encoded(target.ca.read_text())}
    return kubeconfig(target.url, cluster=authority, user=user)


def with_certificate(target: Cluster, shown: Certificate) -> str:
    return kubeconfig_with(
        target,
        {
            "client-certificate-data": encoded(shown.certificate),
            "client-key-data": encoded(shown.key),
        },
    )


def test_a_rotated_secret_counts_with_the_next_probe(
    platform: TargetPlatform, target: Cluster
) -> None:
    wrong = kubeconfig_of(target).replace(target.token, "not-the-right-token")
    platform.put_secret("target", wrong)
    platform.make("rotated", failureThreshold=1)
    platform.until_says("rotated", "CredentialsValid", "False Unauthorized")
    platform.put_secret("target", kubeconfig_of(target))
    platform.until_says("rotated", "Ready", "True Healthy")
    platform.put_secret("target", "{")
    platform.until_says("rotated", "Stalled", "True KubeconfigInvalid")


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        pytest.param({"token": "nobodys"}, "Unauthorized", id="wrong"),
        pytest.param({"token": jwt(exp=1_600_000_000)}, "Expired", id="expired"),
        pytest.param({"exec": {"command": "id"}}, "ExecRefused", id="exec"),
        pytest.param({"auth-provider": {"name": "gcp"}}, "AuthProviderRefused", id="provider"),
        pytest.param({"tokenFile": "/etc/passwd"}, "FilePathRefused", id="file"),
        pytest.param(None, "KubeconfigMissing", id="empty"),
    ],
)
def test_each_kubeconfig_that_does_not_work_has_its_condition(
    platform: TargetPlatform, target: Cluster, user: dict[str, object] | None, reason: str
) -> None:
    platform.put_secret("broken", "" if user is None else kubeconfig_with(target, user))
    platform.make("broken", kubeconfigSecret="broken", failureThreshold=1)
    platform.until_says("broken", "CredentialsValid", f"False {reason}")
    cluster = platform.until_says("broken", "Stalled", f"True {reason}")
    assert condition(cluster, "Ready")["status"] == "False"
    shown = platform.plane.kubectl("get", "tc", "broken", "-n", NAMESPACE, "-o", "yaml")
    assert "nobodys" not in shown + platform.hooks.process.log.read_text()


def test_a_certificate_near_its_end_is_announced(platform: TargetPlatform, target: Cluster) -> None:
    ends = float(int(time.time() + 6 * DAY))
    platform.put_secret("near", with_certificate(target, AUTHORITY.issue(USER, ends=ends)))
    platform.make("near", kubeconfigSecret="near")
    platform.until_says("near", "Ready", "True Healthy")
    cluster = platform.until_says("near", "CredentialsValid", "True ExpiringSoon")
    assert epoch(cluster["status"]["credentialExpiry"]) == ends
    labels = {"namespace": NAMESPACE, "name": "near"}
    assert platform.hooks.metric(EXPIRY, **labels) == ends
    platform.until_event("near", "CredentialsExpiring")
    far = AUTHORITY.issue(USER, ends=ends + 2 * DAY)
    platform.put_secret("near", with_certificate(target, far))
    platform.until_says("near", "CredentialsValid", "True Accepted")
    assert platform.hooks.metric(EXPIRY, **labels) == ends + 2 * DAY


def test_a_certificate_that_has_ended_is_so_told(platform: TargetPlatform, target: Cluster) -> None:
    ended = AUTHORITY.issue(USER, ends=1_700_000_000.0)
    platform.put_secret("ended", with_certificate(target, ended))
    platform.make("ended", kubeconfigSecret="ended", failureThreshold=1)
    platform.until_says("ended", "Ready", "False Expired")


def test_a_secret_that_is_made_again_is_no_outage(
    platform: TargetPlatform, target: Cluster
) -> None:
    def is_missed(cluster: Object) -> bool:
        message: str = condition(cluster, "CredentialsValid")["message"]
        return message.endswith("Secret remade does not exist; it must hold the kubeconfig")

    platform.put_secret("remade", kubeconfig_of(target))
    platform.make("remade", kubeconfigSecret="remade", failureThreshold=20)
    platform.until_says("remade", "Ready", "True Healthy")
    platform.plane.kubectl("delete", "secret", "remade", "-n", NAMESPACE)
    cluster = platform.until("remade", is_missed)
    assert says(cluster, "Ready") == "True Healthy"
    assert says(cluster, "Stalled") == "False NothingToDo"
    platform.put_secret("remade", kubeconfig_of(target))
    cluster = platform.until("remade", lambda each: not is_missed(each))
    assert says(cluster, "CredentialsValid") == "True Accepted"


def test_a_token_tells_its_own_end(platform: TargetPlatform, target: Cluster) -> None:
    target.kubectl("create", "serviceaccount", "operator")
    token = target.service_account_token("operator", "default")
    claims = token.split(".")[1]
    claimed = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    ends, late = claimed["exp"], 0.9 * claimed["exp"] + 0.1 * claimed["iat"]
    platform.put_secret("token", target.kubeconfig_as(token))
    platform.make("token", kubeconfigSecret="token")
    cluster = platform.until_says("token", "CredentialsValid", "True Accepted")
    assert epoch(cluster["status"]["credentialExpiry"]) == ends
    assert epoch(cluster["status"]["credentialRenewBy"]) == int(late)
    assert platform.hooks.metric(EXPIRY, namespace=NAMESPACE, name="token") == ends
