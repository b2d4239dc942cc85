"""Runs the benchmarks and prints their tables: `python -m tests.bench`."""

import tempfile
from pathlib import Path

from tests.bench.loadbalancers import bench_load_balancers
from tests.bench.nodes import bench_nodes
from tests.bench.targetclusters import bench_target_clusters
from tests.controlplane import ControlPlane, metacontroller


def main() -> None:
    """Start one control plane, run every benchmark on it, print as it goes."""
    print(f"Metacontroller: {metacontroller.described()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with ControlPlane.start(folder / "control-plane", audit=True) as plane:
            plane.apply_crds()
            for bench in (bench_nodes, bench_load_balancers, bench_target_clusters):
                for line in bench(plane, folder):
                    print(line, flush=True)
                print()


if __name__ == "__main__":
    main()
