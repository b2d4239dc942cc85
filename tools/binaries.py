"""Finds the programs of the control plane: built once from pinned Go modules, and cached."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.gomodule import GoModule, Report

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
MODULE = GoModule(
    Path(__file__).parent / "go" / "controlplane",
    PACKAGES,
    main="k8s.io/kubernetes",
    version_variable="k8s.io/component-base/version.gitVersion",
    takes="10 minutes",
)
#: Go collects garbage each time that the heap has doubled: a fifth of the processor time of a
#: server that lives for seconds, which may grow more, and two fifths of a command's, which need
#: not collect at all.
COLLECT_LESS = {"GOGC": "400", "GOMEMLIMIT": "512MiB"}
COLLECT_NEVER = {"GOGC": "off"}


@dataclass(frozen=True)
class Binaries:
    """The path of each program."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    kwok: Path


def ensure(report: Report = print, environ: Mapping[str, str] = os.environ) -> Binaries:
    """Return all programs; build those that neither KUBEBUILDER_ASSETS nor the cache has.

    A cold build takes about ten minutes on two cores, 2 GiB of memory and 6 GB of disk.
    """
    places = locate(environ)
    MODULE.ensure(places, report, environ)
    return Binaries(
        etcd=places["etcd"],
        kube_apiserver=places["kube-apiserver"],
        kube_controller_manager=places["kube-controller-manager"],
        kubectl=places["kubectl"],
        kwok=places["kwok"],
    )


def locate(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return the path of each program, which may not be built yet.

    KUBEBUILDER_ASSETS (the folder that envtest users have) counts only when it holds both etcd
    and kube-apiserver: a pair of one origin is known to work together.
    """
    places = MODULE.locate(environ)
    given = environ.get("KUBEBUILDER_ASSETS")
    if given and all((Path(given) / name).exists() for name in ("etcd", "kube-apiserver")):
        assets = {name: Path(given) / name for name in PACKAGES}
        places |= {name: path for name, path in assets.items() if path.exists()}
    return places


def kubernetes_version() -> str:
    """Return the Kubernetes version that go.mod pins, "v1.36.3"."""
    return MODULE.version()
