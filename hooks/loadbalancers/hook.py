"""Load balancers: addresses, rules, members and firewall in CloudStack."""

from dataclasses import dataclass, field, replace

from hooks.cloudstack.errors import CloudStackError, JobRunning, Refused, Throttled, Unreachable
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.kube.objects import part
from hooks.loadbalancers.actions import TimeUp, perform
from hooks.loadbalancers.context import CallContext, LastChecks, RunningJobs
from hooks.loadbalancers.facts import observe
from hooks.loadbalancers.locks import LOCK_TIMEOUT, NetworkBusy, NetworkLock, NetworkLocks
from hooks.loadbalancers.plan import status
from hooks.loadbalancers.plan.actions import Action, Assign, KubernetesAction, Remove
from hooks.loadbalancers.plan.facts import CallState, Facts
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.members import is_one_change
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.plan.schedule import is_settled, until_check
from hooks.loadbalancers.request import LoadBalancerRequest, Request, read
from hooks.names import CLOUDSTACK_API
from hooks.webhook.contract import Plan
from hooks.webhook.hook import Dependencies, Handler, Hook
from hooks.webhook.reconcile import ANSWER_MARGIN, Call, CallResult, OncePerCall, reconcile
from hooks.webhook.requests import convert

#: The Ready reason for an error, by its class. Any other is `CloudStackUnreachable`.
_REASONS = {
    KubeError: "KubernetesUnreachable",
    Refused: "CloudStackRefused",
    Throttled: "CloudStackThrottles",
}


class LoadBalancersHook(Hook):
    """Answers `/loadbalancers/customize`, `/loadbalancers/sync` and `/loadbalancers/finalize`."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._cluster_id = dependencies.config.cluster_id
        self._locks = NetworkLocks()
        self._jobs = RunningJobs()
        self._checks = LastChecks(dependencies.monotonic)

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
            "apiVersion": CLOUDSTACK_API,
            "resource": "cloudstackinstances",
            "labelSelector": {},
        }
        return CallResult({"relatedResources": [instances]})

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync or finalize request.

        Raises:
            BadRequest: a field that is read is missing or of another type.
        """
        dependencies = self._dependencies
        now = dependencies.clock()
        request = read(body)
        elapsed = self._checks.elapsed(request.metadata.uid)
        wait = until_check(request, now, dependencies.config.drift_resync, elapsed=elapsed)
        context = CallContext(
            uid=request.metadata.uid,
            cloud=dependencies.cloud(),
            kube=dependencies.kube,
            deadline=deadline,
            cluster_id=self._read_cluster_id,
            jobs=self._jobs,
            drift_resync=dependencies.config.drift_resync,
            clock=dependencies.clock,
            monotonic=dependencies.monotonic,
        )
        if is_settled(request, wait):
            return CallResult(status.unchanged(request, wait))
        self._checks.note(request.metadata.uid)
        record = OncePerCall(dependencies.record)
        with self._locks.of(request.network_id) as lock:
            call = _Call(request, context, lock, record, wait)
            return reconcile(call, deadline=deadline, record=record)

    def _read_cluster_id(self, deadline: Deadline) -> str:
        """Return the setting, else the UID of kube-system, which is read once. Raises KubeError."""
        if not self._cluster_id:
            kube = self._dependencies.kube
            namespace = kube.get("/api/v1/namespaces/kube-system", deadline=deadline)
            if not (uid := part(namespace, "metadata").get("uid")):
                raise KubeError("GET /api/v1/namespaces/kube-system: the answer has no uid")
            self._cluster_id = str(uid)
        return self._cluster_id


@dataclass
class _Call(Call[Facts, Action]):
    """One call's view of one load balancer.

    Attributes:
        wait: seconds until the next check, as the status that came says.
        planned: the status as last planned; None before the first plan.
        events: those of the last plan, which are recorded when the work begins.
    """

    request: LoadBalancerRequest
    context: CallContext
    lock: NetworkLock
    record: OncePerCall
    wait: float
    call_state: CallState = field(default_factory=CallState)
    planned: Json | None = None
    events: tuple[Event, ...] = ()

    def observe(self) -> Facts:
        """Read the facts. If something new is asked for, there is work: lock the network first."""
        request = self.request
        may_lock = self.call_state.first_actions is None and not request.spec.plan_only
        if may_lock and request.recorded.fingerprint != fingerprint(request):
            self._lock_network(shared=is_one_change(request))
        return observe(request, self.call_state, self.context)

    def plan(self, facts: Facts) -> Plan[Action]:
        """Plan. Events about work in CloudStack are recorded when it begins, not when it ends."""
        planned = plan(facts)
        if self.call_state.first_actions is None:
            self.call_state = replace(self.call_state, first_actions=planned.actions)
        self.planned = planned.response.get("status") or {}
        if all(isinstance(action, KubernetesAction) for action in planned.actions):
            return planned
        self.events = planned.events
        return replace(planned, events=())

    def act(self, action: Action) -> None:
        """Do one action; the plan decides what follows from a refusal."""
        if not isinstance(action, KubernetesAction):
            self._lock_network(shared=isinstance(action, Assign | Remove))
            self.record(*self.events)
        refusals = perform(action, self.context)
        self.call_state = replace(
            self.call_state,
            done=(*self.call_state.done, action),
            refusals=(*self.call_state.refusals, *refusals),
        )

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action]:
        """Answer with what is known, and what went wrong."""
        request, now = self.request, self.context.clock()
        # The time was spent on work, rather than on waiting for an answer.
        is_out_of_time = (
            self.call_state.done
            and isinstance(error, Unreachable)
            and self.context.deadline.passed(margin=ANSWER_MARGIN)
        )
        if isinstance(error, NetworkBusy) and self.planned is not None and not self.call_state.done:
            # The next call finds the same. Shown now, it would not count as drift then.
            return Plan(status.unchanged(request, self.wait))
        if isinstance(error, JobRunning | NetworkBusy | TimeUp) or is_out_of_time:
            return Plan(status.unfinished(request, now, str(error), status=self.planned))
        reasons = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
        reason = next(reasons, "CloudStackUnreachable")
        ready = Condition("Ready", "Unknown", reason, str(error))
        least_wait = error.retry_after if isinstance(error, Throttled) else 0.0
        return Plan(
            status.unobserved(request, now, ready, status=self.planned, least_wait=least_wait)
        )

    def _lock_network(self, *, shared: bool) -> None:
        """Lock the members' network until the call ends. Raises NetworkBusy."""
        remaining = self.context.deadline.remaining() - ANSWER_MARGIN
        self.lock.acquire(shared=shared, timeout=min(LOCK_TIMEOUT, remaining))
