"""The admission policies for annotations: they refuse and warn where the hook does, only there."""

import json

import pytest

from hooks.services.plan.spec import wanted_spec
from hooks.services.plan.unknown import KNOWN
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import ApiError, Object
from tests.controlplane.cluster import KubectlError
from tests.deploy.rendering import DEPLOY
from tests.unit.services.objects import PREFIX, facts
from tests.unit.services.objects import service as judged

ROWS = [
    pytest.param("proxy-protocol", "True", True, id="a boolean in any case"),
    pytest.param("proxy-protocol", "80,", True, id="a port"),
    pytest.param("proxy-protocol", "80, 443", False, id="one port that is not there"),
    pytest.param("proxy-protocol", "enabled", False, id="no port and no boolean"),
    pytest.param("proxy-protocol", "", False, id="an empty list"),
    pytest.param("stickiness", "SOURCEBASED expire=3h", True, id="a policy"),
    pytest.param("stickiness", "none", True, id="no policy"),
    pytest.param("stickiness", "AppCookie", False, id="what stops a router"),
    pytest.param("stickiness", "LbCookies", False, id="an unknown method"),
    pytest.param("stickiness", "", False, id="no method"),
    pytest.param("keep-ip", " false ", True, id="with spaces around"),
    pytest.param("keep-ip", "", False, id="an empty boolean"),
    pytest.param("disabled", "no", False, id="another word for false"),
    pytest.param("abandon", "true", True, id="a boolean to let go"),
    pytest.param("abandon", "yes", False, id="another word for true"),
    pytest.param("shared-address", " front-1 ", True, id="a share"),
    pytest.param("shared-address", "Front_1", False, id="no share's name"),
    pytest.param("takeover-from", "0c7a4d52-96a3", True, id="a cluster"),
    pytest.param("takeover-from", "x" * 256, False, id="no tag's value"),
    pytest.param("algorithm", "leastconn", True, id="an algorithm"),
    pytest.param("algorithm", "fastest", False, id="an unknown algorithm"),
    pytest.param("internal", "TRUE", True, id="a boolean for an internal one"),
    pytest.param("internal", "private", False, id="no boolean for it"),
    pytest.param("certificate", "web-tls ports=80", True, id="a Secret and a port"),
    pytest.param("certificate", "Web_TLS", False, id="no name of a Secret"),
    pytest.param("mode", "plan", True, id="a mode"),
    pytest.param("mode", "dry-run", False, id="an unknown mode"),
    pytest.param("address", "192.0.2.7", True, id="an address"),
    pytest.param("address", "", True, id="no address"),
    pytest.param("address", "2001:db8::7", False, id="an IPv6 address"),
    pytest.param("address", "192.0.2", False, id="half an address"),
    pytest.param("source-cidrs", "192.0.2.0/24, 198.51.100.7/32", True, id="ranges"),
    pytest.param("source-cidrs", "", True, id="nobody"),
    pytest.param("source-cidrs", "192.0.2.7", False, id="an address in the place of a range"),
    pytest.param("source-cidrs", "2001:db8::/32", False, id="IPv6 ranges alone"),
    pytest.param("source-cidrs", "192.0.2.0/24,2001:db8::/32", True, id="ranges of both families"),
    pytest.param("node-selector", "pool=edge, zone=a,", True, id="labels"),
    pytest.param("node-selector", ",".join(f"k{n}=" for n in range(64)), True, id="64 labels"),
    pytest.param("node-selector", ",".join(f"k{n}=" for n in range(65)), False, id="65 labels"),
    pytest.param("hostname", "lb.example.com", True, id="a name, which the policy leaves alone"),
]


@pytest.fixture(scope="module")
def guarded(cluster: ControlPlane) -> ControlPlane:
    """Apply the policies, and wait until they are heeded."""
    for file in ("policy.yaml", "warnings.yaml"):
        cluster.kubectl("apply", "-f", DEPLOY / "components/cloud-controller-validation" / file)
    polling.until(lambda: refusal(cluster, {"mode": "nonsense"}), "the policy is heeded", every=0.2)
    polling.until(lambda: warning(cluster, "nonsense"), "the warning is heeded", every=0.2)
    return cluster


def service(annotations: dict[str, str], **spec: object) -> Object:
    notes = {f"{PREFIX}{name}": value for name, value in annotations.items()}
    return {
        "metadata": {"name": "web", "namespace": "default", "annotations": notes},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }


def refusal(cluster: ControlPlane, annotations: dict[str, str], **spec: object) -> str:
    """Have a Service judged as if it were made; return why it is refused, if it is."""
    path = "/api/v1/namespaces/default/services"
    try:
        cluster.api.call("POST", path, service(annotations, **spec), params={"dryRun": "All"})
    except ApiError as error:
        return error.message
    return ""


def warning(cluster: ControlPlane, *annotations: str) -> str:
    """Return what kubectl warns of when a Service is applied."""
    applied = service(dict.fromkeys(annotations, "x"), type="ClusterIP")
    text = json.dumps({"apiVersion": "v1", "kind": "Service", **applied})
    try:
        cluster.kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=text)
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["proxy-protcol", "Proxy-Protocol"])
def test_an_annotation_that_does_not_exist_is_warned_of(guarded: ControlPlane, name: str) -> None:
    said = warning(guarded, "proxy-protocol", name)
    assert f"{PREFIX}{name}: there is no such annotation, so it has no effect; there are " in said
    assert ", ".join(sorted(KNOWN)) in said


def test_annotations_that_exist_are_not_warned_of(guarded: ControlPlane) -> None:
    assert warning(guarded, *KNOWN) == ""


@pytest.mark.parametrize(("name", "value", "good"), ROWS)
def test_an_annotation_is_refused_where_the_hook_refuses_it(
    guarded: ControlPlane, name: str, value: str, good: bool
) -> None:
    refused = refusal(guarded, {name: value})
    assert (refused == "") == good
    assert good or f"{PREFIX}{name}: {value.strip()}" in refused
    invalid = wanted_spec(facts(judged({name: value})))["invalid"]
    assert (invalid == []) == good


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"type": "ClusterIP"}, id="no load balancer"),
        pytest.param({"loadBalancerClass": "example.com/other"}, id="another controller's"),
    ],
)
def test_other_services_are_left_alone(guarded: ControlPlane, spec: Object) -> None:
    assert refusal(guarded, {"mode": "nonsense"}, **spec) == ""


def test_what_was_there_before_can_be_changed_in_all_else(guarded: ControlPlane) -> None:
    services = guarded.api.resource("v1", "services")
    services.create(service({"mode": "nonsense"}, type="ClusterIP"))
    # The annotations are as before: only a change of them is judged.
    services.patch("web", {"spec": {"type": "LoadBalancer"}}, "default")
    services.patch("web", {"metadata": {"labels": {"changed": "yes"}}}, "default")
    worse = {"metadata": {"annotations": {f"{PREFIX}mode": "worse"}}}
    with pytest.raises(ApiError, match="is not apply or plan"):
        services.patch("web", worse, "default")
