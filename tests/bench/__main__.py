"""Runs the benchmarks and prints their tables: `python -m tests.bench [PART …]`."""

import argparse
import tempfile
from pathlib import Path

from tests.bench.callers import bench_callers
from tests.bench.cloudstack_times import bench_cloudstack_times
from tests.bench.drift import bench_drift_checks
from tests.bench.endpoints import bench_endpoints
from tests.bench.loadbalancers import (
    bench_growth,
    bench_load_balancers,
    bench_many_load_balancers,
    bench_many_members,
    bench_vpc,
)
from tests.bench.log import bench_log
from tests.bench.metrics import bench_metrics
from tests.bench.nodes import bench_nodes
from tests.bench.source_ranges import bench_source_ranges
from tests.bench.status_page import bench_status_page
from tests.bench.targetclusters import bench_target_clusters
from tests.controlplane import ControlPlane, metacontroller

PARTS = {
    "nodes": bench_nodes,
    "cloudstack-times": bench_cloudstack_times,
    "load-balancers": bench_load_balancers,
    "vpc": bench_vpc,
    "many-members": bench_many_members,
    "many-load-balancers": bench_many_load_balancers,
    "growth": bench_growth,
    "drift-checks": bench_drift_checks,
    "endpoints": bench_endpoints,
    "target-clusters": bench_target_clusters,
    "source-ranges": bench_source_ranges,
    "callers": bench_callers,
    "log": bench_log,
    "metrics": bench_metrics,
    "status-page": bench_status_page,
}


def main() -> None:
    """Start one control plane, run the chosen benchmarks on it, print as they go."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or all")
    chosen = parser.parse_args().parts
    if unknown := [part for part in chosen if part not in PARTS]:
        parser.error(f"{', '.join(unknown)}: not among {', '.join(PARTS)}")
    print(f"Metacontroller: {metacontroller.described()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        folder = Path(place)
        with ControlPlane.start(folder / "control-plane", audit=True) as plane:
            plane.apply_crds()
            for part in chosen or PARTS:
                print(f"{part}\n", flush=True)
                for line in PARTS[part](plane, folder):
                    print(line, flush=True)
                print()


if __name__ == "__main__":
    main()
