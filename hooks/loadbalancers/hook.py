"""Load balancers: addresses, rules, members and firewall in CloudStack."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.cluster_uid import ThisCluster
from hooks.kube.objects import part
from hooks.loadbalancers.call import LoadBalancerCall
from hooks.loadbalancers.context import CallContext, LastChecks, RunningJobs
from hooks.loadbalancers.endpoints import slices_of
from hooks.loadbalancers.lanes import Lanes
from hooks.loadbalancers.memory import Choices, LastAnswers, Leases, RememberedMembers
from hooks.loadbalancers.metrics import LoadBalancerMetrics
from hooks.loadbalancers.plan import status
from hooks.loadbalancers.plan.fingerprint import answer_identity, is_asked_still
from hooks.loadbalancers.plan.members import recorded_members
from hooks.loadbalancers.plan.schedule import is_settled, until_check
from hooks.loadbalancers.recorded import RecordedStatus
from hooks.loadbalancers.request import LoadBalancerRequest, Request, read
from hooks.loadbalancers.returns import Returns
from hooks.loadbalancers.seen_nodes import SeenNodes
from hooks.names import CLOUDSTACK_API
from hooks.webhook.hook import Dependencies, Handler, Hook
from hooks.webhook.reconcile import CallResult, OncePerCall, reconcile
from hooks.webhook.requests import convert


class LoadBalancersHook(Hook):
    """Answers `/loadbalancers/customize`, `/loadbalancers/sync` and `/loadbalancers/finalize`."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._cluster = ThisCluster(dependencies.kube, dependencies.config.cluster_id)
        self._metrics = LoadBalancerMetrics(dependencies.registry, dependencies.monotonic)
        dependencies.registry.register(self._metrics)
        self._lanes = Lanes(self._metrics.note_wait, dependencies.monotonic)
        self._members = RememberedMembers(
            dependencies.config.drift_share,
            dependencies.config.drift_resync,
            dependencies.monotonic,
        )
        self._choices = Choices(dependencies.monotonic)
        self._leases = Leases(dependencies.monotonic)
        self._answers = LastAnswers(dependencies.monotonic)
        self._jobs = RunningJobs()
        self._checks = LastChecks(dependencies.monotonic)
        self._returns = Returns(dependencies.monotonic)
        self._seen_nodes = SeenNodes()

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

        Where only nodes with an endpoint may, ask for the Service's EndpointSlices too. A deletion
        needs none, so nobody holds it up by writing more of them than a request may have.

        Raises BadRequest.
        """
        del deadline
        parent = convert(body, Request).parent
        instances: Json = {
            "apiVersion": CLOUDSTACK_API,
            "resource": "cloudstackinstances",
            "labelSelector": {},
        }
        if not parent.spec.is_local or parent.metadata.deletion_timestamp:
            return CallResult({"relatedResources": [instances]})
        slices = slices_of(parent.metadata.namespace, parent.spec.service.name)
        return CallResult({"relatedResources": [instances, slices]})

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync or finalize request.

        Raises:
            BadRequest: a field that is read is missing or of another type.
        """
        request = read(body)
        result = self._answer(request, deadline)
        self._metrics.note(request, dict(result.response), self._dependencies.clock())
        return result

    def _answer(self, request: LoadBalancerRequest, deadline: Deadline) -> CallResult:
        """Answer with what is recorded where nothing is due, else do the work."""
        uid, shown = request.metadata.uid, request.recorded_json
        answered = self._as_answered(request)
        if is_settled(answered, wait := self._until_check(answered)):
            if not self._members.knows(uid):
                recorded = answer_identity(answered.recorded_json)
                self._members.learn(uid, recorded, partial(recorded_members, answered))
            return CallResult(status.unchanged(answered, wait))
        if is_asked_still(request.recorded.fingerprint, request):
            request = answered  # what is asked for now was asked for before the last answer, too
        context, wait = self._context(request, deadline), self._until_check(request)
        self._checks.note(uid)
        record = OncePerCall(self._dependencies.record)
        with LoadBalancerCall(request, context, record, wait) as call:
            result = reconcile(call, deadline=deadline, record=record)
        self._remember(request.chooser, context, dict(result.response), shown)
        return result

    def _until_check(self, request: LoadBalancerRequest) -> float:
        """Return the seconds until the next check is due."""
        now, drift_resync = self._dependencies.clock(), self._dependencies.config.drift_resync
        elapsed = self._checks.elapsed(request.metadata.uid)
        return until_check(request, now, drift_resync, elapsed=elapsed)

    def _as_answered(self, request: LoadBalancerRequest) -> LoadBalancerRequest:
        """Return a request with the last answer, if it shows an earlier status than that.

        Metacontroller reads by a watch, which may not have brought its last write yet.
        """
        answered = self._answers.of(request.metadata.uid, request.recorded_json)
        if answered is None:
            return request
        recorded = convert(answered, RecordedStatus)
        return replace(request, recorded=recorded, recorded_json=answered)

    def _context(self, request: LoadBalancerRequest, deadline: Deadline) -> CallContext:
        """Return what a call works with. What is remembered is the call's until it ends."""
        dependencies = self._dependencies
        uid, cloud = request.metadata.uid, dependencies.cloud()
        self._seen_nodes.note(request.instances)
        members = self._members.begin(
            uid,
            answer_identity(request.recorded_json),
            is_check=is_asked_still(request.recorded.fingerprint, request),
            told=partial(recorded_members, request),
        )
        return CallContext(
            uid=uid,
            network_id=request.network_id,
            lanes=self._lanes,
            members=members,
            note_lists=self._members.note,
            choices=self._choices,
            leases=self._leases,
            cloud=cloud,
            kube=dependencies.kube,
            deadline=deadline,
            cluster_id=self._cluster.id,
            jobs=self._jobs,
            drift_resync=dependencies.config.drift_resync,
            returning=self._returning(request),
            seen_nodes=self._seen_nodes,
            reads_secrets=dependencies.config.load_balancer_certificates,
            default_class=dependencies.config.default_load_balancer_class,
            clock=dependencies.clock,
            monotonic=dependencies.monotonic,
            pause=dependencies.pause,
        )

    def _returning(self, request: LoadBalancerRequest) -> Mapping[str, float]:
        """Return for how many seconds nodes wait that came and went with their endpoints."""
        if request.is_deleting or request.endpoints is None or request.lacks_endpoints:
            return {}
        wanted = [each.vm_id for each in request.serving_nodes]
        return self._returns.note(request.metadata.uid, wanted)

    def _remember(self, chooser: str, context: CallContext, response: Json, shown: Json) -> None:
        """Remember what the next call of this load balancer may use; `shown` is the status then."""
        answered = part(response, "status")
        self._answers.note(context.uid, shown, answered)
        address = part(answered, "address")
        if "chosenAt" in address:
            self._choices.note(chooser, address["ip"])
        if not response.get("finalized"):
            self._members.end(context.uid, context.members, answer_identity(answered))
