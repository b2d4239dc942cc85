"""A reader's checkout: the repository, kubectl and some files, and a shell for what pages say."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.deploy.rendering import PROJECT
from tests.documented.pages import blocks
from tools.binaries import COLLECT_NEVER

#: Less than a test may take, so that a command that hangs is named.
SECONDS = 120
COPIED = ("crds", "deploy", "examples", "metacontroller", "provider.yaml")


def make_checkout(folder: Path, cluster: ControlPlane) -> Path:
    """Make a checkout in a folder that does not exist yet, and return it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "kubectl").symlink_to(cluster.programs.kubectl)
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder)
    return folder


def give_cmk(checkout: Path, simulator: Simulator) -> None:
    """Put a `cmk` into a checkout that calls a simulator with the user's key."""
    user = simulator.user
    program = [sys.executable, "-m", "tests.documented.cmk"]
    command = shlex.join([*program, simulator.url, user.api_key, user.secret_key])
    script = checkout / "bin" / "cmk"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(PROJECT))} exec {command} "$@"\n')
    script.chmod(0o755)


def run_block(marker: str, page: Path, folder: Path, cluster: ControlPlane) -> None:
    """Run the one block of a page that holds a text, at a checkout of its own."""
    [code] = [block.code for block in blocks(page, "sh") if marker in block.code]
    run(code, make_checkout(folder, cluster), cluster.kubeconfig)


def run(code: str, checkout: Path, kubeconfig: Path) -> str:
    """Run commands as a reader's shell does, up to the first that fails; return what they print."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=checkout,
        env={
            "PATH": f"{checkout / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(checkout),
            **COLLECT_NEVER,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout
