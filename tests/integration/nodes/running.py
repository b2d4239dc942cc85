"""The nodes hook on a simulated CloudStack and an API server in memory."""

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from hooks.cloudstack import Cloud, CloudConfig
from hooks.http.bounded_json import Json
from hooks.kube.client import Kube
from hooks.nodes.hook import NodesHook
from hooks.webhook.reconcile import CallResult
from simulator.server import Simulator
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube

EXAMPLE: Json = json.loads(
    (Path(__file__).parents[3] / "examples/01-node/request.json").read_text()
)


def open_simulated(simulator: Simulator, *, ttl: float = 15.0, project: str = "") -> Cloud:
    user = simulator.user
    return Cloud(
        CloudConfig(simulator.url, user.api_key, user.secret_key, project_id=project),
        vm_cache_ttl=ttl,
    )


def make_hook(
    cloud: Cloud,
    clock: Callable[[], float] = lambda: 1_800_000_000.0,
    kube: Kube | None = None,
    registry: CollectorRegistry | None = None,
) -> NodesHook:
    kube = kube or kube_with(EXAMPLE)
    record = kube.record if isinstance(kube, MemoryKube) else lambda _: None
    return NodesHook(
        dependencies(kube, cloud=lambda: cloud, clock=clock, record=record, registry=registry)
    )


def kube_with(request: Json) -> MemoryKube:
    """Make an API server that has a request's Node, if the request names one."""
    with suppress(KeyError, TypeError):
        node = request["object"]
        return MemoryKube({f"/api/v1/nodes/{node['metadata']['name']}": deepcopy(node)})
    return MemoryKube()


def request_for(name: str, **spec: Any) -> Json:
    request = deepcopy(EXAMPLE)
    request["object"]["metadata"]["name"] = name
    request["object"]["spec"].update(spec)
    return request


def shown(answer: CallResult) -> Json:
    return dict(answer.response)


def replaced(document: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    copy = deepcopy(document)
    at = copy
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return copy
