"""Load balancers: addresses, rules, members and firewall in CloudStack."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Literal

from hooks.cloudstack.errors import CloudStackError, JobRunning, Refused, Throttled, Unreachable
from hooks.cloudstack.models import Job
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.actions import ActionContext, TimeUp, perform
from hooks.loadbalancers.facts import AttemptState, ClusterId, Sources, observe
from hooks.loadbalancers.locks import LOCK_TIMEOUT, NetworkBusy, NetworkLocks
from hooks.loadbalancers.pending import Pending, PendingJobs
from hooks.loadbalancers.plan import members, status
from hooks.loadbalancers.plan.actions import Action, Assign, KubernetesAction, Remove
from hooks.loadbalancers.plan.facts import Facts, LoadBalancerRequest, Refusal
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.request import read
from hooks.names import API_VERSION, CLOUDSTACK_GROUP
from hooks.webhook.contract import CompositeResponse, Plan
from hooks.webhook.hook import Dependencies
from hooks.webhook.reconcile import ANSWER_MARGIN, Answer, Record, reconcile
from hooks.webhook.requests import customize_request


class LoadBalancersHook:
    """Answers `/loadbalancers/customize`, `/loadbalancers/sync` and `/loadbalancers/finalize`."""

    routes = {  # noqa: RUF012 - read by the app, never changed
        "/loadbalancers/customize": "customize",
        "/loadbalancers/sync": "sync",
        "/loadbalancers/finalize": "sync",
    }

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._cluster_id = ClusterId(dependencies.config.cluster_id, dependencies.kube)
        self._process = _Process(NetworkLocks(), PendingJobs(), dependencies.record)

    def customize(self, body: Json, deadline: Deadline) -> Answer:
        """Ask for all Instances: which of them may serve is for the plan to say.

        Raises BadRequest.
        """
        del deadline
        customize_request(body, spec={})
        instances: Json = {
            "apiVersion": f"{CLOUDSTACK_GROUP}/{API_VERSION}",
            "resource": "cloudstackinstances",
            "labelSelector": {},
        }
        return Answer({"relatedResources": [instances]})

    def sync(self, body: Json, deadline: Deadline) -> Answer:
        """Answer a sync or finalize request.

        Raises:
            BadRequest: the request lacks what is read of it.
        """
        given = self._dependencies
        now = given.clock()
        request = read(body, now=now)
        sources = Sources(
            cloud=given.cloud(),
            kube=given.kube,
            deadline=deadline,
            cluster_id=self._cluster_id,
            drift_resync=given.config.drift_resync,
            clock=given.clock,
        )
        with ExitStack() as stack:
            call = _Call(request, sources, self._process, stack)
            if call.is_settled(now):
                return Answer(status.unchanged(request, now))
            return reconcile(call, deadline=deadline, record=given.record)


build = LoadBalancersHook


@dataclass(frozen=True)
class _Process:
    """What the calls of one process share; all of it may be lost at any moment."""

    locks: NetworkLocks
    pending: PendingJobs
    record: Record


class _Call:
    """One call's view of one load balancer."""

    def __init__(
        self, request: LoadBalancerRequest, sources: Sources, process: _Process, stack: ExitStack
    ) -> None:
        self._request = request
        self._sources = sources
        self._process = process
        self._context = ActionContext(
            client=sources.cloud.client,
            kube=sources.kube,
            deadline=sources.deadline,
            running=self._remember,
        )
        self._lane = stack.enter_context(ExitStack())
        self._held: Literal["", "shared", "alone"] = ""
        self._attempt = AttemptState()
        self._done: list[Action] = []
        self._untold: tuple[Event, ...] = ()
        self._told: set[Event] = set()
        self._planned: Json | None = None
        self._fingerprint = fingerprint(request)

    def is_settled(self, now: float) -> bool:
        """Tell whether the last answer still stands, so that CloudStack need not be asked.

        An object without an owner is always looked at: its Service may be gone.
        """
        if self._request.deleted_at is None and not self._request.owned:
            return False
        return status.is_settled(self._request, self._fingerprint, now)

    def observe(self) -> Facts:
        """Look at CloudStack; in the lane from the start where there surely is work.

        Jobs of an earlier call are waited for first: until they end, what they do is half seen.
        """
        is_news = self._request.recorded.fingerprint != self._fingerprint
        if is_news and not self._request.spec.plan_only:
            self._enter_lane(shared=members.is_one_change(self._request))
        self._wait_for_pending()
        return observe(self._request, self._attempt, self._sources)

    def plan(self, facts: Facts) -> Plan[Action]:
        """Plan; what was done in this call and is not seen to have worked counts as refused.

        Events of work in CloudStack are told when it begins: its end may be another call's.
        """
        planned = plan(facts)
        in_vain = [action for action in planned.actions if action in self._done]
        if in_vain:
            said = "CloudStack took it, and shows no trace of it"
            refusals = tuple(Refusal(action, 0, said) for action in in_vain)
            self._attempt = replace(self._attempt, refusals=self._attempt.refusals + refusals)
            planned = plan(replace(facts, refusals=self._attempt.refusals))
        status = planned.response.get("status") or {}
        repeated_drift = status.get("repeatedDrift") or {}
        self._planned = status
        self._attempt = replace(
            self._attempt,
            first_look=False,
            repeated_drift=(repeated_drift.get("what") or "", repeated_drift.get("times") or 0),
        )
        self._untold = ()
        if any(not isinstance(action, KubernetesAction) for action in planned.actions):
            self._untold = planned.events
            return replace(planned, events=())
        return planned

    def act(self, action: Action) -> None:
        """Do one action in the network's lane; what is refused is for the plan to make sense of."""
        if not isinstance(action, KubernetesAction):
            self._enter_lane(shared=isinstance(action, Assign | Remove))
            self._tell()
        refusals = perform(action, self._context)
        self._done.append(action)
        self._attempt = replace(self._attempt, refusals=self._attempt.refusals + refusals)

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action]:
        """Answer with what is known, and what went wrong."""
        now = self._sources.clock()
        request = self._request
        response: CompositeResponse
        if isinstance(error, NetworkBusy) and self._planned is not None and not self._done:
            # What this look found is found again; said now, it would not count as drift then.
            response = status.unchanged(request, now)
        elif isinstance(error, JobRunning | NetworkBusy | TimeUp) or self._ran_out_of_time(error):
            response = status.unfinished(request, now, self._planned, str(error))
        else:
            response = status.unobserved(
                request,
                self._planned,
                status.Failure(self._fingerprint, now, _ready(error), _least_wait(error)),
            )
        if request.deleted_at is not None:
            response = {**response, "finalized": False}
        return Plan(response)

    def _tell(self) -> None:
        """Record the Events of the work that begins, each once."""
        for event in self._untold:
            if event not in self._told:
                self._told.add(event)
                self._process.record(event)
        self._untold = ()

    def _remember(self, job: Job) -> None:
        """Keep a job that outlives this call for the next one."""
        self._process.pending.add(self._request.uid, Pending(job, self._sources.clock()))

    def _wait_for_pending(self) -> None:
        """Wait for the jobs of an earlier call; what they come to is seen by looking."""
        uid, sources = self._request.uid, self._sources
        jobs = list(self._process.pending.take(uid, now=sources.clock()))
        try:
            while jobs:
                with suppress(Refused):
                    sources.cloud.client.wait_for(jobs[0].job, sources.deadline)
                jobs.pop(0)
        finally:
            if jobs:
                self._process.pending.add(uid, *jobs)

    def _ran_out_of_time(self, error: CloudStackError | KubeError) -> bool:
        """Tell whether the time was spent on work, rather than on waiting for an answer."""
        return (
            bool(self._done)
            and isinstance(error, Unreachable)
            and self._sources.deadline.passed(margin=ANSWER_MARGIN)
        )

    def _enter_lane(self, *, shared: bool) -> None:
        """Hold the network's lane until the call ends. Raises NetworkBusy."""
        network_id = members.network_of(self._request)
        if not network_id or self._held == "alone" or (shared and self._held):
            return
        self._lane.close()
        self._held = ""
        timeout = min(LOCK_TIMEOUT, self._sources.deadline.remaining() - ANSWER_MARGIN)
        lane = self._process.locks.enter(network_id, shared=shared, timeout=timeout)
        self._lane.enter_context(lane)
        self._held = "shared" if shared else "alone"


def _ready(error: CloudStackError | KubeError) -> Condition:
    """Say of a load balancer that could not be looked at what was in the way."""
    reason = "CloudStackUnreachable"
    if isinstance(error, KubeError):
        reason = "KubernetesUnreachable"
    elif isinstance(error, Refused):
        reason = "CloudStackRefused"
    elif isinstance(error, Throttled):
        reason = "CloudStackThrottles"
    return Condition("Ready", "Unknown", reason, str(error))


def _least_wait(error: CloudStackError | KubeError) -> float:
    return error.retry_after if isinstance(error, Throttled) else 0.0
