"""The examples of Ingress controllers: the API server takes them, and both ends agree."""

import re
from pathlib import Path

import pytest
import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.deploy.rendering import PROJECT

PROXY = "service.beta.kubernetes.io/cloudstack-load-balancer-proxy-protocol"
TRAEFIK = PROJECT / "examples" / "07-ingress-traefik"
NGINX = PROJECT / "examples" / "08-ingress-nginx"
#: As the manifests of ingress-nginx have it, as far as the patches are concerned.
INSTALLED = """
apiVersion: v1
kind: Namespace
metadata: {name: ingress-nginx}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data: {allow-snippet-annotations: "false"}
---
apiVersion: v1
kind: Service
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec:
  type: LoadBalancer
  selector: {app.kubernetes.io/name: ingress-nginx}
  ports:
    - {name: http, port: 80, targetPort: http}
    - {name: https, port: 443, targetPort: https}
"""


def commands(page: Path) -> list[list[str]]:
    """Return the arguments of the kubectl commands in a README."""
    lines = re.findall(r"^kubectl (.+)$", page.read_text(), re.MULTILINE)
    return [line.split() for line in lines]


def run(cluster: ControlPlane, command: list[str]) -> str:
    """Run a command of a README, whose paths begin at the project."""
    return cluster.kubectl(
        *(str(PROJECT / part) if part.startswith("examples/") else part for part in command)
    )


@pytest.fixture(scope="module")
def traefik(cluster: ControlPlane) -> list[Object]:
    """Apply the example as its README says, and return what it holds."""
    for command in commands(TRAEFIK / "README.md"):
        run(cluster, command)
    return list(yaml.safe_load_all((TRAEFIK / "traefik.yaml").read_text()))


def test_traefik_is_applied_by_the_commands_of_its_page(
    cluster: ControlPlane, traefik: list[Object]
) -> None:
    service = cluster.api.resource("v1", "services").get("traefik", "traefik")
    assert service["metadata"]["annotations"][PROXY] == "true"
    assert all(port["nodePort"] for port in service["spec"]["ports"])
    assert {obj["kind"] for obj in traefik} >= {"DaemonSet", "Service", "IngressClass"}
    said = cluster.kubectl("apply", "-f", str(TRAEFIK / "traefik.yaml")).splitlines()
    assert [line for line in said if not line.endswith(" unchanged")] == []


def test_every_entry_point_of_traefik_that_is_balanced_reads_the_proxy_protocol(
    traefik: list[Object],
) -> None:
    [daemons] = [obj for obj in traefik if obj["kind"] == "DaemonSet"]
    [service] = [obj for obj in traefik if obj["kind"] == "Service"]
    [container] = daemons["spec"]["template"]["spec"]["containers"]
    arguments = dict(argument.partition("=")[::2] for argument in container["args"])
    ports = {port["name"]: port for port in container["ports"]}
    for port in service["spec"]["ports"]:
        name = port["targetPort"]
        assert arguments[f"--entrypoints.{name}.address"] == f":{ports[name]['containerPort']}"
        assert arguments[f"--entrypoints.{name}.proxyprotocol.trustedips"]
        assert ports[name]["hostPort"] == port["port"]


def test_the_patches_of_ingress_nginx_are_applied_by_the_commands_of_their_page(
    cluster: ControlPlane,
) -> None:
    cluster.apply(INSTALLED)
    found = commands(NGINX / "README.md")
    assert len(found) == 2
    for command in found:
        run(cluster, command)
    name, namespace = "ingress-nginx-controller", "ingress-nginx"
    config = cluster.api.resource("v1", "configmaps").get(name, namespace)
    assert config["data"] == {"allow-snippet-annotations": "false", "use-proxy-protocol": "true"}
    service = cluster.api.resource("v1", "services").get(name, namespace)
    assert service["metadata"]["annotations"][PROXY] == "true"
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 443]
