"""Probes a cluster: whether it is ready, its version, its nodes, its system pods."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import ApiServer, KubeError, KubeRefused, KubeUnreachable
from hooks.kube.kinds import NODE, POD
from hooks.kube.objects import is_deleting, is_true, part
from hooks.kube.patterns import MAX_NAME
from hooks.kube.quantities import add_quantities, write_quantities
from hooks.targetclusters.health.model import NAMED, Failure, Nodes, ProbeResult, ReadyCount
from hooks.targetclusters.identities import read_identity

#: Nodes and pods in one page, and the bytes that a page may take: 80 KiB each.
PAGE_SIZE = "50"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_MAX_MESSAGE = 400
_FAILED_CHECK = "[-]"
#: Names of nodes that are down, at most; pods on them are not counted.
MAX_DOWN = 5_000
#: The user of requests whose credentials a cluster does not know.
ANONYMOUS = "system:anonymous"
#: One of so many probes asks which cluster it is; a sync round always does.
IDENTITY_EVERY = 10
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REFUSED_USER = re.compile(r'User "([^"]+)" cannot ')
_MAX_USER = 253

T = TypeVar("T")


def probe_cluster(
    target: ApiServer,
    started: ProbeResult,
    *,
    before: ProbeResult | None = None,
    pod_namespaces: Sequence[str],
    deadline: Deadline,
) -> ProbeResult:
    """Return `started` with what the cluster says about itself, read one request after the other.

    Never raises. A list that cannot be read is a Failure in its place: a cluster with too many
    nodes to be listed in time is still reachable. The deadline is for all requests together.
    What `before`, the last probe, has asked and this one need not is carried over.
    """
    started = _carry_over(started, before)
    failure = _check_ready(target, deadline)
    if failure is not None:
        answered = failure.kind == "credentials" or failure.reason == "NotReady"
        return replace(started, failure=failure, answered=answered)
    version, named = "", ""
    try:
        version = one_line(target.get("/version", deadline=deadline).get("gitVersion"), 64)
    except KubeRefused as error:  # any other refusal is about the version alone
        if error.code == 401:
            return replace(started, failure=_failure(error), answered=True)
        named = _refused_user(error.text)
    except KubeError as error:
        return replace(started, failure=_failure(error))
    result = _ask_identities(target, replace(started, answered=True, version=version), deadline)
    if result.failure is not None:
        return result
    if started.user is None:
        named = named or result.user or ""
    result = _add_lists(target, result, pod_namespaces, deadline)
    if result.failure is not None:
        return result
    return _judge_proof(result, is_named=bool(named), asks_pods=bool(pod_namespaces))


def _add_lists(
    target: ApiServer, result: ProbeResult, pod_namespaces: Sequence[str], deadline: Deadline
) -> ProbeResult:
    """Add nodes and pods, or what a list that cannot be read says of the credentials."""
    down: set[str] = set()
    nodes = _read_list(lambda: _read_nodes(target, down, deadline))
    pods = _read_list(lambda: _count_pods(target, pod_namespaces, down, deadline))
    for found in (nodes, pods):
        if isinstance(found, Failure) and result.failure is None:
            result = _add_refusal(result, found)
    return result if result.failure else replace(result, nodes=nodes, pods=pods)


def _judge_proof(result: ProbeResult, *, is_named: bool, asks_pods: bool) -> ProbeResult:
    """Tell what shows that a Kubernetes API server answered, and took our credentials.

    One may hide anything from us, but its refusals name us. Where everything is refused without a
    name, a gateway or another server answers. Who said before who we are may be slow to list.
    """
    failures = [each for each in (result.nodes, result.pods) if isinstance(each, Failure)]
    is_listed = isinstance(result.nodes, Nodes) or (
        asks_pods and isinstance(result.pods, ReadyCount)
    )
    is_named = is_named or any(_refused_user(each.message) for each in failures)
    is_slow = any(each.reason == "NotRead" for each in failures)
    if is_listed or is_named or (is_slow and result.user):
        return result
    if result.version:
        return replace(result, accepted=False)
    message = "it answers, and nothing in its answers shows a Kubernetes API server"
    failure = Failure("connection", "NotKubernetes", message)
    return replace(result, failure=failure, answered=False)


def _carry_over(started: ProbeResult, before: ProbeResult | None) -> ProbeResult:
    """Return the probe with what the last one knew, if that was well and had this kubeconfig."""
    if before is None or before.failure is not None or before.access != started.access:
        return started
    started, age = replace(started, user=before.user), before.identity_age + 1
    if age == IDENTITY_EVERY:
        return started
    return replace(started, cluster=before.cluster, identity_age=age)


def _ask_identities(target: ApiServer, result: ProbeResult, deadline: Deadline) -> ProbeResult:
    """Ask who we are, and which cluster it is, where that is not known."""
    if result.user is None:
        result = _add_user(result, _who_we_are(target, deadline))
    if result.cluster is None and result.failure is None:
        with suppress(KubeError):  # the next reads say what is wrong
            result = replace(result, cluster=read_identity(target, result.ca, deadline))
    return result


def _add_user(result: ProbeResult, user: str | None) -> ProbeResult:
    failure = None
    if user == ANONYMOUS:
        message = f"the cluster does not know the kubeconfig's credentials: we are {ANONYMOUS}"
        failure = Failure("credentials", "Anonymous", message)
    return replace(result, user=user, failure=failure)


def _add_refusal(result: ProbeResult, refused: Failure) -> ProbeResult:
    """Add what a list that could not be read says of the credentials."""
    if refused.kind == "credentials":
        return replace(result, failure=refused)
    user = _refused_user(refused.message) if refused.reason == "Forbidden" else ""
    return _add_user(result, user) if user else result


def _check_ready(target: ApiServer, deadline: Deadline) -> Failure | None:
    """Ask `/readyz`; return why the cluster is not ready.

    A cluster that hides it (403) or lacks it (404, before 1.16) counts as ready.
    """
    try:
        code, text = target.read_text("/readyz", deadline=deadline)
    except KubeUnreachable as error:
        return _failure(error)
    if code == 401:
        return _failure(KubeRefused("GET /readyz", code, "Unauthorized"))
    if code in (200, 403, 404):
        return None
    failed = [
        one_line(line.removeprefix(_FAILED_CHECK), 80)
        for line in text[:16384].splitlines()
        if line.startswith(_FAILED_CHECK)
    ]
    what = ", ".join(failed[:NAMED]) or one_line(text.strip(), 80)
    return Failure("connection", "NotReady", f"/readyz answers {code}: {what}")


def _who_we_are(target: ApiServer, deadline: Deadline) -> str | None:
    """Return the user that the cluster takes us for; empty if it does not say, None if it fails.

    Servers before 1.28 lack the question. Who may not ask it is told his name in the refusal.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = target.create(_REVIEWS, review, deadline=deadline)
    except KubeRefused as error:
        return _refused_user(error.text)
    except KubeError:
        return None
    return one_line(part(answer, "status", "userInfo").get("username"), _MAX_USER)


def _refused_user(text: str) -> str:
    """Return the user that a refusal names; empty if it names none."""
    named = _REFUSED_USER.search(text)
    return one_line(named[1], _MAX_USER) if named else ""


def _failure(error: KubeError) -> Failure:
    if isinstance(error, KubeRefused) and error.code == 401:
        message = "the cluster rejects the kubeconfig's credentials (401)"
        return Failure("credentials", "Unauthorized", message)
    return Failure("connection", "Unreachable", one_line(error, _MAX_MESSAGE))


def _read_list(read: Callable[[], T]) -> T | Failure:
    try:
        return read()
    except KubeError as error:
        code = error.code if isinstance(error, KubeRefused) else 0
        if code == 401:
            return _failure(error)
        reason = {0: "NotRead", 403: "Forbidden"}.get(code, "Refused")
        return Failure("list", reason, one_line(error, _MAX_MESSAGE))


def _read_nodes(target: ApiServer, down: set[str], deadline: Deadline) -> Nodes:
    """Count the nodes, and add the names of those that are not ready to `down`."""
    capacity: dict[str, Decimal] = {}
    allocatable: dict[str, Decimal] = {}

    def nodes() -> Iterator[tuple[str, bool]]:
        for node in target.list(NODE.path(), deadline=deadline, params={"limit": PAGE_SIZE}):
            status = part(node, "status")
            add_quantities(capacity, status.get("capacity"))
            add_quantities(allocatable, status.get("allocatable"))
            is_ready = is_true(node, "Ready")
            if not is_ready and len(down) < MAX_DOWN:
                down.add(_name(node))
            yield _name(node), is_ready

    return Nodes(_count(nodes()), write_quantities(capacity), write_quantities(allocatable))


def _count_pods(
    target: ApiServer, namespaces: Sequence[str], down: AbstractSet[str], deadline: Deadline
) -> ReadyCount:
    """Count pods, without those that will never run again and those of nodes that are down."""

    def pods() -> Iterator[tuple[str, bool]]:
        for namespace in namespaces:
            path = POD.path(namespace)
            for pod in target.list(path, deadline=deadline, params={"limit": PAGE_SIZE}):
                on_node = one_line(part(pod, "spec").get("nodeName"), MAX_NAME)
                if not (_is_finished(pod) or on_node in down):
                    yield f"{namespace}/{_name(pod)}", is_true(pod, "Ready")

    return _count(pods())


def _is_finished(pod: Json) -> bool:
    """Tell whether a pod will never run again, or is being deleted: others replace it."""
    return part(pod, "status").get("phase") in ("Succeeded", "Failed") or is_deleting(pod)


def _count(objects: Iterable[tuple[str, bool]]) -> ReadyCount:
    """Count names with whether they are ready; keep the first that are not."""
    ready = total = 0
    not_ready: list[str] = []
    for name, is_ready in objects:
        total += 1
        ready += is_ready
        if not is_ready and len(not_ready) < NAMED:
            not_ready.append(name)
    return ReadyCount(ready, total, tuple(not_ready))


def _name(obj: Json) -> str:
    return one_line(part(obj, "metadata").get("name"), MAX_NAME)
