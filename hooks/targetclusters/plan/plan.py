"""Decides what a TargetCluster's sync answers, and which background work is to be started."""

from dataclasses import dataclass

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.events import Event, Reference
from hooks.kube.times import read_past
from hooks.targetclusters.health.judge import REACHABLE, Probe
from hooks.targetclusters.plan import finalizing, syncing
from hooks.targetclusters.plan.schedule import JobPool, State, due, next_look
from hooks.targetclusters.plan.status import Counted, conditions, count_in
from hooks.targetclusters.plan.syncing import Deletion, Round, SyncView
from hooks.targetclusters.request import Spec
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.webhook.contract import CompositeResponse, Plan

#: Seconds after which Metacontroller is asked to call again where nothing is due for longer.
LONGEST_WAIT = 300.0
#: Seconds that are waited at least.
SHORTEST_WAIT = 0.05
#: Seconds up to which a probe, and a round, are those of a cluster that answers.
QUICK_PROBE = 2.0
QUICK_ROUND = 15.0


@dataclass(frozen=True)
class Facts:
    """What is known at one moment.

    Attributes:
        cluster: the TargetCluster.
        config_maps: its children, which hold the inventory.
        deleted_at: epoch seconds at which its deletion was asked for; None where it was not.
        probe: how its probe stands.
        rounds: how the job stands that writes to the cluster.
        now: epoch seconds.
    """

    cluster: Json
    spec: Spec
    config_maps: tuple[Json, ...]
    deleted_at: float | None
    probe: State[Probe]
    rounds: State[Round | Deletion]
    now: float

    @property
    def key(self) -> str:
        """Answer `namespace/name`."""
        metadata = self.cluster["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}"

    @property
    def generation(self) -> int:
        """Answer the spec's generation; 0 where there is none."""
        return self.cluster["metadata"].get("generation") or 0

    @property
    def status(self) -> Json:
        """Answer the status as it was sent."""
        return self.cluster.get("status") or {}


@dataclass(frozen=True)
class StartProbe:
    """Probe the cluster."""

    pool: JobPool


@dataclass(frozen=True)
class StartRound:
    """Bring the resources to the cluster, as far as this inventory covers them."""

    recorded: Inventory
    pool: JobPool


@dataclass(frozen=True)
class StartDeletion:
    """Delete from the cluster what this inventory holds."""

    inventory: Inventory
    pool: JobPool


@dataclass(frozen=True)
class StopRound:
    """End the round of syncing that runs: no more is to be written to the cluster."""


Action = StartProbe | StartRound | StartDeletion | StopRound


def plan_sync(facts: Facts) -> Plan[Action]:
    """Decide what is answered now; only what has been found is told."""
    counted = count_in(facts.status, facts.probe.latest, facts.spec, now=facts.now)
    decision = syncing.decide(_view(facts, counted))
    status = _status(facts, counted, decision.condition, decision.status)
    probe_wait = _probe_wait(facts)
    actions: list[Action] = []
    if probe_wait <= 0:
        actions.append(StartProbe(_pool(counted)))
    if decision.start is not None:
        actions.append(StartRound(decision.start, _round_pool(facts)))
    if decision.stop:
        actions.append(StopRound())
    wait = min(probe_wait, LONGEST_WAIT if decision.wait is None else decision.wait)
    response = CompositeResponse(
        status=status, children=decision.children, resyncAfterSeconds=_rounded(wait)
    )
    return Plan(response, tuple(actions), _transitions(facts.cluster, status))


def plan_finalize(facts: Facts) -> Plan[Action]:
    """Decide what is answered of a TargetCluster that is being deleted."""
    counted = count_in(facts.status, facts.probe.latest, facts.spec, now=facts.now)
    view = _view(facts, counted)
    decision = finalizing.decide(view, deleted_at=facts.deleted_at or facts.now)
    status = _status(facts, counted, decision.condition, facts.status.get("sync") or {})
    actions: list[Action] = []
    if decision.start is not None:
        actions.append(StartDeletion(decision.start, _pool(counted)))
    if decision.stop:
        actions.append(StopRound())
    response = CompositeResponse(
        status=status, children=decision.children, finalized=decision.finalized
    )
    if not decision.finalized:
        response["resyncAfterSeconds"] = _rounded(decision.wait)
    events = () if decision.told is None else (_event(facts.cluster, *decision.told),)
    return Plan(response, tuple(actions), events)


def answer_unwatched(facts: Facts, *, finalizing: bool) -> CompositeResponse:
    """Answer a TargetCluster of a namespace that is not watched: unchanged, its end not held up."""
    counted = Counted(facts.status, {})
    response = CompositeResponse(
        status=facts.status, children=syncing.kept_children(_view(facts, counted))
    )
    if finalizing:
        response["finalized"] = True
    return response


def _view(facts: Facts, counted: Counted) -> SyncView:
    return SyncView(
        key=facts.key,
        generation=facts.generation,
        spec=facts.spec,
        status=facts.status,
        config_maps=facts.config_maps,
        standing=counted.standing,
        rounds=facts.rounds,
        probe=facts.probe.latest,
        now=facts.now,
    )


def _status(facts: Facts, counted: Counted, synced: Condition, sync: Json) -> Json:
    status: Json = {
        **counted.facts,
        "observedGeneration": facts.generation,
        "conditions": conditions(facts.cluster, counted, synced, facts.spec, now=facts.now),
    }
    return status | {"sync": sync} if sync else status


def _probe_wait(facts: Facts) -> float:
    """Answer in how many seconds a probe is due, or to be looked at; 0.0 where one is due."""
    if facts.probe.running_since is not None:
        return next_look(facts.probe.running_since, facts.now)
    probed = facts.status.get("probe") or {}
    last = read_past(probed.get("lastTime"), facts.now)
    generation = probed.get("observedGeneration")
    latest = facts.probe.latest
    if latest is not None and (last is None or latest.started_at > last):
        last, generation = latest.started_at, latest.generation
    if last is None or generation != facts.generation:
        return 0.0
    return max(0.0, due(last, facts.spec.monitor_interval, key=facts.key) - facts.now)


def _pool(counted: Counted) -> JobPool:
    """Answer where a cluster's jobs run: those that answer are spared from those that do not."""
    quick = (counted.facts.get("probe") or {}).get("durationSeconds", 0.0) <= QUICK_PROBE
    reachable = counted.standing[REACHABLE].condition.status == "True"
    return "answering" if reachable and quick else "silent"


def _round_pool(facts: Facts) -> JobPool:
    """Answer where a round runs: a cluster may answer probes and still take for ever to write."""
    latest = facts.rounds.latest
    report = latest.report if isinstance(latest, Round) else None
    if latest is None or report is None or report.error or latest.seconds > QUICK_ROUND:
        return "silent"
    return "answering"


def _rounded(seconds: float) -> float:
    return round(max(SHORTEST_WAIT, seconds), 3)


def _transitions(cluster: Json, status: Json) -> tuple[Event, ...]:
    """Tell people what has changed since the status that was sent."""
    before = {
        entry["type"]: entry for entry in (cluster.get("status") or {}).get("conditions") or []
    }
    events = []
    for entry in status["conditions"]:
        old = before.get(entry["type"], {})
        turned = old.get("status") != entry["status"]
        match entry["type"], entry["status"]:
            case "Ready", "True" if turned:
                events.append(_event(cluster, names.EVENT_CLUSTER_READY, entry["message"]))
            case "Ready", "False" if turned or old.get("reason") != entry["reason"]:
                events.append(_event(cluster, names.EVENT_CLUSTER_NOT_READY, _told(entry)))
            case "ResourcesSynced", "True" if turned:
                events.append(_event(cluster, names.EVENT_RESOURCES_SYNCED, entry["message"]))
            case "ResourcesSynced", "False" if _is_trouble(entry) and (
                old.get("reason") != entry["reason"]
            ):
                events.append(_event(cluster, names.EVENT_RESOURCES_NOT_SYNCED, _told(entry)))
            case "CredentialsValid", _ if _expires(entry) and old.get("reason") != entry["reason"]:
                events.append(_event(cluster, names.EVENT_CREDENTIALS_EXPIRING, entry["message"]))
            case _:
                pass
    return tuple(events)


def _expires(condition: Json) -> bool:
    return condition["reason"] in ("ExpiringSoon", "Expired")


def _is_trouble(condition: Json) -> bool:
    return bool(condition["reason"] != "Progressing")


def _told(condition: Json) -> str:
    return f"{condition['reason']}: {condition['message']}"


def _event(cluster: Json, reason: str, message: str) -> Event:
    good = (
        names.EVENT_CLUSTER_READY,
        names.EVENT_RESOURCES_SYNCED,
        names.EVENT_RESOURCES_DELETED,
    )
    return Event(Reference.to(cluster), reason, message, "Normal" if reason in good else "Warning")
