import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.targetclusters.sources.plan.manifests import SourceContents
from hooks.targetclusters.sources.plan.selection import (
    Selector,
    Source,
    parse_sources,
    read_contents,
    relocate,
    why_not_a_source,
)
from hooks.targetclusters.sync.plan.model import Switches

AT = "resourceSyncPolicy.sources[0]"
SELECTOR = "must be a selector with matchLabels that labels can have, and at least one"


def cluster(**policy: Any) -> Json:
    metadata = {"name": "web", "namespace": "fleet"}
    return {"metadata": metadata, "spec": {"resourceSyncPolicy": policy}}


def config_map(**changes: Any) -> Json:
    return {"metadata": {"name": "app", "namespace": "fleet"}, **changes}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="empty spec"),
        pytest.param(None, id="no spec"),
        pytest.param({"resourceSyncPolicy": {"enabled": True}}, id="no sources"),
    ],
)
def test_left_out_the_sources_are_those_labelled(spec: Json | None) -> None:
    found = parse_sources({"metadata": {"name": "web", "namespace": "fleet"}, "spec": spec})
    selector = Selector("targetcluster.example.com/sync=true")
    assert found.valid == (
        Source("ConfigMap", selector=selector),
        Source("Secret", selector=selector),
    )
    assert (found.namespace, found.problems) == ("fleet", ())


def test_an_empty_list_is_no_source_at_all() -> None:
    found = parse_sources(cluster(sources=[]))
    assert (found.valid, found.problems) == ((), ())


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        pytest.param({"kind": "Secret", "name": "tls"}, Source("Secret", name="tls"), id="by name"),
        pytest.param(
            {"kind": "ConfigMap", "name": "app", "as": "Manifests", "namespace": "fleet"},
            Source("ConfigMap", "Manifests", name="app", namespace="fleet"),
            id="manifests",
        ),
        pytest.param(
            {"kind": "ConfigMap", "name": "app", "targetName": "b", "targetNamespace": "c"},
            Source("ConfigMap", name="app", target_name="b", target_namespace="c"),
            id="under another name",
        ),
        pytest.param(
            {"kind": "ConfigMap", "selector": {"matchLabels": {"b": "2", "a": ""}}},
            Source("ConfigMap", selector=Selector("a=,b=2")),
            id="by labels",
        ),
    ],
)
def test_a_source_is_read(entry: Json, source: Source) -> None:
    found = parse_sources(cluster(sources=[entry]))
    assert found.valid == (source,)
    assert found.problems == ()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        pytest.param(5, ": must be an object, is a number", id="no map"),
        pytest.param(
            {"name": "a"}, ".kind: is missing; it must be ConfigMap or Secret", id="no kind"
        ),
        pytest.param(
            {"kind": ["Secret"], "name": "a"},
            ".kind: is ['Secret'], must be ConfigMap or Secret",
            id="kinds",
        ),
        pytest.param(
            {"kind": "Secret", "name": "a", "as": "Helm"},
            ".as: is 'Helm', must be Copy or Manifests",
            id="as",
        ),
        pytest.param(
            {"kind": "Secret", "name": "a", "namespace": "kube-system"},
            ".namespace: must be the TargetCluster's own; leave it out",
            id="another namespace",
        ),
        pytest.param(
            {"kind": "Secret"}, ": must have a name or a selector, and not both", id="neither"
        ),
        pytest.param(
            {"kind": "Secret", "name": "a", "selector": {"matchLabels": {"a": "b"}}},
            ": must have a name or a selector, and not both",
            id="both",
        ),
        pytest.param(
            {"kind": "Secret", "name": "../a"},
            ".name: is '../a', must be a name such as web-1: lower-case letters, digits, - and .",
            id="path as name",
        ),
        pytest.param({"kind": "Secret", "selector": {}}, SELECTOR, id="everything"),
        pytest.param(
            {"kind": "Secret", "selector": {"matchLabels": {"a": "b,c"}}}, SELECTOR, id="two values"
        ),
        pytest.param(
            {"kind": "Secret", "selector": {"matchLabels": {"a b": "c"}}}, SELECTOR, id="bad key"
        ),
        pytest.param(
            {"kind": "Secret", "selector": {"matchLabels": {"a": "b"}, "matchExpressions": []}},
            SELECTOR,
            id="expressions",
        ),
        pytest.param(
            {"kind": "Secret", "name": "a", "as": "Manifests", "targetName": "b"},
            ".targetName: must be the name of a copy, of a source with a name",
            id="name for manifests",
        ),
        pytest.param(
            {"kind": "Secret", "name": "a", "targetNamespace": "A"},
            ".targetNamespace: is 'A', must be the name of a namespace",
            id="bad target namespace",
        ),
    ],
)
def test_a_source_that_cannot_be_followed_is_named_and_the_others_are(
    entry: Json, problem: str
) -> None:
    good = {"kind": "ConfigMap", "name": "good"}
    found = parse_sources(cluster(sources=[entry, good]))
    assert [source.name for source in found.valid] == ["good"]
    (found_problem,) = map(str, found.problems)
    assert found_problem.startswith(AT)
    assert found_problem.endswith(problem)


def test_a_bad_target_namespace_sends_nothing_elsewhere() -> None:
    found = parse_sources(
        cluster(targetNamespace="Shop", sources=[{"kind": "Secret", "name": "a"}])
    )
    assert found.valid == ()
    assert str(found.problems[0]) == (
        "resourceSyncPolicy.targetNamespace: is 'Shop', must be the name of a namespace"
    )


@pytest.mark.parametrize(
    ("policy", "source", "manifest", "namespace"),
    [
        pytest.param("", "", "", "fleet", id="names none: the source's"),
        pytest.param("", "", "team", "team", id="its own"),
        pytest.param("all", "", "team", "all", id="overridden"),
        pytest.param("all", "one", "team", "one", id="overridden by its source"),
    ],
)
def test_an_object_goes_to(policy: str, source: str, manifest: str, namespace: str) -> None:
    entry = {"kind": "ConfigMap", "name": "app", "as": "Manifests"}
    entry |= {"targetNamespace": source} if source else {}
    everything = {"targetNamespace": policy} if policy else {}
    found = parse_sources(cluster(**everything, sources=[entry]))
    own = f", namespace: {manifest}" if manifest else ""
    text = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a{own}}}}}"
    (one,) = read_contents(found.valid[0], config_map(data={"k": text})).objects
    one = relocate(found.valid[0], one)
    assert one.namespace == namespace


@pytest.mark.parametrize(
    ("kind", "metadata", "refused"),
    [
        pytest.param("Secret", {"name": "kubeconfig"}, "holds the kubeconfig", id="kubeconfig"),
        pytest.param("ConfigMap", {"name": "kubeconfig"}, "", id="its name on a ConfigMap"),
        pytest.param(
            "ConfigMap",
            {
                "name": "web-inventory",
                "ownerReferences": [
                    {"apiVersion": "targetcluster.example.com/v1alpha1", "kind": "TargetCluster"}
                ],
            },
            "is an inventory",
            id="inventory",
        ),
        pytest.param(
            "ConfigMap",
            {"name": "a", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment"}]},
            "",
            id="somebody else's child",
        ),
    ],
)
def test_refuses(kind: Any, metadata: Json, refused: str) -> None:
    assert why_not_a_source(kind, metadata, kubeconfig_secrets={"kubeconfig"}).startswith(refused)
    assert bool(why_not_a_source(kind, metadata, kubeconfig_secrets={"kubeconfig"})) is bool(
        refused
    )


def test_a_copy_is_the_object_less_what_ties_it_to_its_cluster() -> None:
    obj = {
        "metadata": {
            "name": "app",
            "namespace": "fleet",
            "uid": "u",
            "resourceVersion": "1",
            "finalizers": ["x/y"],
            "ownerReferences": [{"uid": "v"}],
            "labels": {
                "targetcluster.example.com/sync": "true",
                "app": "web",
                "app.kubernetes.io/instance": "shop",
                "app.kubernetes.io/managed-by": "Helm",
                "helm.sh/chart": "shop-1.0",
                "kapp.k14s.io/app": "1",
                "olm.owner": "x",
                "operators.coreos.com/shop": "",
            },
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "argocd.argoproj.io/tracking-id": "x",
                "meta.helm.sh/release-name": "shop",
                "kapp.k14s.io/identity": "x",
                "config.k8s.io/owning-inventory": "x",
                "objectset.rio.cattle.io/id": "x",
            },
        },
        "data": {"a": "b"},
        "binaryData": {"c": "ZA=="},
        "immutable": True,
    }
    (copy,) = read_contents(Source("ConfigMap"), obj).objects
    assert copy.source == "ConfigMap/app"
    assert copy.body == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "app", "namespace": "fleet", "labels": {"app": "web"}},
        "data": {"a": "b"},
        "binaryData": {"c": "ZA=="},
        "immutable": True,
    }
    assert not copy.is_confidential


def test_a_secret_keeps_its_type_and_is_confidential() -> None:
    obj = config_map(type="kubernetes.io/tls", data={"tls.key": "eA=="})
    (copy,) = read_contents(Source("Secret"), obj).objects
    assert copy.body["type"] == "kubernetes.io/tls"
    assert copy.is_confidential


def test_a_copy_may_have_another_name_and_namespace() -> None:
    source = Source("ConfigMap", target_name="b", target_namespace="c")
    (held,) = read_contents(source, config_map()).objects
    copy = relocate(source, held)
    assert (copy.body["metadata"]["name"], copy.namespace) == ("b", "c")


def test_switches_are_read_of_a_copy_and_a_wrong_one_is_a_problem() -> None:
    def copy(value: str) -> SourceContents:
        annotations = {"targetcluster.example.com/prune": value}
        metadata = {"name": "app", "namespace": "fleet", "annotations": annotations}
        return read_contents(Source("ConfigMap"), {"metadata": metadata})

    (one,) = copy("false").objects
    assert (one.switches, one.body["metadata"].get("annotations")) == (Switches("false"), None)
    metadata = {"name": "app", "annotations": {"targetcluster.example.com/Drift": "Report"}}
    unknown = read_contents(Source("Secret"), {"metadata": metadata})
    assert len(unknown.objects) == 1
    assert "is targetcluster.example.com/drift meant?" in str(unknown.problems[0])
    found = copy("no")
    assert found.objects == ()
    (problem,) = map(str, found.problems)
    assert problem == (
        'ConfigMap/app: ConfigMap app, metadata.annotations["targetcluster.example.com/prune"]: '
        "is 'no', must be true or false"
    )


def test_the_token_of_a_service_account_is_refused() -> None:
    obj = config_map(type="kubernetes.io/service-account-token")
    found = read_contents(Source("Secret"), obj)
    assert found.objects == ()
    assert "token of a service account" in str(found.problems[0])


MANIFEST = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"


@pytest.mark.parametrize(
    ("kind", "obj", "count", "problem"),
    [
        pytest.param("ConfigMap", {"data": {"k": MANIFEST}}, 1, None, id="ConfigMap"),
        pytest.param(
            "Secret",
            {"data": {"k": base64.b64encode(MANIFEST.encode()).decode()}},
            1,
            None,
            id="Secret",
        ),
        pytest.param("ConfigMap", {}, 0, None, id="empty"),
        pytest.param(
            "ConfigMap",
            {"data": {"k": MANIFEST}, "binaryData": {"b": "AA=="}},
            1,
            "ConfigMap/app, key b: holds bytes; manifests are texts in data",
            id="bytes",
        ),
        pytest.param(
            "Secret",
            {"data": {"k": "/w=="}},
            0,
            "Secret/app, key k: must be a text in UTF-8",
            id="no text",
        ),
    ],
)
def test_manifests_are_read_from(kind: Any, obj: Json, count: int, problem: str | None) -> None:
    source = Source(kind, "Manifests", target_namespace="there")
    found = read_contents(source, config_map(**obj))
    assert len(found.objects) == count
    assert {relocate(source, one).namespace for one in found.objects} <= {"there"}
    assert all(one.is_confidential is (kind == "Secret") for one in found.objects)
    assert [str(one) for one in found.problems] == ([problem] if problem else [])


KEYS = st.sampled_from(
    ["kind", "as", "name", "namespace", "selector", "matchLabels", "matchExpressions", "key"]
) | st.sampled_from(["operator", "values", "targetName", "targetNamespace", "sources"])
WORDS = st.sampled_from(["ConfigMap", "Secret", "Copy", "Manifests", "fleet", "In", "Exists", "a"])
POLICIES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@given(POLICIES, POLICIES)
def test_never_fails_and_names_every_source_that_it_does_not_take(
    sources: object, target_namespace: object
) -> None:
    found = parse_sources(cluster(sources=sources, targetNamespace=target_namespace))
    for source in found.valid:
        assert bool(source.name) != bool(source.selector)
    if isinstance(sources, list) and target_namespace is None:
        assert len(found.valid) + len(found.problems) == len(sources)
