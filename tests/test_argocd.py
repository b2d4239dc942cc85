"""The health checks for Argo CD in the guide, run as Argo CD does: as Lua 5.1, on whole objects."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hooks.http.bounded_json import Json
from tests.documented.pages import DOCS, blocks
from tests.kstatus import created
from tests.targets.driving import target_cluster

pytestmark = pytest.mark.documentation
# Written in C, without types for the type checker.
lua51 = pytest.importorskip("lupa.lua51")

TARGET_CLUSTER = "targetcluster.example.com_TargetCluster"
LOAD_BALANCER = "cloudstack.targetcluster.example.com_CloudStackLoadBalancer"
GOLDEN = Path(__file__).parent / "golden" / "loadbalancers"


def health(kind: str, obj: Json) -> tuple[str, str]:
    """Return the status and the message of an object's health."""
    [config] = [
        loaded
        for block in blocks(DOCS / "guides" / "install.md", "yaml")
        if (loaded := yaml.safe_load(block.code))["kind"] == "ConfigMap"
    ]
    lua = lua51.LuaRuntime()
    lua.globals().obj = _table(lua, obj)
    found = lua.execute(config["data"][f"resource.customizations.health.{kind}"])
    return found["status"], found["message"]


def _table(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, item) for key, item in value.items()})
    if isinstance(value, list):
        return lua.table_from([_table(lua, item) for item in value])
    return value


def cluster(*conditions: tuple[str, str, str], generation: int = 1, **spec: Any) -> Json:
    """Return a TargetCluster whose status is of generation 1."""
    made = target_cluster(**spec)
    made["metadata"]["generation"] = generation
    rows = [dict(zip(("type", "status", "message"), each, strict=True)) for each in conditions]
    return {**made, "status": {"observedGeneration": 1, "conditions": rows}}


READY = ("Ready", "True", "it is healthy")


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(
            created(target_cluster(), "targetclusters"),
            ("Progressing", "not looked at yet"),
            id="new",
        ),
        pytest.param(target_cluster(), ("Progressing", "not looked at yet"), id="no status"),
        pytest.param(cluster(READY), ("Healthy", "it is healthy"), id="ready"),
        pytest.param(
            cluster(READY, generation=2), ("Progressing", "not looked at yet"), id="changed"
        ),
        pytest.param(cluster(READY, suspend=True), ("Suspended", "it is healthy"), id="suspended"),
        pytest.param(
            cluster(READY, ("Reconciling", "True", "not probed")),
            ("Progressing", "not probed"),
            id="reconciling",
        ),
        pytest.param(
            cluster(("Ready", "Unknown", ""), ("Stalled", "True", "no Secret")),
            ("Degraded", "no Secret"),
            id="stalled",
        ),
        pytest.param(
            cluster(("Ready", "False", "two nodes are gone")),
            ("Degraded", "two nodes are gone"),
            id="not ready",
        ),
        pytest.param(
            cluster(READY, ("ResourcesSynced", "False", "refused")),
            ("Degraded", "refused"),
            id="not synced",
        ),
        pytest.param(
            cluster(READY, ("ResourcesSynced", "Unknown", "")),
            ("Healthy", "it is healthy"),
            id="sync is not known",
        ),
        pytest.param(cluster(), ("Progressing", "not known yet"), id="nothing known"),
    ],
)
def test_a_target_cluster_is_as_healthy_as_its_conditions_say(
    obj: Json, expected: tuple[str, str]
) -> None:
    assert health(TARGET_CLUSTER, obj) == expected


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("01-first-look-chooses-an-address", "Progressing"),
        ("06-converged", "Healthy"),
        ("12-a-brought-address-of-another-service", "Degraded"),
        ("04-rules-are-created", "Progressing"),
    ],
)
def test_a_load_balancer_is_as_healthy_as_its_conditions_say(case: str, expected: str) -> None:
    request, plan = (
        json.loads((GOLDEN / case / f"{name}.json").read_text()) for name in ("request", "plan")
    )
    answered = {**request["parent"], "status": plan["response"]["status"]}
    assert health(LOAD_BALANCER, answered)[0] == expected
    fresh = created(request["parent"], "cloudstackloadbalancers")
    assert health(LOAD_BALANCER, fresh) == ("Progressing", "not looked at yet")
