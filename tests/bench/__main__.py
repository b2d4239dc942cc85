"""Runs the benchmarks and prints their tables: `python -m tests.bench`, or some of them by name."""

import argparse
import tempfile
from pathlib import Path

from tests.bench.loadbalancers import bench_load_balancers
from tests.bench.nodes import bench_nodes
from tests.bench.targetclusters import bench_target_clusters
from tests.controlplane import ControlPlane, metacontroller

BENCHES = {
    "nodes": bench_nodes,
    "load-balancers": bench_load_balancers,
    "target-clusters": bench_target_clusters,
}


def main() -> None:
    """Start one control plane, run the benchmarks on it, print as it goes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHES))
    names = parser.parse_args().names or list(BENCHES)
    if unknown := set(names) - BENCHES.keys():
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    print(f"Metacontroller: {metacontroller.described()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        folder = Path(place)
        with ControlPlane.start(folder / "control-plane", audit=True) as plane:
            plane.apply_crds()
            for name in names:
                for line in BENCHES[name](plane, folder):
                    print(line, flush=True)
                print()


if __name__ == "__main__":
    main()
