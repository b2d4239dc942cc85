"""What Prometheus sees of Nodes."""

import pytest
from prometheus_client import CollectorRegistry

from hooks.cloudstack import Cloud
from hooks.http.deadline import Deadline
from hooks.nodes.metrics import STATES
from tests.integration.nodes.running import make_hook, replaced, request_for

DELETED = ("object", "metadata", "deletionTimestamp")
NO_VM = "cloudstack:///00000000-0000-4000-8000-000000000000"


def counts(registry: CollectorRegistry) -> dict[str, float]:
    found = {
        state: registry.get_sample_value("cloudstack_nodes", {"state": state}) for state in STATES
    }
    return {state: count for state, count in found.items() if count}


@pytest.mark.parametrize(
    ("name", "provider_id", "state"),
    [
        pytest.param("node-1", None, "waiting", id="its VM is found by name"),
        pytest.param("no-such-vm", None, "missing", id="no VM has its name"),
        pytest.param("node-1", NO_VM, "missing", id="no VM has its id"),
        pytest.param("node-1", "cloudstack:///x", "malformed", id="its id is none"),
    ],
)
def test_a_node_is_counted_by_its_state(
    cloud: Cloud, name: str, provider_id: str | None, state: str
) -> None:
    registry = CollectorRegistry()
    request = request_for(name, **({"providerID": provider_id} if provider_id else {}))
    make_hook(cloud, registry=registry).sync(request, Deadline(8))
    assert counts(registry) == {state: 1}


def test_nodes_of_other_clouds_are_not_counted(cloud: Cloud) -> None:
    registry = CollectorRegistry()
    request = request_for("node-1", providerID="aws:///zone/i-1")
    make_hook(cloud, registry=registry).sync(request, Deadline(8))
    assert counts(registry) == {}


def test_a_node_that_is_being_deleted_is_counted_no_longer(cloud: Cloud) -> None:
    registry = CollectorRegistry()
    hook, request = make_hook(cloud, registry=registry), request_for("node-1")
    hook.sync(request, Deadline(8))
    hook.sync(replaced(request, DELETED, "2026-01-01T00:00:00Z"), Deadline(8))
    assert counts(registry) == {}
