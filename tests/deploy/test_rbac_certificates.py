"""With the component for certificates, the hooks read the Secrets that Services name, no others."""

import time
from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.deploy import installed
from tests.deploy.accounts import Roles, bound, wildcards
from tests.deploy.conftest import username
from tests.deploy.evidence import Verb, used
from tests.deploy.pods import moved
from tests.deploy.rendering import CLOUD_CONTROLLER, composed, read, text
from tests.e2e.nodes import initialised, register
from tests.e2e.watching import Namespace, namespace
from tests.integration.loadbalancers.certificates import make_certificate, pem_of, rsa_key, secret

SYSTEM = installed.NAMESPACE
NAME = "cloudstack-cloud-controller"
HOOKS = [("ClusterRole", "", NAME), ("ClusterRole", "", f"{NAME}-certificates")]
METACONTROLLER = [
    ("ClusterRole", "", f"{NAME}-metacontroller"),
    ("Role", SYSTEM, f"{NAME}-leader"),
]
GET_SECRETS = Verb("", "secrets", "get")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the manifests with the component."""
    folder = tmp_path_factory.mktemp("overlay")
    return text(composed(folder, CLOUD_CONTROLLER, "cloud-controller-certificates"))


@pytest.fixture(scope="module")
def roles(rendered: str) -> Roles:
    return Roles(read(rendered), {"hooks": HOOKS, "metacontroller": METACONTROLLER})


@pytest.fixture(scope="module")
def entries(
    cluster: ControlPlane, rendered: str, roles: Roles, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Object]]:
    """Return what was asked while a Service got its certificate, beside Secrets of others."""
    folder = tmp_path_factory.mktemp("certificates")
    with (
        installed.audited(cluster, moved(rendered), roles, folder) as platform,
        namespace(cluster) as shop,
    ):
        register(platform, "node-1")
        platform.until_node("node-1", initialised)
        for name in ("web-tls", "others"):
            write(shop, name)
        shop.create("web", {"certificate": "web-tls"})
        shop.await_ready("web")
        shop.create("plain")
        shop.await_ready("plain")
        for name in ("web", "plain"):
            shop.services.delete(name, shop.name)
            shop.await_no_load_balancer(name)
        yield cluster.audited()


def write(shop: Namespace, name: str) -> None:
    key = rsa_key()
    made = secret(make_certificate(time.time(), key=key), pem_of(key))
    made["metadata"] = {"name": name, "namespace": shop.name}
    shop.cluster.api.resource("v1", "secrets").create(made)


def test_the_secret_of_a_service_is_read_by_the_hooks_alone_and_by_its_name(
    entries: list[Object],
) -> None:
    asked = {
        (entry["user"]["username"], entry["verb"], entry["objectRef"].get("name"))
        for entry in entries
        if entry.get("objectRef", {}).get("resource") == "secrets"
    }
    assert asked == {(username("hooks"), "get", "web-tls")}


def test_no_verb_is_missing_and_that_on_secrets_is_used(
    entries: list[Object], roles: Roles
) -> None:
    assert roles.missing(entries, "hooks") == set()
    assert GET_SECRETS in used(entries, username("hooks"))


def test_every_role_is_bound_to_the_pods_account_and_none_has_a_wildcard(
    rendered: str, roles: Roles
) -> None:
    found = read(rendered)
    account = found.pod()["serviceAccountName"]
    assert bound(found) == {(role, SYSTEM, account) for role in roles.names()}
    assert wildcards(found) == []


def test_the_component_grants_one_verb_on_secrets_and_nothing_else(roles: Roles) -> None:
    [rule] = roles.rendered.one("ClusterRole", f"{NAME}-certificates")["rules"]
    assert (rule["apiGroups"], rule["resources"], rule["verbs"]) == ([""], ["secrets"], ["get"])
