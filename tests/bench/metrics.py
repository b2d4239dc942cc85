"""What one read of /metrics costs: series, bytes and processor time."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.metrics import LoadBalancerMetrics
from hooks.loadbalancers.request import read
from hooks.targetclusters.clusters import Clusters
from hooks.targetclusters.metrics import ClusterMetrics
from tests.bench.status_page import CLUSTERS, LOAD_BALANCERS
from tests.controlplane import ControlPlane
from tests.serving import PROJECT
from tests.targets.driving import target_cluster
from tests.unit.targetclusters.watching import record

CONVERGED = PROJECT / "tests/golden/loadbalancers/06-converged"
#: All that a TargetCluster's status may show, of a cluster that is well.
WELL: Json = {
    "conditions": [{"type": "Ready", "status": "True"}],
    "nodes": {"ready": 3, "total": 3},
    "probe": {"durationSeconds": 0.25},
    "lastContactTime": "2027-01-15T08:00:00Z",
    "credentialExpiry": "2027-01-16T08:00:00Z",
    "credentialRenewBy": "2027-01-16T07:54:00Z",
    "healing": {"open": 0, "givenUp": 0, "breaker": "Closed"},
    "sync": {"objects": 12, "applied": 0, "unchanged": 12, "failed": 0, "durationSeconds": 1.5},
}
HEAD = "| one read | series | bytes | processor |\n|---|---|---|---|"


def bench_metrics(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Count what is shown of many load balancers, and of many target clusters."""
    del plane, folder
    yield HEAD
    yield _row(f"{LOAD_BALANCERS} load balancers", _of_load_balancers())
    yield _row(f"{CLUSTERS:,} TargetClusters", _of_clusters())


def _of_load_balancers() -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = LoadBalancerMetrics(registry, time.monotonic)
    registry.register(metrics)
    body = json.loads((CONVERGED / "request.json").read_text())
    response = json.loads((CONVERGED / "plan.json").read_text())["response"]
    for number in range(LOAD_BALANCERS):
        body["parent"]["spec"]["service"]["name"] = f"web-{number}"
        metrics.note(read(body), response, time.time())
    return registry


def _of_clusters() -> CollectorRegistry:
    clusters = Clusters(record, time.monotonic)
    for number in range(CLUSTERS):
        clusters.get(target_cluster(f"cluster-{number}")).status = WELL
    registry = CollectorRegistry()
    registry.register(ClusterMetrics(clusters))
    return registry


def _row(what: str, registry: CollectorRegistry) -> str:
    began = time.process_time()
    text = generate_latest(registry)
    used = time.process_time() - began
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    return f"| {what} | {series:,} | {len(text):,} | {used * 1000:.0f} ms |"
