"""The metrics of Nodes, from what was last planned for each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hooks.http.deadline import Monotonic
from hooks.kube.objects import is_deleting
from hooks.names import EVENT_DELETION_HELD
from hooks.nodes.plan.events import is_uninitialised
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.match import Ambiguous, Foreign, Found, Malformed
from hooks.nodes.plan.plan import NodePlan
from hooks.webhook.shown import Shown

#: Every state with a node's share in it; each node has one.
STATES = {
    "initialised": "its VM is known and the Node has what is known of it",
    "waiting": "its VM is known, and it is being initialised",
    "claimed": "its VM is another Node's too, or several VMs have its name",
    "malformed": "its provider id names no VM",
    "missing": "CloudStack has no VM of it",
}
_NODES = "Nodes by state: " + "; ".join(f"{state} ({text})" for state, text in STATES.items()) + "."
_HELD = "Nodes that are kept though their VMs are gone: the list of VMs may be wrong."


@dataclass(frozen=True, slots=True)
class _Row:
    state: str
    is_held: bool


class NodeMetrics(Collector):
    """Shows Prometheus the Nodes that this process was called for, but those of other clouds.

    Args:
        monotonic: monotonic seconds.
    """

    def __init__(self, monotonic: Monotonic) -> None:
        self._shown = Shown[_Row](monotonic)

    def note(self, facts: Facts, plan: NodePlan) -> None:
        """Show a Node as it is planned."""
        uid = facts.node["metadata"].get("uid") or ""
        if state := _state(facts):
            is_held = any(event.reason == EVENT_DELETION_HELD for event in plan.events)
            self._shown.note(facts.name, uid, _Row(state, is_held))
        else:
            self._shown.forget(facts.name, uid)

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without samples."""
        return _families(())

    def collect(self) -> Iterable[Metric]:
        """Return the counts of the Nodes that were called for lately."""
        return _families(self._shown.rows())


def _state(facts: Facts) -> str:
    """Return a Node's state; empty where it is another cloud's, or is being deleted."""
    if is_deleting(facts.node):
        return ""
    match facts.match:
        case Foreign():
            return ""
        case Found() if facts.rivals:
            return "claimed"
        case Found():
            return "waiting" if is_uninitialised(facts.node) else "initialised"
        case Ambiguous():
            return "claimed"
        case Malformed():
            return "malformed"
        case _:
            return "missing"


def _families(rows: Iterable[_Row]) -> Iterable[Metric]:
    rows = list(rows)
    counts = Counter(row.state for row in rows)
    nodes = GaugeMetricFamily("cloudstack_nodes", _NODES, labels=("state",))
    for state in STATES:
        nodes.add_metric((state,), counts[state])
    held = GaugeMetricFamily("cloudstack_node_deletions_held", _HELD)
    held.add_metric((), sum(row.is_held for row in rows))
    return nodes, held
