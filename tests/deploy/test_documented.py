"""The commands of examples and guides that need an operator at work, run as they stand there."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from hooks.loadbalancers.plan.ownership import ADDRESS_KEYS
from hooks.names import TAG_ORIGIN_CONTROLLER
from simulator.server import Simulator
from tests.contract.cloud import Cloud, Credentials
from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.cluster import KubectlError
from tests.deploy import installed
from tests.deploy.checkout import give_cmk, make_checkout, run
from tests.deploy.pods import Pod, moved
from tests.deploy.rendering import DEPLOY, PROJECT, text
from tests.deploy.site import Site
from tests.documented import kubectl
from tests.documented.pages import blocks, named
from tests.documented.runs import MOVE, SERVED, TARGETS, on_this_machine
from tests.e2e.nodes import UNINITIALIZED, initialised
from tests.e2e.targets import NAMESPACE, add_node
from tests.targets.certificates import Authority, Certificate
from tests.targets.objects import encoded

#: Who administers the target.
ADMIN = "kubernetes-admin"
ALONE = DEPLOY / "overlays" / "target-cluster-operator-alone"


def kubectl_blocks(page: Path) -> list[str]:
    """Return what is to be run of a page."""
    found = [each for each in blocks(page, "sh") if not each.reason and not on_this_machine(each)]
    assert found, page
    return [each.code for each in found]


@dataclass(frozen=True)
class Served:
    """A cluster whose cloud controller runs, and its CloudStack."""

    cluster: ControlPlane
    simulator: Simulator

    def checkout(self, folder: Path) -> Path:
        """Make a checkout in a folder, with the programs that pages use."""
        checkout = make_checkout(folder / "checkout", self.cluster)
        give_cmk(checkout, self.simulator)
        return checkout


@pytest.fixture(scope="module")
def served(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run the cloud controller, with a node that may serve."""
    folder = tmp_path_factory.mktemp("served")
    with Simulator() as simulator:
        site = Site(cluster, simulator, folder)
        site.install()
        cluster.start_controllers()
        installed.give_cloud_config(cluster, simulator, folder)
        with site.pod().running():
            nodes = cluster.api.resource("v1", "nodes", namespaced=False)
            taint = {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
            nodes.create({"metadata": {"name": "node-2"}, "spec": {"taints": [taint]}})
            polling.until(lambda: initialised(nodes.get("node-2")), "a node")
            yield Served(cluster, simulator)


@pytest.mark.parametrize("page", SERVED, ids=named)
def test_the_commands_of_an_example_work_where_the_cloud_controller_runs(
    page: Path, served: Served, tmp_path: Path
) -> None:
    checkout = served.checkout(tmp_path)
    for code in kubectl_blocks(page):
        run(code, checkout, served.cluster.kubeconfig)


def test_addresses_of_a_cluster_without_a_service_are_listed_and_no_others(
    served: Served, tmp_path: Path
) -> None:
    [code] = [each.code for each in blocks(MOVE, "sh") if "cmk" in each.code]
    [cluster_id] = re.findall(r"tags\[0\]\.value=([\w-]+)", code)
    kubernetes = served.cluster.api.resource("v1", "services").get("kubernetes", "default")
    mark(served.simulator, cluster_id, "kept", kubernetes["metadata"]["uid"])
    lost = mark(served.simulator, cluster_id, "lost", "3d0f5c2e-5a52-4f0e-9c8b-2f5d1a7c6b90")
    mark(served.simulator, "another", "elsewhere", "77f0b0d1-3f0c-4d0a-8f39-6a1e2f1f0c55")
    listed = run(code, served.checkout(tmp_path), served.cluster.kubeconfig)
    assert listed.splitlines() == [f"{lost}\tdefault\tlost\tcontroller"]


def mark(simulator: Simulator, cluster_id: str, service: str, uid: str) -> str:
    """Acquire an address with the mark of a Service, and return it."""
    user = simulator.user
    human = Cloud(simulator.url, Credentials(user.api_key, user.secret_key), 0.01)
    try:
        [network, *_] = human.list("listNetworks", "network", type="Isolated")
        made = human.done("associateIpAddress", networkid=network["id"])["ipaddress"]
        values = (cluster_id, "default", service, uid, TAG_ORIGIN_CONTROLLER)
        tags = dict(zip(ADDRESS_KEYS, values, strict=True))
        kind = "PublicIpAddress"
        human.done("createTags", resourcetype=kind, resourceids=made["id"], tags=tags)
    finally:
        human.close()
    return str(made["ipaddress"])


@dataclass(frozen=True)
class Office:
    """A cluster with the target-cluster-operator, a target, and a kubeconfig that knows both."""

    cluster: ControlPlane
    target: Cluster
    kubeconfig: Path


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, cluster: ControlPlane) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    manifests = moved(text(ALONE))
    with ExitStack() as stack:
        authority = Authority()
        (folder / "clients.pem").write_text(authority.pem)
        flags = (f"--client-ca-file={folder / 'clients.pem'}",)
        target = stack.enter_context(cluster.target_cluster("target", flags=flags))
        target.kubectl(
            "create", "clusterrolebinding", ADMIN, "--clusterrole=cluster-admin", f"--user={ADMIN}"
        )
        target.start_controllers()
        add_node(target, "worker-1")
        installed.apply(cluster, manifests)
        cluster.start_controllers()
        deployment = manifests.rendered.deployment()
        settings = {"METRICS_BIND": "127.0.0.1"}
        pod = Pod(cluster, deployment, folder / "pod", settings=settings)
        stack.enter_context(pod.running())
        admin = authority.issue(ADMIN)
        yield Office(cluster, target, both(cluster, target, admin, folder / "kubeconfig"))


def both(cluster: Cluster, target: Cluster, admin: Certificate, file: Path) -> Path:
    """Write a kubeconfig with the cluster's context, and the target's under the name `target`.

    Its administrator has a client certificate, as kubeadm gives one: a cluster takes that before a
    token that stands beside it.
    """
    ours, theirs = (yaml.safe_load(one.kubeconfig.read_text()) for one in (cluster, target))
    [entry] = theirs["clusters"]
    ours["clusters"].append({**entry, "name": "target"})
    certificate = {
        "client-certificate-data": encoded(admin.certificate),
        "client-key-data": encoded(admin.key),
    }
    ours["users"].append({"name": "target", "user": certificate})
    context = {"cluster": "target", "user": "target"}
    ours["contexts"].append({"name": "target", "context": context})
    file.write_text(yaml.safe_dump(ours))
    return file


@pytest.fixture
def cleared(office: Office) -> Iterator[Office]:
    """Take away what a page has left, since the next one uses the same names."""
    yield office
    office.cluster.kubectl("-n", NAMESPACE, "delete", "targetclusters", "--all", "--timeout=60s")
    office.cluster.kubectl("-n", NAMESPACE, "delete", "secrets,configmaps", "--all")


@pytest.mark.parametrize("page", TARGETS, ids=named)
def test_the_commands_of_a_page_work_where_a_target_is_looked_after(
    page: Path, cleared: Office, tmp_path: Path
) -> None:
    checkout = make_checkout(tmp_path / "checkout", cleared.cluster)
    for name in ("shop.kubeconfig", "target.kubeconfig"):
        (checkout / name).write_text(cleared.target.kubeconfig.read_text())
    for code in kubectl_blocks(page):
        run(code, checkout, cleared.kubeconfig)
    if "target-cluster-access" in page.read_text():
        only_watches(checkout)


def only_watches(checkout: Path) -> None:
    """See that the account which the guide makes may do what it says, and no more."""
    kubeconfig = checkout / "target.kubeconfig"
    assert "worker-1" in run("kubectl get nodes", checkout, kubeconfig)
    run("kubectl get pods --all-namespaces", checkout, kubeconfig)
    assert run("kubectl auth can-i get secrets || true", checkout, kubeconfig).strip() == "no"


def test_kubectl_has_the_commands_and_flags_that_the_pages_use(cluster: ControlPlane) -> None:
    everywhere = flags(cluster.kubectl("options"))
    assert everywhere >= kubectl.GLOBAL
    for verb, used in kubectl.FLAGS.items():
        kinds = (["generic"], ["tls"]) if verb == "create secret" else ([],)
        said = "".join(cluster.kubectl(*verb.split(), *kind, "--help") for kind in kinds)
        assert f"kubectl {verb}" in said
        assert flags(said) >= used, verb


def flags(said: str) -> set[str]:
    """Return the flags that a help text lists."""
    lines = re.findall(r"^ +(-.+?)(?:[:=]| *$)", said, re.MULTILINE)
    return {flag for line in lines for flag in line.replace(",", " ").split()}


def test_the_api_server_has_the_resources_that_the_pages_name(cluster: ControlPlane) -> None:
    for folder in ("crds", "deploy/metacontroller-crds"):
        cluster.apply(PROJECT / folder)
    for name in sorted(kubectl.BUILT_IN | kubectl.own_resources()):
        cluster.kubectl("get", name, "--all-namespaces", "--ignore-not-found")
    with pytest.raises(KubectlError, match="doesn't have a resource type"):
        cluster.kubectl("get", "nodez")
