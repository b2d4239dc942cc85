"""kubectl reads YAML the way we do."""

import json
import os
import subprocess

import pytest

from hooks.targetclusters.untrusted_yaml import documents
from tests.controlplane.cluster import Cluster
from tools.binaries import COLLECT_NEVER


def kubectl(cluster: Cluster, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run kubectl, whatever it answers."""
    return subprocess.run(
        [cluster.programs.kubectl, "--cache-dir", cluster.folder / "kubectl-cache", *arguments],
        env={**os.environ, **COLLECT_NEVER, "KUBECONFIG": str(cluster.kubeconfig)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


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
