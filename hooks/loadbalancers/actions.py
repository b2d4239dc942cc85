"""Does one action, and waits for its job."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import assert_never

from hooks.cloudstack.commands import firewall, loadbalancing, network
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.commands.tags import ResourceType, create_tags, delete_tags
from hooks.cloudstack.errors import CloudStackError, Refused, Unauthorized
from hooks.kube.client import Conflict, NotFound
from hooks.kube.services import load_balancers_path
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.locks import MEMBERS_AT_ONCE
from hooks.loadbalancers.plan import actions, ownership
from hooks.loadbalancers.plan.actions import Action, CommandAction, KubernetesAction
from hooks.loadbalancers.plan.facts import Refusal
from hooks.webhook.reconcile import ANSWER_MARGIN, Outdated

#: CloudStack's types of the kinds of resources that are tagged.
_TYPES = {
    "address": ResourceType.ADDRESS,
    "rule": ResourceType.LOAD_BALANCER_RULE,
    "firewall rule": ResourceType.FIREWALL_RULE,
}


class TimeUp(CloudStackError):
    """The call's time ended before this action was started."""


def perform(action: Action, context: CallContext) -> tuple[Refusal, ...]:
    """Do an action to its end, and return what CloudStack refused.

    Raises:
        Unauthorized: CloudStack would refuse every other action as well.
        JobRunning, TimeUp: the call's time ended before the action did.
        CloudStackError: the outcome is unknown until CloudStack is read again.
        Outdated: the Service changed since it was read.
        KubeError: the Kubernetes API could not be written to.
    """
    if isinstance(action, actions.AssignTogether):
        return _assign_together(action, context)
    try:
        _do(action, context)
    except Unauthorized:
        raise
    except Refused as error:
        return (Refusal(action, error.code, error.text),)
    return ()


def _assign_together(action: actions.AssignTogether, context: CallContext) -> tuple[Refusal, ...]:
    """Assign the members of several rules at once; raise the first error after all have ended."""

    def assign(each: actions.Assign) -> tuple[Refusal, ...]:
        if context.deadline.passed(margin=ANSWER_MARGIN):
            raise TimeUp("deadline", f"no time is left to {each}")
        return perform(each, context)

    with ThreadPoolExecutor(MEMBERS_AT_ONCE, thread_name_prefix="assign") as pool:
        futures = [pool.submit(assign, each) for each in action.assignments]
    return tuple(refusal for future in futures for refusal in future.result())


def _do(
    action: CommandAction | actions.AssociateAny | actions.Retag | KubernetesAction,
    context: CallContext,
) -> None:
    match action:
        case actions.DeleteOrphan(namespace, name, uid):
            path = f"{load_balancers_path(namespace)}/{name}"
            options = {"preconditions": {"uid": uid}}
            with suppress(Conflict, NotFound):
                context.kube.delete(path, deadline=context.deadline, options=options)
        case actions.HoldService():
            try:
                context.kube.patch(action.path, action.patch, deadline=context.deadline)
            except (Conflict, NotFound) as error:
                raise Outdated(str(error)) from error
        case actions.AssociateAny():
            _associate_any(action, context)
        case actions.Retag(owns, keys, tags):
            what = _TYPES[owns[0].kind], [own.id for own in owns]
            context.wait_for(context.start(delete_tags(*what, keys)))
            context.wait_for(context.start(create_tags(*what, dict(tags))))
        case _:
            context.wait_for(context.start(_command(action)))


def _associate_any(action: actions.AssociateAny, context: CallContext) -> None:
    """Acquire an address, and tag it before the job ends: the tags alone say whose it is.

    If they are refused, it is released again: no later call could tell that it is ours.
    """
    job = context.start(network.associate_ip_address(network_id=action.network_id))
    tags = create_tags(ResourceType.ADDRESS, [job.resource_id], dict(action.tags))
    try:
        context.wait_for(context.start(tags), job)
    except Refused as error:
        if error.command == tags.name:
            context.wait_for(job)
            own = ownership.associated(job.resource_id)
            context.wait_for(context.start(network.disassociate_ip_address(own.id)))
        raise


def _command(action: CommandAction) -> Command:  # noqa: C901 - one line each
    """Return CloudStack's command for an action."""
    match action:
        case actions.Associate(ip, network_id):
            return network.associate_ip_address(network_id=network_id, ip_address=ip)
        case actions.Release(own):
            return network.disassociate_ip_address(own.id)
        case actions.CreateRule(rule):
            return loadbalancing.create_load_balancer_rule(rule)
        case actions.UpdateRule(rule_id, _, change):
            return loadbalancing.update_load_balancer_rule(rule_id, change)
        case actions.DeleteRule(own):
            return loadbalancing.delete_load_balancer_rule(own.id)
        case actions.Assign(rule_id, _, vm_ids):
            return loadbalancing.assign_to_load_balancer_rule(rule_id, vm_ids)
        case actions.Remove(rule_id, _, vm_ids):
            return loadbalancing.remove_from_load_balancer_rule(rule_id, vm_ids)
        case actions.OpenFirewall(address_id, ports):
            return firewall.create_firewall_rule(address_id, ports)
        case actions.CloseFirewall(own):
            return firewall.delete_firewall_rule(own.id)
        case actions.AddTags(kind, ids, _, tags):
            return create_tags(_TYPES[kind], ids, dict(tags))
        case actions.UntagAddress(own, keys):
            return delete_tags(ResourceType.ADDRESS, [own.id], keys)
        case _:
            assert_never(action)
