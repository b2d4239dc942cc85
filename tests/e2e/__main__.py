"""`make cluster`: API server, Metacontroller, hooks and simulated CloudStack, until Ctrl-C."""

import signal
import tempfile
import threading
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane, metacontroller
from tests.e2e.platform import PROJECT, Platform, running

HINT = """\
Metacontroller: {metacontroller}
CloudStack:     {simulator} (simulated; VMs node-1 ... node-4 and node-5.example.com)
logs:           {folder}

  export KUBECONFIG={kubeconfig}
  alias kubectl={kubectl}
  kubectl apply -f {node}
  kubectl get nodes,csvm
  kubectl get node node-1 -o yaml

Ctrl-C stops all."""


def main() -> None:
    """Start everything with the settings that operators have, say what to try, wait."""
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    with (
        tempfile.TemporaryDirectory(prefix="cloudstack-metacontroller-") as name,
        ControlPlane.start(Path(name) / "control-plane") as plane,
        Simulator() as simulator,
    ):
        folder = Path(name)
        plane.apply_crds()
        with running(plane, simulator, folder) as platform:
            print(_hint(platform, folder), flush=True)
            while not ended.wait(0.5):
                platform.hooks.process.check()
                platform.metacontroller.check()


def _hint(platform: Platform, folder: Path) -> str:
    plane = platform.plane
    return HINT.format(
        metacontroller=metacontroller.described(),
        simulator=platform.simulator.url,
        folder=folder,
        kubeconfig=plane.kubeconfig,
        kubectl=plane.programs.kubectl,
        node=PROJECT / "examples/01-node/node.yaml",
    )


if __name__ == "__main__":
    main()
