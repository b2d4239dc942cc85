import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.plan.kinds import (
    Kind,
    parse_crd,
    parse_group_list,
    parse_resource_list,
    version_path,
)


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "path"),
    [
        pytest.param(
            Kind("v1", "Pod", "pods", namespaced=True), "a", "b", "/api/v1/namespaces/a/pods/b",
            id="core",
        ),
        pytest.param(
            Kind("apps/v1", "Deployment", "deployments", namespaced=True), "", "",
            "/apis/apps/v1/deployments", id="all namespaces",
        ),
        pytest.param(
            Kind("v1", "Node", "nodes", namespaced=False), "a", "b", "/api/v1/nodes/b",
            id="cluster-scoped",
        ),
        pytest.param(
            Kind("v1", "Pod", "pods", namespaced=True), "a/b", "c d",
            "/api/v1/namespaces/a%2Fb/pods/c%20d", id="odd names",
        ),
    ],
)  # fmt: skip
def test_paths(kind: Kind, namespace: str, name: str, path: str) -> None:
    assert kind.path(namespace, name) == path


def test_kinds_are_read_and_subresources_left_out() -> None:
    answer = {
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
            {"name": "../evil", "kind": "Evil", "namespaced": False},
            "nonsense",
        ]
    }
    assert parse_resource_list("apps/v1", answer) == {
        "Deployment": Kind("apps/v1", "Deployment", "deployments", namespaced=True)
    }


def test_versions_are_read_with_the_preferred_one_first() -> None:
    group = {
        "name": "batch",
        "versions": [{"groupVersion": "batch/v1beta1"}, {"groupVersion": "batch/v1"}],
        "preferredVersion": {"groupVersion": "batch/v1"},
    }
    assert parse_group_list({"groups": [group, 5]}) == {"batch": ("batch/v1", "batch/v1beta1")}
    assert version_path("batch/v1") == "/apis/batch/v1"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "groups",
                    "versions",
                    "preferredVersion",
                    "groupVersion",
                    "name",
                    "resources",
                    "kind",
                ]
            )
            | st.sampled_from(["spec", "names", "plural", "group", "served"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["groups", "resources", "spec"]), JSON_VALUES))
def test_a_target_may_answer_anything(answer: Json) -> None:
    parse_resource_list("v1", answer)
    parse_group_list(answer)
    parse_crd(answer)
