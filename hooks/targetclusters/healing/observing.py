"""Reads what is to be known of a cluster's faults, and says what cannot be read.

Each part is read for itself: what fails leaves its own faults unknown, and the others are repaired.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import CloudStackError, Unauthorized
from hooks.cloudstack.models.compute import Scope
from hooks.cloudstack.models.kubernetes import KubernetesCluster
from hooks.cloudstack.operations import find_cluster
from hooks.http.deadline import Deadline
from hooks.http.texts import join_names, join_sentences, one_line
from hooks.kube.client import Kube, KubeError, KubeUnreachable
from hooks.kube.cluster_uid import read_cluster_uid
from hooks.targetclusters.healing.accounts import AccountError
from hooks.targetclusters.healing.machines import find_machines, find_stopped, why_none_seen
from hooks.targetclusters.healing.nodes import TooManyNodes, list_nodes
from hooks.targetclusters.healing.plan.model import (
    Evidence,
    Journal,
    Machine,
    NodeState,
    PodsSeen,
)
from hooks.targetclusters.healing.plan.pods import judge_pods
from hooks.targetclusters.healing.pods import TooManyPods, list_pods
from hooks.targetclusters.healing.rights import GET_NODES, Right, find_missing, pod_rights
from hooks.targetclusters.healing.task import MAX_MESSAGE, HealingTask
from hooks.targetclusters.health.model import NAMED, Failure

T = TypeVar("T")

#: Seconds after which the VMs of a control plane are found anew, though its nodes are the same.
FIND_EVERY = 600.0
#: Seconds after which it is looked again whether the account has VMs of the nodes: after it had
#: one, and after it had none.
COMPARED_FOR = 86400.0
COMPARE_EVERY = 600.0


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a round has seen.

    Attributes:
        evidence: of faults.
        cloud: the CloudStack account; None if there is none, or not one that can be used.
        missing: the commands that it may not call.
        members: the ids, in lower case, of the VMs of the Kubernetes Service cluster; None where
            the spec names none.
        lacking: the rights that we need on the target and do not have.
        failure: why nothing, or not everything, is known or can be repaired.
        machines: the VMs of the control plane; None if they were not looked for.
        cluster_uid: of the cluster, read after its nodes; empty if that is not known.
    """

    evidence: Evidence
    cloud: Cloud | None
    missing: tuple[str, ...]
    members: frozenset[str] | None
    lacking: tuple[Right, ...]
    failure: Failure | None
    machines: tuple[Machine, ...] | None
    cluster_uid: str


@dataclass(frozen=True)
class _Account:
    cloud: Cloud | None = None
    missing: tuple[str, ...] = ()
    failure: Failure | None = None


def observe(task: HealingTask, journal: Journal, deadline: Deadline) -> Observation:
    """Read what is to be known of faults; what cannot be read stays unknown. Never raises."""
    account = open_account(task, deadline)
    nodes = _read_nodes(task.target, deadline)
    uid = "" if isinstance(nodes, Failure) else _read_uid(task.target, deadline)
    cluster = _read_cluster(task, account.cloud, deadline)
    known = cluster if isinstance(cluster, KubernetesCluster) else None
    cluster_id = task.spec.cloud_stack.kubernetes_cluster_id
    pods = _read_pods(task, nodes, deadline)
    lacking = _find_lacking(task, deadline)
    members = _members(known) if cluster_id else None
    machines = stopped = strange = None
    if isinstance(nodes, Failure):
        is_out = nodes.kind == "connection" and task.place == journal.place
        remembered = journal.machines if is_out else ()
        stopped = _read_stopped(account.cloud, remembered, members, deadline)
    else:
        stopped = ()
        if known is not None or not cluster_id:
            machines = _find_machines(task, account.cloud, nodes, members, deadline)
            strange = _compare(task, account.cloud, nodes, members, deadline)
    failures = (account.failure, nodes, cluster, strange, stopped, pods, _say_lacking(lacking))
    return Observation(
        evidence=Evidence(
            _unless_failed(nodes),
            cluster_state=known.state if known else None,
            cluster_id=cluster_id,
            pods=_unless_failed(pods),
            stopped=_unless_failed(stopped),
        ),
        cloud=account.cloud,
        missing=account.missing,
        members=members,
        lacking=lacking,
        failure=_join([each for each in failures if isinstance(each, Failure)]),
        machines=machines,
        cluster_uid=uid,
    )


def _read_uid(target: Kube | Failure, deadline: Deadline) -> str:
    """Return which cluster it is; empty if it does not say."""
    if isinstance(target, Failure):
        return ""
    with suppress(KubeError):
        return read_cluster_uid(target, deadline)
    return ""


def _unless_failed(read: T | Failure) -> T | None:
    return None if isinstance(read, Failure) else read


def read_cluster(cloud: Cloud, cluster_id: str, deadline: Deadline) -> KubernetesCluster | Failure:
    """Return a Kubernetes Service cluster, or why it is none that is repaired.

    Raises:
        CloudStackError: CloudStack gives no answer.
    """
    found, scope = find_cluster(cloud.client, cluster_id, deadline), cloud.scope(deadline)
    if found is None or not _is_ours(found, scope) or not found.is_managed:
        message = (
            f"spec.cloudStack.kubernetesClusterID: the account has no cluster {cluster_id} "
            "that CloudStack manages"
        )
        return Failure("own", "NoCluster", message)
    return found


def _is_ours(cluster: KubernetesCluster, scope: Scope) -> bool:
    """Tell whether a cluster belongs to whom the VMs do; a domain's path says nothing of its id."""
    if scope.project_id:
        return cluster.project_id.lower() == scope.project_id.lower()
    is_path = "/" in scope.domain or scope.domain.upper() == "ROOT"
    in_domain = is_path or scope.domain.lower() in ("", cluster.domain_id.lower())
    return bool(scope.account) and in_domain and cluster.account.lower() == scope.account.lower()


def is_away(error: KubeError) -> bool:
    """Tell whether an error says that the control plane is out of reach, or cannot work."""
    return isinstance(error, KubeUnreachable) or error.code >= 500


def unread(error: CloudStackError) -> Failure:
    """Say that CloudStack does not answer."""
    return Failure("connection", "NotRead", one_line(error, MAX_MESSAGE))


def _join(failures: list[Failure]) -> Failure | None:
    """Return all that is wrong, under the first one's reason."""
    if not failures:
        return None
    messages = list(dict.fromkeys(each.message for each in failures))
    return replace(failures[0], message=join_sentences(messages, limit=len(messages)))


def open_account(task: HealingTask, deadline: Deadline) -> _Account:
    """Open the CloudStack account, and say what is wrong with it before it is needed."""
    account, accounts = task.spec.cloud_stack, task.memory.accounts
    cloud = None
    try:
        namespace = task.cluster["metadata"]["namespace"]
        cloud = accounts.open(namespace, account.config_secret, deadline)
        with_cluster = bool(account.kubernetes_cluster_id)
        missing = accounts.missing_rights(cloud, deadline, with_cluster=with_cluster)
    except AccountError as error:
        return _Account(failure=error.failure)
    except Unauthorized as error:
        message = one_line(f"CloudStack does not know the keys: {error}", MAX_MESSAGE)
        return _Account(failure=Failure("own", "AccountInvalid", message))
    except CloudStackError as error:
        return _Account(cloud, failure=unread(error))
    if not missing:
        return _Account(cloud)
    message = f"the CloudStack account may not call {', '.join(missing)}"
    return _Account(cloud, missing, Failure("own", "MissingRights", message))


def _read_nodes(target: Kube | Failure, deadline: Deadline) -> tuple[NodeState, ...] | Failure:
    if isinstance(target, Failure):
        return Failure(target.kind, "NotRead", target.message)
    try:
        return list_nodes(target, deadline)
    except (KubeError, TooManyNodes) as error:
        message = one_line(f"the nodes cannot be read: {error}", MAX_MESSAGE)
        is_out = isinstance(error, KubeError) and is_away(error)
        return Failure("connection" if is_out else "list", "NotRead", message)


def _find_machines(
    task: HealingTask,
    cloud: Cloud | None,
    nodes: tuple[NodeState, ...],
    members: frozenset[str] | None,
    deadline: Deadline,
) -> tuple[Machine, ...] | None:
    """Find the VMs of the control plane, unless that was done of late, or cannot be done now."""
    memory, now = task.memory, task.monotonic()
    of = (task.place, tuple(node for node in nodes if node.control_plane))
    if cloud is None or (memory.machines_of[0] == of and now - memory.machines_of[1] < FIND_EVERY):
        return None
    try:
        found = find_machines(cloud, nodes, members, deadline)
    except CloudStackError:
        return None
    memory.machines_of = of, now
    return found


def _compare(
    task: HealingTask,
    cloud: Cloud | None,
    nodes: tuple[NodeState, ...],
    members: frozenset[str] | None,
    deadline: Deadline,
) -> Failure | None:
    """Say that the account is another's: it has no node's VM. Once a day, or until it has one."""
    memory, now = task.memory, task.monotonic()
    sampled, at, message = memory.sampled
    if cloud is None:
        return None
    if sampled is not cloud or now - at >= (COMPARE_EVERY if message else COMPARED_FOR):
        try:
            message = one_line(why_none_seen(cloud, nodes, members, deadline), MAX_MESSAGE)
        except CloudStackError:
            return None
        memory.sampled = cloud, now, message
    return Failure("own", "NoVMs", message) if message else None


def _read_stopped(
    cloud: Cloud | None,
    machines: tuple[Machine, ...],
    members: frozenset[str] | None,
    deadline: Deadline,
) -> tuple[Machine, ...] | Failure | None:
    if cloud is None or not machines:
        return None
    try:
        return find_stopped(cloud, machines, members, deadline)
    except CloudStackError as error:
        return unread(error)


def _read_cluster(
    task: HealingTask, cloud: Cloud | None, deadline: Deadline
) -> KubernetesCluster | Failure | None:
    cluster_id = task.spec.cloud_stack.kubernetes_cluster_id
    if not cluster_id or cloud is None:
        return None
    try:
        return read_cluster(cloud, cluster_id, deadline)
    except CloudStackError as error:
        return unread(error)


def _read_pods(
    task: HealingTask, nodes: tuple[NodeState, ...] | Failure, deadline: Deadline
) -> PodsSeen | Failure | None:
    """Read the pods that are to be looked after; None where the nodes below them are not known."""
    namespaces, target = task.spec.healed_namespaces, task.target
    if not namespaces:
        return PodsSeen()
    if isinstance(target, Failure) or isinstance(nodes, Failure):
        return None
    try:
        found = list_pods(target, namespaces, deadline)
    except (KubeError, TooManyPods) as error:
        message = one_line(f"the pods cannot be read: {error}", MAX_MESSAGE)
        return Failure("list", "NotRead", message)
    return judge_pods(found, nodes, task.policy.pod_timeout, task.clock())


def _find_lacking(task: HealingTask, deadline: Deadline) -> tuple[Right, ...]:
    """Return the rights that we lack on the target; where it does not say, those on pods."""
    pods = [right for each in task.spec.healed_namespaces for right in pod_rights(each)]
    if isinstance(task.target, Failure):
        return ()
    try:
        return find_missing(task.target, (GET_NODES, *pods), deadline)
    except KubeError:
        return tuple(pods)


def _say_lacking(lacking: tuple[Right, ...]) -> Failure | None:
    if not lacking:
        return None
    named = join_names([str(right) for right in lacking], limit=NAMED)
    message = f"the kubeconfig's account is not known to have the right to {named} on the cluster"
    return Failure("list", "MissingRights", one_line(message, MAX_MESSAGE))


def _members(cluster: KubernetesCluster | None) -> frozenset[str]:
    """Return the ids of a cluster's VMs in lower case; none of a cluster that is not known."""
    return frozenset(vm.id.lower() for vm in cluster.vms) if cluster else frozenset()
