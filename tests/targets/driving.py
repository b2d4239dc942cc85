"""Calls the hook as Metacontroller does, with a clock that only the test moves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.kube.events import Event
from hooks.kube.times import timestamp
from hooks.targetclusters.hook import TargetClustersHook
from hooks.targetclusters.plan.schedule import MIN_POLL
from tests.controlplane.polling import PATIENCE, until
from tests.hooks import dependencies
from tests.targets.objects import ON_LOOPBACK

NOW = 1_800_000_000.0
NAMESPACE = "team"


class Clock:
    """Epoch seconds that only a test moves.

    Attributes:
        now: the time, if nobody sets the clock on the wall.
        ahead: seconds that it was set ahead.
    """

    def __init__(self) -> None:
        self.now = NOW
        self.ahead = 0.0

    def __call__(self) -> float:
        return self.now + self.ahead

    def monotonic(self) -> float:
        """Return seconds that pass with the clock and never step."""
        return self.now - NOW + 1000.0


@dataclass
class Operator:
    """A hook with what is around it; made again with the same objects, it has been restarted."""

    own: Kube
    settings: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the hook."""
        self.hook = TargetClustersHook(
            dependencies(
                self.own,
                clock=self.clock,
                monotonic=self.clock.monotonic,
                record=self.events.append,
                registry=self.registry,
                **{
                    "allowed_networks": ON_LOOPBACK.allowed,
                    "http_credentials": ON_LOOPBACK.http_credentials,
                    **self.settings,
                },
            )
        )

    def metrics(self) -> dict[str, float]:
        """Return every sample by its name and labels, as Prometheus reads them."""
        lines = generate_latest(self.registry).decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")
        }


@contextmanager
def operating(own: Kube, **settings: object) -> Iterator[Operator]:
    """Run an operator until the block ends."""
    operator = Operator(own, settings)
    try:
        yield operator
    finally:
        operator.hook.close()


def target_cluster(name: str = "example", namespace: str = NAMESPACE, **spec: object) -> Json:
    """Write a TargetCluster; the defaults of the CRD are left to the hook."""
    return {
        "apiVersion": "targetcluster.example.com/v1alpha1",
        "kind": "TargetCluster",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{namespace}-{name}",
            "generation": 1,
        },
        "spec": spec,
    }


@dataclass
class Driven:
    """One TargetCluster, and what the hook has answered of it: what Metacontroller would write.

    Attributes:
        controller: the name of the CompositeController that calls.
    """

    operator: Operator
    cluster: Json
    children: list[Json] = field(default_factory=list)
    answers: list[Json] = field(default_factory=list)
    controller: str = "targetclusters"

    @property
    def status(self) -> Json:
        """Return the status as it stands."""
        status: Json = self.cluster.get("status") or {}
        return status

    def request(self, *, finalizing: bool = False) -> Json:
        """Write what Metacontroller would post now."""
        maps = {f"{c['metadata']['namespace']}/{c['metadata']['name']}": c for c in self.children}
        return {
            "controller": {"metadata": {"name": self.controller}},
            "parent": self.cluster,
            "children": {"ConfigMap.v1": maps},
            "related": {},
            "finalizing": finalizing,
        }

    def call(self, *, finalizing: bool = False) -> Json:
        """Call once, if finalizing about a deletion; take up what is answered."""
        if finalizing:
            deleted = {"deletionTimestamp": timestamp(self.operator.clock.now)}
            self.cluster = {**self.cluster, "metadata": {**deleted, **self.cluster["metadata"]}}
        return self._call(finalizing=finalizing)

    def hand_over(self) -> Json:
        """Call once, as when the controller's selector no longer selects the TargetCluster."""
        return self._call(finalizing=True)

    def _call(self, *, finalizing: bool) -> Json:
        handler = self.operator.hook.finalize if finalizing else self.operator.hook.sync
        answer = handler(self.request(finalizing=finalizing), Deadline(8))
        assert answer.error is None
        response: Json = dict(answer.response)
        assert set(response) <= {"status", "children", "resyncAfterSeconds", "finalized"}
        self.cluster = {**self.cluster, "status": response["status"]}
        self.children = response["children"]
        self.answers.append(response)
        return response

    def change(self, **spec: object) -> None:
        """Change the spec, as a user does."""
        metadata = self.cluster["metadata"]
        self.cluster = {
            **self.cluster,
            "metadata": {**metadata, "generation": metadata["generation"] + 1},
            "spec": {**self.cluster["spec"], **spec},
        }

    def probe(self, *, within: float = PATIENCE) -> Json:
        """Let the next probe come due and end; return the status with it."""
        before = self.status.get("probe")
        if before:
            self.operator.clock.now += self.answers[-1]["resyncAfterSeconds"] + 0.001
        until(
            lambda: self.call()["status"].get("probe") != before,
            "a probe has ended",
            within=within,
            every=0.01,
        )
        return self.status

    def settle(self, settled: Callable[[], bool], what: str, *, within: float = PATIENCE) -> None:
        """Call on, as soon as each answer asks for it, until something is so."""

        def called() -> bool:
            wait = self.call()["resyncAfterSeconds"]
            if settled():
                return True
            if wait != MIN_POLL:  # no job runs: time may pass
                self.operator.clock.now += wait + 0.001
            return False

        until(called, what, within=within, every=0.005)

    def condition(self, kind: str) -> Json:
        """Return one of the conditions."""
        found: Json = next(c for c in self.status["conditions"] if c["type"] == kind)
        return found

    def says(self, kind: str) -> str:
        """Return a condition's status and reason in short."""
        condition = self.condition(kind)
        return f"{condition['status']} {condition['reason']}"
