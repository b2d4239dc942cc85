"""Every reason and condition is explained, and the example is of the kind that it names."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from hooks import names
from hooks.targetclusters.access.kubeconfig import REFUSED_CLUSTER_FIELDS, REFUSED_USER_FIELDS
from hooks.targetclusters.health.judge import CHECKS
from hooks.targetclusters.request import read
from tests.schemas import schema_of

PROJECT = Path(__file__).resolve().parents[3]
GUIDES = PROJECT / "docs/guides"
GUIDE = (GUIDES / "target-clusters.md").read_text() + (GUIDES / "heal.md").read_text()
EXAMPLE = PROJECT / "examples/10-cluster-watched"

_REASON = re.compile(r"[A-Z][a-z]+([A-Z][a-z]+)*")
_CALLS = {"invalid", "Failure", "BadKubeconfig", "Condition", "_result", "_synced", "_unknown"}
_STATUSES = {"True", "False", "Unknown"}


def reasons() -> Iterator[str]:
    """Find the reasons in the source of what is not well."""
    for file in sorted((PROJECT / "hooks/targetclusters").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and _called(call) in _CALLS:
                texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
                if "True" not in texts:
                    yield from (
                        text for text in texts if isinstance(text, str) and _REASON.fullmatch(text)
                    )


def _called(call: ast.Call) -> str:
    """Return the name of the function or method that is called."""
    return str(getattr(call.func, "id", getattr(call.func, "attr", "")))


def test_every_reason_for_trouble_is_explained() -> None:
    fields = (*REFUSED_CLUSTER_FIELDS.values(), *REFUSED_USER_FIELDS.values())
    refused = {reason for reason, _ in fields}
    found = (set(reasons()) | refused) - _STATUSES
    assert {"ExecRefused", "TooFewReady", "Unauthorized", "Suspended"} <= found
    # Told in words, since nobody needs to do anything: before the first probe, while it ends, when
    # all is well.
    unsaid = {"NotProbed", "Deleting", "Observed", "NothingToDo"}
    assert {reason for reason in found - unsaid if f"`{reason}`" not in GUIDE} == set()


def test_every_condition_is_explained() -> None:
    description = schema_of("targetclusters")["status"].schema["properties"]["conditions"][
        "description"
    ]
    for kind in (*CHECKS, "Ready", "ResourcesSynced", "Healing", "Reconciling", "Stalled"):
        assert f"| `{kind}` |" in GUIDE
        assert kind in description


def test_the_examples_fields_are_those_of_the_original_operator() -> None:
    example = yaml.safe_load((EXAMPLE / "target-cluster.yaml").read_text())
    example["metadata"].pop("namespace")
    assert example == {
        "apiVersion": "targetcluster.example.com/v1alpha1",
        "kind": "TargetCluster",
        "metadata": {"name": "example-cluster"},
        "spec": {
            "kubeconfigSecret": "target-cluster-kubeconfig",
            "monitorInterval": "30s",
            "resourceSyncPolicy": {"enabled": True, "syncInterval": "5m"},
            "autoHealing": {"enabled": True, "maxRetry": 3},
        },
    }


def test_the_examples_request_is_one_about_the_example() -> None:
    body = json.loads((EXAMPLE / "request.json").read_text())
    request = read(body, default_secret="x")
    example = yaml.safe_load((EXAMPLE / "target-cluster.yaml").read_text())
    assert schema_of("targetclusters")["spec"].problems(request.cluster["spec"]) == []
    assert request.spec == read({"parent": example}, default_secret="x").spec
    assert request.cluster["metadata"]["name"] == example["metadata"]["name"]


def test_the_controller_asks_the_hook_that_answers() -> None:
    file = PROJECT / "metacontroller/targetclusters.yaml"
    spec = yaml.safe_load(file.read_text())["spec"]
    assert spec["parentResource"] == {
        "apiVersion": f"{names.TARGET_CLUSTER_GROUP}/{names.API_VERSION}",
        "resource": "targetclusters",
        "labelSelector": {
            "matchExpressions": [{"key": names.LABEL_SHARD, "operator": "DoesNotExist"}]
        },
    }
    assert yaml.safe_load(file.read_text())["metadata"]["name"] == names.TARGET_CLUSTERS_CONTROLLER
    for call in ("sync", "finalize"):
        hook = spec["hooks"][call]
        assert hook["version"] == "v2"
        assert hook["webhook"]["url"].endswith(f"/targetclusters/{call}")
