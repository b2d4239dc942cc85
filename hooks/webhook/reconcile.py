"""A loop for hooks: observe, plan, act, until nothing is left or the time is nearly up."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hooks.cloudstack.errors import CloudStackError
from hooks.http.deadline import Deadline
from hooks.http.texts import join_sentences
from hooks.kube.client import KubeError
from hooks.kube.events import Event
from hooks.webhook.contract import CustomizeResponse, Plan, Response

_log = logging.getLogger("hooks.calls")

Facts = TypeVar("Facts")
Action = TypeVar("Action")

#: Seconds kept back from the deadline for answering.
ANSWER_MARGIN = 0.5
#: Seconds after which Metacontroller calls again when work is left that this call could not do.
RESUME_AFTER = 1.0
#: The same when nothing but the time of the call is up: its work goes on meanwhile.
CONTINUE_AFTER = 0.1
#: How many refusals of outdated actions end a call, and after how many seconds the next one is due.
MAX_CONFLICTS = 3
CONFLICT_RESUME_AFTER = 5.0
#: How many passes a call does at most; load balancers need six.
MAX_PASSES = 20

#: Records an Event; never raises, and does not wait until it is written.
Record = Callable[[Event], None]


class OncePerCall:
    """Records each Event of one call once, however many of its plans repeat it."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._recorded: set[Event] = set()

    def __call__(self, *events: Event) -> None:
        """Record Events."""
        for event in events:
            if event not in self._recorded:
                self._recorded.add(event)
                self._record(event)


class Outdated(Exception):
    """An action was refused because its object changed since it was read; observe again."""


class Call(Protocol[Facts, Action]):
    """One call's view of one object; a hook makes one for each call."""

    def observe(self) -> Facts:
        """Read the world: the request, CloudStack, the API server.

        Raises CloudStackError, KubeError.
        """

    def plan(self, facts: Facts) -> Plan[Action]:
        """Decide, by the hook's pure plan function."""

    def act(self, action: Action) -> None:
        """Do one action.

        Raises Outdated if the world must be observed again first, CloudStackError, KubeError.
        """

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action] | None:
        """Return the response and the Events for an error that stopped the work; no actions.

        None, the default, leaves the error to the app, which answers 429 with Retry-After. That
        changes nothing in the cluster.
        """
        del error
        return None


@dataclass(frozen=True)
class CallResult:
    """The outcome of a call.

    Attributes:
        response: the answer to Metacontroller.
        actions: what was tried, in order, also what was refused, or failed, or got no answer.
        error: what stopped the work. The response already says so, unless the object changed faster
            than it could be written.
        routine: the actions belong to every day, such as the start of a probe, and what they change
            is logged elsewhere.
    """

    response: Response | CustomizeResponse
    actions: tuple[object, ...] = ()
    error: Exception | None = None
    routine: bool = False


def reconcile(call: Call[Facts, Action], *, deadline: Deadline, record: OncePerCall) -> CallResult:
    """Make the world what the plan wants, as far as the deadline allows.

    A chain of dependent steps needs no state of its own: after each pass of actions the world
    is observed again. A plan that asks only for what this call has done already does not converge.
    It is left for the next call, as is an object that changes faster than it can be written.

    Raises:
        CloudStackError, KubeError: the call has no answer for it.
    """
    tried: list[Action] = []
    try:
        return _work(call, deadline, record, tried)
    except (CloudStackError, KubeError) as error:
        answer = call.trouble(error)
        if answer is None:
            raise
        record(*answer.events)
        return CallResult(answer.response, tuple(tried), error)


def _work(
    call: Call[Facts, Action], deadline: Deadline, record: OncePerCall, tried: list[Action]
) -> CallResult:
    """Repeat the passes, and add each action to `tried`, which an error leaves to the caller."""
    done: list[Action] = []
    passes = conflicts = 0
    while True:
        plan = call.plan(call.observe())
        passes += 1
        is_repeated = all(action in done for action in plan.actions)
        if plan.actions and (is_repeated or passes > MAX_PASSES):
            left = join_sentences([str(action) for action in plan.actions], limit=5)
            _log.warning("work does not end", extra={"passes": passes, "left": left})
            return CallResult(_resumed(plan.response, RESUME_AFTER), tuple(tried))
        try:
            for action in plan.actions:
                if deadline.passed(margin=ANSWER_MARGIN):
                    return CallResult(_resumed(plan.response, CONTINUE_AFTER), tuple(tried))
                tried.append(action)
                call.act(action)
                done.append(action)
        except Outdated as error:
            conflicts += 1
            if conflicts == MAX_CONFLICTS:
                response = plan.response.copy()
                response["resyncAfterSeconds"] = CONFLICT_RESUME_AFTER
                return CallResult(response, tuple(tried), error)
            continue
        record(*plan.events)
        if not plan.actions:
            return CallResult(plan.response, tuple(tried))


def _resumed(response: Response, seconds: float) -> Response:
    """Ask to be called again after so many seconds, or earlier if the plan asks for it."""
    resumed = response.copy()
    resumed["resyncAfterSeconds"] = min(response.get("resyncAfterSeconds") or seconds, seconds)
    return resumed
