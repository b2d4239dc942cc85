"""The status page on a real API server, with the role of its manifests: what it asks and shows."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.polling import PATIENCE, until
from tests.deploy import installed
from tests.deploy.accounts import Roles, bound, wildcards
from tests.deploy.conftest import EVIDENCE, username
from tests.deploy.pods import Pod, moved
from tests.deploy.rendering import DEPLOY, container, environment, render, text

FOLDER = DEPLOY / "status-page"
NAME = "cloudstack-status-page"
ROLES = Roles(render(FOLDER), {"hooks": [("ClusterRole", "", NAME)], "metacontroller": []})

#: One object of each kind, in a namespace of a tenant, and secrets beside them.
OBJECTS = """
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: v1
kind: Node
metadata:
  name: worker-1
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  annotations:
    example.com/password: hunter2
spec:
  type: LoadBalancer
  loadBalancerClass: cloudstack.targetcluster.example.com/loadbalancer
  ports: [{port: 80}]
---
apiVersion: v1
kind: Secret
metadata:
  name: web
  namespace: shop
stringData:
  password: hunter2
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: shop
data:
  password: hunter2
---
apiVersion: v1
kind: Event
metadata:
  name: worker-1.found
  namespace: default
involvedObject:
  kind: Node
  name: worker-1
type: Warning
reason: InstanceNotFound
message: CloudStack has no VM worker-1
source:
  component: cloudstack-cloud-controller
reportingComponent: cloudstack-cloud-controller
---
apiVersion: v1
kind: Event
metadata:
  name: worker-1.other
  namespace: default
involvedObject:
  kind: Node
  name: worker-1
type: Warning
reason: SomebodyElsesReason
message: hunter2
source:
  component: kubelet
"""
OURS = """
apiVersion: targetcluster.example.com/v1alpha1
kind: TargetCluster
metadata:
  name: prod
  namespace: shop
spec:
  kubeconfigSecret: web
---
apiVersion: cloudstack.targetcluster.example.com/v1alpha1
kind: CloudStackInstance
metadata:
  name: worker-1
spec:
  nodeName: worker-1
  providerID: cloudstack:///vm-1
  instanceID: vm-1
observed:
  state: Running
---
apiVersion: cloudstack.targetcluster.example.com/v1alpha1
kind: CloudStackLoadBalancer
metadata:
  name: web
  namespace: shop
spec:
  service: {name: web, uid: "1"}
  loadBalancerName: a1
"""


@dataclass(frozen=True)
class Page:
    """The page of a pod that runs."""

    port: int
    cluster: ControlPlane

    def get(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200
            return response.read().decode()
        finally:
            connection.close()

    def said(self) -> Any:
        return json.loads(self.get("/status.json"))


@pytest.fixture(scope="module")
def page(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    manifests = moved(text(FOLDER))
    cluster.apply_crds()
    installed.apply(cluster, manifests)
    cluster.start_controllers()
    ROLES.bind(cluster)
    cluster.apply(OBJECTS)
    cluster.apply(OURS)
    folder = tmp_path_factory.mktemp("status") / "pod"
    users = {"hooks": ("hooks", EVIDENCE)}
    settings = {"METRICS_BIND": "127.0.0.1"}
    pod = Pod(cluster, manifests.rendered.deployment(), folder, users, settings)
    with pod.running():
        yield Page(manifests.ports[8080], cluster)


def asked(page: Page) -> list[Object]:
    """Return what the page has asked for, once its requests are in the log."""
    until(lambda: len(of_page(page)) > 5, "the audit log has the page's requests")
    return of_page(page)


def of_page(page: Page) -> list[Object]:
    return [
        entry for entry in page.cluster.audited() if entry["user"]["username"] == username("hooks")
    ]


def test_it_shows_one_of_each_kind_that_its_role_reads(page: Page) -> None:
    content = page.said()
    assert [row["problem"] for row in content["lists"] if row["problem"]] == []
    for part, name in (
        ("loadBalancers", "shop/web"),
        ("nodes", "worker-1"),
        ("targetClusters", "shop/prod"),
    ):
        assert [row["name"] for row in content[part]["rows"]] == [name]
    assert [row["reason"] for row in content["events"]["rows"]] == ["InstanceNotFound"]


def test_it_reads_no_secret_and_shows_none(page: Page) -> None:
    for path in ("/", "/status.json"):
        assert "hunter2" not in page.get(path)
    resources = {entry["objectRef"]["resource"] for entry in asked(page) if "objectRef" in entry}
    assert resources == {
        "cloudstackinstances",
        "cloudstackloadbalancers",
        "events",
        "nodes",
        "services",
        "targetclusters",
    }


def test_it_needs_what_it_is_granted_and_nothing_more(page: Page) -> None:
    page.said()
    entries = asked(page)
    assert ROLES.missing(entries, "hooks") == set()
    assert ROLES.unused(entries, "hooks") == []
    assert {entry["verb"] for entry in entries} == {"list"}


def test_many_readers_are_few_lists(page: Page) -> None:
    page.said()
    before = len(asked(page))
    for _ in range(30):
        page.get("/")
    rounds = 1 + (len(of_page(page)) - before) // 6
    assert rounds < 30


def test_its_role_is_bound_to_its_account_and_has_no_wildcard() -> None:
    rendered = ROLES.rendered
    assert bound(rendered) == {(("ClusterRole", "", NAME), "kube-system", NAME)}
    assert wildcards(rendered) == []


def test_its_pod_has_no_key_no_secret_and_no_way_in() -> None:
    pod = ROLES.rendered.pod()
    variables = environment(container(pod, "hooks"))
    assert variables["HOOKS"] == "status"
    assert variables["BIND"].startswith("127.0.0.1:")
    assert not [name for name in variables if "CLOUD" in name or "TOKEN" in name]
    assert [volume for volume in pod["volumes"] if "emptyDir" not in volume] == []
    assert ROLES.rendered.of("Service", "Secret") == []


def test_all_of_its_objects_have_its_name() -> None:
    names = {obj["metadata"]["name"] for obj in ROLES.rendered.objects}
    assert names == {NAME}
