"""What is known of a TargetCluster when an answer is decided."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.http.texts import join_names
from hooks.kube.objects import part
from hooks.kube.times import CLOCK_SLACK, moment, read_past, read_time
from hooks.lazy import lazy
from hooks.targetclusters.healing.plan.model import HealingResult
from hooks.targetclusters.health.model import Failure, ProbeResult
from hooks.targetclusters.plan.schedule import JobState, next_due
from hooks.targetclusters.request import TargetClusterRequest
from hooks.targetclusters.sync.plan.former_sets import is_former_set
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import SyncReport, WantedDigest

#: Seconds after a round in which Metacontroller writes an inventory, unless it is refused.
REFUSED_AFTER = 10.0


@dataclass(frozen=True)
class SyncResult:
    """The result of a sync round or of a deletion round.

    Attributes:
        started_at: epoch seconds, to the millisecond.
        seconds: how long it took.
        generation: the generation of the TargetCluster that it followed.
        recorded: the inventory that it started with.
        failure: why it could not connect to the cluster.
        desired: the digest of what the sources wanted on the cluster; None with a failure, and of a
            deletion.
        report: what it did; None with a failure.
    """

    started_at: float
    seconds: float
    generation: int
    recorded: Inventory
    failure: Failure | None = None
    desired: WantedDigest | None = None
    report: SyncReport | None = None


AnyState = JobState[ProbeResult] | JobState[SyncResult]


@dataclass(frozen=True)
class Facts:
    """What is known of a TargetCluster when an answer is decided.

    Attributes:
        request: what came with the call.
        probe, sync: the states of its probe and of its sync rounds.
        deletion: the state of its deletion rounds, which never run beside sync rounds.
        healing: the state of its rounds of healing.
        deleting_since: since when this process has seen it being deleted, in monotonic seconds;
            None if it is not.
        now: epoch seconds, for what is written and for times of others.
        monotonic: monotonic seconds, for the process's own times.
    """

    request: TargetClusterRequest
    probe: JobState[ProbeResult]
    sync: JobState[SyncResult]
    deletion: JobState[SyncResult]
    healing: JobState[HealingResult]
    deleting_since: float | None
    now: float
    monotonic: float

    @property
    def key(self) -> str:
        """Return `namespace/name`."""
        metadata = self.request.cluster["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}"

    @property
    def generation(self) -> int:
        """Return the spec's generation; 0 if it has none."""
        return self.request.cluster["metadata"].get("generation") or 0

    @property
    def status(self) -> Json:
        """Return the status as Metacontroller sent it."""
        return self.request.cluster.get("status") or {}

    @property
    def time_left(self) -> float:
        """Return the seconds of finalizeTimeout that are left."""
        since = self.monotonic if self.deleting_since is None else self.deleting_since
        return since + self.request.spec.finalize_timeout - self.monotonic

    def until_due(self, recorded: str | None, jobs: AnyState, interval: float) -> float | None:
        """Return the seconds until the next job is due; None where the last time is implausible.

        The process's own job counts by its own clock, which never steps.

        Args:
            recorded: when the last job was started, as the status has it.
            jobs: the state of the jobs of this kind.
            interval: seconds between two jobs.
        """
        last, latest = read_time(recorded), jobs.latest
        if last is None:
            return None
        if latest is not None and recorded == moment(latest.started_at):
            elapsed = self.monotonic - jobs.started
        elif read_past(recorded, self.now + CLOCK_SLACK) is not None:
            elapsed = self.now - last
        else:
            return None
        return next_due(last, interval, key=self.key) - last - elapsed

    def is_counted(
        self, latest: ProbeResult | SyncResult | HealingResult, recorded: str | None
    ) -> bool:
        """Tell whether the status has counted a job, or a later one of another replica.

        The very job that the status records is counted, whatever the time is now.
        """
        if recorded == moment(latest.started_at):
            return True
        last = read_past(recorded, self.now + CLOCK_SLACK)
        return last is not None and latest.started_at <= last

    @lazy
    def inventory(self) -> Inventory:
        """Return the inventory as Metacontroller sent it."""
        return Inventory.from_config_maps(self.request.config_maps)

    @lazy
    def unrecorded(self) -> Inventory | None:
        """Return the inventory that the last round wants recorded; None if it is, or is outdated.

        A round's wish holds only while the inventory that it started with is the present one: an
        inventory that somebody else changed stays as it is, and the next round starts with that.
        """
        latest = self.sync.latest
        if latest is None or latest.report is None or self.inventory != latest.recorded:
            return None
        wanted = latest.report.inventory
        return None if wanted == self.inventory else wanted

    @property
    def is_refused(self) -> bool:
        """Tell whether Metacontroller had time to record an inventory and has not."""
        latest = self.sync.latest
        if latest is None or self.unrecorded is None:
            return False
        return self.monotonic - self.sync.started - latest.seconds > REFUSED_AFTER

    def children_for(self, new: Inventory | None) -> list[Json]:
        """Return the ConfigMaps of a new inventory, else the present ones."""
        if new is None:
            return self.request.children
        namespace, _, name = self.key.partition("/")
        return new.to_config_maps(name=name, namespace=namespace)

    def count_objects(self, inventory: Inventory) -> int:
        """Count the objects of an inventory; a former ApplySet's ConfigMap is not one of them."""
        return sum(not is_former_set(entry) for entry in inventory.by_key.values())

    @property
    def left_behind(self) -> str:
        """Say what is left on clusters that the kubeconfig led to before; empty for nothing."""
        name = self.key.partition("/")[2]
        left = [
            f"{self.count_objects(one)} objects on {one.cluster} (ConfigMap "
            f"{one.name_set_aside(name)})"
            for one in self.inventory.set_aside
        ]
        return ", ".join(left)

    def dropped(self, new: Inventory) -> str:
        """Say which lists of former clusters a new inventory no longer holds; empty for none.

        One of the present cluster is not dropped: its entries are the inventory again.
        """
        kept = {one.cluster.key for one in (new, *new.set_aside)}
        gone = [one for one in self.inventory.set_aside if one.cluster.key not in kept]
        named = [f"{self.count_objects(one)} objects on {one.cluster}" for one in gone]
        return join_names(named, limit=3)

    @property
    def lost_inventory(self) -> bool:
        """Tell whether objects were synced, and no ConfigMap lists them any more."""
        if not part(self.status, "sync").get("objects") or self.inventory.by_key:
            return False
        latest = self.sync.latest
        return latest is None or bool(latest.recorded.by_key)
