"""The operator, one for each file; what a test did with it is cleared before the next."""

from collections.abc import Iterator

import pytest

from tests.controlplane import Cluster, ControlPlane
from tests.e2e import targets
from tests.e2e.targets import TargetPlatform, kubeconfig_of


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TargetPlatform]:
    with targets.running(control_plane, tmp_path_factory.mktemp("operator")) as platform:
        yield platform


@pytest.fixture
def platform(operator: TargetPlatform, target: Cluster) -> Iterator[TargetPlatform]:
    """Have the kubeconfig of the file's own fixture `target` in the Secret `target`."""
    operator.put_secret("target", kubeconfig_of(target))
    try:
        yield operator
    finally:
        targets.clear(operator)
