"""Knows where the control plane's binaries are: built once from pinned Go modules, and cached."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane import golang

TOOLS = Path(__file__).parent / "tools"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
PROGRESS_SECONDS = 30.0

Say = Callable[[str], None]


class BuildError(Exception):
    """A binary could not be built; the message ends with the build's last lines."""


@dataclass(frozen=True)
class Binaries:
    """Where each program is."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    kwok: Path


def ensure(say: Say = print, environ: Mapping[str, str] = os.environ) -> Binaries:
    """Return all binaries, building those that neither KUBEBUILDER_ASSETS nor the cache holds.

    A cold build takes about ten minutes on two cores, 2 GiB of memory and 4 GB of disk. Two test
    runs at once build once: the second waits for the first.
    """
    places = locate(environ)
    if any(not path.exists() for path in places.values()):
        cache = cache_folder(environ)
        with _locked(cache, say):
            missing = [name for name, path in places.items() if not path.exists()]
            if missing:
                _build(missing, places, cache, say)
    return Binaries(
        etcd=places["etcd"],
        kube_apiserver=places["kube-apiserver"],
        kube_controller_manager=places["kube-controller-manager"],
        kubectl=places["kubectl"],
        kwok=places["kwok"],
    )


def locate(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return where each binary is, or will be once it is built.

    KUBEBUILDER_ASSETS (the folder that envtest users have) counts only when it holds both etcd
    and kube-apiserver: a pair of one origin is known to work together.
    """
    built = cache_folder(environ) / f"{kubernetes_version()}-{_fingerprint()}"
    places = {name: built / name for name in PACKAGES}
    given = environ.get("KUBEBUILDER_ASSETS")
    if given and all((Path(given) / name).exists() for name in ("etcd", "kube-apiserver")):
        assets = {name: Path(given) / name for name in PACKAGES}
        places |= {name: path for name, path in assets.items() if path.exists()}
    return places


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder that outlives test runs and working copies."""
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cloudstack-metacontroller"


def kubernetes_version() -> str:
    """Return the Kubernetes version that go.mod pins, "v1.36.3"."""
    match = re.search(r"^\s*k8s\.io/kubernetes (\S+)", _go_mod(), re.MULTILINE)
    if not match:
        raise BuildError(f"{TOOLS / 'go.mod'} requires no k8s.io/kubernetes")
    return match[1]


def _go_mod() -> str:
    return (TOOLS / "go.mod").read_text()


def _fingerprint() -> str:
    """Return what tells one set of sources and one kind of machine from another."""
    machine = f"{platform.system()}/{platform.machine()}"
    sums = (TOOLS / "go.sum").read_text()
    return hashlib.sha256(f"{machine}\n{_go_mod()}\n{sums}".encode()).hexdigest()[:12]


@contextmanager
def _locked(cache: Path, say: Say) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another test run that is building the control plane …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(".build-*"):  # by a run that was killed: this one has the lock
            shutil.rmtree(left)
        yield


def _build(names: list[str], places: Mapping[str, Path], cache: Path, say: Say) -> None:
    go_line = re.search(r"^go (\S+)", _go_mod(), re.MULTILINE)
    go = golang.toolchain(go_line[1] if go_line else "1", cache, say)
    say(f"building {', '.join(names)} once; takes about 10 minutes …")
    with tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as scratch:
        _go_install(go, [PACKAGES[name] for name in names], Path(scratch), say)
        for name in names:
            places[name].parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / _command_name(PACKAGES[name])).replace(places[name])
    say(f"kept in {places[names[0]].parent}")


def _command_name(package: str) -> str:
    """Return what `go install` calls a package's command: its last element, versions skipped."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _go_install(go: Path, packages: list[str], to: Path, say: Say) -> None:
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={kubernetes_version()}"
    command: list[str | Path] = [
        go,
        "install",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        flags,
        *packages,
    ]
    environment = {**golang.environment(go), "GOBIN": str(to)}
    log = to / "build.log"
    with log.open("w") as out:
        build = subprocess.Popen(command, cwd=TOOLS, env=environment, stdout=out, stderr=out)
        try:
            _follow(build, say)
        finally:
            build.kill()
            build.wait()
    if build.returncode:
        last = "\n".join(log.read_text().splitlines()[-20:])
        raise BuildError(f"go install ended with {build.returncode}:\n{last}")


def _follow(build: subprocess.Popen[bytes], say: Say) -> None:
    started = time.monotonic()
    while True:
        try:
            build.wait(timeout=PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"… still building, {time.monotonic() - started:.0f} s")
        else:
            return
