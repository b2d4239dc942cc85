"""The only loop: observe, plan, do; again until nothing is left or the time is near its end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hooks.cloudstack.errors import CloudStackError
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.kube.events import Event
from hooks.webhook.contract import CustomizeResponse, Plan, Response

Facts = TypeVar("Facts")
Action = TypeVar("Action")

#: Seconds kept back from the deadline for answering.
ANSWER_MARGIN = 0.5
#: When work is left over, Metacontroller is asked to call again after this many seconds.
RESUME_AFTER = 1.0
#: How many refusals of outdated actions end a call, and after how many seconds the next one is due.
MAX_CONFLICTS = 3
CONFLICT_RESUME_AFTER = 5.0
#: How many rounds of actions a call does at most; load balancers need six.
MAX_ROUNDS = 20

#: Writes an Event; never raises.
Record = Callable[[Event], None]


class Outdated(Exception):
    """An action was refused because its object changed since it was read; observe again."""


class Subject(Protocol[Facts, Action]):
    """One call's view of one object; a hook makes one for each call."""

    def observe(self) -> Facts:
        """Read the world: the request, CloudStack, the API server.

        Raises CloudStackError, KubeError.
        """

    def plan(self, facts: Facts) -> Plan[Action]:
        """Decide, by the hook's pure plan function."""

    def act(self, action: Action) -> None:
        """Do one action.

        Raises Outdated where the world must be observed again first, CloudStackError, KubeError.
        """

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action] | None:
        """Answer a failed observation or action with a status, or None where there is none.

        Only the response and the events of the plan are used. Without a plan the error goes on
        to the app, which answers 429 with Retry-After: that changes nothing in the cluster.
        """


@dataclass(frozen=True)
class Answer:
    """The outcome of a call.

    Attributes:
        response: the answer to Metacontroller.
        actions: what was done, in order.
        error: what stopped the work, where the response already tells of it.
    """

    response: Response | CustomizeResponse
    actions: tuple[object, ...] = ()
    error: Exception | None = None


def reconcile(subject: Subject[Facts, Action], *, deadline: Deadline, record: Record) -> Answer:
    """Bring the world to what the plan wants, as far as the deadline allows.

    A chain of dependent steps needs no state of its own: after each round of actions the world
    is observed again. A plan that asks only for what this call has done already does not converge;
    it is left for the next call, as is an object that changes faster than it can be written.

    Raises:
        CloudStackError, KubeError: where the subject has no answer for it.
    """
    done: list[Action] = []
    try:
        return _work(subject, deadline, record, done)
    except (CloudStackError, KubeError) as error:
        answer = subject.trouble(error)
        if answer is None:
            raise
        for event in answer.events:
            record(event)
        return Answer(answer.response, tuple(done), error)


def _work(
    subject: Subject[Facts, Action], deadline: Deadline, record: Record, done: list[Action]
) -> Answer:
    """Repeat the rounds; add to `done` what was done, so that it is known after an error too."""
    recorded: set[Event] = set()
    rounds = conflicts = 0
    while True:
        plan = subject.plan(subject.observe())
        rounds += 1
        is_repeated = all(action in done for action in plan.actions)
        if plan.actions and (is_repeated or rounds > MAX_ROUNDS):
            return Answer(_resumed(plan.response), tuple(done))
        try:
            for action in plan.actions:
                if deadline.passed(margin=ANSWER_MARGIN):
                    return Answer(_resumed(plan.response), tuple(done))
                subject.act(action)
                done.append(action)
        except Outdated as error:
            conflicts += 1
            if conflicts == MAX_CONFLICTS:
                response = _resumed(plan.response, after=CONFLICT_RESUME_AFTER)
                return Answer(response, tuple(done), error)
            continue
        for event in plan.events:
            if event not in recorded:
                recorded.add(event)
                record(event)
        if not plan.actions:
            return Answer(plan.response, tuple(done))


def _resumed(response: Response, *, after: float = RESUME_AFTER) -> Response:
    """Ask to be called again after so many seconds, unless the plan already asks for sooner."""
    resumed = response.copy()
    resumed["resyncAfterSeconds"] = min(response.get("resyncAfterSeconds") or after, after)
    return resumed
