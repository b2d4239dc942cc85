"""The Helm chart on a real API server, by its guide: installed, changed, removed."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Object
from tests.deploy import installed
from tests.deploy.checkout import make_checkout
from tests.deploy.pods import Moved, Pod, secret_of_files
from tests.deploy.reader import Reader, move
from tests.deploy.rendering import CLOUD_CONTROLLER, PROJECT, container, environment, text
from tests.deploy.site import ids
from tests.documented.pages import sections
from tests.documented.runs import HELM
from tests.e2e.targetclusters.test_monitoring import EXAMPLE
from tests.e2e.targets import GROUP_VERSION, NAMESPACE, add_node, kubeconfig_of, says
from tests.e2e.waves import names_of
from tests.serving import write_cloud_config
from tools.chart_values import CHART

pytestmark = pytest.mark.usefixtures("helm_program")

CLOUD = ("kube-system", "cloudstack-cloud-controller")
OPERATOR = (NAMESPACE, "target-cluster-operator")
NODES = names_of(10)


@pytest.fixture
def reader(empty_cluster: ControlPlane, helm_program: Path, tmp_path: Path) -> Iterator[Reader]:
    """Lay out what the reader has. The chart's ports are free ones: tests share a machine."""
    folder = make_checkout(tmp_path / "checkout", empty_cluster)
    (folder / "bin" / "helm").symlink_to(helm_program)
    move(folder / "deploy" / "chart" / "files")
    with Simulator(world="large", vms=len(NODES)) as simulator:
        write_cloud_config(folder / "cloud-config", simulator)
        yield Reader(empty_cluster, simulator, folder, nodes=NODES)


def cluster_is_looked_after(reader: Reader, stack: ExitStack) -> None:
    """Give the target-cluster-operator a cluster, and wait until it finds it well."""
    target = stack.enter_context(reader.cluster.target_cluster("shop"))
    add_node(target, "worker-1")
    file = reader.folder / "kubeconfig"
    file.write_text(kubeconfig_of(target))
    secret_of_files(reader.cluster, NAMESPACE, "target-cluster-kubeconfig", [file])
    reader.cluster.apply(EXAMPLE / "target-cluster.yaml")
    clusters = reader.resource(GROUP_VERSION, "targetclusters")
    polling.until(
        lambda: says(clusters.get("example-cluster", NAMESPACE), "Ready") == "True Healthy",
        "the TargetCluster is Ready",
    )


def test_both_operators_are_installed_changed_and_removed(reader: Reader) -> None:
    with ExitStack() as stack:
        reader.does("The cloud controller")
        reader.cluster.start_controllers()
        with reader.running(CLOUD):
            reader.join()
            assert reader.address()
            reader.does("The target-cluster-operator beside it")
            stack.enter_context(reader.running(OPERATOR))
            cluster_is_looked_after(reader, stack)
            before = {of: reader.deployment(of) for of in (CLOUD, OPERATOR)}
            reader.does("Change a value")
        after = {of: reader.deployment(of) for of in (CLOUD, OPERATOR)}
        hooks = container(after[CLOUD]["spec"]["template"]["spec"], "hooks")
        assert environment(hooks)["LOG_LEVEL"] == "debug"
        # A new template is what a Deployment rolls its pods by.
        assert after[CLOUD]["spec"]["template"] != before[CLOUD]["spec"]["template"]
        assert after[OPERATOR]["metadata"]["generation"] == 1
        with reader.running(CLOUD) as pod:
            reader.serve("mail")
            assert reader.address("mail") != reader.address()
            assert '"level": "debug"' in (pod.folder / "hooks.log").read_text()
            for name in ("web", "mail"):
                reader.services.delete(name, "default")
            polling.until(lambda: not reader.load_balancers(), "they are gone")
            reader.says("kubectl delete targetclusters --all --all-namespaces")
            reader.does("Uninstall", slice(1))
    # Its Deployments are gone, so kubelet has ended the pods.
    reader.does("Uninstall", slice(1, None))
    assert not any(reader.in_cloudstack().values())
    assert reader.crds() == set()
    left = reader.cluster.kubectl("get", "all,clusterroles,ns", "-A", "-o", "name")
    assert "cloudstack" not in left
    assert "target-cluster" not in left


def test_what_is_uninstalled_keeps_its_addresses_and_goes_on_when_it_is_back(
    reader: Reader,
) -> None:
    uninstall = "helm uninstall cloudstack-metacontroller --namespace kube-system"
    reader.does("The cloud controller")
    reader.cluster.start_controllers()
    with reader.running(CLOUD):
        reader.join()
        address = reader.address()
        reader.says(uninstall)
    before = reader.in_cloudstack()
    assert all(before.values())
    assert reader.address() == address
    assert len(reader.load_balancers()) == 1
    install = "helm install cloudstack-metacontroller deploy/chart --namespace kube-system"
    reader.says(install)
    with reader.running(CLOUD):
        reader.serve("mail")
        assert reader.address("mail") != address
        assert ids(before["rules"]) < ids(reader.in_cloudstack()["rules"])
    # In the wrong order: the chart, then the CRDs, while there are Services.
    reader.says(uninstall)
    ours = " ".join(name for name in reader.crds() if name.startswith("cloudstack"))
    reader.says(f"kubectl delete --wait=false crd {ours}")
    for name in ("web", "mail"):
        reader.services.delete(name, "default")
    reader.says(install)
    with reader.running(CLOUD):
        polling.until(
            lambda: not any("loadbalancers" in name for name in reader.crds()),
            "the CRD goes, and all of its kind before it",
        )
        assert not any(reader.in_cloudstack().values())


def waiting(reader: Reader) -> Object | None:
    """Return the pod of `helm test` that has not run; one that failed stays until the next test."""
    found = reader.resource("v1", "pods").find("cloudstack-check", "kube-system")
    return found if found and found["status"]["phase"] == "Pending" else None


def run_helm_test(reader: Reader) -> tuple[bool, str]:
    """Run `helm test`, and its pod as kubelet would; return whether it passes, and its log."""
    pods = reader.resource("v1", "pods")
    with ThreadPoolExecutor(1) as helm:
        told = helm.submit(lambda: reader.does("Test"))
        found = polling.until(lambda: waiting(reader), "its pod")
        as_template = {"metadata": found["metadata"], "spec": {"template": {"spec": found["spec"]}}}
        reader.pods += 1
        pod = Pod(reader.cluster, as_template, reader.folder / f"pod-{reader.pods}")
        ended = {"status": {"phase": "Failed" if pod.ended() else "Succeeded"}}
        pods.patch("cloudstack-check", ended, "kube-system", subresource="status")
        passes = told.exception() is None
    return passes, (pod.folder / "hooks.log").read_text()


def test_helm_test_says_whether_what_is_installed_works(reader: Reader) -> None:
    reader.does("The cloud controller")
    reader.cluster.start_controllers()
    with reader.running(CLOUD):
        reader.join()
        reader.address()
    # No pod is ready, as the Deployment's controller would say.
    passes, log = run_helm_test(reader)
    assert not passes
    assert "0 of 1 pods are ready" in log
    deployments, seen = reader.resource("apps/v1", "deployments"), reader.deployment(CLOUD)
    counts = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
    ready = {"status": {**counts, "observedGeneration": seen["metadata"]["generation"]}}
    namespace, name = CLOUD
    deployments.patch(name, ready, namespace, subresource="status")
    passes, log = run_helm_test(reader)
    assert passes, log
    assert not reader.resource("v1", "pods").find("cloudstack-check", "kube-system")


def test_what_kustomize_applied_becomes_helms(reader: Reader) -> None:
    installed.apply(reader.cluster, Moved(text(CLOUD_CONTROLLER), {}))
    before = reader.deployment(CLOUD)
    shutil.rmtree(reader.folder / "deploy" / "chart")
    shutil.copytree(CHART, reader.folder / "deploy" / "chart")
    reader.does("From kustomize to Helm")
    after = reader.deployment(CLOUD)
    assert after["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert after["spec"] == before["spec"]


def test_the_operator_alone_waits_for_nothing_but_the_clusters_metacontroller(
    reader: Reader,
) -> None:
    reader.does("The target-cluster-operator alone")
    namespace = reader.resource("v1", "namespaces").get(NAMESPACE)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    [controller] = reader.resource("metacontroller.k8s.io/v1alpha1", "compositecontrollers").list()
    [endpoint] = controller["spec"]["endpointConfigs"]
    secret = endpoint["authorization"]["secretRef"]
    assert reader.resource("v1", "secrets").get(secret["name"], secret["namespace"])["data"]
    assert "targetclusters.targetcluster.example.com" in reader.crds()
    assert not any(name.startswith("cloudstack") for name in reader.crds())


def test_metacontrollers_crds_are_made_where_they_are_missing_and_left_alone_else(
    reader: Reader,
) -> None:
    reader.cluster.apply(PROJECT / "deploy" / "metacontroller-crds")
    crds = reader.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
    before = {crd["metadata"]["name"]: crd["metadata"]["generation"] for crd in crds.list()}
    reader.does("The cloud controller")
    found = {crd["metadata"]["name"]: crd["metadata"] for crd in crds.list()}
    for name, generation in before.items():
        assert found[name]["generation"] == generation
        assert "meta.helm.sh/release-name" not in found[name]["annotations"]
    reader.does("Upgrade")
    labels = {crd["metadata"]["name"]: crd["metadata"].get("labels", {}) for crd in crds.list()}
    assert all("app.kubernetes.io/part-of" in labels[name] for name in before)


def test_every_section_of_the_guide_that_has_commands_is_followed_here() -> None:
    followed = set(re.findall(r'\.does\("(.+?)"', Path(__file__).read_text()))
    assert followed == {section for section, found in sections(HELM).items() if found}
    assert not any(block.reason for found in sections(HELM).values() for block in found)
