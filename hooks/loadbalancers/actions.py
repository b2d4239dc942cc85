"""Does one action, and waits for what CloudStack makes of it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import assert_never

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands import firewall, loadbalancing, network
from hooks.cloudstack.commands.tags import ResourceType, create_tags, delete_tags
from hooks.cloudstack.errors import CloudStackError, Forbidden, JobRunning, Refused, Unauthorized
from hooks.cloudstack.models import Job
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, NotFound
from hooks.loadbalancers.locks import MEMBERS_AT_ONCE
from hooks.loadbalancers.plan import actions as plan
from hooks.loadbalancers.plan.actions import Action, Command
from hooks.loadbalancers.plan.facts import Refusal
from hooks.names import API_VERSION, CLOUDSTACK_GROUP
from hooks.webhook.reconcile import ANSWER_MARGIN, Outdated


class TimeUp(CloudStackError):
    """The call's time ended before this was asked of CloudStack."""

    def __init__(self, action: Action) -> None:
        super().__init__("deadline", f"no time was left to {action}")


@dataclass(frozen=True)
class ActionContext:
    """What actions are done with.

    Attributes:
        running: told of each job that still runs when the call's time ends.
    """

    client: Client
    kube: Kube
    deadline: Deadline
    running: Callable[[Job], None]

    def wait_for(self, job: Job) -> None:
        """Wait for a job. Raises CloudStackError."""
        try:
            self.client.wait_for(job, self.deadline)
        except JobRunning:
            self.running(job)
            raise


def perform(action: Action, context: ActionContext) -> tuple[Refusal, ...]:
    """Do an action to its end and return what CloudStack refused of it.

    Raises:
        Unauthorized, Forbidden: so would be every other action.
        JobRunning, TimeUp: the call's time ended before it was done.
        CloudStackError: the outcome is not known; it is found by looking again.
        Outdated: the Service changed since it was read.
        KubeError: nothing could be written to the Kubernetes API.
    """
    match action:
        case plan.DeleteSelf():
            _delete_self(action, context.kube, context.deadline)
            return ()
        case plan.HoldService():
            _hold_service(action, context.kube, context.deadline)
            return ()
        case plan.AssignTogether(assignments):
            return _side_by_side(assignments, context)
        case plan.AssociateAny():
            return _refusals(action, lambda: _associate_any(action, context))
        case _:
            return _refusals(action, lambda: context.wait_for(_start(action, context)))


def _refusals(action: Action, run: Callable[[], None]) -> tuple[Refusal, ...]:
    try:
        run()
    except (Unauthorized, Forbidden):
        raise
    except Refused as error:
        return (Refusal(action, error.code, error.text),)
    return ()


def _side_by_side(
    assignments: Sequence[plan.Assign], context: ActionContext
) -> tuple[Refusal, ...]:
    """Assign several rules' members at once; the first error is raised when all have ended."""
    with ThreadPoolExecutor(MEMBERS_AT_ONCE, thread_name_prefix="assign") as pool:
        futures = [pool.submit(_assign, each, context) for each in assignments]
    return tuple(refusal for future in futures for refusal in future.result())


def _assign(action: plan.Assign, context: ActionContext) -> tuple[Refusal, ...]:
    if context.deadline.passed(margin=ANSWER_MARGIN):
        raise TimeUp(action)
    return _refusals(action, lambda: context.wait_for(_start(action, context)))


def _associate_any(action: plan.AssociateAny, context: ActionContext) -> None:
    """Acquire an address and tag it before the job's end: until then nothing says whose it is."""
    client, deadline = context.client, context.deadline
    job = network.associate_ip_address(client, deadline=deadline, network_id=action.network_id)
    tagged = create_tags(
        client, ResourceType.ADDRESS, [job.resource_id], dict(action.tags), deadline=deadline
    )
    context.wait_for(tagged)
    context.wait_for(job)


def _start(action: Command, context: ActionContext) -> Job:  # noqa: C901 - one line each
    """Call the command that an action stands for."""
    client, deadline = context.client, context.deadline
    match action:
        case plan.Associate(ip, network_id):
            return network.associate_ip_address(
                client, deadline=deadline, network_id=network_id, ip_address=ip
            )
        case plan.Release(address_id):
            return network.disassociate_ip_address(client, address_id, deadline=deadline)
        case plan.CreateRule(rule):
            return loadbalancing.create_load_balancer_rule(client, rule, deadline=deadline)
        case plan.UpdateRule(rule_id, _, change):
            return loadbalancing.update_load_balancer_rule(
                client, rule_id, change, deadline=deadline
            )
        case plan.DeleteRule(rule_id):
            return loadbalancing.delete_load_balancer_rule(client, rule_id, deadline=deadline)
        case plan.Assign(rule_id, _, machine_ids):
            return loadbalancing.assign_to_load_balancer_rule(
                client, rule_id, machine_ids, deadline=deadline
            )
        case plan.Remove(rule_id, _, machine_ids):
            return loadbalancing.remove_from_load_balancer_rule(
                client, rule_id, machine_ids, deadline=deadline
            )
        case plan.OpenFirewall(address_id, ports):
            return firewall.create_firewall_rule(client, address_id, ports, deadline=deadline)
        case plan.CloseFirewall(rule_id):
            return firewall.delete_firewall_rule(client, rule_id, deadline=deadline)
        case plan.TagAddress() | plan.TagRules() | plan.TagFirewall() | plan.UntagAddress():
            return _tag(action, client, deadline)
        case _:
            assert_never(action)


def _tag(
    action: plan.TagAddress | plan.TagRules | plan.TagFirewall | plan.UntagAddress,
    client: Client,
    deadline: Deadline,
) -> Job:
    match action:
        case plan.TagAddress(address_id, _, tags):
            kind, ids = ResourceType.ADDRESS, [address_id]
        case plan.TagRules(rule_ids, _, tags):
            kind, ids = ResourceType.LOAD_BALANCER_RULE, list(rule_ids)
        case plan.TagFirewall(rule_ids, tags):
            kind, ids = ResourceType.FIREWALL_RULE, list(rule_ids)
        case plan.UntagAddress(address_id, _, keys):
            return delete_tags(client, ResourceType.ADDRESS, [address_id], keys, deadline=deadline)
        case _:
            assert_never(action)
    return create_tags(client, kind, ids, dict(tags), deadline=deadline)


def _delete_self(action: plan.DeleteSelf, kube: Kube, deadline: Deadline) -> None:
    """Delete the LoadBalancer object, if it is still the same one."""
    path = (
        f"/apis/{CLOUDSTACK_GROUP}/{API_VERSION}/namespaces/{action.namespace}"
        f"/cloudstackloadbalancers/{action.name}"
    )
    options = {"preconditions": {"uid": action.uid}}
    try:
        kube.delete(path, deadline=deadline, options=options)
    except NotFound:
        return


def _hold_service(action: plan.HoldService, kube: Kube, deadline: Deadline) -> None:
    try:
        kube.patch(action.path, action.patch, deadline=deadline)
    except (Conflict, NotFound) as error:
        raise Outdated(str(error)) from error
