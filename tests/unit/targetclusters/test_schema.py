"""What the CRD admits the hook understands, and what the hook answers the CRD admits."""

import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields
from prometheus_client import CollectorRegistry
from werkzeug.test import TestResponse

from hooks.http.bounded_json import Json
from hooks.kube.durations import PATTERN
from hooks.server.app import create_app
from hooks.server.auth import Authenticator
from hooks.server.metrics import Metrics
from hooks.targetclusters import request
from hooks.targetclusters.hook import TargetClustersHook
from hooks.targetclusters.request import Spec, Status
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import View
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube
from tests.schemas import CRDS, crd, schema_of
from tests.targets.admitted import admitted
from tests.targets.driving import target_cluster

SCHEMA = schema_of("targetclusters")
SPECS, STATUSES = SCHEMA["spec"], SCHEMA["status"]
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATHS = st.sampled_from(["sync", "finalize"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(st.characters(max_codepoint=0x2FF)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    hook = TargetClustersHook(dependencies(MemoryKube(), clock=lambda: 1_800_000_000.0))
    metrics = Metrics(CollectorRegistry())
    authenticator = Authenticator(None, client_certificates=False)
    app = create_app(
        {"targetclusters": hook}, authenticator=authenticator, metrics=metrics, deadline_seconds=8
    )
    yield app.test_client()
    hook.close()


def spec_of(cluster: Json) -> Spec:
    return request.read({"parent": cluster}, default_secret="target").spec


def read(answer: TestResponse) -> Json:
    body: Json = json.loads(answer.text)
    return body


@SLOW
@given(spec=admitted(SPECS.schema))
def test_every_spec_that_the_schema_admits_is_understood(spec: Json) -> None:
    understood = spec_of(target_cluster(**spec))
    assert 1 <= understood.monitor_interval <= 365 * 86400
    assert 1 <= understood.sync.interval <= 365 * 86400
    assert 1 <= understood.health.timeout <= 300
    assert 0 <= understood.finalize_timeout <= 365 * 86400


@SLOW
@given(
    spec=admitted(SPECS.schema),
    status=admitted(STATUSES.schema),
    deleted=st.booleans(),
)
def test_the_answer_is_what_the_schema_admits(
    client: FlaskClient, spec: Json, status: Json, deleted: bool
) -> None:
    cluster = {**target_cluster(**spec), "status": status}
    if deleted:
        metadata = cluster["metadata"]
        cluster["metadata"] = {**metadata, "deletionTimestamp": "2027-01-15T07:59:00Z"}
    path = "/targetclusters/" + ("finalize" if deleted else "sync")
    answer = client.post(path, data=json.dumps({"parent": cluster, "children": {}}))
    assert answer.status_code == 200, answer.text
    # Text that others wrote is answered as it was; its form was checked when it was written.
    written = {
        key: value for key, value in read(answer)["status"].items() if value != status.get(key)
    }
    written.pop("conditions")
    assert STATUSES.problems(written) == []


@SLOW
@given(body=JSON_VALUES, path=PATHS)
def test_no_body_is_an_error_of_ours(client: FlaskClient, body: object, path: str) -> None:
    answer = client.post(f"/targetclusters/{path}", data=json.dumps(body))
    assert answer.status_code == 400


PARTS = ["metadata", "spec", "status", "name", "namespace", "generation", "conditions", "probe"]


@SLOW
@given(
    parent=st.recursive(
        st.none() | st.integers(-3, 3) | st.sampled_from(["a", "30s", "True"]),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=5)
        ),
        max_leaves=10,
    ),
    children=JSON_VALUES,
    path=PATHS,
)
def test_no_object_is_an_error_of_ours(
    client: FlaskClient, parent: Any, children: Any, path: str
) -> None:
    body = {"parent": parent, "children": children}
    answer = client.post(f"/targetclusters/{path}", data=json.dumps(body))
    assert answer.status_code in (200, 400), answer.text


@SLOW
@given(data=JSON_VALUES, name=st.sampled_from(["example-inventory", "x", "example-inventory-9"]))
def test_no_child_is_an_error_of_ours(client: FlaskClient, data: Any, name: str) -> None:
    child = {"metadata": {"name": name, "namespace": "team"}, "data": {"entries.jsonl": data}}
    body = {"parent": target_cluster(), "children": {"ConfigMap.v1": {f"team/{name}": child}}}
    answer = client.post("/targetclusters/sync", data=json.dumps(body))
    assert answer.status_code == 200, answer.text
    assert [kept["metadata"]["name"] for kept in read(answer)["children"]] == [name]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"monitorInterval": "soon"}, "monitorInterval", id="no-duration"),
        pytest.param({"kubeconfigSecret": "../../other/secrets/s"}, "kubeconfigSecret", id="path"),
        pytest.param({"kubeconfigSecret": "A"}, "kubeconfigSecret", id="no-name"),
        pytest.param({"deletionPolicy": "delete"}, "deletionPolicy", id="no-policy"),
        pytest.param(
            {"resourceSyncPolicy": {"driftPolicy": 7}}, "resourceSyncPolicy.driftPolicy", id="type"
        ),
        pytest.param(
            {"resourceSyncPolicy": {"ignoreDifferences": [{"kind": "A", "jsonPointers": ["a"]}]}},
            "resourceSyncPolicy.ignoreDifferences[0].jsonPointers[0]",
            id="no-pointer",
        ),
        pytest.param(
            {"healthChecks": {"minReadyNodes": "80"}}, "healthChecks.minReadyNodes", id="no-share"
        ),
        pytest.param(
            {"healthChecks": {"minReadyNodes": True}}, "healthChecks.minReadyNodes", id="bool"
        ),
        pytest.param(
            {"healthChecks": {"podNamespaces": ["a/b"]}},
            "healthChecks.podNamespaces[0]",
            id="no-namespace",
        ),
    ],
)
def test_what_the_schema_refuses_is_refused_by_name(
    client: FlaskClient, spec: Json, field: str
) -> None:
    assert SPECS.problems(spec)
    answer = client.post(
        "/targetclusters/sync", data=json.dumps({"parent": target_cluster(**spec)})
    )
    assert answer.status_code == 400
    assert read(answer)["field"] == f"parent.spec.{field}"


@pytest.mark.parametrize("part", ["name", "namespace"])
@pytest.mark.parametrize("value", ["", "../x", "a/b", "A", "x" * 254])
def test_a_name_that_is_none_gets_nowhere_near_a_path(
    client: FlaskClient, part: str, value: str
) -> None:
    cluster = target_cluster()
    cluster["metadata"][part] = value
    answer = client.post("/targetclusters/sync", data=json.dumps({"parent": cluster}))
    assert answer.status_code == 400
    assert read(answer)["field"] == f"parent.metadata.{part}"


def test_the_hooks_defaults_are_those_of_the_schema() -> None:
    def defaults(part: Json) -> Any:
        if "properties" not in part:
            return part.get("default")
        inner = {key: defaults(value) for key, value in part["properties"].items()}
        return {key: value for key, value in inner.items() if value not in (None, {})}

    written = defaults(SPECS.schema)
    filled = spec_of(target_cluster(**written))
    empty = spec_of(target_cluster())
    assert filled == empty == Spec("target")
    suspended = spec_of(target_cluster(suspend=True))
    assert msgspec.structs.replace(empty, suspend=True) == suspended


def test_every_duration_is_checked_by_the_pattern_that_reads_it() -> None:
    text = (CRDS / "targetclusters.yaml").read_text()
    found = [line.split("pattern: ")[1] for line in text.splitlines() if "(ms|s|m|h)" in line]
    assert len(found) == 10
    assert set(found) == {PATTERN}


def test_every_field_has_its_sentence() -> None:
    def undescribed(part: Json, at: str) -> list[str]:
        missing = [] if "description" in part else [at]
        for key, inner in part.get("properties", {}).items():
            missing += undescribed(inner, f"{at}.{key}")
        if "items" in part and "properties" in part["items"]:
            missing += undescribed({"description": "", **part["items"]}, f"{at}[]")
        return missing

    assert undescribed(SPECS.schema, "spec") == []


def test_the_hook_reads_only_fields_that_the_schema_has() -> None:
    def unknown(kind: Any, part: Json, at: str) -> list[str]:
        if get_origin(kind) is tuple:
            return unknown(get_args(kind)[0], part.get("items", {}), f"{at}[]")
        if not (isinstance(kind, type) and issubclass(kind, View)):
            return []
        known = part.get("properties", {})
        return [
            name
            for key, inner in ((each.encode_name, each.type) for each in fields(kind))
            for name in (
                unknown(inner, known[key], f"{at}.{key}") if key in known else [f"{at}.{key}"]
            )
        ]

    assert unknown(Spec, SPECS.schema, "spec") == []
    assert unknown(Status, STATUSES.schema, "status") == []


def test_the_crd_is_what_was_promised() -> None:
    made = crd("targetclusters")
    assert made["metadata"]["name"] == "targetclusters.targetcluster.example.com"
    [version] = made["spec"]["versions"]
    assert (version["name"], made["spec"]["names"]["kind"]) == ("v1alpha1", "TargetCluster")
    assert made["spec"]["scope"] == "Namespaced"
    assert version["subresources"] == {"status": {}}
    columns = [c["name"] for c in version["additionalPrinterColumns"] if not c.get("priority")]
    assert columns == ["Ready", "Version", "Nodes", "Synced", "Healing", "Age"]


def test_a_bad_request_says_what_would_be_right() -> None:
    with pytest.raises(BadRequest, match="is 'soon', must be a duration such as 30s"):
        spec_of(target_cluster(monitorInterval="soon"))
