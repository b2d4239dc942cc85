"""An inventory that the operator's own API server refuses: the condition says so in its words."""

from collections.abc import Iterator

import pytest

from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import ApiError
from tests.e2e.targets import NAMESPACE, TargetPlatform, add_node, source

GROUP = "admissionregistration.k8s.io/v1"
REFUSED = "no inventories here, says the platform team"


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("recorded") as running:
        add_node(running, "worker-1")
        yield running


@pytest.fixture
def refusing(platform: TargetPlatform) -> Iterator[None]:
    """Let an admission policy refuse the inventory of one TargetCluster."""
    rules = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    expression = "object.metadata.name != 'refused-inventory'"
    specs = {
        "Policy": {
            "matchConstraints": {
                "resourceRules": [{**rules, "operations": ["CREATE", "UPDATE"]}],
            },
            "validations": [{"expression": expression, "message": REFUSED}],
        },
        "PolicyBinding": {"policyName": "inventories", "validationActions": ["Deny"]},
    }
    plurals = {"Policy": "policies", "PolicyBinding": "policybindings"}
    for kind, spec in specs.items():
        platform.plane.api.resource(GROUP, f"validatingadmission{plurals[kind]}").create(
            {
                "apiVersion": GROUP,
                "kind": f"ValidatingAdmission{kind}",
                "metadata": {"name": "inventories"},
                "spec": spec,
            }
        )

    def is_refused() -> bool:
        body = {"metadata": {"name": "refused-inventory"}}
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        try:
            platform.plane.api.call("POST", path, body, params={"dryRun": "All"})
        except ApiError as error:
            return REFUSED in str(error)
        return False

    polling.until(is_refused, "the policy is in force")
    yield
    let(platform)


def let(platform: TargetPlatform) -> None:
    """Take the policy away."""
    bindings = platform.plane.api.resource(GROUP, "validatingadmissionpolicybindings")
    if bindings.find("inventories"):
        bindings.delete("inventories")
        platform.plane.api.resource(GROUP, "validatingadmissionpolicies").delete("inventories")


@pytest.mark.usefixtures("refusing")
def test_the_condition_says_in_the_servers_words_why_nothing_is_applied(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.config_maps.create(source("wanted"))
    policy = {"enabled": True, "syncInterval": "2s"}
    platform.make("refused", resourceSyncPolicy=policy)
    platform.until_says("refused", "ResourcesSynced", "False NotRecorded")
    told = platform.until(
        "refused",
        lambda cluster: any(REFUSED in each["message"] for each in cluster["status"]["conditions"]),
    )
    assert told["status"]["sync"]["applied"] == 0
    assert target.api.resource("v1", "configmaps").find("wanted", NAMESPACE) is None
    let(platform)
    platform.until_says("refused", "ResourcesSynced", "True Synced")
    assert target.api.resource("v1", "configmaps").find("wanted", NAMESPACE)
