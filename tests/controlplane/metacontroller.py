"""Runs Metacontroller: the real one where there is a binary, else the stand-in."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane.manifests import PROJECT
from tests.controlplane.processes import Process

WORKERS = 20


def real(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the real Metacontroller: METACONTROLLER_BIN, else `metacontroller` on the PATH.

    None where there is neither, or where METACONTROLLER_BIN is set and empty.
    """
    given = environ.get("METACONTROLLER_BIN")
    if given is None:
        found = shutil.which("metacontroller", path=environ.get("PATH"))
        return Path(found) if found else None
    if given and not os.access(given, os.X_OK):
        raise FileNotFoundError(f"METACONTROLLER_BIN: {given} is not a program")
    return Path(given) if given else None


def described(environ: Mapping[str, str] = os.environ) -> str:
    """Return which Metacontroller the tests run on, for people."""
    binary = real(environ)
    return f"the real one, {binary}" if binary else "the stand-in (tests/controlplane/standin)"


@contextmanager
def running(kubeconfig: Path, log: Path, arguments: Sequence[str] = ()) -> Iterator[Process]:
    """Start Metacontroller for a cluster, as the user of the kubeconfig; stop it at the end.

    `arguments` come after those that all tests have. The process may be killed and restarted
    meanwhile. It is not ready at any given moment: tests wait for what it does.
    """
    process = started(_quick(), kubeconfig, log, arguments)
    try:
        yield process
        process.check()
    finally:
        process.stop()


def started(
    command: Sequence[str | Path], kubeconfig: Path, log: Path, arguments: Sequence[str]
) -> Process:
    """Start a command of `program`, or one that goes on from there; the caller stops it."""
    whole = [*command, f"--kubeconfig={kubeconfig}", *arguments]
    process = Process("metacontroller", whole, log, {"PYTHONPATH": str(PROJECT)})
    process.start()
    return process


def program() -> list[str | Path]:
    """Return the command of Metacontroller, real or stand-in, without arguments."""
    binary = real()
    return [binary] if binary else [sys.executable, "-m", "tests.controlplane.standin"]


def known(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of the real one that this one, real or stand-in, understands."""
    if real():
        return list(arguments)
    return [one for one in arguments if one.startswith(("--target-label-selector=", "--workers="))]


def _quick() -> list[str | Path]:
    """Return a command that notices and does everything as soon as it can."""
    if real() is None:
        return [*program(), "--discovery-interval=1", f"--workers={WORKERS}"]
    return [
        *program(),
        "--discovery-interval=1s",
        f"--workers={WORKERS}",
        "--client-go-qps=100",
        "--client-go-burst=200",
        "--metrics-address=0",
        "--health-probe-bind-address=0",
    ]
