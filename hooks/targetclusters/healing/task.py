"""What a round of healing is about, and how long its parts may take."""

from collections.abc import Callable
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.http.deadline import Monotonic
from hooks.kube.client import Kube
from hooks.kube.objects import annotations, is_deleting
from hooks.kube.times import CLOCK_SLACK, read_past
from hooks.names import ANNOTATION_HEAL_AGAIN
from hooks.targetclusters.healing.memory import HealingMemory
from hooks.targetclusters.healing.plan.model import Policy
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.request import Spec

#: Seconds that a round, its reads, one call about the journal, and a repair may take.
ROUND_SECONDS = 420.0
READ_SECONDS = 60.0
CALL_SECONDS = 10.0
REPAIR_SECONDS = 330.0
#: Characters of a message about what keeps a round from its work.
MAX_MESSAGE = 400
#: Seconds between two starts that are owed, while the TargetCluster is being deleted.
RELEASE_PAUSE = 60.0


@dataclass(frozen=True, kw_only=True)
class HealingTask:
    """What a round of healing is about.

    Attributes:
        cluster: the TargetCluster as a request showed it.
        spec: what is read of its spec.
        memory: of this TargetCluster.
        own: the API server with it.
        target: the cluster, or why it cannot be opened.
        clock: epoch seconds.
        monotonic: monotonic seconds.
        place: where the kubeconfig leads to; empty where there is none.
    """

    cluster: Json
    spec: Spec
    memory: HealingMemory
    own: Kube
    target: Kube | Failure
    clock: Callable[[], float]
    monotonic: Monotonic
    place: str = ""

    @property
    def nows(self) -> tuple[float, ...]:
        """Return the present epoch seconds, by each clock that was there within the last hour."""
        return self.memory.clock_steps.nows(self.clock(), self.monotonic())

    @property
    def again(self) -> float:
        """Return when a person asked to begin again, in epoch seconds; 0 for never."""
        asked = annotations(self.cluster).get(ANNOTATION_HEAL_AGAIN)
        return read_past(asked, self.clock() + CLOCK_SLACK) or 0.0

    @property
    def policy(self) -> Policy:
        """Return the bounds."""
        healing = self.spec.healing
        first, longest = float(healing.backoff.first), float(healing.backoff.longest)
        if is_deleting(self.cluster):
            first, longest = min(first, RELEASE_PAUSE), RELEASE_PAUSE
        return Policy(
            max_retry=healing.max_retry if healing.mode == "Repair" else max(1, healing.max_retry),
            node_timeout=healing.node_timeout,
            first=first,
            longest=max(first, longest),
            unhealthy=healing.max_unhealthy,
            startup_timeout=healing.startup_timeout,
            longest_gap=ROUND_SECONDS + 2 * self.spec.monitor_interval,
            max_concurrent=healing.max_concurrent,
            pod_timeout=healing.pods.timeout,
        )
