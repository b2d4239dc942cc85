import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.kube.kinds import (
    MAX_KINDS,
    MAX_VERSIONS,
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
            {"name": "evils", "kind": "E" * 64, "namespaced": False},
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
    evil = {"name": "evil", "versions": [{"groupVersion": "../v1"}, {"groupVersion": "v" * 999}]}
    answer = {"groups": [group, 5, evil]}
    assert parse_group_list(answer) == {"batch": ["batch/v1", "batch/v1beta1"]}
    assert version_path("batch/v1") == "/apis/batch/v1"


def test_more_kinds_or_versions_than_any_honest_target_has_are_refused() -> None:
    kinds = [{"name": f"a{n}", "kind": f"A{n}"} for n in range(MAX_KINDS + 1)]
    assert len(parse_resource_list("v1", {"resources": kinds[1:] * 2})) == MAX_KINDS
    with pytest.raises(ValueError, match=f"lists more than {MAX_KINDS} kinds"):
        parse_resource_list("v1", {"resources": kinds})
    versions = [{"groupVersion": f"g{n}/v1"} for n in range(MAX_VERSIONS + 1)]
    groups = [{"name": "g", "versions": [version]} for version in versions]
    assert len(parse_group_list({"groups": groups[1:] * 2})) == MAX_VERSIONS
    for many in (groups, [{"name": "g", "versions": versions}]):
        with pytest.raises(ValueError, match=f"lists more than {MAX_VERSIONS} versions of groups"):
            parse_group_list({"groups": many})


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
