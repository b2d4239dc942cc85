from pathlib import Path

import pytest

from tests.controlplane import binaries, golang, gomodule, helm


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


def test_go_mod_pins_what_go_sum_vouches_for() -> None:
    go_mod = (binaries.TOOLS / "go.mod").read_text()
    go_sum = (binaries.TOOLS / "go.sum").read_text()
    for package in binaries.PACKAGES.values():
        assert f"\t{package}\n" in go_mod
    assert f"k8s.io/kubernetes {binaries.kubernetes_version()} h1:" in go_sum


def test_a_new_enough_go_on_the_path_is_taken(tmp_path: Path) -> None:
    go = _pretend_go(tmp_path, "go1.26.8")
    said: list[str] = []
    assert golang.toolchain("1.26.0", tmp_path / "cache", said.append, str(tmp_path)) == go
    assert said == []


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
