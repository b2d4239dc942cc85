"""What one call works with, and what this process has seen of missing VMs and of nodes."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import CloudStackError
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.recent import Recent
from hooks.kube.client import Kube, KubeError, KubeUnreachable
from hooks.kube.objects import part
from hooks.names import CLOUDSTACK_API
from hooks.nodes.plan.absence import SeenAbsence
from hooks.nodes.plan.guard import SurveyedNode
from hooks.settings.config import Config

_log = logging.getLogger("hooks.nodes")

#: Where the API server lists Instances.
INSTANCES_PATH = f"/apis/{CLOUDSTACK_API}/cloudstackinstances"
#: Seconds that reading the list of Instances may take.
READ_SECONDS = 2.0
#: Seconds for which a failure, of a survey or of reading the list of Instances, serves all calls.
PAUSE = 5.0
#: Seconds that a survey of all nodes is used; one by an older snapshot is not.
SURVEY_TTL = 15.0
#: Seconds that a list is used for a node that it does not have.
NEW_NODE_TTL = 1.0


class Absences:
    """The missing VMs, by the names of their nodes; losing this costs only time."""

    def __init__(self) -> None:
        self._seen = Recent[SeenAbsence]()
        self._lock = threading.Lock()

    def note(self, node: str, subject: tuple[str, str, float], taken: float) -> SeenAbsence:
        """Count a snapshot that lacks a node's VM; another subject is counted from the start.

        Args:
            node: the node's name.
            subject: as SeenAbsence has it. Another replica that found the VM has removed the
                record; the next one has another time.
            taken: when the snapshot was taken, in monotonic seconds.
        """
        with self._lock:
            before = self._seen.get(node)
            is_same = before is not None and before.subject == subject
            seen = (
                before.extend(taken) if before and is_same else SeenAbsence(subject, taken, taken)
            )
            self._seen[node] = seen
            return seen

    def forget(self, node: str) -> None:
        """Forget a node whose VM is not missing."""
        with self._lock:
            self._seen.pop(node, None)


class Surveys:
    """The newest survey of all nodes: read by one call for all others.

    Args:
        monotonic: monotonic seconds.
    """

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._newest: tuple[SurveyedNode, ...] | Exception = ()
        self._taken = self._fresh_until = -inf
        self._reading = threading.Lock()

    def get(
        self, taken: float, read: Callable[[], tuple[SurveyedNode, ...]], deadline: Deadline
    ) -> tuple[SurveyedNode, ...]:
        """Return the newest survey, unless it is too old; a failure serves all calls for PAUSE.

        Args:
            taken: when the caller's snapshot was taken, in monotonic seconds; a survey by an older
                one does not serve it.
            read: makes a survey by that snapshot.
            deadline: of the call.

        Raises:
            KubeError, CloudStackError: it could not be read, or not within the time of this call.
        """
        if not self._reading.acquire(timeout=deadline.remaining()):
            raise KubeUnreachable("survey of all nodes: no answer within the time of this call")
        try:
            if self._taken < taken or self._monotonic() >= self._fresh_until:
                self._newest, ttl = _outcome(read)
                self._taken, self._fresh_until = taken, self._monotonic() + ttl
            if isinstance(self._newest, Exception):
                raise self._newest.with_traceback(None)  # which would grow with each call
            return self._newest
        finally:
            self._reading.release()


def _outcome(
    read: Callable[[], tuple[SurveyedNode, ...]],
) -> tuple[tuple[SurveyedNode, ...] | Exception, float]:
    """Return a survey or why there is none, and for how many seconds that serves."""
    try:
        return read(), SURVEY_TTL
    except (KubeError, CloudStackError) as error:
        return error, PAUSE


class NodesByVM:
    """Which nodes claim a VM, by the list of Instances: read by one call for all others.

    Args:
        ttl: seconds that a list is used.
        monotonic: monotonic seconds.
    """

    def __init__(self, ttl: float, monotonic: Monotonic) -> None:
        self._ttl = ttl
        self._monotonic = monotonic
        self._nodes: dict[str, list[str]] = {}
        # When the list was last begun to be read, and when with success.
        self._tried_at = self._read_at = -inf
        self._reading = threading.Lock()

    def rivals_of(
        self, node: str, vm_id: str, context: "CallContext", *, announced: bool
    ) -> tuple[str, ...]:
        """Return the names of the other nodes whose Instances name a node's VM.

        A node that is about to be initialised has announced itself: its Instance is there, so a
        list without it that is older than this call is read again, once. Of two such nodes, the
        later one sees the other. For any other node, such a list is too old after NEW_NODE_TTL.
        The former list counts while another call reads one, and where none can be read: what is
        answered without the API server stays answered. At first that is none.

        Args:
            node: its name.
            vm_id: of its VM.
            context: where to read.
            announced: whether the node is about to be initialised.
        """
        known = self._nodes.get(vm_id.lower(), ())
        if announced and node not in known and self._tried_at < context.started:
            if self._reading.acquire(timeout=context.deadline.at_most(READ_SECONDS).remaining()):
                self._read(context, since=context.started)
        elif self._is_due(is_new=node not in known) and self._reading.acquire(blocking=False):
            self._read(context)
        return tuple(each for each in self._nodes.get(vm_id.lower(), ()) if each != node)

    def _is_due(self, *, is_new: bool) -> bool:
        """Tell whether the list is too old, for a node that it does not have or for any other."""
        ttl = min(self._ttl, NEW_NODE_TTL) if is_new else self._ttl
        has_failed = self._tried_at > self._read_at
        return self._monotonic() - self._tried_at >= (PAUSE if has_failed else ttl)

    def _read(self, context: "CallContext", *, since: float = inf) -> None:
        """Read the list, unless one was begun since then, and let the next one read."""
        try:
            if self._tried_at < since:
                begun = self._tried_at = self._monotonic()
                self._nodes = _read_nodes_by_vm(context)
                self._read_at = begun
        except KubeError as error:
            _log.warning("Instances not read", extra={"error": str(error)})
        finally:
            self._reading.release()


def _read_nodes_by_vm(context: "CallContext") -> dict[str, list[str]]:
    nodes: dict[str, list[str]] = {}
    deadline = context.deadline.at_most(READ_SECONDS)
    for instance in context.kube.list(INSTANCES_PATH, deadline=deadline):
        vm_id = str(part(instance, "spec").get("instanceID", "")).lower()
        nodes.setdefault(vm_id, []).append(str(part(instance, "metadata").get("name", "")))
    return nodes


@dataclass(frozen=True)
class CallContext:
    """What one call reads from and writes to, and until when.

    Attributes:
        clock: as Dependencies has it.
        started: when the call came, in monotonic seconds.
    """

    cloud: Cloud
    kube: Kube
    deadline: Deadline
    config: Config
    absences: Absences
    nodes_by_vm: NodesByVM
    surveys: Surveys
    clock: Callable[[], float]
    started: float
