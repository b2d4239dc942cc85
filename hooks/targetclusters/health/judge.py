"""Decides what probes say about a cluster's conditions, and when a condition changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hooks.http.bounded_json import Json
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.kube.objects import items
from hooks.kube.times import timestamp
from hooks.targetclusters.health.model import Failure, Nodes, ProbeResult, ReadyCount
from hooks.targetclusters.request import HealthChecks, Spec

CREDENTIALS = "CredentialsValid"
REACHABLE = "Reachable"
NODES = "NodesReady"
PODS = "SystemPodsReady"
#: The conditions that probes decide, the most fundamental first.
CHECKS = (CREDENTIALS, REACHABLE, NODES, PODS)
#: The reason of a condition that no probe has decided yet.
NOT_PROBED = "NotProbed"
#: Reasons of a condition that no answer of the cluster has decided.
_UNASKED = (NOT_PROBED, "Expired")
#: The reason of a condition about nothing.
NOT_ASKED = "NotAsked"


@dataclass(frozen=True)
class CheckState:
    """A condition in effect, and how many probes in a row failed or succeeded."""

    condition: Condition
    failures: int = 0
    successes: int = 0


def judge(probe: ProbeResult, spec: Spec) -> tuple[Condition, ...]:
    """Return what a probe says about each condition; those that it leaves open are absent."""
    if probe.failure is not None:
        return _judge_failure(probe.failure)
    user = f" as {probe.user}" if probe.user else ""
    message = f"the cluster accepts the kubeconfig's credentials{user}"
    if probe.two_credentials:
        message += "; of certificate and token in the kubeconfig, a cluster takes the certificate"
    if not probe.verified:
        message += "; its certificate is not verified (insecure-skip-tls-verify)"
    credentials = Condition(CREDENTIALS, "True", "Accepted", message)
    if not probe.accepted:
        message = "the cluster says nobody's name and shows no list: nothing shows who we are to it"
        credentials = Condition(CREDENTIALS, "Unknown", "NotShown", message)
    return (
        credentials,
        Condition(REACHABLE, "True", "Answered", f"{probe.server} answers"),
        _judge_nodes(probe.nodes, spec),
        _judge_pods(probe.pods, spec),
    )


def count_probe(
    checks: Mapping[str, CheckState], probe: ProbeResult, spec: Spec, *, is_new: bool
) -> dict[str, CheckState]:
    """Return the checks after one more probe; a condition changes when its threshold is reached.

    An unknown condition becomes True with the first success: there is no outage to be sure of.

    Args:
        checks: so far.
        probe: what is counted.
        spec: that it followed.
        is_new: no earlier probe followed this spec.
    """
    counted = dict(checks)
    for found in judge(probe, spec):
        certain = _is_certain(found, probe.failure, is_new=is_new)
        counted[found.type] = _count_result(checks[found.type], found, spec, certain=certain)
    return counted


def read_checks(status: Json) -> dict[str, CheckState]:
    """Read the checks from a TargetCluster's status; Unknown if it was never probed."""
    conditions = {entry["type"]: entry for entry in items(status, "conditions")}
    counts = {entry["condition"]: entry for entry in items(status, "probe", "checks")}
    unknown = {"status": "Unknown", "reason": NOT_PROBED, "message": "no probe has finished yet"}
    checks = {}
    for check in CHECKS:
        entry, count = conditions.get(check, unknown), counts.get(check, {})
        reason, message = entry.get("reason") or "", entry.get("message") or ""
        condition = Condition(check, entry["status"], reason, message)
        failures, successes = count.get("failures") or 0, count.get("successes") or 0
        checks[check] = CheckState(condition, failures, successes)
    return checks


def with_expiry(
    credentials: CheckState,
    expires: float,
    renew_by: float,
    *,
    now: float,
    last_contact: float | None = None,
) -> Condition:
    """Return CredentialsValid with the expiry of the credentials as its reason.

    The cluster's own yes or no stays: a kubeconfig may hold a certificate and a token, of which
    only one has expired. All times are epoch seconds; `last_contact` is when it last answered.
    """
    condition, is_over = credentials.condition, now >= expires
    if condition.status == "Unknown" and not (is_over and condition.reason in _UNASKED):
        return condition
    if now < min(expires, renew_by):
        return condition
    reason = "Expired" if is_over else "ExpiringSoon"
    if condition.status == "True" and credentials.failures:
        return replace(condition, reason=reason)  # its message says how many probes failed, and why
    verb = "expired" if is_over else "expire"
    message = f"the kubeconfig's credentials {verb} at {timestamp(expires)}"
    if condition.status == "False":
        return replace(condition, reason=reason, message=message) if is_over else condition
    is_seen = last_contact is not None and last_contact > expires
    if is_over and condition.status == "True" and is_seen:
        message += "; the cluster still accepts them, or others in the kubeconfig"
    elif is_over:
        message += "; nothing has shown since whether the cluster takes them"
    return replace(condition, reason=reason, message=message)


def _judge_failure(failure: Failure) -> tuple[Condition, ...]:
    reason, message = failure.reason, failure.message
    match failure.kind:
        case "kubeconfig" | "absent":
            skipped = "not probed: the kubeconfig cannot be used"
            return (
                Condition(CREDENTIALS, "False", reason, message),
                *_unknown(CHECKS[1:], reason, skipped),
            )
        case "connection":
            unreachable = f"unknown because the cluster is unreachable: {message}"
            return (
                Condition(REACHABLE, "False", reason, message),
                *_unknown((NODES, PODS), reason, unreachable),
            )
        case "credentials":
            rejected = "unknown because the cluster rejects the kubeconfig's credentials"
            return (
                Condition(CREDENTIALS, "False", reason, message),
                Condition(REACHABLE, "True", "Answered", "the cluster answers"),
                *_unknown((NODES, PODS), reason, rejected),
            )
        case _:
            return _unknown(CHECKS, reason, message)


def _judge_nodes(nodes: Nodes | Failure | None, spec: Spec) -> Condition:
    if not spec.health.asks_nodes:
        return Condition(NODES, "True", NOT_ASKED, "healthChecks.minReadyNodes is 0")
    if not isinstance(nodes, Nodes):
        return _not_read(NODES, nodes)
    count, required = nodes.count, spec.health.min_ready_nodes
    message = f"{count.ready} of {count.total} nodes are ready, {required} required"
    if count.ready >= required.of(count.total):
        return Condition(NODES, "True", "EnoughReady", message)
    return Condition(NODES, "False", "TooFewReady", message + _name_not_ready(count))


def _judge_pods(pods: ReadyCount | Failure | None, spec: Spec) -> Condition:
    if not spec.health.asks_pods:
        message = "healthChecks.podNamespaces is empty, or minReadyPods 0"
        return Condition(PODS, "True", NOT_ASKED, message)
    if not isinstance(pods, ReadyCount):
        return _not_read(PODS, pods)
    namespaces, required = ", ".join(spec.health.pod_namespaces), spec.health.min_ready_pods
    if not pods.total:
        # A control plane alone has none in kube-system; who names another namespace wants some.
        is_default = spec.health.pod_namespaces == HealthChecks().pod_namespaces
        message = f"no pods in {namespaces}: healthChecks.podNamespaces may name others, or none"
        return Condition(PODS, "True" if is_default else "Unknown", "NoPods", message)
    message = f"{pods.ready} of {pods.total} pods are ready in {namespaces}"
    if required != "100%":
        message += f", {required} required"
    if pods.ready >= required.of(pods.total):
        reason = "AllReady" if pods.ready == pods.total else "EnoughReady"
        return Condition(PODS, "True", reason, message)
    return Condition(PODS, "False", "NotReady", message + _name_not_ready(pods))


def _not_read(check: str, failure: Failure | None) -> Condition:
    failure = failure or Failure("list", "NotRead", "not read by the last probe")
    return Condition(check, "Unknown", failure.reason, failure.message)


def _name_not_ready(count: ReadyCount) -> str:
    """Name at most three, to keep the message short."""
    if not count.not_ready:
        return ""
    return f"; not ready: {join_names(count.not_ready, limit=3, total=count.total - count.ready)}"


def _is_certain(found: Condition, failure: Failure | None, *, is_new: bool) -> bool:
    """Tell whether another probe would say the same: it counts at once, without a threshold.

    A kubeconfig that is absent may be back soon: some tools delete a Secret to make it again. One
    that the first probe of a spec does not find was hardly there before: the spec may name another.
    """
    if failure is not None:
        return failure.kind == "kubeconfig" or (failure.kind == "absent" and is_new)
    return found.reason == NOT_ASKED or (found.type == CREDENTIALS and found.status == "True")


def _count_result(before: CheckState, found: Condition, spec: Spec, *, certain: bool) -> CheckState:
    current = before.condition
    if found.status == "True":
        successes = min(before.successes + 1, spec.success_threshold)
        enough = certain or successes >= spec.success_threshold
        if enough or current.status != "False":
            return CheckState(found, 0, successes)
        message = f"{successes} of {spec.success_threshold} probes succeeded"
        return CheckState(replace(current, message=message), 0, successes)
    if current.status == found.status:
        return CheckState(found, max(spec.failure_threshold, before.failures + 1), 0)
    # From False to Unknown, or back, is as much a change as from True: the count begins again.
    is_first = current.status != "True" and before.failures >= spec.failure_threshold
    failures = 1 if is_first else before.failures + 1
    if certain or failures >= spec.failure_threshold:
        return CheckState(found, failures, 0)
    message = f"{failures} of {spec.failure_threshold} probes failed: {found.message}"
    return CheckState(replace(current, message=message), failures, 0)


def _unknown(checks: tuple[str, ...], reason: str, message: str) -> tuple[Condition, ...]:
    return tuple(Condition(check, "Unknown", reason, message) for check in checks)
