"""Lets one replica at a time write to a target: a Lease that exists while a round runs."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.texts import one_line
from hooks.kube.client import Conflict, Kube, KubeError, KubeRefused, NotFound
from hooks.kube.kinds import Kind
from hooks.kube.objects import part
from hooks.kube.patterns import MAX_NAME
from hooks.kube.times import moment
from hooks.targetclusters.access.connector import AccessError
from hooks.targetclusters.health.model import Failure

LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True)
#: Seconds for which a replica sees one and the same Lease before it counts as left behind: longer
#: than any sync or deletion round runs.
LEFT_AFTER = 75.0
#: Seconds between two looks at a Lease that another replica holds.
POLL = 1.0
#: Seconds that one call about a Lease may take, also after the round's time is over.
CALL_SECONDS = 5.0


def lease_name(cluster: str) -> str:
    """Name the Lease of a TargetCluster, `namespace/name`."""
    return f"round-{hashlib.sha256(cluster.encode()).hexdigest()[:16]}"


def process_holder(pod: str) -> str:
    """Name this process as a holder: its pod, its id there, and when it started.

    While gunicorn reloads, the former process of the pod may still write.
    """
    return f"{pod}_{os.getpid()}_{_started(os.getpid())}"


def is_over(holder: str, own: str) -> bool:
    """Tell whether no round of a holder runs: it is this process, or was one of this pod.

    Args:
        holder: a process, as `process_holder` named it.
        own: this process, likewise.
    """
    pod, _, process = own.partition("_")
    pid, _, started = holder.removeprefix(f"{pod}_").partition("_")
    is_former = holder.startswith(f"{pod}_") and pid.isdecimal() and bool(process)
    return holder == own or (is_former and _started(int(pid)) != started)


class RoundLease:
    """The Lease for the rounds of one TargetCluster, as one replica sees it.

    Args:
        own: the API server with the TargetClusters.
        namespace: of the operator's pods, where the Lease is; empty outside of a cluster, where
            there is one replica and no Lease.
        cluster: the TargetCluster's `namespace/name`.
        holder: this process, as `process_holder` names it.
        monotonic: monotonic seconds.
    """

    def __init__(
        self, own: Kube, namespace: str, cluster: str, *, holder: str, monotonic: Monotonic
    ) -> None:
        self._name = lease_name(cluster)
        self._own, self._namespace, self._cluster = own, namespace, cluster
        self._holder, self._monotonic = holder, monotonic
        self._seen: tuple[str, float] = ("", 0.0)

    @property
    def is_needed(self) -> bool:
        """Tell whether there may be other replicas."""
        return bool(self._namespace)

    @contextmanager
    def held(self, deadline: Deadline, now: float) -> Iterator[None]:
        """Hold the Lease, and wait until another replica has given it back.

        Args:
            deadline: until when to wait.
            now: epoch seconds, for people; expiry is by what this process has seen.

        Raises:
            AccessError: another replica holds it for longer, or it cannot be written.
        """
        uid = self._take(deadline, now) if self._namespace else ""
        try:
            yield
        finally:
            if uid:
                with suppress(KubeError):
                    self._delete(uid, Deadline(CALL_SECONDS))

    def _take(self, deadline: Deadline, now: float) -> str:
        """Create the Lease and return its UID: who creates it has it."""
        while True:
            try:
                new = self._body(now)
                seconds = deadline.at_most(CALL_SECONDS)
                created = self._own.create(LEASE.path(self._namespace), new, deadline=seconds)
                return str(part(created, "metadata").get("uid"))
            except Conflict:
                self._await(deadline)
            except KubeError as error:
                is_refused = isinstance(error, KubeRefused)
                if is_refused and "because it is being terminated" in error.text:
                    return ""  # with the namespace, all replicas end
                raise self._failure(error) from error

    def _await(self, deadline: Deadline) -> None:
        """Wait a moment while another replica holds the Lease; take away what is left behind."""
        seconds = deadline.at_most(CALL_SECONDS)
        try:
            found = self._own.get(LEASE.path(self._namespace, self._name), deadline=seconds)
            uid = str(part(found, "metadata").get("uid"))
            holder = one_line(part(found, "spec").get("holderIdentity"), MAX_NAME)
            if is_over(holder, self._holder) or self._is_left(uid):
                self._delete(uid, seconds)
                return
        except NotFound:
            return
        except KubeError as error:
            raise self._failure(error) from error
        if deadline.passed(margin=POLL):
            message = f"replica {holder} writes to this cluster, by Lease {self._name}"
            raise AccessError(Failure("own", "LeaseHeld", message))
        time.sleep(POLL)

    def _is_left(self, uid: str) -> bool:
        """Tell whether this Lease was there for longer than a round runs."""
        if self._seen[0] != uid:
            self._seen = uid, self._monotonic()
        return self._monotonic() - self._seen[1] > LEFT_AFTER

    def _delete(self, uid: str, deadline: Deadline) -> None:
        """Delete this very Lease. Raises KubeError, unless there is another one or none by now."""
        path = LEASE.path(self._namespace, self._name)
        with suppress(Conflict, NotFound):
            self._own.delete(path, deadline=deadline, options={"preconditions": {"uid": uid}})

    def _body(self, now: float) -> Json:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": int(LEFT_AFTER),
                # The API server takes six digits of a second, neither more nor fewer.
                "acquireTime": f"{moment(now).removesuffix('Z')}000Z",
            },
        }

    def _failure(self, error: KubeError) -> AccessError:
        message = f"the Lease for the rounds of {self._cluster} cannot be written: {error}"
        return AccessError(Failure("own", "LeaseUnwritable", one_line(message, 300)))


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks of the machine; empty if it does not run.

    The state and the start are fields 3 and 22 of proc_pid_stat(5). Where there is no /proc, all
    are empty, and no process counts as ended.
    """
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else others[18]
