"""One call of one load balancer: what it knows of CloudStack, and what it does beside the rest."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from hooks.cloudstack.errors import (
    CloudStackError,
    JobRunning,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.bounded_json import Json
from hooks.kube.client import KubeError
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.acquisition import RequestStale
from hooks.loadbalancers.actions import Outcome, TimeUp, perform
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.facts import observe, observe_again, observe_contents
from hooks.loadbalancers.handover import Handover
from hooks.loadbalancers.lanes import NetworkBusy
from hooks.loadbalancers.live_service import await_return
from hooks.loadbalancers.networks import choose_network
from hooks.loadbalancers.plan import actions, status
from hooks.loadbalancers.plan.actions import Action, KubernetesAction
from hooks.loadbalancers.plan.effects import changes_address, state_after, with_address
from hooks.loadbalancers.plan.facts import CallState, Facts, Refusal
from hooks.loadbalancers.plan.fingerprint import is_asked_still
from hooks.loadbalancers.plan.leases import find_address, lease_on, lease_seconds, needs_lease
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.plan.share_tags import Share
from hooks.loadbalancers.plan.sticky_actions import SetStickiness
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.loadbalancers.tagging import Tagging
from hooks.names import REASON_CLOUDSTACK_REFUSED
from hooks.webhook.contract import Plan
from hooks.webhook.reconcile import (
    ANSWER_MARGIN,
    CONTINUE_AFTER,
    Call,
    OncePerCall,
    Outdated,
)

#: The Ready reason for an error, by its class. Any other is `CloudStackUnreachable`.
_REASONS = {
    KubeError: "KubernetesUnreachable",
    Refused: REASON_CLOUDSTACK_REFUSED,
    Throttled: "CloudStackThrottles",
}
#: Changes of members have a lane of their own, and run beside what comes after them: one at a time,
#: so that members are added before others are removed.
_MEMBERS = actions.Assign | actions.Remove | actions.MembersTogether
#: What admits clients runs beside changes of members: neither needs the other.
_ADMITTING = actions.OpenFirewall | actions.CloseFirewall | actions.AddItem | actions.ChangeItem
#: What waits for no tags: it hands nothing over, and takes nothing down.
_ADDING = (
    actions.CreateRule
    | actions.UpdateRule
    | actions.OpenFirewall
    | actions.AddItem
    | actions.ChangeItem
    | _MEMBERS
)


@dataclass
class LoadBalancerCall(Call[Facts, Action]):
    """One call's view of one load balancer.

    What was done and seen to succeed is known. CloudStack is read at first, after a refusal, after
    an action whose effect only it knows, and once more at the end: everything but the members.

    Attributes:
        wait: seconds until the next check, as the status that came says.
        planned: the status as last planned; None before the first plan.
        events: those of the last plan, which are recorded when the work begins.
        known: the facts as they were read, with the effects of what was done since; None if they
            are to be read.
        has_effects: `known` holds effects that were not read.
    """

    request: LoadBalancerRequest
    context: CallContext
    record: OncePerCall
    wait: float
    call_state: CallState = field(default_factory=CallState)
    planned: Json | None = None
    events: tuple[Event, ...] = ()
    known: Facts | None = None
    has_effects: bool = False
    _handover: Handover = field(init=False)
    _tagging: Tagging = field(init=False)
    _is_address_read: bool = False
    _beside: list[tuple[Action, "Future[Outcome]"]] = field(default_factory=list)
    _recording: threading.Lock = field(default_factory=threading.Lock)
    _lane: ExitStack = field(default_factory=ExitStack)
    _leaving: ExitStack = field(default_factory=ExitStack)
    _left: set[str] = field(default_factory=set)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(thread_name_prefix="beside")
    )

    def __post_init__(self) -> None:
        """Go on with the lease that the last call of this load balancer left."""
        self._handover = Handover(self.context)
        self._tagging = Tagging(self.context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what still runs beside; jobs that outlive the call are remembered.

        A process that ends leaves its lease: what it was doing may go on in CloudStack.
        """
        self._pool.shutdown()
        self._tagging.leave()
        self._tagging.untag_gone()
        self._leave_network()
        with self._leaving:
            if error is None or isinstance(error, Exception):
                self._handover.close()

    def observe(self) -> Facts:
        """Return what is known of CloudStack, else read it."""
        self._finish()
        self._choose_network()
        if self.known is None:
            if self.request.is_deleting and self.call_state.first_actions is None:
                await_return(self.request, self.context)
            return self._read()
        self.known = replace(self.known, call_state=self.call_state, now=self.context.clock())
        return self.known

    def plan(self, facts: Facts) -> Plan[Action]:
        """Plan. Events about work in CloudStack are recorded when it begins, not when it ends."""
        planned = plan(facts)
        if not planned.actions and self.has_effects:
            planned = plan(self._read_end())
        if self.call_state.first_actions is None:
            self.call_state = replace(self.call_state, first_actions=planned.actions)
        self.planned = planned.response.get("status") or {}
        if all(isinstance(action, KubernetesAction) for action in planned.actions):
            return planned
        self.events = planned.events
        return replace(planned, events=())

    def act(self, action: Action) -> None:
        """Do one action, or begin it beside those after it; the plan decides about refusals."""
        if isinstance(action, actions.AddTags) and action.kind != "address":
            self._begin()
            self._note(action, self._tagging.begin(action))
            return
        if isinstance(action, _MEMBERS) and not self._beside:
            future = self._pool.submit(perform, action, self.context, self._begin)
            self._beside.append((action, future))
            return
        if not isinstance(action, _ADMITTING):
            self._finish()
        if not isinstance(action, _ADDING):
            self._finish_tags()
        if isinstance(action, SetStickiness) and self._lacks_tag(action):
            return
        if not self._may_do(action):
            return
        begin = (lambda: None) if isinstance(action, KubernetesAction) else self._begin
        try:
            self._note(action, perform(action, self.context, begin))
        except Exception:
            self.known = None
            self._handover.leave()
            raise
        finally:
            if isinstance(action, actions.Release):
                self._leave_network()

    def trouble(self, error: CloudStackError | KubeError) -> Plan[Action] | None:
        """Answer with what is known, and what went wrong.

        None if the request was out of date: its status must not replace a newer one.
        """
        with suppress(CloudStackError):
            self._finish()
        if isinstance(error, RequestStale):
            return None
        request, now = self.request, self.context.clock()
        # The time was spent on work, rather than on waiting for an answer.
        is_out_of_time = (
            self.call_state.done
            and isinstance(error, Unreachable)
            and self.context.deadline.passed(margin=ANSWER_MARGIN)
        )
        is_check = is_asked_still(request.recorded.fingerprint, request)
        if isinstance(error, NetworkBusy) and is_check and not self.call_state.done:
            # The next call finds the same. Shown now, it would not count as drift then.
            return Plan(status.unchanged(request, self.wait))
        if isinstance(error, JobRunning | NetworkBusy | TimeUp) or is_out_of_time:
            answer = status.unfinished(request, now, str(error), status=self.planned)
            # It has waited: the job may have ended by now, or the lane be free.
            pause = self.context.jobs.pause(self.context.uid, now=self.context.monotonic())
            answer["resyncAfterSeconds"] = max(CONTINUE_AFTER, error.retry_after, pause)
            return Plan(answer)
        reasons = (reason for kind, reason in _REASONS.items() if isinstance(error, kind))
        reason = next(reasons, "CloudStackUnreachable")
        ready = Condition("Ready", "Unknown", reason, str(error))
        least_wait = error.retry_after if isinstance(error, Throttled) else 0.0
        return Plan(
            status.unobserved(request, now, ready, status=self.planned, least_wait=least_wait)
        )

    def _choose_network(self) -> None:
        """Choose one of the nodes' networks, where none is given; once a call."""
        context = self.context
        chosen = choose_network(self.request, context.cloud, context.deadline)
        if chosen is not self.request:
            self.request = chosen
            self.context = replace(context, network_id=chosen.network_id)

    def _read(self) -> Facts:
        return self._look(lambda: observe(self.request, self.call_state, self.context))

    def _read_end(self) -> Facts:
        """Read what the work may have changed: not the address, where it was read since."""
        if self.known is None or not self._is_address_read:
            return self._read()
        facts = replace(self.known, call_state=self.call_state, now=self.context.clock())
        return self._look(lambda: observe_contents(facts, self.context))

    def _look(self, read: Callable[[], Facts]) -> Facts:
        """Read once the tags are usually written, and again if they do not show."""
        self.known, self.has_effects, self._is_address_read = None, False, True
        self._tagging.await_usual()
        facts = read()
        if not self._tagging.see(facts.state):
            self._finish_tags()
            facts = observe(self.request, self.call_state, self.context)
        self.known = facts
        self.call_state = replace(self.call_state, unread=facts.state.unread)
        self._note_leases(facts)
        return facts

    def _note_leases(self, facts: Facts) -> None:
        """Note since when leases show; what a call that died left on a serving address goes."""
        is_serving = not (facts.request.is_deleting or facts.request.spec.plan_only)
        for each in filter(lease_on, facts.state.addresses):
            text = lease_on(each)
            is_old = self.context.leases.see(each.id, text) > lease_seconds(text)
            if is_old and is_serving and facts.owner.whose(each) is Whose.OURS:
                self._handover.remove_at_end(each)

    def _may_do(self, action: Action) -> bool:
        """Take the lease that an action needs; return False if that is refused.

        Raises:
            Outdated: what is read under the lease changes the plan.
        """
        if not isinstance(action, actions.TAKEDOWNS):
            return True
        facts = self.known or self._read()
        if not needs_lease(action, facts):
            return True
        try:
            facts = self._under_lease(action, facts)
        except Unauthorized:
            raise
        except Refused as error:
            self._note(action, Outcome((Refusal(action, error.code, error.text),)))
            return False
        if action not in plan(facts).actions:
            raise Outdated(f"CloudStack has changed: {action} is not right any more")
        return True

    def _lacks_tag(self, action: SetStickiness) -> bool:
        """Tell whether the tag was refused without which nobody would look for the policy."""
        return any(
            isinstance(each.action, actions.AddTags) and action.rule_id in each.action.ids
            for each in self.call_state.refusals
        )

    def _under_lease(self, action: Action, facts: Facts) -> Facts:
        """Hold the lease on an action's address, and return what was read under it.

        People know nothing of leases: before a release, everything is read again in any case, in
        the lane, as new as it can be. The tag comes before: it locks nothing.

        Raises:
            Outdated: the address is gone, or the lease is.
            CloudStackError: another call has the lease, or it is not known who has it.
        """
        address = find_address(action, facts)
        is_release = isinstance(action, actions.Release)
        if address and (is_release or not self._handover.is_held(address)):
            self._handover.begin(self._in_turn(address))
            if is_release:
                try:
                    self._enter_network()
                except NetworkBusy:
                    self._handover.leave()
                    raise
            self.known = observe_again(facts, address.id, self.context)
            facts = self.known or self._read()
            address = find_address(action, facts)
        if address is None or not self._handover.is_held(address):
            raise Outdated(f"CloudStack has changed: {action} has no lease")
        return facts

    def _in_turn(self, address: PublicIpAddress) -> PublicIpAddress:
        """Wait for other Services of this process that leave a shared address; return it as it is.

        Refused the lease, each would come again much later. So the call has its turn to the end. A
        lease that was there before may be gone.

        Raises:
            NetworkBusy: its turn does not come in time.
            Outdated: the address is gone.
        """
        if not Share.read(address.tags) or address.id in self._left:
            return address
        self._leaving.enter_context(self.context.lease_lane(address.id))
        self._left.add(address.id)
        if not lease_on(address) or self._handover.is_held(address):
            return address
        client, deadline = self.context.cloud.client, self.context.deadline
        found = client.list_all(PublicIpAddress, deadline, id=address.id)
        if len(found) != 1:
            raise Outdated(f"CloudStack has changed: {address.ip_address} is gone")
        return found[0]

    def _enter_network(self) -> None:
        """Hold the lane of the network until a release, or the call, ends. Raises NetworkBusy."""
        if "network" not in self.context.held_lanes:
            self._lane.enter_context(self.context.lane("network"))
            self.context.held_lanes.add("network")

    def _leave_network(self) -> None:
        self.context.held_lanes.discard("network")
        self._lane.close()

    def _begin(self) -> None:
        """Record the Events of the work that begins; actions that run beside do so as well."""
        with self._recording:
            self.record(*self.events)

    def _note(self, action: Action, outcome: Outcome) -> None:
        """Remember what an action came to."""
        self.call_state = replace(
            self.call_state,
            done=(*self.call_state.done, action),
            refusals=(*self.call_state.refusals, *outcome.refusals),
        )
        is_done = not outcome.refusals
        if is_done and isinstance(action, actions.Release | actions.UntagAddress):
            self._handover.forget()
        if is_done and isinstance(action, actions.Release | actions.DeleteRule) and self.known:
            self._tagging.note_gone(self.known, action)
        if self.known is None or outcome.refusals:
            self.known = None
        else:
            state = state_after(self.known.state, action, outcome.made)
            if outcome.address:
                state = with_address(self.known.state, outcome.address)
            self.known = None if state is None else replace(self.known, state=state)
        self.has_effects = self.known is not None
        self._is_address_read &= not changes_address(action)

    def _finish_tags(self) -> None:
        """Wait for the tags of rules; raise what leaves open whether they are written."""
        if refusals := self._tagging.finish():
            self.known = None
            refusals = (*self.call_state.refusals, *refusals)
            self.call_state = replace(self.call_state, refusals=refusals)

    def _finish(self) -> None:
        """Wait for what runs beside; raise its first error after all have ended."""
        errors: list[Exception] = []
        while self._beside:
            action, future = self._beside.pop(0)
            error = future.exception()
            if error is None:
                self._note(action, future.result())
            elif isinstance(error, Exception):
                self.known = None
                errors.append(error)
        if errors:
            raise errors[0]
