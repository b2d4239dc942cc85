"""Runs a control plane for a person: `python -m tests.controlplane`, until Ctrl-C."""

import argparse
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.controlplane import metacontroller
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.manifests import CONTROLLERS, PROJECT, Hooks
from tests.controlplane.processes import Process


def main() -> None:
    """Start what is asked for, say how to reach it, and stop it all on Ctrl-C or SIGTERM."""
    options = _options()
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    shutil.rmtree(options.folder, ignore_errors=True)
    with ControlPlane.start(options.folder.resolve()) as plane, ExitStack() as stack:
        plane.apply_crds()
        processes = [plane.api_server, plane.controller_manager]
        if options.hooks:
            processes.append(stack.enter_context(_metacontroller(plane, options.hooks)))
        _say(f"export KUBECONFIG={plane.kubeconfig}")
        _say(f"{plane.programs.kubectl} get nodes")
        _say(f"logs are in {plane.folder}; Ctrl-C stops it all")
        while not ended.wait(0.5):
            for process in processes:
                process.check()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=PROJECT / "run" / "cluster",
        help="where data, logs and kubeconfig are; it is emptied first (default: run/cluster)",
    )
    parser.add_argument(
        "--hooks",
        metavar="URL",
        help="also run Metacontroller, with the project's controllers calling the hooks there",
    )
    options = parser.parse_args()
    ours = (options.folder / "etcd.log").exists()
    if not ours and options.folder.exists() and any(options.folder.iterdir()):
        parser.error(f"--folder: {options.folder} holds something else; name an empty or new one")
    return options


@contextmanager
def _metacontroller(plane: ControlPlane, hooks: str) -> Iterator[Process]:
    _say(f"metacontroller: {metacontroller.described()}")
    with plane.metacontroller(CONTROLLERS, Hooks(hooks)) as process:
        yield process


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
