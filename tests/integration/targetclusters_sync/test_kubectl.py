"""kubectl reads our ApplySets (KEP-3659), and YAML the way we do."""

import json
import os
import subprocess

import pytest

from hooks.targetclusters.untrusted_yaml import documents
from tests.controlplane.cluster import Cluster
from tests.integration.targetclusters_sync.worlds import World, manifest
from tools.binaries import COLLECT_NEVER

TOOLING = "applyset.kubernetes.io/tooling"


def kubectl(cluster: Cluster, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run kubectl with ApplySets switched on, whatever it answers."""
    return subprocess.run(
        [cluster.programs.kubectl, "--cache-dir", cluster.folder / "kubectl-cache", *arguments],
        env={
            **os.environ,
            **COLLECT_NEVER,
            "KUBECONFIG": str(cluster.kubeconfig),
            "KUBECTL_APPLYSET": "true",
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def prune(world: World, *, keep: str) -> subprocess.CompletedProcess[str]:
    """Let kubectl apply one object of our set and prune the others."""
    return kubectl(
        world.target,
        "apply",
        "--prune",
        f"--applyset=configmaps/{world.sets.current.name}",
        f"--namespace={world.namespace}",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
        stdin=json.dumps(manifest(keep, {"n": keep}, namespace=world.namespace)),
    )


def fill(world: World) -> None:
    for name in ("a", "b", "c"):
        world.source(name, {"n": name})
    world.source("login", {"password": "x"}, kind="Secret")
    world.settle()
    configmaps = world.target.api.resource("v1", "configmaps")
    configmaps.create(manifest("theirs", namespace=world.namespace))


def hand_over(world: World, tool: str) -> None:
    patch = {"metadata": {"annotations": {TOOLING: tool}}}
    configmaps = world.target.api.resource("v1", "configmaps")
    configmaps.patch(world.sets.current.name, patch, world.namespace)


def test_kubectl_knows_the_set_for_another_tools_and_leaves_it_alone(world: World) -> None:
    fill(world)
    done = prune(world, keep="a")
    assert done.returncode != 0
    assert 'is managed by tooling "target-cluster-operator" instead of "kubectl"' in done.stderr
    assert world.names() == {"a", "b", "c"}


def test_kubectl_prunes_exactly_our_objects_once_the_set_is_handed_over(world: World) -> None:
    fill(world)
    hand_over(world, "kubectl/v1.36.3")
    done = prune(world, keep="a")
    assert done.returncode == 0, done.stderr
    pruned = sorted(line for line in done.stdout.splitlines() if line.endswith("pruned"))
    assert pruned == ["configmap/b pruned", "configmap/c pruned", "secret/login pruned"]
    assert world.names() == {"a"}
    assert world.data("theirs") == {}


def test_a_set_that_kubectl_has_taken_over_is_left_alone(world: World) -> None:
    fill(world)
    hand_over(world, "kubectl/v1.36.3")
    world.source("a", {"n": "changed"})
    world.kube.calls.clear()
    report = world.round()
    assert "this ApplySet is managed by kubectl/v1.36.3" in report.error
    assert world.kube.writes == []
    deletion = world.delete()
    assert "this ApplySet is managed by kubectl/v1.36.3" in deletion.error
    assert world.names() == {"a", "b", "c"}
    hand_over(world, "target-cluster-operator/v1alpha1")
    assert world.settle().synced


SCALARS = ["~", "yes", "Off", "no", "true", "0644", "0o17", "0x1F", "-0b11", "1_000", "1e3", "1.10"]
SCALARS += ["22:22", "2026-11-22", "2026-11-22T02:10:00Z", "=", ".5", "1.", "09", "+7", "1.2.3"]
SCALARS += ["'yes'", "!!str 5", "!!int '5'", "[a, 1]", "null", "'a: b'", "<<", "0x_", "a#b"]


@pytest.mark.parametrize("scalar", SCALARS)
def test_kubectl_reads_a_value_as_we_do(target: Cluster, scalar: str) -> None:
    text = f"apiVersion: example.org/v1\nkind: X\nmetadata: {{name: a}}\nspec: {{v: {scalar}}}\n"
    show = ("patch", "--local", "--type=merge", "-p={}", "-o=json", "-f=-")
    done = kubectl(target, *show, stdin=text)
    assert done.returncode == 0, done.stderr
    (ours,) = documents(text)
    assert isinstance(ours, dict)
    assert json.loads(done.stdout)["spec"] == ours["spec"]
