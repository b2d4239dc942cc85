import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.targetclusters.sources.plan.manifests import MAX_PROBLEMS, read_manifests

WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
OBJECT = "must be an object with apiVersion, kind and metadata"


def read(text: str) -> tuple[list[Json], list[str]]:
    found = read_manifests("ConfigMap/app", {"app.yaml": text})
    return [one.body for one in found.objects], [str(problem) for problem in found.problems]


def test_each_document_of_each_key_is_an_object_in_the_order_of_the_keys() -> None:
    texts = {
        "b.yaml": WEB,
        "a.yaml": f"# nothing\n---\n{WEB.replace('web', 'x')}---\n{WEB.replace('web', 'y')}",
    }
    found = read_manifests("ConfigMap/app", texts)
    assert [one.body["metadata"]["name"] for one in found.objects] == ["x", "y", "web"]
    assert {one.source for one in found.objects} == {"ConfigMap/app"}
    assert found.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[]", f"{OBJECT}, not a list", id="list"),
        pytest.param("web", f"{OBJECT}, not a string", id="text"),
        pytest.param("5", f"{OBJECT}, not a number", id="number"),
        pytest.param(
            "kind: X",
            "apiVersion: is missing; must be a version such as v1 or apps/v1",
            id="no version",
        ),
        pytest.param(
            "apiVersion: 1",
            "apiVersion: must be a version such as v1 or apps/v1",
            id="number as version",
        ),
        pytest.param(
            "apiVersion: ../v1",
            "apiVersion: must be a version such as v1 or apps/v1",
            id="path as version",
        ),
        pytest.param(
            "apiVersion: v1", "kind: is missing; must be a kind such as ConfigMap", id="no kind"
        ),
        pytest.param(
            "{apiVersion: v1, kind: a/b}",
            "kind: must be a kind such as ConfigMap",
            id="path as kind",
        ),
        pytest.param("{apiVersion: v1, kind: X}", "metadata: must be a map", id="no metadata"),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: []}",
            "metadata: must be a map",
            id="list as metadata",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {}}", "metadata.name: is missing", id="no name"
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {generateName: x}}",
            "metadata.name: is missing; objects are synced by their name",
            id="generated name",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {name: 5}}",
            "metadata.name: must be a string of 1 to 253 characters",
            id="number as name",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {name: a/../b}}",
            "metadata.name: must not hold /",
            id="path as name",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {name: ..}}",
            "metadata.name: must not hold /",
            id="parent as name",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {name: a, namespace: A}}",
            "metadata.namespace: must be the name of a namespace",
            id="bad namespace",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {name: a, labels: {x: 5}}}",
            "metadata.labels[x]: must be a string; write it in quotes",
            id="number as label",
        ),
        pytest.param(
            "{apiVersion: v1, kind: X, metadata: {name: a, annotations: []}}",
            "metadata.annotations: must be a map of strings",
            id="list as annotations",
        ),
        pytest.param(
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {x: 5}}",
            "stringData[x]: must be a string; write it in quotes",
            id="number in a secret",
        ),
        pytest.param(
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {x: y}, data: []}",
            "data: must be a map of strings",
            id="list as a secret's data",
        ),
        pytest.param(
            "{apiVersion: v1, kind: List, items: 5}", "items: must be an object", id="no list"
        ),
        pytest.param("a: {b: 1, b: 2}", "a.b: is a duplicate key", id="key twice"),
        pytest.param("{", "line 6, column 1: is not YAML", id="no YAML"),
    ],
)
def test_a_problem_names_source_key_document_and_field(text: str, problem: str) -> None:
    objects, problems = read(f"{WEB}---\n{text}")
    assert [one["metadata"]["name"] for one in objects] == ["web"]
    assert len(problems) == 1
    where = "ConfigMap/app, key app.yaml, document 2: "
    assert problems[0].startswith(where)
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        pytest.param("prune", "no", "is 'no', must be true or false", id="prune"),
        pytest.param("replace", "True", "is 'True', must be true or false", id="replace"),
        pytest.param("drift", "report", "is 'report', must be Correct or Report", id="drift"),
    ],
)
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_switch_with_a_wrong_value_is_named_without_a_secrets_value(
    kind: str, annotation: str, value: str, problem: str
) -> None:
    key = f"targetcluster.example.com/{annotation}"
    one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "annotations": {key: value}}}
    objects, (found,) = read(json.dumps({"apiVersion": "v1", "kind": "List", "items": [one]}))
    assert objects == []
    right = problem if kind == "ConfigMap" else problem.partition(", ")[2]
    assert found == (
        "ConfigMap/app, key app.yaml, document 1: "
        f'{kind} a, items[0].metadata.annotations["{key}"]: {right}'
    )


def test_a_switch_that_does_not_exist_is_named_with_the_nearest_and_the_object_stays() -> None:
    def annotated(*words: str) -> str:
        annotations = {f"targetcluster.example.com/{word}": "false" for word in words}
        metadata = {"name": "a", "annotations": annotations}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    objects, (found,) = read(annotated("prun"))
    assert len(objects) == 1
    assert found == (
        "ConfigMap/app, key app.yaml, document 1: ConfigMap a, "
        'metadata.annotations["targetcluster.example.com/prun"]: there is no such annotation, so '
        "it has no effect; is targetcluster.example.com/prune meant?"
    )
    assert read(annotated("prune", "replace", "takeover-from", "owner", "applied-hash"))[1] == []
    problems = read(annotated("xyz", *(f"prune{number}" for number in range(100))))[1]
    assert len(problems) == 4


def names(document: object) -> list[tuple[str, str]]:
    objects, problems = read(json.dumps(document))
    assert problems == []
    return [(one["kind"], one["metadata"]["name"]) for one in objects]


def test_lists_are_read_as_kubectl_reads_them() -> None:
    bare, whole = {"metadata": {"name": "a"}}, {"apiVersion": "v1", "kind": "Secret"}
    a_list = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [bare]}
    assert names(a_list) == [("ConfigMap", "a")]
    roles = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleList", "items": [bare]}
    assert names(roles) == [("Role", "a")]
    around = {"apiVersion": "v1", "kind": "List", "items": [a_list, {**whole, **bare}]}
    assert names(around) == [("ConfigMap", "a"), ("Secret", "a")]
    assert names({"apiVersion": "v1", "kind": "List", "items": None}) == []


def test_a_problem_in_a_list_within_a_list_is_found() -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [None]}
    _, (problem,) = read(json.dumps({"apiVersion": "v1", "kind": "List", "items": [inner]}))
    assert "items[0].items[0]: must be an object" in problem


def test_a_list_is_its_items_and_a_bad_one_hides_no_other() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    items = [item, {"kind": "X"}, 5, {**item, "metadata": {"name": "b"}}]
    objects, problems = read(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert [one["metadata"]["name"] for one in objects] == ["a", "b"]
    assert [problem.partition("document 1: ")[2] for problem in problems] == [
        "items[1].apiVersion: is missing; must be a version such as v1 or apps/v1",
        "items[2]: must be an object with apiVersion, kind and metadata, not a number",
    ]


def test_what_an_api_server_or_another_tool_says_of_an_object_is_left_out() -> None:
    (body,), problems = read(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "web",
                    "namespace": "shop",
                    "uid": "u",
                    "resourceVersion": "1",
                    "generation": 2,
                    "creationTimestamp": None,
                    "managedFields": [],
                    "ownerReferences": [{"uid": "v"}],
                    "finalizers": ["example.org/keep"],
                    "labels": {"app": "web", "applyset.kubernetes.io/part-of": "another"},
                    "annotations": {
                        "kubectl.kubernetes.io/last-applied-configuration": "{}",
                        "argocd.argoproj.io/tracking-id": "x",
                    },
                },
                "data": {"a": "b"},
                "status": {"ready": True},
            }
        )
    )
    assert problems == []
    assert body == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "finalizers": ["example.org/keep"],
            "labels": {"app": "web"},
        },
        "data": {"a": "b"},
    }


def test_what_tools_on_the_target_read_is_content() -> None:
    read_there = {
        "argocd.argoproj.io/secret-type": "repository",
        "kapp.k14s.io/change-group": "x",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
        "olm.managed": "true",
        "olm.owner-not": "x",
    }
    metadata = {"name": "a", "labels": {**read_there, "olm.owner": "x"}, "annotations": read_there}
    (body,), _ = read(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}))
    assert body["metadata"] == {"name": "a", "labels": read_there, "annotations": read_there}


def test_a_secrets_texts_become_data_which_a_target_shows_again() -> None:
    (body,), _ = read(
        "{apiVersion: v1, kind: Secret, metadata: {name: s},"
        " data: {a: eA==, b: eA==}, stringData: {b: hunter2}}"
    )
    assert body["data"] == {"a": "eA==", "b": base64.b64encode(b"hunter2").decode()}
    assert "stringData" not in body


@pytest.mark.parametrize(
    ("kind", "source", "confidential"),
    [
        pytest.param("ConfigMap", "ConfigMap/x", False, id="public"),
        pytest.param("Secret", "ConfigMap/x", True, id="a secret"),
        pytest.param("ConfigMap", "Secret/x", True, id="out of a secret"),
    ],
)
def test_what_is_or_comes_from_a_secret_is_confidential(
    kind: str, source: str, confidential: bool
) -> None:
    text = WEB.replace("ConfigMap", kind)
    (one,) = read_manifests(source, {"k": text}).objects
    assert one.is_confidential is confidential


def test_of_many_problems_the_first_are_told_and_the_rest_is_counted() -> None:
    _, problems = read("---\n5\n" * (MAX_PROBLEMS + 7))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == "ConfigMap/app: 7 more problems"


FIELDS = st.sampled_from(
    ["apiVersion", "kind", "metadata", "name", "namespace", "labels", "annotations", "items"]
) | st.sampled_from(["stringData", "data", "uid", "x"])
WORDS = st.sampled_from(["v1", "apps/v1", "ConfigMap", "Secret", "List", "a", "..", "", "\ud800"])
NEAR_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=15,
)


@given(NEAR_OBJECTS)
def test_never_fails_and_what_it_reads_is_json_with_a_name(value: object) -> None:
    for text in (json.dumps(value), str(value)):
        found = read_manifests("Secret/s", {"k": text})
        for one in found.objects:
            json.dumps(one.body, allow_nan=False).encode()
            assert isinstance(one.body["metadata"]["name"], str)
        for problem in found.problems:
            assert problem.where.startswith("key k, document ")
