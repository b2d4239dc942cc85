"""Builds the commands of a pinned Go module once, and keeps them by version and checksums."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools import golang

PROGRESS_SECONDS = 30.0

Report = Callable[[str], None]


class BuildError(Exception):
    """A command could not be built; the message ends with the build's last lines."""


@dataclass(frozen=True)
class GoModule:
    """A folder with a go.mod that has commands as its tools, and its go.sum.

    Attributes:
        packages: the package of each command, by the command's name.
        main: the module whose version names what is built.
        version_variable: the Go variable for that version, which the commands print.
        takes: how long a cold build takes, for people.
    """

    folder: Path
    packages: Mapping[str, str]
    main: str
    version_variable: str
    takes: str

    @cached_property
    def go_mod(self) -> str:
        """Return the text of go.mod."""
        return (self.folder / "go.mod").read_text()

    def version(self) -> str:
        """Return the version of the main module that go.mod pins, "v1.36.3"."""
        match = re.search(rf"^\s*{re.escape(self.main)} (v\S+)", self.go_mod, re.MULTILINE)
        if not match:
            raise BuildError(f"{self.folder / 'go.mod'} requires no {self.main}")
        return match[1]

    def locate(self, environ: Mapping[str, str]) -> dict[str, Path]:
        """Return the path of each command in the cache, which may not be built yet."""
        built = cache_folder(environ) / f"{self.version()}-{self._fingerprint()}"
        return {name: built / name for name in self.packages}

    def ensure(
        self,
        places: Mapping[str, Path],
        report: Report = print,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Build the commands that are missing at their `places`.

        Two runs at once build once: the second waits for the first.
        """
        if all(path.exists() for path in places.values()):
            return
        cache = cache_folder(environ)
        with _locked(cache, report):
            missing = [name for name, path in places.items() if not path.exists()]
            if missing:
                self._build(missing, places, cache, report)

    def _fingerprint(self) -> str:
        """Return a hash of the sources and the kind of machine."""
        machine = f"{platform.system()}/{platform.machine()}"
        sums = (self.folder / "go.sum").read_text()
        return hashlib.sha256(f"{machine}\n{self.go_mod}\n{sums}".encode()).hexdigest()[:12]

    def _build(
        self, names: Sequence[str], places: Mapping[str, Path], cache: Path, report: Report
    ) -> None:
        go_line = re.search(r"^go (\S+)", self.go_mod, re.MULTILINE)
        go = golang.toolchain(go_line[1] if go_line else "1", cache, report)
        report(f"building {', '.join(names)} once; takes about {self.takes} …")
        with tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as scratch:
            self._go_install(go, names, Path(scratch), report)
            for name in names:
                places[name].parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / _command_name(self.packages[name])).replace(places[name])
        report(f"kept in {places[names[0]].parent}")

    def _go_install(self, go: Path, names: Sequence[str], to: Path, report: Report) -> None:
        flags = f"-s -w -X {self.version_variable}={self.version()}"
        command = [str(go), "install", "-trimpath", "-buildvcs=false", "-ldflags", flags]
        command += [self.packages[name] for name in names]
        environment = {**golang.environment(go), "GOBIN": str(to)}
        log = to / "build.log"
        with log.open("w") as out:
            build = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=out, stderr=out
            )
            try:
                _follow(build, report)
            finally:
                build.kill()
                build.wait()
        if build.returncode:
            last = "\n".join(log.read_text().splitlines()[-20:])
            raise BuildError(f"go install ended with {build.returncode}:\n{last}")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder that outlives test runs and working copies."""
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cloudstack-metacontroller"


@contextmanager
def _locked(cache: Path, report: Report) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another test run that is building …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(".build-*"):  # by a run that was killed: this one has the lock
            shutil.rmtree(left)
        yield


def _command_name(package: str) -> str:
    """Return the name that `go install` gives a command: the last element, without a version."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _follow(build: subprocess.Popen[bytes], report: Report) -> None:
    started = time.monotonic()
    while True:
        try:
            build.wait(timeout=PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            report(f"… still building, {time.monotonic() - started:.0f} s")
        else:
            return
