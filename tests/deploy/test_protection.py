"""Nobody but the cloud controller writes its objects, and what has to go can still go."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest

from hooks.names import CLOUDSTACK_GROUP
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Api, ApiError, Object, Resource
from tests.deploy import installed
from tests.deploy.pods import Moved
from tests.deploy.rendering import CLOUD_CONTROLLER, text

VERSION = f"{CLOUDSTACK_GROUP}/v1alpha1"
TENANT = "shop"
OURS = "system:serviceaccount:kube-system:cloudstack-cloud-controller"
REFUSED = "are written by"
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Kind:
    """One of the two kinds, as one user sees it."""

    resource: Resource
    kind: str
    namespace: str
    content: str

    def new(self, **metadata: object) -> Object:
        """Return an object that is not there yet."""
        name = f"{TENANT}-{next(NUMBERS)}"
        place = {"namespace": self.namespace} if self.namespace else {}
        spec: Object = {}
        if self.namespace:
            spec = {"service": {"name": name, "uid": "1"}, "loadBalancerName": "a1"}
        metadata = {"name": name, **place, **metadata}
        return {"apiVersion": VERSION, "kind": self.kind, "metadata": metadata, "spec": spec}

    def patch(self, name: str, patch: Object, subresource: str = "") -> Object:
        return self.resource.patch(name, patch, self.namespace, subresource=subresource)

    def find(self, name: str) -> Object | None:
        return self.resource.find(name, self.namespace)

    def delete(self, name: str) -> None:
        self.resource.delete(name, self.namespace)


def balancers(api: Api) -> Kind:
    resource = api.resource(VERSION, "cloudstackloadbalancers")
    return Kind(resource, "CloudStackLoadBalancer", TENANT, "status")


def instances(api: Api) -> Kind:
    resource = api.resource(VERSION, "cloudstackinstances", namespaced=False)
    return Kind(resource, "CloudStackInstance", "", "observed")


both = pytest.mark.parametrize("of", [balancers, instances])


@dataclass(frozen=True)
class Users:
    """Who writes: the cloud controller, the owner of a namespace, a tool that may do everything."""

    cluster: ControlPlane
    ours: Api
    tenant: Api
    everything: Api


@pytest.fixture(scope="module")
def users(cluster: ControlPlane) -> Iterator[Users]:
    """Install the cloud controller on a cluster with tenants; wait until the policy is heeded."""
    installed.apply(cluster, Moved(text(CLOUD_CONTROLLER), {}))
    cluster.start_controllers()
    cluster.kubectl("create", "namespace", TENANT)
    cluster.kubectl("-n", TENANT, "create", "serviceaccount", "owner")
    cluster.kubectl("-n", TENANT, "create", "serviceaccount", "everything")
    owner = (f"--serviceaccount={TENANT}:owner", "--role=all")
    cluster.kubectl("-n", TENANT, "create", "role", "all", "--verb=*", "--resource=*.*")
    cluster.kubectl("-n", TENANT, "create", "rolebinding", "all", *owner)
    everything = (f"--serviceaccount={TENANT}:everything", "--clusterrole=cluster-admin")
    cluster.kubectl("create", "clusterrolebinding", "everything", *everything)
    with ExitStack() as stack:

        def user(name: str, namespace: str = TENANT) -> Api:
            api = cluster.api_as(cluster.service_account_token(name, namespace))
            stack.callback(api.close)
            return api

        found = Users(
            cluster,
            user("cloudstack-cloud-controller", "kube-system"),
            user("owner"),
            user("everything"),
        )
        polling.until(lambda: heeded(found), "the policy is heeded", every=0.2)
        yield found


def heeded(users: Users) -> bool:
    kind = balancers(users.tenant)
    try:
        path = kind.resource.path(TENANT)
        users.tenant.call("POST", path, kind.new(), params={"dryRun": "All"})
    except ApiError as error:
        return REFUSED in error.message
    return False


def writes(kind: Kind, there: Object) -> dict[str, Callable[[], object]]:
    """Return every way to write, by name; `there` is an object as it is."""
    name = there["metadata"]["name"]
    label = {"metadata": {"labels": {"example.com/pool": "mine"}}}
    forged = (
        {"state": "Running"} if kind.content == "observed" else {"address": {"ip": "192.0.2.1"}}
    )
    port = {"protocol": "TCP", "publicPort": 80, "nodePort": 30080}
    other = {"instanceID": "1"} if kind.content == "observed" else {"ports": [port]}
    found: dict[str, Callable[[], object]] = {
        "create": lambda: kind.resource.create(kind.new()),
        "replace": lambda: kind.resource.update({**there, "spec": {**there["spec"], **other}}),
        "change": lambda: kind.patch(name, label),
    }
    if kind.content == "observed":
        found["claim a state"] = lambda: kind.patch(name, {"observed": forged})
    else:
        found["claim an address"] = lambda: kind.patch(name, {"status": forged}, "status")
    return found


@both
def test_a_tenant_with_all_rights_in_a_namespace_writes_nothing(
    users: Users, of: Callable[[Api], Kind]
) -> None:
    kind = of(users.tenant)
    there = of(users.ours).resource.create(kind.new())
    name = there["metadata"]["name"]
    milder: dict[str, Callable[[], object]] = {
        "replace by the same": lambda: kind.resource.update(there),
        "annotate": lambda: kind.patch(name, {"metadata": {"annotations": {"a": "b"}}}),
        "hold": lambda: kind.patch(name, {"metadata": {"finalizers": ["example.com/held"]}}),
        "delete": lambda: kind.delete(name),
        "delete all": lambda: users.tenant.call("DELETE", kind.resource.path(kind.namespace)),
    }
    for label, write in (writes(kind, there) | milder).items():
        with pytest.raises(ApiError) as refused:
            write()
        assert refused.value.code == 403, label
        # What belongs to no namespace is not the tenant's in the first place.
        by_policy = f"{kind.resource.plural} are written by {OURS} alone, not by"
        assert (by_policy in refused.value.message) == bool(kind.namespace), label
    assert of(users.cluster.api).find(name) == there


@both
def test_a_tool_that_applies_for_tenants_puts_nothing_in(
    users: Users, of: Callable[[Api], Kind]
) -> None:
    """Argo CD and Flux may write everything, and apply what tenants put into a repository."""
    kind = of(users.everything)
    there = of(users.ours).resource.create(kind.new())
    for label, write in writes(kind, there).items():
        with pytest.raises(ApiError) as refused:
            write()
        assert REFUSED in refused.value.message, label
    assert kind.find(there["metadata"]["name"]) == there


@both
def test_an_administrator_may_annotate_release_and_delete(
    users: Users, of: Callable[[Api], Kind]
) -> None:
    kind = of(users.everything)
    there = of(users.ours).resource.create(kind.new(finalizers=["example.com/held"]))
    name = there["metadata"]["name"]
    kind.patch(name, {"metadata": {"annotations": {"example.com/abandon": "true"}}})
    kind.delete(name)
    assert kind.find(name)
    kind.patch(name, {"metadata": {"finalizers": []}})
    assert kind.find(name) is None


@both
def test_the_cloud_controller_writes(users: Users, of: Callable[[Api], Kind]) -> None:
    kind = of(users.ours)
    there = kind.resource.create(kind.new())
    there = kind.resource.update({**there, "metadata": {**there["metadata"], "labels": {"a": "b"}}})
    if kind.content == "observed":
        kind.resource.update({**there, "observed": {"state": "Running"}})
    else:
        kind.resource.update({**there, "status": {"address": {"ip": "192.0.2.1"}}}, "status")
    found = of(users.cluster.api).find(there["metadata"]["name"])
    assert found
    assert found[kind.content]
    kind.delete(there["metadata"]["name"])


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_the_garbage_collector_takes_away_what_its_owner_leaves(users: Users, cascade: str) -> None:
    """A tenant deletes the Service; the collector has an account of its own, as with kubeadm."""
    services = users.tenant.resource("v1", "services")
    service = services.create(
        {"metadata": {"name": cascade, "namespace": TENANT}, "spec": {"ports": [{"port": 80}]}}
    )
    owner = {key: service[key] for key in ("apiVersion", "kind")}
    owner |= {key: service["metadata"][key] for key in ("name", "uid")}
    kind = balancers(users.ours)
    there = kind.resource.create(kind.new(ownerReferences=[{**owner, "blockOwnerDeletion": True}]))
    name = there["metadata"]["name"]
    # The collector has seen it once it takes what came later, and whose owner never was.
    later = kind.new(ownerReferences=[{**owner, "name": "never", "uid": str(uuid4())}])
    kind.resource.create(later)
    polling.until(lambda: kind.find(later["metadata"]["name"]) is None, "the collector looks")
    body = {"propagationPolicy": cascade.capitalize()}
    users.tenant.call("DELETE", services.path(TENANT, cascade), body)
    polling.until(lambda: services.find(cascade, TENANT) is None, "the Service goes")
    if cascade == "orphan":
        left = kind.find(name)
        assert left
        assert "ownerReferences" not in left["metadata"]
    else:
        polling.until(lambda: kind.find(name) is None, "its load balancer goes")


def test_a_nodes_instance_goes_with_it(users: Users) -> None:
    node = users.cluster.api.resource("v1", "nodes", namespaced=False).create(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
    )
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": node["metadata"]["uid"]}
    kind = instances(users.ours)
    name = kind.resource.create(kind.new(ownerReferences=[owner]))["metadata"]["name"]
    users.cluster.kubectl("delete", "node", "node-1")
    reader = instances(users.cluster.api)
    polling.until(lambda: reader.find(name) is None, "the Instance goes")


def test_a_namespace_goes_with_its_load_balancers_and_then_everything(users: Users) -> None:
    """The last of the file: it takes away what the others need."""
    kind = balancers(users.ours)
    kind.resource.create(kind.new())
    instances(users.ours).resource.create(instances(users.ours).new())
    users.cluster.kubectl("delete", "namespace", TENANT, "--timeout=60s")
    users.cluster.kubectl("delete", "-k", CLOUD_CONTROLLER, "--ignore-not-found", "--timeout=60s")
