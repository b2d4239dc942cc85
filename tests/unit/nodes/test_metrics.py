from prometheus_client import CollectorRegistry

from hooks.kube.events import Event, Reference
from hooks.names import EVENT_DELETION_HELD
from hooks.nodes.metrics import NodeMetrics
from hooks.nodes.plan.match import Missing
from hooks.webhook.contract import DecoratorResponse, Plan
from tests.unit.nodes.objects import make_facts, make_node

RESPONSE = DecoratorResponse(labels={}, attachments=[])


def test_held_deletions_are_counted_while_they_are_held() -> None:
    registry, metrics = CollectorRegistry(), NodeMetrics(lambda: 0.0)
    registry.register(metrics)
    facts = make_facts(make_node(), Missing("vm-1"))
    held = Event(Reference.to(facts.node), EVENT_DELETION_HELD, "it is kept", type="Warning")
    counts = []
    for events in ((held,), (held,), ()):
        metrics.note(facts, Plan(RESPONSE, (), events))
        counts.append(registry.get_sample_value("cloudstack_node_deletions_held"))
    assert counts == [1, 1, 0]
    assert registry.get_sample_value("cloudstack_nodes", {"state": "missing"}) == 1
