import re
from pathlib import Path

import pytest

from tools import binaries, golang, gomodule, helm
from tools.gomodule import GoModule


def test_the_cache_is_keyed_by_version_and_sums() -> None:
    places = binaries.locate({"XDG_CACHE_HOME": "/cache"})
    folders = {path.parent for path in places.values()}
    assert len(folders) == 1
    (folder,) = folders
    assert folder.parent == Path("/cache/cloudstack-metacontroller")
    assert folder.name.startswith(f"{binaries.kubernetes_version()}-")


def test_without_xdg_the_cache_is_in_the_home_folder() -> None:
    assert gomodule.cache_folder({}) == Path.home() / ".cache" / "cloudstack-metacontroller"


@pytest.mark.parametrize(
    ("held", "taken"),
    [
        pytest.param(["etcd", "kube-apiserver"], {"etcd", "kube-apiserver"}, id="envtest's pair"),
        pytest.param(
            ["etcd", "kube-apiserver", "kubectl"],
            {"etcd", "kube-apiserver", "kubectl"},
            id="kubectl too",
        ),
        pytest.param(["etcd", "kubectl"], set(), id="half a pair is not used"),
        pytest.param([], set(), id="an empty folder"),
    ],
)
def test_kubebuilder_assets_are_used_where_they_are(
    tmp_path: Path, held: list[str], taken: set[str]
) -> None:
    for name in held:
        (tmp_path / name).touch()
    places = binaries.locate({"KUBEBUILDER_ASSETS": str(tmp_path), "XDG_CACHE_HOME": "/cache"})
    assert {name for name, path in places.items() if path.parent == tmp_path} == taken
    assert set(places) == set(binaries.PACKAGES)


@pytest.mark.parametrize("module", [binaries.MODULE, helm.MODULE], ids=lambda each: each.main)
def test_go_mod_pins_what_go_sum_vouches_for(module: GoModule) -> None:
    go_sum = (module.folder / "go.sum").read_text()
    for package in module.packages.values():
        assert re.search(rf"^(\t|tool ){re.escape(package)}$", module.go_mod, re.MULTILINE)
    assert f"{module.main} {module.version()} h1:" in go_sum


def test_a_helm_of_another_version_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "helm").write_text("#!/bin/sh\necho v3.22.0\n")
    (tmp_path / "helm").chmod(0o755)
    cached = helm.MODULE.locate({"XDG_CACHE_HOME": str(tmp_path)})["helm"]
    cached.parent.mkdir(parents=True)
    cached.touch()
    environ = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert helm.ensure(environ=environ) == cached
    (tmp_path / "helm").write_text(f"#!/bin/sh\necho {helm.MODULE.version()}\n")
    assert helm.ensure(environ=environ) == tmp_path / "helm"


def test_a_new_enough_go_on_the_path_is_taken(tmp_path: Path) -> None:
    go = _pretend_go(tmp_path, "go1.26.8")
    reports: list[str] = []
    assert golang.toolchain("1.26.0", tmp_path / "cache", reports.append, str(tmp_path)) == go
    assert reports == []


@pytest.mark.parametrize(
    "called", [pytest.param("go1.25.9", id="older"), pytest.param("devel go1.27-abc", id="devel")]
)
def test_an_unfit_go_is_not_taken_where_one_was_installed(tmp_path: Path, called: str) -> None:
    _pretend_go(tmp_path, called)
    installed = tmp_path / f"go-{golang.PYPI_VERSION}" / "go" / "bin" / "go"
    installed.parent.mkdir(parents=True)
    installed.touch()
    assert golang.toolchain("1.26.0", tmp_path, print, str(tmp_path)) == installed


def _pretend_go(folder: Path, called: str) -> Path:
    go = folder / "go"
    go.write_text(f"#!/bin/sh\necho '{called}'\n")
    go.chmod(0o755)
    return go
