"""Reads the objects that the page is about, and keeps of each what the page shows.

Every kind is read by one list in pages, without a watch, and at most once in FRESH_SECONDS however
many people look. What is beyond MAX_READ is counted. A kind that cannot be read stays as it was.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic, run_detached
from hooks.http.texts import one_line
from hooks.kube.client import (
    METADATA_LIST,
    Kube,
    KubeError,
    KubeRefused,
    KubeRequest,
    KubeUnreachable,
    NotFound,
    Pages,
)
from hooks.kube.kinds import EVENT, NODE, SERVICE, Kind, version_path
from hooks.kube.objects import part
from hooks.names import (
    API_VERSION,
    CLOUD_CONTROLLER,
    CLOUDSTACK_API,
    INSTANCE_KIND,
    LOAD_BALANCER_KIND,
    TARGET_CLUSTER_GROUP,
    TARGET_CLUSTER_KIND,
    TARGET_CLUSTER_OPERATOR,
)
from hooks.settings.config import Config
from hooks.status import rows

LOAD_BALANCER = Kind(CLOUDSTACK_API, LOAD_BALANCER_KIND, "cloudstackloadbalancers", namespaced=True)
INSTANCE = Kind(CLOUDSTACK_API, INSTANCE_KIND, "cloudstackinstances", namespaced=False)
TARGET_CLUSTER = Kind(
    f"{TARGET_CLUSTER_GROUP}/{API_VERSION}", TARGET_CLUSTER_KIND, "targetclusters", namespaced=True
)

#: Seconds for which what was read is shown again; or this many times as long as it took to read.
FRESH_SECONDS = 10.0
FRESH_SHARE = 5.0
#: Seconds for a look at all kinds, and what is left of a call's time to write the page.
READ_SECONDS = 60.0
ANSWER_SECONDS = 1.0
#: Objects of one kind that are read.
MAX_READ = 5_000
#: Objects in the first page of a list, and bytes that later pages may have.
FIRST_PAGE = "50"
PAGE_BYTES = 2_000_000
#: Characters of why a kind cannot be read.
MAX_PROBLEM = 300
#: Why a kind is not read whose CRD is not there: its operator is not installed.
NOT_INSTALLED = "not installed"
#: What the API servers that know the type of a Service as a field (1.32 and newer) are asked for.
OF_TYPE = {"fieldSelector": "spec.type=LoadBalancer"}

R = TypeVar("R")


@dataclass(frozen=True)
class Listed(Generic[R]):
    """The objects of one kind.

    Attributes:
        rows: what is kept of each.
        unread: how many more there are, at least.
        read_at: when they were read, in epoch seconds; 0 for never.
        problem: why they were not read when they should have been; empty where they were.
    """

    rows: tuple[R, ...] = ()
    unread: int = 0
    read_at: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What was read, by kind; read_at is in epoch seconds, 0 before the first time."""

    read_at: float = 0.0
    seconds: float = 0.0
    load_balancers: Listed[rows.LoadBalancerRow] = field(default_factory=Listed)
    services: Listed[rows.ServiceRow] = field(default_factory=Listed)
    nodes: Listed[rows.NodeRow] = field(default_factory=Listed)
    instances: Listed[rows.InstanceRow] = field(default_factory=Listed)
    target_clusters: Listed[rows.TargetClusterRow] = field(default_factory=Listed)
    events: Listed[rows.EventRow] = field(default_factory=Listed)

    @property
    def kinds(self) -> dict[str, Listed[Any]]:
        """Return the lists by what people call the objects."""
        return {
            "load balancers": self.load_balancers,
            "Services": self.services,
            "Nodes": self.nodes,
            "Instances": self.instances,
            "target clusters": self.target_clusters,
            "Events": self.events,
        }


class Collector:
    """Reads when somebody looks, for all who look meanwhile.

    Args:
        kube: the API server.
        config: the settings; whose Events are shown, which Services count as ours.
        clock: epoch seconds.
        monotonic: monotonic seconds.
    """

    def __init__(
        self, kube: Kube, config: Config, *, clock: Callable[[], float], monotonic: Monotonic
    ) -> None:
        self._kube = kube
        self._config = config
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._latest = Snapshot()
        self._fresh_until = monotonic()
        self._reading: Future[None] | None = None
        self._type_is_a_field = True

    def snapshot(self, deadline: Deadline) -> Snapshot:
        """Return what was read lately, or is read now; an older one if that takes too long."""
        with self._lock:
            is_reading = self._reading is not None and not self._reading.done()
            if not is_reading and self._monotonic() >= self._fresh_until:
                self._reading = run_detached("status-page", self._look)
            reading = self._reading
        if reading is not None:
            with suppress(TimeoutError):
                reading.result(max(0.0, deadline.remaining() - ANSWER_SECONDS))
        return self._latest

    def _look(self) -> None:
        """Read everything, at the pace of the API server and not of who looks."""
        started = self._monotonic()
        deadline = Deadline(READ_SECONDS, clock=self._monotonic)
        latest = self._read(self._latest, deadline)
        ended = self._monotonic()
        self._latest = replace(latest, read_at=self._clock(), seconds=ended - started)
        self._fresh_until = ended + max(FRESH_SECONDS, FRESH_SHARE * (ended - started))

    def _read(self, before: Snapshot, deadline: Deadline) -> Snapshot:
        read = partial(self._listed, deadline)
        return Snapshot(
            events=read(before.events, self._events),
            load_balancers=read(
                before.load_balancers,
                partial(self._objects, LOAD_BALANCER, rows.load_balancer_row),
            ),
            services=read(before.services, self._services),
            instances=read(before.instances, partial(self._objects, INSTANCE, rows.instance_row)),
            nodes=read(before.nodes, partial(self._objects, NODE, rows.node_row)),
            target_clusters=read(
                before.target_clusters,
                partial(self._objects, TARGET_CLUSTER, rows.target_cluster_row),
            ),
        )

    def _listed(
        self,
        deadline: Deadline,
        before: Listed[R],
        read: Callable[[Deadline], tuple[list[R], int]],
    ) -> Listed[R]:
        """Read a kind; if that fails, keep what is known and say why."""
        try:
            found, unread = read(deadline)
        except NotFound:
            return Listed(read_at=self._clock(), problem=NOT_INSTALLED)
        except KubeError as error:
            return replace(before, problem=one_line(error, MAX_PROBLEM))
        return Listed(tuple(found), unread, self._clock())

    def _objects(
        self, kind: Kind, row: Callable[[Json], R], deadline: Deadline
    ) -> tuple[list[R], int]:
        try:
            read = [row(obj) for obj in self._pages(kind, {}, deadline)]
        except KubeUnreachable:
            # For a kind that it does not serve, the API server has no answer in JSON.
            if kind.group and not self._serves(kind, deadline):
                raise NotFound(kind.path(), 404, NOT_INSTALLED) from None
            raise
        return read[:MAX_READ], self._count_unread(kind, len(read), deadline)

    def _serves(self, kind: Kind, deadline: Deadline) -> bool:
        """Tell whether the API server has a kind. Raises KubeError."""
        groups = self._kube.get("/apis", deadline=deadline).get("groups")
        if all(each.get("name") != kind.group for each in groups or ()):
            return False
        version = self._kube.get(version_path(kind.api_version), deadline=deadline)
        return any(each.get("name") == kind.plural for each in version.get("resources") or ())

    def _services(self, deadline: Deadline) -> tuple[list[rows.ServiceRow], int]:
        """Read the Services of type LoadBalancer; of an older API server, all Services."""
        params = OF_TYPE if self._type_is_a_field else {}
        without_class = self._config.default_load_balancer_class
        try:
            read = [
                rows.service_row(obj, without_class=without_class)
                for obj in self._pages(SERVICE, params, deadline)
            ]
        except KubeRefused as error:
            if error.code != 400 or not params:
                raise
            self._type_is_a_field = False
            return self._services(deadline)
        found = [row for row in read[:MAX_READ] if row]
        if params:
            return found, max(0, len(read) - MAX_READ)
        return found, self._count_unread(SERVICE, len(read), deadline)

    def _events(self, deadline: Deadline) -> tuple[list[rows.EventRow], int]:
        """Read the Events of our operators, the newest first."""
        names = (CLOUD_CONTROLLER, TARGET_CLUSTER_OPERATOR, self._config.operator_name)
        found: list[rows.EventRow] = []
        unread = 0
        for source in dict.fromkeys(filter(None, names)):
            selector = {"fieldSelector": f"source={source}"}
            read = [rows.event_row(obj) for obj in self._pages(EVENT, selector, deadline)]
            found += [each for each in read[:MAX_READ] if each.source == source]
            unread += max(0, len(read) - MAX_READ)
        return sorted(found, key=lambda each: each.last, reverse=True), unread

    def _pages(self, kind: Kind, params: Json, deadline: Deadline) -> Iterator[Json]:
        """List a kind in all namespaces, one object more than are kept."""
        pages = Pages(max_bytes=PAGE_BYTES)
        query = {"limit": FIRST_PAGE, **params}
        listed = self._kube.list(kind.path(), deadline=deadline, params=query, pages=pages)
        for count, obj in enumerate(listed):
            yield obj
            if count == MAX_READ:
                return

    def _count_unread(self, kind: Kind, read: int, deadline: Deadline) -> int:
        """Return how many objects of a kind were not read, as the API server counts them."""
        if read <= MAX_READ:
            return 0
        params = {"limit": "1"}
        request = KubeRequest("GET", kind.path(), deadline, params, accept=METADATA_LIST)
        more = part(self._kube.call(request), "metadata").get("remainingItemCount")
        return max(1, int(more) + 1 - MAX_READ) if isinstance(more, int) else 1
