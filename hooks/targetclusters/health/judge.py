"""What a probe found, what that says of the cluster, and how often it must be said to count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition, Status
from hooks.kube.times import timestamp
from hooks.targetclusters.request import Spec
from hooks.targetclusters.sync.plan.model import DesiredSet

#: How many nodes or pods a status names; the others are counted.
NAMED = 10
#: Seconds before the end of the credentials at which people are told.
EXPIRY_NOTICE = 7 * 86400.0

CREDENTIALS = "CredentialsValid"
REACHABLE = "Reachable"
NODES = "NodesReady"
PODS = "SystemPodsReady"
#: The reason of a condition that no probe has decided yet.
NOT_PROBED = "NotProbed"
#: The conditions that a probe decides, the more fundamental first.
CHECKS = (CREDENTIALS, REACHABLE, NODES, PODS)

#: The reason where the Secret is not there, as when its whole namespace is being deleted.
SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - no password

#: Where a probe came to an end: reading our own Secret, at the kubeconfig, on the way to the
#: cluster, or at its refusal of who we are.
Stage = Literal["secret", "kubeconfig", "contact", "unauthorized"]


@dataclass(frozen=True)
class Fault:
    """Something that could not be done; the message is fit for a status."""

    reason: str
    message: str


@dataclass(frozen=True)
class Stop:
    """What ended a probe before it had read everything."""

    stage: Stage
    fault: Fault


@dataclass(frozen=True)
class Count:
    """Nodes or pods.

    Attributes:
        not_ready: the first NAMED of those that are not ready.
    """

    ready: int = 0
    total: int = 0
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True)
class Nodes:
    """The nodes of a cluster; what they have and what they have for pods, summed up."""

    count: Count
    capacity: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """What one look at a cluster found.

    Attributes:
        started_at: epoch seconds, to the millisecond.
        seconds: how long it took.
        generation: of the TargetCluster that it followed.
        stop: what ended it early.
        server: the API server's URL; empty where no kubeconfig could be read.
        verified: whether the server has to prove who it is.
        expires: epoch seconds at which the credentials end; None for never.
        answered: the cluster answered, whatever it said.
        version: None where it was not read.
        nodes: None where they were not asked for; a Fault where they could not be read.
        pods: as nodes.
        desired: what is to be on the cluster; None where that was not asked for.
    """

    started_at: float
    seconds: float
    generation: int
    stop: Stop | None = None
    server: str = ""
    verified: bool = True
    expires: float | None = None
    answered: bool = False
    version: str | None = None
    nodes: Nodes | Fault | None = None
    pods: Count | Fault | None = None
    desired: DesiredSet | None = None


@dataclass(frozen=True)
class Verdict:
    """What one probe says of one condition.

    Attributes:
        certain: another probe would say the same, so that it counts at once.
    """

    condition: Condition
    certain: bool = False


def judge(probe: Probe, spec: Spec) -> tuple[Verdict, ...]:
    """Say what a probe means for each of CHECKS; one of which it learnt nothing is left out."""
    if probe.stop is not None:
        return _judge_stop(probe.stop)
    message = "the cluster accepts the kubeconfig's credentials"
    if not probe.verified:
        message += "; its certificate is not verified (insecure-skip-tls-verify)"
    return (
        _verdict(CREDENTIALS, "True", "Accepted", message, certain=True),
        _verdict(REACHABLE, "True", "Answered", f"{probe.server} answers"),
        _judge_nodes(probe.nodes, spec),
        _judge_pods(probe.pods, spec),
    )


def expiry(verdict: Condition, expires: float | None, *, now: float) -> Condition:
    """Let the end of the credentials have its say, which comes without a probe.

    Args:
        verdict: the condition CredentialsValid without regard to their end.
        expires: epoch seconds at which they end; None for never.
        now: epoch seconds.
    """
    if expires is None or now < expires - EXPIRY_NOTICE:
        return verdict
    if now >= expires:
        message = f"the kubeconfig's credentials ended at {timestamp(expires)}"
        return Condition(CREDENTIALS, "False", "Expired", message)
    if verdict.status != "True":
        return verdict
    message = f"the kubeconfig's credentials end at {timestamp(expires)}"
    return Condition(CREDENTIALS, "True", "ExpiringSoon", message)


@dataclass(frozen=True)
class Standing:
    """A condition as it stands, and for how many probes in a row."""

    condition: Condition
    failures: int = 0
    successes: int = 0


def fold(
    standing: Mapping[str, Standing], verdicts: Sequence[Verdict], spec: Spec
) -> dict[str, Standing]:
    """Count one more probe in; a condition turns when its threshold is reached.

    What is unknown turns good at the first good word: there is nothing yet to be sure against.
    """
    result = dict(standing)
    for verdict in verdicts:
        result[verdict.condition.type] = _count(standing[verdict.condition.type], verdict, spec)
    return result


def first_standing() -> dict[str, Standing]:
    """Answer the conditions of a cluster that has not been probed."""
    return {
        check: Standing(Condition(check, "Unknown", NOT_PROBED, "no probe has ended yet"))
        for check in CHECKS
    }


def read_standing(status: Json) -> dict[str, Standing]:
    """Read what stood in a TargetCluster's status."""
    result = first_standing()
    counts = {
        entry["condition"]: entry for entry in (status.get("probe") or {}).get("checks") or []
    }
    for entry in status.get("conditions") or []:
        if entry["type"] in result:
            counted = counts.get(entry["type"], {})
            result[entry["type"]] = Standing(
                Condition(
                    entry["type"],
                    entry["status"],
                    entry.get("reason") or "",
                    entry.get("message") or "",
                ),
                counted.get("failures") or 0,
                counted.get("successes") or 0,
            )
    return result


def _judge_stop(stop: Stop) -> tuple[Verdict, ...]:
    reason, message = stop.fault.reason, stop.fault.message
    match stop.stage:
        case "secret":
            return tuple(_verdict(check, "Unknown", reason, message) for check in CHECKS)
        case "kubeconfig":
            others = "not probed, for want of a kubeconfig that can be used"
            return (
                _verdict(CREDENTIALS, "False", reason, message, certain=True),
                *(_verdict(check, "Unknown", reason, others, certain=True) for check in CHECKS[1:]),
            )
        case "contact":
            unknown = f"unknown, since the cluster is out of reach: {message}"
            return (
                _verdict(REACHABLE, "False", reason, message),
                *(_verdict(check, "Unknown", reason, unknown) for check in (NODES, PODS)),
            )
        case "unauthorized":
            unknown = "unknown, since the cluster does not accept the kubeconfig's credentials"
            return (
                _verdict(CREDENTIALS, "False", reason, message),
                _verdict(REACHABLE, "True", "Answered", "the cluster answers"),
                *(_verdict(check, "Unknown", reason, unknown) for check in (NODES, PODS)),
            )


def _judge_nodes(nodes: Nodes | Fault | None, spec: Spec) -> Verdict:
    if nodes is None or isinstance(nodes, Fault):
        fault = nodes or Fault("NotRead", "the nodes were not read")
        return _verdict(NODES, "Unknown", fault.reason, fault.message)
    count = nodes.count
    wanted = spec.health.min_ready_nodes
    message = f"{count.ready} of {count.total} nodes are ready, {wanted} must be"
    if count.ready >= wanted.of(count.total):
        return _verdict(NODES, "True", "EnoughReady", message)
    return _verdict(NODES, "False", "TooFewReady", message + _not_ready(count))


def _judge_pods(pods: Count | Fault | None, spec: Spec) -> Verdict:
    if not spec.health.pod_namespaces:
        return _verdict(PODS, "True", "NotAsked", "no namespaces are to be looked at", certain=True)
    if pods is None or isinstance(pods, Fault):
        fault = pods or Fault("NotRead", "the pods were not read")
        return _verdict(PODS, "Unknown", fault.reason, fault.message)
    where = ", ".join(spec.health.pod_namespaces)
    message = f"{pods.ready} of {pods.total} pods are ready in {where}"
    if pods.ready == pods.total:
        return _verdict(PODS, "True", "AllReady", message)
    return _verdict(PODS, "False", "NotReady", message + _not_ready(pods))


def _not_ready(count: Count) -> str:
    """Name some that are not ready; a list that could grow would be no message."""
    if not count.not_ready:
        return ""
    named = ", ".join(count.not_ready[:3])
    more = count.total - count.ready - len(count.not_ready[:3])
    return f"; not ready: {named}" + (f" and {more} more" if more > 0 else "")


def _count(before: Standing, verdict: Verdict, spec: Spec) -> Standing:
    says, stands = verdict.condition, before.condition
    if says.status == "True":
        successes = min(before.successes + 1, spec.success_threshold)
        enough = verdict.certain or successes >= spec.success_threshold
        turned = stands.status != "False" or enough
        return Standing(says if turned else _held(stands, successes, spec), 0, successes)
    failures = before.failures + 1
    turned = verdict.certain or failures >= spec.failure_threshold or stands.status == says.status
    if turned:
        return Standing(says, failures, 0)
    waiting = f"{failures} of {spec.failure_threshold} probes failed: {says.message}"
    return Standing(Condition(stands.type, stands.status, stands.reason, waiting), failures, 0)


def _held(stands: Condition, successes: int, spec: Spec) -> Condition:
    message = f"{successes} of {spec.success_threshold} probes succeeded"
    return Condition(stands.type, stands.status, stands.reason, message)


def _verdict(
    condition: str, status: Status, reason: str, message: str, *, certain: bool = False
) -> Verdict:
    return Verdict(Condition(condition, status, reason, message), certain)
