"""`make cluster`: API server, Metacontroller, hooks and simulated CloudStack, until Ctrl-C."""

import signal
import tempfile
import threading
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane, metacontroller
from tests.e2e.platform import PROJECT, Hooks
from tests.e2e.site import CONTROLLERS, calling

HINT = """\
Metacontroller: {metacontroller}
CloudStack:     {simulator} (simulated; VMs node-1 ... node-4 and node-5.example.com)
  its state:    {state}
status page:    http://127.0.0.1:{port}/
logs:           {folder}

  export KUBECONFIG={kubeconfig}
  alias kubectl={kubectl}
  kubectl apply -f {examples}/01-node/node.yaml
  kubectl get nodes,csvm
  kubectl apply -f {examples}/02-load-balancer/service.yaml
  kubectl get services,cslb

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
        served = ",".join((*CONTROLLERS, "status"))
        chosen = {"HOOKS": served, "HOOK_DEADLINE": "8s", "LOG_LEVEL": "info"}
        hooks = Hooks(plane, simulator, folder, chosen)
        with calling(plane, hooks, CONTROLLERS) as running:
            print(_hint(plane, simulator, folder, hooks.port), flush=True)
            while not ended.wait(0.5):
                hooks.process.check()
                running.check()


def _hint(plane: ControlPlane, simulator: Simulator, folder: Path, port: int) -> str:
    return HINT.format(
        metacontroller=metacontroller.described(),
        simulator=simulator.url,
        state=simulator.url.replace("/client/api", "/simulator/state"),
        port=port,
        folder=folder,
        kubeconfig=plane.kubeconfig,
        kubectl=plane.programs.kubectl,
        examples=PROJECT / "examples",
    )


if __name__ == "__main__":
    main()
