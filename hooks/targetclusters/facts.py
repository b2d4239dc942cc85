"""Gathers what is known of a TargetCluster where its sync is decided: nothing is waited for."""

from collections.abc import Callable
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.times import epoch
from hooks.targetclusters.background import Background
from hooks.targetclusters.health.judge import Probe
from hooks.targetclusters.plan.plan import Facts
from hooks.targetclusters.plan.syncing import Deletion, Round
from hooks.targetclusters.request import Spec
from hooks.webhook.contract import BadRequest, CompositeRequest


@dataclass(frozen=True)
class Jobs:
    """The jobs of all clusters."""

    probes: Background[Probe]
    rounds: Background[Round | Deletion]

    def close(self) -> None:
        """End them all."""
        self.probes.close()
        self.rounds.close()


def job_key(cluster: Json) -> str:
    """Answer what a TargetCluster's jobs go by; one made anew under its name is another."""
    metadata = cluster["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}/{metadata.get('uid') or ''}"


def gather(request: CompositeRequest, spec: Spec, jobs: Jobs, clock: Callable[[], float]) -> Facts:
    """Gather what is known now.

    Raises:
        BadRequest: the time of the deletion is none.
        Exception: a bug that ended a job.
    """
    cluster = request["parent"]
    key = job_key(cluster)
    children = request["children"].get("ConfigMap.v1") or {}
    return Facts(
        cluster=cluster,
        spec=spec,
        config_maps=tuple(children[name] for name in sorted(children)),
        deleted_at=_deleted_at(cluster),
        probe=jobs.probes.state(key),
        rounds=jobs.rounds.state(key),
        now=clock(),
    )


def _deleted_at(cluster: Json) -> float | None:
    text = cluster["metadata"].get("deletionTimestamp")
    try:
        return epoch(text) if text else None
    except ValueError:
        raise BadRequest(
            "parent.metadata.deletionTimestamp",
            f"is {text!r}, must be a time such as 2026-01-01T00:00:00Z",
        ) from None
