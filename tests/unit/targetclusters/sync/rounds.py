"""Runs rounds on a server that answers as a test says."""

from collections.abc import Callable
from itertools import count

from hooks.http.answer_memory import AnswerBounds
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.tls import file_context
from hooks.http.transport import Transport
from hooks.kube.client import ApiServer
from hooks.targetclusters.sync.engine import sync_round
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from hooks.targetclusters.sync.plan.model import (
    DesiredObject,
    DesiredSet,
    SyncPolicy,
    SyncReport,
    SyncTask,
)
from hooks.webhook.requests import convert
from tests.unit.api_server import Answer, Call, serving
from tests.unit.targetclusters.sync.objects import OWNER, TARGET

CORE: Json = {
    "resources": [
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
        {"name": "secrets", "kind": "Secret", "namespaced": True},
    ]
}
APPS: Json = {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}
GROUPS: Json = {"groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1"}]}]}
IDENTITY: Json = {"metadata": {"name": "kube-system", "uid": TARGET.uid}}
DISCOVERY = {
    "/api/v1": CORE,
    "/apis": GROUPS,
    "/apis/apps/v1": APPS,
    "/api/v1/namespaces/kube-system": IDENTITY,
}
STATUS: Json = {"kind": "Status", "message": "no"}


def target(url: str) -> ApiServer:
    return ApiServer(url, Transport(file_context, bounds=AnswerBounds(1_000_000)))


def after_discovery(answer: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """Answer discovery as an API server does, and everything else by a function."""
    return lambda call: (200, DISCOVERY[call.path]) if call.path in DISCOVERY else answer(call)


def sync(
    answer: Callable[[Call], Answer],
    *desired: DesiredObject,
    recorded: list[InventoryEntry],
    rounds: int = 1,
    **policy: str,
) -> list[SyncReport]:
    """Run rounds on a server, each with the inventory of the one before and long after it."""
    ticks = count(step=1000)

    def clock() -> float:
        return float(next(ticks))

    inventory, memory, reports = Inventory().with_entries(recorded), SyncMemory(), []
    with serving(answer) as server:
        for _ in range(rounds):
            wanted, follows = DesiredSet(desired), convert(policy, SyncPolicy)
            task = SyncTask(OWNER, TARGET, inventory, wanted, policy=follows)
            kube, time_left = target(server.url), Deadline(20)
            report = sync_round(kube, task, memory=memory, deadline=time_left, clock=clock)
            reports.append(report)
            inventory = report.inventory
    return reports
