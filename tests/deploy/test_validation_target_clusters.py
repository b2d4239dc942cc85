"""The admission policies for TargetClusters: what would fail later is said at once, and why."""

import json
from collections.abc import Callable

import pytest

from hooks.targetclusters.sources.plan.selection import parse_sources, why_not_a_source
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import ApiError, Object
from tests.controlplane.cluster import KubectlError
from tests.deploy.rendering import DEPLOY, PROJECT

POLICIES = DEPLOY / "components" / "target-cluster-operator-validation"
WATCHED = "target-cluster-system"
PATH = f"/apis/targetcluster.example.com/v1alpha1/namespaces/{WATCHED}/targetclusters"


def source(kind: str = "ConfigMap", **fields: object) -> Object:
    return {"kind": kind, **fields}


def labelled(key: str, value: str) -> Object:
    return source(selector={"matchLabels": {key: value}})


GOOD = [
    pytest.param([], id="none"),
    pytest.param([source(name="a", namespace=WATCHED)], id="its own namespace"),
    pytest.param([source(name="a", namespace="")], id="no namespace"),
    pytest.param([source("Secret", name="other")], id="another Secret"),
    pytest.param([source(name="shop-kubeconfig")], id="a ConfigMap called as the Secret"),
    pytest.param([source(name="a", targetName="b")], id="a copy of another name"),
    pytest.param([labelled("example.com/tier", "web")], id="a key with a prefix"),
    pytest.param([labelled("tier", "")], id="an empty value"),
    pytest.param([source(name="a"), source("Secret", name="a")], id="two kinds of one name"),
    pytest.param(
        [source(name="a"), source(name="a", targetNamespace="other")], id="one in two places"
    ),
    pytest.param(
        [source(name="a"), source(name="a", **{"as": "Manifests"})], id="a copy and its manifests"
    ),
]
FIELD = "spec.resourceSyncPolicy.sources: "
BAD = [
    pytest.param(
        [source(name="a", namespace="other")],
        f"namespace other is not the TargetCluster's own, {WATCHED}; leave it out",
        id="another namespace",
    ),
    pytest.param(
        [source(selector={"matchLabels": {"a": "b"}}, targetName="c")],
        "targetName c is for a source with a name",
        id="one name for many",
    ),
    pytest.param(
        [source(name="a", targetName="c", **{"as": "Manifests"})],
        "targetName c is for a source with a name that is copied",
        id="a name for manifests",
    ),
    pytest.param(
        [labelled("a", "b"), labelled("-tier", "web")],
        "the key -tier, which no label can have; write one such as",
        id="no key",
    ),
    pytest.param(
        [labelled("Example.com/tier", "web")],
        "the key Example.com/tier,",
        id="a prefix in capitals",
    ),
    pytest.param(
        [labelled("tier", "web,db")],
        "the value web,db, which no label can have; write letters",
        id="no value",
    ),
]
#: What the hook finds only when it has read more than the TargetCluster.
BAD_LATER = [
    pytest.param(
        [source("Secret", name="shop-kubeconfig")],
        "Secret shop-kubeconfig holds the kubeconfig of the cluster and is never synced",
        id="the kubeconfig",
    ),
    pytest.param(
        [source(name="a", targetName="b"), source(name="b", targetNamespace=WATCHED)],
        f"more than one would be ConfigMap {WATCHED}/b on the cluster; give one",
        id="two copies in one place",
    ),
    pytest.param([labelled("tier", "web-")], "the value web-,", id="a value that ends with -"),
]


def target_cluster(name: str = "shop", **spec: object) -> Object:
    return {
        "apiVersion": "targetcluster.example.com/v1alpha1",
        "kind": "TargetCluster",
        "metadata": {"name": name, "namespace": WATCHED},
        "spec": {"kubeconfigSecret": "shop-kubeconfig", **spec},
    }


def syncing(sources: list[Object]) -> Object:
    return target_cluster(resourceSyncPolicy={"enabled": True, "sources": sources})


@pytest.fixture(scope="module")
def guarded(cluster: ControlPlane) -> ControlPlane:
    """Apply the policies, and wait until both are heeded."""
    cluster.apply(PROJECT / "crds")
    for namespace in (WATCHED, "elsewhere"):
        cluster.kubectl("create", "namespace", namespace)
    for file in ("policy.yaml", "warnings.yaml"):
        cluster.kubectl("apply", "-f", POLICIES / file)
    bad = syncing([source(name="a", namespace="other")])
    heeded: dict[str, Callable[[], str]] = {
        "the policy": lambda: refused(cluster, bad),
        "the warning": lambda: warned(cluster, elsewhere()),
    }
    for what, probe in heeded.items():
        polling.until(probe, f"{what} is heeded", every=0.2)
    return cluster


def elsewhere() -> Object:
    cluster = target_cluster()
    cluster["metadata"]["namespace"] = "elsewhere"
    return cluster


def refused(cluster: ControlPlane, target: Object) -> str:
    """Have a TargetCluster judged as if it were made; return why it is refused, if it is."""
    try:
        cluster.api.call("POST", PATH, target, params={"dryRun": "All"})
    except ApiError as error:
        return error.message
    return ""


def warned(cluster: ControlPlane, target: Object) -> str:
    """Return what kubectl warns of when a TargetCluster is applied."""
    text = json.dumps(target)
    try:
        cluster.kubectl("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=text)
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("sources", GOOD)
def test_what_the_hook_understands_is_let_in(guarded: ControlPlane, sources: list[Object]) -> None:
    assert refused(guarded, syncing(sources)) == ""
    assert not parse_sources(syncing(sources)).problems


@pytest.mark.parametrize(("sources", "said"), BAD)
def test_what_the_hook_refuses_is_refused_at_once(
    guarded: ControlPlane, sources: list[Object], said: str
) -> None:
    assert f"{FIELD}{said}" in refused(guarded, syncing(sources)).replace(
        "selector.matchLabels has ", ""
    )
    assert parse_sources(syncing(sources)).problems


@pytest.mark.parametrize(("sources", "said"), BAD_LATER)
def test_what_would_show_when_it_is_tried_is_refused_at_once(
    guarded: ControlPlane, sources: list[Object], said: str
) -> None:
    assert said in refused(guarded, syncing(sources))


def test_the_hook_never_syncs_the_kubeconfig_either() -> None:
    metadata = {"name": "shop-kubeconfig"}
    assert why_not_a_source("Secret", metadata, kubeconfig_secrets={"shop-kubeconfig"})


def test_as_many_sources_as_the_crd_allows_can_be_judged(guarded: ControlPlane) -> None:
    sources = [source(name=f"a-{number}") for number in range(256)]
    assert refused(guarded, syncing(sources)) == ""
    sources[255] = source(name="b", targetName="a-0")
    assert "more than one would be ConfigMap" in refused(guarded, syncing(sources))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        pytest.param(elsewhere(), "elsewhere is not watched", id="a namespace nobody watches"),
        pytest.param(
            target_cluster(resourceSyncPolicy={"sources": [source(name="a")]}),
            "spec.resourceSyncPolicy.enabled is false, so no source",
            id="sources that are not synced",
        ),
        pytest.param(
            target_cluster(autoHealing={"enabled": True, "maxRetry": 0}),
            "spec.autoHealing.maxRetry: 0 allows no attempt",
            id="repair without a try",
        ),
    ],
)
def test_what_has_no_effect_is_warned_of(guarded: ControlPlane, target: Object, said: str) -> None:
    assert said in warned(guarded, target)
    if target["metadata"]["namespace"] == WATCHED:
        assert refused(guarded, target) == ""


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="the defaults"),
        pytest.param(
            {"resourceSyncPolicy": {"enabled": True, "sources": [source(name="a")]}}, id="syncing"
        ),
        pytest.param({"autoHealing": {"enabled": True, "mode": "Plan"}}, id="healing"),
    ],
)
def test_what_has_an_effect_is_not_warned_of(guarded: ControlPlane, spec: Object) -> None:
    assert warned(guarded, target_cluster(**spec)) == ""


def test_one_that_was_there_before_can_be_labelled_and_deleted(guarded: ControlPlane) -> None:
    binding = POLICIES / "policy.yaml"
    guarded.kubectl("delete", "-f", binding)
    clusters = guarded.api.resource("targetcluster.example.com/v1alpha1", "targetclusters")
    bad = syncing([source(name="a", namespace="other")])
    polling.until(lambda: not refused(guarded, bad), "the policy is gone", every=0.2)
    bad["metadata"]["finalizers"] = ["example.com/held"]
    clusters.create(bad)
    guarded.kubectl("apply", "-f", binding)
    other = syncing([source(name="b", namespace="other")])
    other["metadata"]["name"] = "other"
    polling.until(lambda: refused(guarded, other), "the policy is back", every=0.2)
    clusters.patch("shop", {"metadata": {"labels": {"changed": "yes"}}}, WATCHED)
    clusters.patch("shop", {"spec": {"suspend": True}}, WATCHED)
    worse = {"spec": {"resourceSyncPolicy": {"sources": [source(name="c", namespace="other")]}}}
    with pytest.raises(ApiError, match="is not the TargetCluster's own"):
        clusters.patch("shop", worse, WATCHED)
    clusters.delete("shop", WATCHED)
    clusters.patch("shop", {"metadata": {"finalizers": []}}, WATCHED)
    polling.until(lambda: clusters.find("shop", WATCHED) is None, "it is gone")
