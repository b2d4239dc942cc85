"""Load balancers: addresses, rules, members and firewall in CloudStack."""

from dataclasses import replace

from hooks.cloudstack.errors import CloudStackError, JobRunning, Refused, Throttled, Unreachable
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.actions import ActionContext, TimeUp, perform
from hooks.loadbalancers.facts import ClusterId, Sources, observe
from hooks.loadbalancers.jobs import RunningJobs
from hooks.loadbalancers.locks import LOCK_TIMEOUT, NetworkBusy, NetworkLock, NetworkLocks
from hooks.loadbalancers.plan import status
from hooks.loadbalancers.plan.actions import Action, Assign, KubernetesAction, Remove
from hooks.loadbalancers.plan.facts import AttemptState, Facts
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.members import is_one_change
from hooks.loadbalancers.plan.nodes import choose_network
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.request import LoadBalancerRequest, Request, read
from hooks.names import API_VERSION, CLOUDSTACK_GROUP
from hooks.webhook.contract import CompositeResponse, Plan
from hooks.webhook.hook import Dependencies, Handler
from hooks.webhook.reconcile import ANSWER_MARGIN, CallResult, OncePerCall, reconcile
from hooks.webhook.requests import convert

#: The Ready reason for an error, by its class. Any other is `CloudStackUnreachable`.
_REASONS = {
    KubeError: "KubernetesUnreachable",
    Refused: "CloudStackRefused",
    Throttled: "CloudStackThrottles",
}


class LoadBalancersHook:
    """Answers `/loadbalancers/customize`, `/loadbalancers/sync` and `/loadbalancers/finalize`."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._cluster_id = ClusterId(dependencies.config.cluster_id, dependencies.kube)
        self._locks = NetworkLocks()
        self._jobs = RunningJobs()

    @property
    def routes(self) -> dict[str, Handler]:
        """Map the paths to the methods that answer them."""
        return {
            "/loadbalancers/customize": self.customize,
            "/loadbalancers/sync": self.sync,
            "/loadbalancers/finalize": self.sync,
        }

    def customize(self, body: Json, deadline: Deadline) -> CallResult:
        """Ask for all Instances; the plan decides which of them may serve.

        Raises BadRequest.
        """
        del deadline
        convert(body, Request)
        instances: Json = {
            "apiVersion": f"{CLOUDSTACK_GROUP}/{API_VERSION}",
            "resource": "cloudstackinstances",
            "labelSelector": {},
        }
        return CallResult({"relatedResources": [instances]})

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync or finalize request.

        Raises:
            BadRequest: a field that is read is missing or of another type.
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
        if status.is_settled(request, now):
            return CallResult(status.unchanged(request, now))
        with self._locks.of(choose_network(request)) as lock:
            record = OncePerCall(given.record)
            call = _Call(request, sources, lock, self._jobs, record)
            return reconcile(call, deadline=deadline, record=record)


class _Call:
    """One call's view of one load balancer."""

    def __init__(
        self,
        request: LoadBalancerRequest,
        sources: Sources,
        lock: NetworkLock,
        jobs: RunningJobs,
        record: OncePerCall,
    ) -> None:
        self._request = request
        self._sources = sources
        self._lock = lock
        self._jobs = jobs
        self._record = record
        self._events: tuple[Event, ...] = ()
        self._attempt = AttemptState()
        self._status: Json | None = None

    def observe(self) -> Facts:
        """Read the facts. If something new is asked for, there is work: lock the network first."""
        request, sources = self._request, self._sources
        may_lock = self._attempt.first_actions is None and not request.spec.plan_only
        if may_lock and request.recorded.fingerprint != fingerprint(request):
            self._lock_network(shared=is_one_change(request))
        self._jobs.wait(
            request.uid,
            lambda job: sources.cloud.client.wait_for(job, sources.deadline),
            now=sources.clock(),
        )
        return observe(request, self._attempt, sources)

    def plan(self, facts: Facts) -> Plan[Action]:
        """Plan. Events about work in CloudStack are recorded when it begins, not when it ends."""
        planned = plan(facts)
        if self._attempt.first_actions is None:
            self._attempt = replace(self._attempt, first_actions=planned.actions)
        self._status = planned.response.get("status") or {}
        if all(isinstance(action, KubernetesAction) for action in planned.actions):
            return planned
        self._events = planned.events
        return replace(planned, events=())

    def act(self, action: Action) -> None:
        """Do one action; the plan decides what follows from a refusal."""
        if not isinstance(action, KubernetesAction):
            self._lock_network(shared=isinstance(action, Assign | Remove))
            self._record(*self._events)
        context = ActionContext(
            client=self._sources.cloud.client,
            kube=self._sources.kube,
            deadline=self._sources.deadline,
            on_running=lambda job: self._jobs.add(self._request.uid, (job, self._sources.clock())),
        )
        refusals = perform(action, context)
        self._attempt = replace(
            self._attempt,
            done=(*self._attempt.done, action),
            refusals=(*self._attempt.refusals, *refusals),
        )

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action]:
        """Answer with what is known, and what went wrong."""
        request, now = self._request, self._sources.clock()
        # The time was spent on work, rather than on waiting for an answer.
        is_out_of_time = (
            self._attempt.done
            and isinstance(error, Unreachable)
            and self._sources.deadline.passed(margin=ANSWER_MARGIN)
        )
        response: CompositeResponse
        if isinstance(error, NetworkBusy) and self._status is not None and not self._attempt.done:
            # The next call finds the same. Shown now, it would not count as drift then.
            response = status.unchanged(request, now)
        elif isinstance(error, JobRunning | NetworkBusy | TimeUp) or is_out_of_time:
            response = status.unfinished(request, now, str(error), status=self._status)
        else:
            reasons = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
            reason = next(reasons, "CloudStackUnreachable")
            response = status.unobserved(
                request,
                now,
                Condition("Ready", "Unknown", reason, str(error)),
                status=self._status,
                least_wait=error.retry_after if isinstance(error, Throttled) else 0.0,
            )
        return Plan(response)

    def _lock_network(self, *, shared: bool) -> None:
        """Lock the members' network until the call ends. Raises NetworkBusy."""
        remaining = self._sources.deadline.remaining() - ANSWER_MARGIN
        self._lock.acquire(shared=shared, timeout=min(LOCK_TIMEOUT, remaining))
