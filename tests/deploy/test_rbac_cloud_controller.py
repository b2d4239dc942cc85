"""Every verb that the cloud controller is granted is needed, and it needs no other.

Hooks and Metacontroller run as two service accounts here, each with its own role, so that the audit
log tells them apart; in the pod they share one, which has both.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import ApiError, Object
from tests.deploy import installed
from tests.deploy.accounts import Roles, bound, wildcards
from tests.deploy.conftest import AUDITED, EVIDENCE
from tests.deploy.evidence import Verb
from tests.deploy.pods import moved
from tests.deploy.rendering import CLOUD_CONTROLLER, render, text
from tests.e2e.cloud import Cloud
from tests.e2e.nodes import initialised, register, set_ready
from tests.e2e.platform import Platform
from tests.e2e.watching import prefixed

CLOUDSTACK = "cloudstack.targetcluster.example.com"

SYSTEM = installed.NAMESPACE
NAME = "cloudstack-cloud-controller"

ROLES = Roles(
    render(CLOUD_CONTROLLER),
    {
        "hooks": [("ClusterRole", "", NAME)],
        "metacontroller": [
            ("ClusterRole", "", f"{NAME}-metacontroller"),
            ("Role", SYSTEM, f"{NAME}-leader"),
        ],
    },
    unseen={
        Verb("", "nodes/finalizers", "update"): "no request but a question of admission; see below",
        Verb("", "services/finalizers", "update"): "the same for load balancers",
    },
)


@pytest.fixture(scope="module")
def entries(
    cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Object]]:
    """Return what the API server was asked while every flow that is documented went by."""
    folder, manifests = tmp_path_factory.mktemp("rbac"), moved(text(CLOUD_CONTROLLER))
    with installed.audited(cluster, manifests, ROLES, folder) as platform:
        nodes_come(platform)
        an_event_repeats(platform)
        a_vm_stops(platform)
        a_vm_is_gone(platform)
        a_node_turns_out_to_be_another_clouds(platform)
        a_service_is_served(platform)
        a_former_providers_finalizer_goes(platform)
        a_service_leaves_its_load_balancer_behind(platform)
        a_service_goes_while_it_has_no_load_balancer(platform)
        a_certificate_is_refused(platform)
        yield cluster.audited()


def nodes_come(platform: Platform) -> None:
    for name in ("node-1", "node-2"):
        register(platform, name)
        platform.until_node(name, initialised)


def an_event_repeats(platform: Platform) -> None:
    """Have another process say what the first has said: it finds the Event there."""
    register(platform, "node-4")
    platform.until_event("node-4", "InstanceAmbiguous")
    platform.hooks.process.restart()
    polling.until(platform.hooks.ready, "the hooks are ready again")
    polling.until(
        lambda: platform.until_event("node-4", "InstanceAmbiguous")["count"] > 1,
        "the Event is counted up",
    )


def a_vm_stops(platform: Platform) -> None:
    Cloud.of(platform.simulator).stop("node-2")
    set_ready(platform, "node-2", ready=False)
    platform.until_instance("node-2", lambda found: found["observed"]["state"] == "Stopped")


def a_vm_is_gone(platform: Platform) -> None:
    Cloud.of(platform.simulator).destroy("node-1")
    set_ready(platform, "node-1", ready=False)
    platform.until_gone("node-1")


def a_node_turns_out_to_be_another_clouds(platform: Platform) -> None:
    """Have an Instance made, and then found to be nothing of ours."""
    asked = {
        "alpha.kubernetes.io/provided-node-ip": "192.0.2.99"
    }  # which keeps it from its release
    taint = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}
    metadata = {"name": "node-3", "annotations": asked}
    platform.nodes.create({"metadata": metadata, "spec": {"taints": [taint]}})
    platform.until_instance("node-3", lambda _: True)
    platform.nodes.patch("node-3", {"spec": {"providerID": "aws:///eu-1a/i-0123"}})
    polling.until(lambda: platform.instances.find("node-3") is None, "its Instance goes")


def a_service_is_served(platform: Platform) -> None:
    """Have one that changes, and is no more a load balancer in the end."""
    create(platform, "web")
    until_served(platform, "web")
    services = platform.plane.api.resource("v1", "services")
    found = load_balancers(platform)[0]["spec"]
    services.patch("web", {"spec": {"loadBalancerSourceRanges": ["192.0.2.0/24"]}}, "default")
    polling.until(lambda: load_balancers(platform)[0]["spec"] != found, "it is changed")
    services.patch("web", {"spec": {"externalTrafficPolicy": "Local"}}, "default")
    polling.until(lambda: "NoReadyEndpoints" in reasons(platform), "its endpoints are asked for")
    left = {"loadBalancerSourceRanges": None, "externalTrafficPolicy": None}
    services.patch("web", {"spec": {"type": "ClusterIP", **left}}, "default")
    polling.until(lambda: not load_balancers(platform), "its load balancer goes")


def a_former_providers_finalizer_goes(platform: Platform) -> None:
    old = "service.kubernetes.io/load-balancer-cleanup"
    create(platform, "old", finalizers=[old])
    until_served(platform, "old")
    services = platform.plane.api.resource("v1", "services")
    polling.until(
        lambda: old not in services.get("old", "default")["metadata"].get("finalizers", []),
        "the former provider's finalizer goes",
    )
    services.delete("old", "default")
    polling.until(lambda: not load_balancers(platform), "its load balancer goes")


def a_service_leaves_its_load_balancer_behind(platform: Platform) -> None:
    create(platform, "orphan")
    until_served(platform, "orphan")
    platform.plane.kubectl("delete", "service", "orphan", "--cascade=orphan")
    polling.until(lambda: not load_balancers(platform), "the orphan goes by itself")


def a_service_goes_while_it_has_no_load_balancer(platform: Platform) -> None:
    """Have nobody make a load balancer again that was deleted, before its Service goes as well."""
    create(platform, "abandoned")
    until_served(platform, "abandoned")
    controllers = platform.plane.api.resource(
        "metacontroller.k8s.io/v1alpha1", "decoratorcontrollers", namespaced=False
    )
    (services,) = (
        one for one in controllers.list() if one["metadata"]["name"] == "cloudstack-services"
    )
    controllers.delete("cloudstack-services")
    platform.plane.kubectl("delete", "cslb", "--all", "-n", "default", "--timeout=60s")
    platform.plane.kubectl("delete", "service", "abandoned", "--wait=false")
    metadata = {key: services["metadata"][key] for key in ("name", "labels")}
    controllers.create({**services, "metadata": metadata, "status": {}})
    found = platform.plane.api.resource("v1", "services")
    polling.until(
        lambda: found.find("abandoned", "default") is None and not load_balancers(platform),
        "the Service goes, and what cleaned up after it",
    )


def a_certificate_is_refused(platform: Platform) -> None:
    """Have a Service name a Secret, for which the component has not been installed."""
    create(platform, "secured", annotations=prefixed({"certificate": "web-tls"}))
    polling.until(lambda: "SecretsNotAllowed" in reasons(platform), "the Secret is not read")


def create(platform: Platform, name: str, **metadata: object) -> None:
    platform.plane.api.resource("v1", "services").create(
        {
            "metadata": {"name": name, "namespace": "default", **metadata},
            "spec": {
                "type": "LoadBalancer",
                "selector": {"app": name},
                "ports": [{"port": 80, "protocol": "TCP"}],
            },
        }
    )


def until_served(platform: Platform, name: str) -> None:
    services = platform.plane.api.resource("v1", "services")
    polling.until(
        lambda: services.get(name, "default")["status"]["loadBalancer"].get("ingress"),
        f"{name} has an address",
    )


def load_balancers(platform: Platform) -> list[Object]:
    version = f"{CLOUDSTACK}/v1alpha1"
    return platform.plane.api.resource(version, "cloudstackloadbalancers").list()


def reasons(platform: Platform) -> set[str]:
    """Return the reasons of the conditions of all load balancers."""
    found = (each.get("status", {}).get("conditions", []) for each in load_balancers(platform))
    return {condition["reason"] for conditions in found for condition in conditions}


@pytest.mark.parametrize("who", AUDITED)
def test_no_verb_is_missing(entries: list[Object], who: str) -> None:
    assert ROLES.missing(entries, who) == set()


@pytest.mark.parametrize("who", AUDITED)
def test_no_verb_is_granted_that_nothing_uses(entries: list[Object], who: str) -> None:
    assert ROLES.unused(entries, who) == []


def test_without_the_component_nobody_asks_for_a_secret(entries: list[Object]) -> None:
    asked = {entry["objectRef"]["resource"] for entry in entries if "objectRef" in entry}
    assert "services" in asked
    assert "secrets" not in asked


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("finalizers", [True, False], ids=["granted", "not granted"])
def test_an_instance_may_block_its_nodes_deletion_only_with_the_nodes_finalizers(
    cluster: ControlPlane, finalizers: bool
) -> None:
    name = f"with{'' if finalizers else 'out'}-finalizers"
    role = render(CLOUD_CONTROLLER).one("ClusterRole", f"{NAME}-metacontroller")
    rules = [
        rule for rule in role["rules"] if finalizers or rule["resources"] != ["nodes/finalizers"]
    ]
    assert (len(rules) == len(role["rules"])) == finalizers
    rbac = cluster.api.resource("rbac.authorization.k8s.io/v1", "clusterroles")
    rbac.create({"metadata": {"name": name}, "rules": rules})
    cluster.kubectl("-n", EVIDENCE, "create", "serviceaccount", name)
    account = f"--serviceaccount={EVIDENCE}:{name}"
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    node = cluster.api.resource("v1", "nodes").create({"metadata": {"name": name}})
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": name,
        "uid": node["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    instance = {
        "apiVersion": f"{CLOUDSTACK}/v1alpha1",
        "kind": "CloudStackInstance",
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {},
    }
    with closing(cluster.api_as(cluster.service_account_token(name, EVIDENCE))) as api:
        instances = api.resource(f"{CLOUDSTACK}/v1alpha1", "cloudstackinstances")
        if finalizers:
            instances.create(instance)
        else:
            with pytest.raises(ApiError, match="cannot set blockOwnerDeletion"):
                instances.create(instance)


def test_nothing_is_granted_by_a_wildcard() -> None:
    assert wildcards(render(CLOUD_CONTROLLER)) == []


def test_every_role_is_bound_to_the_pods_account() -> None:
    account = render(CLOUD_CONTROLLER).pod()["serviceAccountName"]
    assert bound(render(CLOUD_CONTROLLER)) == {(role, SYSTEM, account) for role in ROLES.names()}
