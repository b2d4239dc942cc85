"""Keeps Nodes alive without machines: kwok sends the heartbeats that a kubelet would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane.cluster import Cluster
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process

HEARTBEAT = Path(__file__).parent / "kwok-heartbeat.yaml"


@contextmanager
def heartbeats(cluster: Cluster) -> Iterator[Process]:
    """Renew the Ready condition of each Ready Node every few seconds while this runs.

    Nothing else of a Node is touched: not its addresses, which are what is being tested. A Node
    that a test made not Ready stays so.
    """
    command: list[str | Path] = [
        cluster.programs.kwok,
        f"--kubeconfig={cluster.kubeconfig}",
        f"--config={HEARTBEAT}",
        "--manage-all-nodes=true",
        f"--server-address=127.0.0.1:{free_port()}",
    ]
    log = cluster.folder / "kwok.log"
    home = {"HOME": str(cluster.folder)}  # or it reads, and makes, files in ~/.kwok
    process = Process("kwok", command, log, home)
    process.start()
    try:
        yield process
    finally:
        process.stop()
