"""The CRD on a real API server: what it refuses, fills in, and hands on to the hook."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hooks.http.bounded_json import Json
from hooks.targetclusters.request import Spec, read
from tests.controlplane import ControlPlane
from tests.controlplane.api import MERGE_PATCH, ApiError, Object
from tests.schemas import schema_of
from tests.targets.admitted import admitted
from tests.targets.driving import target_cluster

PATH = "/apis/targetcluster.example.com/v1alpha1/namespaces/default/targetclusters"


def admit(plane: ControlPlane, spec: Json) -> Object:
    """Return what the API server would store, without storing it. Raises ApiError."""
    body = target_cluster(namespace="default", **spec)
    for field in ("uid", "generation"):
        del body["metadata"][field]
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    return plane.api.call("POST", PATH, body, params=params)


def source(**fields: Any) -> Json:
    return {"resourceSyncPolicy": {"sources": [{"kind": "ConfigMap", **fields}]}}


def ignoring(*pointers: str) -> Json:
    ignored = {"kind": "ConfigMap", "jsonPointers": list(pointers)}
    return {"resourceSyncPolicy": {"ignoreDifferences": [ignored]}}


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        pytest.param({"monitorInterval": "soon"}, "spec.monitorInterval", id="no-duration"),
        pytest.param({"monitorInterval": "-5s"}, "spec.monitorInterval", id="before-now"),
        pytest.param({"monitorInterval": "999ms"}, "must be a second or more", id="too-often"),
        pytest.param(
            {"monitorInterval": "9" * 19 + "h"}, "spec.monitorInterval", id="longer-than-time"
        ),
        pytest.param({"kubeconfigSecret": "a/b"}, "spec.kubeconfigSecret", id="no-name"),
        pytest.param({"kubeconfigSecret": ""}, "spec.kubeconfigSecret", id="empty-name"),
        pytest.param({"failureThreshold": 0}, "spec.failureThreshold", id="no-threshold"),
        pytest.param(
            {"healthChecks": {"timeout": "6m"}}, "between a second and five minutes", id="too-long"
        ),
        pytest.param(
            {"healthChecks": {"minReadyNodes": "101%"}}, "minReadyNodes", id="more-than-all"
        ),
        pytest.param({"healthChecks": {"minReadyNodes": -1}}, "minReadyNodes", id="less-than-0"),
        pytest.param({"healthChecks": {"minReadyNodes": 1.5}}, "minReadyNodes", id="half-a-node"),
        pytest.param(
            {"healthChecks": {"podNamespaces": ["a", "a"]}}, "podNamespaces[1]", id="twice"
        ),
        pytest.param(source(), "either a name or a selector", id="a-source-of-nothing"),
        pytest.param(
            source(name="a", selector={"matchLabels": {"a": "b"}}),
            "either a name or a selector",
            id="a-source-of-two",
        ),
        pytest.param(
            source(selector={"matchLabels": {}}), "matchLabels", id="a-selector-of-everything"
        ),
        pytest.param(
            {"resourceSyncPolicy": {"sources": [{"kind": "Pod", "name": "a"}]}},
            'Unsupported value: "Pod"',
            id="a-pod",
        ),
        pytest.param(ignoring("data.a"), "jsonPointers[0]", id="no-pointer"),
        pytest.param(ignoring(), "jsonPointers", id="no-pointers"),
        pytest.param({"deletionPolicy": "Keep"}, "spec.deletionPolicy", id="no-policy"),
        pytest.param({"autoHealing": {"maxRetry": -1}}, "maxRetry", id="fewer-than-no-tries"),
        pytest.param({"suspended": True}, 'unknown field "spec.suspended"', id="misspelt"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    control_plane: ControlPlane, spec: Json, named: str
) -> None:
    with pytest.raises(ApiError) as refused:
        admit(control_plane, spec)
    assert named in refused.value.message


@pytest.mark.parametrize(
    ("status", "named"),
    [
        pytest.param({"version": "v" * 65}, "status.version", id="text"),
        pytest.param({"nodes": {"notReady": ["n"] * 11}}, "status.nodes.notReady", id="list"),
        pytest.param({"capacity": {f"r-{n}": "1" for n in range(17)}}, "status.capacity", id="map"),
        pytest.param(
            {"sync": {"results": [{"outcome": "Drifted", "object": "o", "fields": ["f" * 513]}]}},
            "status.sync.results[0].fields[0]",
            id="path of a field",
        ),
    ],
)
def test_a_status_beyond_its_bounds_is_refused(
    control_plane: ControlPlane, status: Json, named: str
) -> None:
    call = control_plane.api.call
    body: Json = {**target_cluster("bounds", "default"), "metadata": {"name": "bounds"}}
    with suppress(ApiError):  # it is there
        call("POST", PATH, body)
    headers = {"Content-Type": MERGE_PATCH}
    with pytest.raises(ApiError) as refused:
        call("PATCH", f"{PATH}/bounds/status", {"status": status}, headers=headers)
    assert f"{named}: Too" in refused.value.message


def test_defaults_are_filled_in(control_plane: ControlPlane) -> None:
    admitted = admit(control_plane, {})
    assert admitted["spec"] == {
        "monitorInterval": "30s",
        "failureThreshold": 2,
        "successThreshold": 1,
        "healthChecks": {
            "timeout": "10s",
            "minReadyNodes": 1,
            "podNamespaces": ["kube-system"],
            "minReadyPods": "100%",
        },
        "resourceSyncPolicy": {
            "enabled": False,
            "syncInterval": "5m",
            "prune": True,
            "allowEmpty": False,
            "driftPolicy": "Correct",
            "conflictPolicy": "Keep",
        },
        "autoHealing": {
            "enabled": False,
            "maxRetry": 3,
            "maxConcurrent": 1,
            "mode": "Repair",
            "nodeTimeout": "5m",
            "startupTimeout": "20m",
            "maxUnhealthy": "40%",
            "backoff": {"first": "5m", "longest": "30m"},
            "pods": {"enabled": False, "podTimeout": "10m"},
        },
        "deletionPolicy": "Orphan",
        "finalizeTimeout": "10m",
        "suspend": False,
    }
    assert read({"parent": admitted}, default_secret="target").spec == Spec("target")


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(spec=admitted(schema_of("targetclusters")["spec"].schema))
def test_what_the_api_server_admits_the_hook_understands(
    control_plane: ControlPlane, spec: Json
) -> None:
    refused: ApiError | None = None
    admitted: Object = {}
    try:
        admitted = admit(control_plane, spec)
    except ApiError as error:
        refused = error
    if refused is None:
        read_spec = read({"parent": admitted}, default_secret="target").spec
        assert read_spec.monitor_interval >= 1
    else:  # by a rule, which the generated specs know nothing of; by nothing else
        assert any(word in refused.message for word in ("must be", "a source has", "Duplicate"))
