"""`python -m tools.chart`: writes the part of the Helm chart that comes from deploy/.

The chart holds deploy/ as kustomize renders it; its templates choose among that, and lay values
over the Deployments. A test fails when a file is not what this would write.
"""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.chart_values import CHART, VALUES, values_yaml
from tools.manifests import (
    ADDED,
    CLOUD_CONTROLLER,
    DEPLOY,
    TARGET_CLUSTER_OPERATOR,
    Combination,
    composed,
    text,
)

MADE = "# Made by `make manifests` from deploy/.\n"
CRDS = CHART / "crds"
FILES = CHART / "files"
BETWEEN = "\n---\n"
#: The folder of the status page in deploy/, and its file in the chart.
STATUS_PAGE = "status-page"
METACONTROLLER = ".metacontroller.k8s.io"


@dataclass(frozen=True)
class Operator:
    """An operator in the chart.

    Attributes:
        name: its folder in deploy/ and in the chart.
        own: the component that adds its own Metacontroller; none if its folder has one.
        cluster: the component for the Metacontroller of the cluster.
    """

    name: str
    own: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()

    @property
    def modes(self) -> dict[str, tuple[str, ...]]:
        """Return the components of each mode, by the file that the templates choose."""
        tls, client = f"{self.name}-tls", f"{self.name}-client-certificates"
        return {
            "own": self.own,
            "cluster": self.cluster,
            "cluster-server-tls": (*self.cluster, tls),
            "cluster-mutual-tls": (*self.cluster, tls, client),
        }

    def added(self, mode: str) -> tuple[str, ...]:
        """Return components that add objects; their changes to the Deployment are in templates."""
        policy = () if mode == "own" else (f"{self.name}-network-policy",)
        return (*ADDED[self.name], *policy)


OPERATORS = (
    Operator(CLOUD_CONTROLLER, cluster=("cloud-controller-cluster-metacontroller",)),
    Operator(TARGET_CLUSTER_OPERATOR, own=("target-cluster-operator-sidecar",)),
)


def files() -> dict[Path, str]:
    """Make every file of the chart that is not written by hand."""
    found = {VALUES: values_yaml()}
    for crd in manifests(CLOUD_CONTROLLER):
        name = yaml.safe_load(crd)["metadata"]["name"]
        if name.endswith(METACONTROLLER):
            found[CRDS / f"{name.removesuffix(METACONTROLLER)}.yaml"] = written([crd])
    for operator in OPERATORS:
        for name, text_of_file in files_of(operator).items():
            found[FILES / operator.name / f"{name}.yaml"] = text_of_file
    found[FILES / f"{STATUS_PAGE}.yaml"] = written(manifests(STATUS_PAGE))
    return found


def files_of(operator: Operator) -> dict[str, str]:
    """Make an operator's files: one for every mode, one for all modes, one for each addition.

    Metacontroller's CRDs are left out: they are in `crds/`.
    """
    modes = {
        mode: [one for one in manifests(operator.name, *names) if not _metacontrollers_crd(one)]
        for mode, names in operator.modes.items()
    }
    always = [one for one in modes["own"] if all(one in each for each in modes.values())]
    found = {"always": written(always)}
    for mode, each in modes.items():
        found[mode] = written(one for one in each if one not in always)
    before = manifests(operator.name)
    for name in operator.added("cluster"):
        after = manifests(operator.name, name)
        file = name.removeprefix(f"{operator.name}-")
        found[file] = written(added(name, before, after))
    return found


def manifests(base: str, *components: str) -> list[str]:
    """Render a folder with components; return the texts of its objects."""
    if not components:
        return text(DEPLOY / base).strip().split(BETWEEN)
    with tempfile.TemporaryDirectory() as folder:
        overlay = composed(Path(folder).resolve(), Combination(base, components))
        return text(overlay).strip().split(BETWEEN)


def written(objects: Iterable[str]) -> str:
    """Put objects into one file."""
    return MADE + BETWEEN.join(objects) + "\n"


def _metacontrollers_crd(one: str) -> bool:
    read = yaml.safe_load(one)
    kind, name = read["kind"], read["metadata"]["name"]
    return kind == "CustomResourceDefinition" and str(name).endswith(METACONTROLLER)


def added(name: str, before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Return the objects that a component adds.

    Raises:
        ValueError: naming an object besides the Deployment that the component changes.
    """
    known = {_identity(one): one for one in before}
    for one in after:
        if known.get(_identity(one), one) != one and _identity(one)[0] != "Deployment":
            raise ValueError(f"{name} changes {_identity(one)}: make it a mode of the operator")
    return [one for one in after if _identity(one) not in known]


def _identity(one: str) -> tuple[Any, ...]:
    read = yaml.safe_load(one)
    return read["kind"], read["metadata"].get("namespace"), read["metadata"]["name"]


def main() -> None:
    """Write the files."""
    for folder in (CRDS, FILES):
        shutil.rmtree(folder, ignore_errors=True)
    for file, content in files().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
