"""An API server as strict as a cluster's, which writes down what the operators ask of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.deploy.watched import Watched
from tests.e2e.targets import add_node
from tools.binaries import Binaries

#: Whose requests are written down, reads and refusals too; see test_rbac.py.
EVIDENCE = "evidence"
AUDITED = ("hooks", "metacontroller")
OWNERS = "OwnerReferencesPermissionEnforcement"


def username(name: str) -> str:
    """Return what the API server calls a service account of the namespace `evidence`."""
    return f"system:serviceaccount:{EVIDENCE}:{name}"


@pytest.fixture(scope="module")
def cluster(
    control_plane_binaries: Binaries,  # noqa: ARG001 - built before collection ends
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ControlPlane]:
    """Start an API server that has nothing yet: no CRD, no node, no controller."""
    with started(tmp_path_factory.mktemp("cluster")) as plane:
        yield plane


@pytest.fixture
def empty_cluster(
    control_plane_binaries: Binaries,  # noqa: ARG001 - built before collection ends
    tmp_path: Path,
) -> Iterator[ControlPlane]:
    """Start one for a single test."""
    with started(tmp_path / "cluster") as plane:
        yield plane


@pytest.fixture
def watched(empty_cluster: ControlPlane, tmp_path: Path) -> Iterator[Watched]:
    """Start a target cluster besides, with a node."""
    with empty_cluster.target_cluster("shop") as target:
        add_node(target, "worker-1")
        yield Watched(empty_cluster, target, tmp_path)


@contextmanager
def started(folder: Path) -> Iterator[ControlPlane]:
    """Start an API server with the admission that careful owners of clusters switch on."""
    folder.mkdir(exist_ok=True)
    policy = folder / "audit-everything.json"
    policy.write_text(
        json.dumps(
            {
                "apiVersion": "audit.k8s.io/v1",
                "kind": "Policy",
                "omitStages": ["RequestReceived"],
                "rules": [
                    {"level": "Metadata", "users": [username(name) for name in AUDITED]},
                    {"level": "None"},
                ],
            }
        )
    )
    flags = (f"--audit-policy-file={policy}", f"--enable-admission-plugins={OWNERS}")
    with ControlPlane.start(folder / "plane", audit=True, flags=flags) as plane:
        yield plane
