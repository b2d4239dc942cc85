"""Runs Metacontroller: the real one where there is a binary, else the stand-in."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
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
def running(kubeconfig: Path, log: Path) -> Iterator[Process]:
    """Start Metacontroller for a cluster, with an administrator's rights; stop it at the end.

    The process may be killed and restarted meanwhile. It is not ready at any given moment: tests
    wait for what it does.
    """
    process = Process("metacontroller", _command(kubeconfig), log, {"PYTHONPATH": str(PROJECT)})
    process.start()
    try:
        yield process
        process.check()
    finally:
        process.stop()


def _command(kubeconfig: Path) -> list[str | Path]:
    binary = real()
    if binary is None:
        module = "tests.controlplane.standin"
        stand_in: list[str | Path] = [sys.executable, "-m", module]
        return [
            *stand_in,
            f"--kubeconfig={kubeconfig}",
            "--discovery-interval=1",
            f"--workers={WORKERS}",
        ]
    return [
        binary,
        f"--kubeconfig={kubeconfig}",
        "--discovery-interval=1s",
        f"--workers={WORKERS}",
        "--client-go-qps=100",
        "--client-go-burst=200",
        "--metrics-address=0",
        "--health-probe-bind-address=0",
    ]
