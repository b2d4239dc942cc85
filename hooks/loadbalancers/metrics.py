"""The metrics of load balancers, from the status that each was last answered."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hooks.http.bounded_json import Json
from hooks.http.deadline import Monotonic
from hooks.kube.objects import find_condition, is_true, items, part
from hooks.kube.times import read_time
from hooks.loadbalancers.plan.schedule import MAX_REPAIRS
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import REASON_CONTESTED, REASON_DENIED_BY_LIST
from hooks.webhook.shown import Shown

_SERVICE = ("namespace", "service")
_READY = "1 if the load balancer of the Service is Ready, 0 if it is not or unknown."
_MEMBERS = "Members by state: wanted (nodes that may serve), assigned (in the rules)."
_PORTS = "Ports of the Service by state: wanted, served (their rules exist)."
_CONTESTED = "1 while something else undoes what we repair, and we leave it to that."
_PLANNED = "Changes that plan mode lists; absent outside plan mode."
_EXPIRY = (
    "When the certificate that the load balancer shows ends, in epoch seconds; absent without one."
)
_PROVISIONING = "Seconds from the creation of a load balancer until its address was published."
_LANES = (
    "Seconds that a write to CloudStack waited for others that lock the same, by lane: owner "
    "(addresses), network (rules, firewall), members, lease (Services that leave a shared address)."
)
_TO_PUBLISH = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_TO_ENTER = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5)


@dataclass(frozen=True, slots=True)
class _Row:
    """What is shown of one load balancer; None for what its status does not tell."""

    namespace: str
    service: str
    is_ready: bool
    is_contested: bool
    is_published: bool
    members: tuple[tuple[str, int], ...]
    ports: tuple[tuple[str, int], ...]
    planned: int | None
    expiry: float | None


class LoadBalancerMetrics(Collector):
    """Shows Prometheus the load balancers that this process was called for.

    Args:
        registry: where the histograms are kept.
        monotonic: monotonic seconds.
    """

    def __init__(self, registry: CollectorRegistry, monotonic: Monotonic) -> None:
        self._shown = Shown[_Row](monotonic)
        self._provisioning = Histogram(
            "cloudstack_load_balancer_provisioning_seconds",
            _PROVISIONING,
            registry=registry,
            buckets=_TO_PUBLISH,
        )
        self._lanes = Histogram(
            "cloudstack_lane_wait_seconds", _LANES, ("lane",), registry=registry, buckets=_TO_ENTER
        )

    def note_wait(self, lane: str, seconds: float) -> None:
        """Count how long a write waited for a lane."""
        self._lanes.labels(lane).observe(seconds)

    def note(self, request: LoadBalancerRequest, response: Json, now: float) -> None:
        """Show a load balancer as it is answered; `now` is in epoch seconds."""
        namespace, service = request.service_namespace, request.spec.service.name
        key, uid = f"{namespace}/{service}", request.metadata.uid
        if response.get("finalized"):
            self._shown.forget(key, uid)
            return
        status, recorded = part(response, "status"), request.recorded
        before, row = self._shown.get(key, uid), _row(namespace, service, status)
        self._shown.note(key, uid, row)
        # A call may show the status from before the last answer.
        was_published = bool(recorded.address and recorded.address.published)
        was_published = was_published or (before is not None and before.is_published)
        is_first = not was_published and not recorded.withdrawn_address
        created = read_time(request.metadata.creation_timestamp)
        if row.is_published and is_first and created is not None:
            self._provisioning.observe(max(0.0, now - created))

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without samples."""
        return _families(())

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of every load balancer that was called for lately."""
        return _families(self._shown.rows())


def _is_contested(status: Json) -> bool:
    """Tell whether repairs have stopped: also of items in a list without which it serves."""
    reason = find_condition({"status": status}, "Ready").get("reason")
    times = part(status, "repeatedDrift").get("times") or 0
    is_left = reason == REASON_DENIED_BY_LIST and times > MAX_REPAIRS
    return reason == REASON_CONTESTED or is_left


def _row(namespace: str, service: str, status: Json) -> _Row:
    shown = {"status": status}
    members, ports = part(status, "members"), items(status, "rules")
    counts = {
        "wanted": members.get("wanted"),
        "assigned": members.get("assigned"),
    }
    served = sum(1 for each in ports if each.get("id"))
    return _Row(
        namespace,
        service,
        is_ready=is_true(shown, "Ready"),
        is_contested=_is_contested(status),
        is_published=bool(part(status, "address").get("published")),
        members=tuple((state, count) for state, count in counts.items() if count is not None),
        ports=(("wanted", len(ports)), ("served", served)) if ports else (),
        planned=len(items(status, "plan")) if "plan" in status else None,
        expiry=read_time(part(status, "certificate").get("expires")),
    )


def _families(rows: Iterable[_Row]) -> Iterable[Metric]:
    ready = _family("ready", _READY)
    members = _family("members", _MEMBERS, "state")
    ports = _family("ports", _PORTS, "state")
    contested = _family("contested", _CONTESTED)
    planned = _family("planned_changes", _PLANNED)
    expiry = _family("certificate_expiry_timestamp_seconds", _EXPIRY)
    for row in rows:
        key = (row.namespace, row.service)
        ready.add_metric(key, float(row.is_ready))
        contested.add_metric(key, float(row.is_contested))
        for state, count in row.members:
            members.add_metric((*key, state), count)
        for state, count in row.ports:
            ports.add_metric((*key, state), count)
        if row.planned is not None:
            planned.add_metric(key, row.planned)
        if row.expiry is not None:
            expiry.add_metric(key, row.expiry)
    return ready, members, ports, contested, planned, expiry


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"cloudstack_load_balancer_{name}", text, labels=(*_SERVICE, *labels))
