"""Does one action, and waits for its job."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import assert_never

from hooks.cloudstack.commands import certificates, firewall, loadbalancing, network
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.commands.tags import ResourceType, create_tags, delete_tags
from hooks.cloudstack.errors import CONFLICT, CallStopped, JobRunning, Refused, Unauthorized
from hooks.cloudstack.models.loadbalancing import NewInternalLoadBalancer
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.client import Conflict, NotFound
from hooks.kube.services import load_balancers_path
from hooks.loadbalancers.acquisition import associate, forget, rerecord
from hooks.loadbalancers.certificates import upload
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.lanes import MEMBERS_AT_ONCE
from hooks.loadbalancers.plan import actions
from hooks.loadbalancers.plan.actions import Action, CommandAction, KubernetesAction
from hooks.loadbalancers.plan.certificate_actions import (
    AssignCertificate,
    CertificateAction,
    DeleteCertificate,
    UploadCertificate,
)
from hooks.loadbalancers.plan.effects import members_after, policies_after
from hooks.loadbalancers.plan.facts import Refusal
from hooks.loadbalancers.plan.sticky_actions import (
    RemoveStickiness,
    SetStickiness,
    StickinessChange,
    UntagRules,
)
from hooks.names import STICKINESS_POLICY, TAG_LEASE
from hooks.webhook.reconcile import ANSWER_MARGIN, Outdated

#: CloudStack's types of the kinds of resources that are tagged.
_TYPES = {
    "address": ResourceType.ADDRESS,
    "rule": ResourceType.LOAD_BALANCER_RULE,
    "firewall rule": ResourceType.FIREWALL_RULE,
    "ACL item": ResourceType.NETWORK_ACL,
}


class TimeUp(CallStopped):
    """The call's time ended before this action was started."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action came to.

    Attributes:
        refusals: what CloudStack refused.
        made: the id of what was made; empty if nothing was.
        address: the address that was acquired; None where it has to be read.
    """

    refusals: tuple[Refusal, ...] = ()
    made: str = ""
    address: PublicIpAddress | None = None


def perform(
    action: Action, context: CallContext, begin: Callable[[], None] = lambda: None
) -> Outcome:
    """Do an action to its end.

    Args:
        action: what to do.
        context: of the call.
        begin: called when nothing is waited for any more.

    Raises:
        Unauthorized: CloudStack would refuse every other action as well.
        NetworkBusy: other calls are writing to the network; nothing was begun.
        JobRunning, TimeUp: the call's time ended before the action did.
        CloudStackError: the outcome is unknown until CloudStack is read again.
        Outdated: the Service changed since it was read.
        KubeError: the Kubernetes API could not be written to.
    """
    if isinstance(action, actions.MembersTogether):
        return _change_together(action, context, begin)
    try:
        with _lanes(action, context):
            begin()
            if isinstance(action, actions.Associate):
                acquired = associate(action, context)
                return Outcome(address=None if action.is_shared else acquired)
            if isinstance(action, actions.JoinShare):
                return Outcome(address=_join(action, context))
            if isinstance(action, CertificateAction):
                return Outcome(made=_change_certificates(action, context))
            if isinstance(action, StickinessChange):
                return Outcome(made=_change_policies(action, context))
            return Outcome(made=_do(action, context))
    except Unauthorized:
        raise
    except Refused as error:
        return Outcome((Refusal(action, error.code, error.text),))


def _lanes(action: Action, context: CallContext) -> AbstractContextManager[None]:
    """Hold the lanes of what an action locks in CloudStack; tags and ACL items lock nothing."""
    match action:
        case actions.Associate():
            # The owner's is everybody's: nobody holds it who waits for one network.
            return context.lane("network", "owner")
        case actions.Assign() | actions.Remove() | actions.MembersTogether():
            return context.lane("members")
        case SetStickiness() | RemoveStickiness() | AssignCertificate():
            return context.lane("network")
        case UploadCertificate() | DeleteCertificate():
            return nullcontext()
        case actions.AddTags() | actions.Retag() | actions.UntagAddress() | UntagRules():
            return nullcontext()
        case actions.AddItem() | actions.ChangeItem() | actions.RemoveItem():
            return nullcontext()
        case actions.DeleteOrphan() | actions.HoldService() | actions.Rerecord():
            return nullcontext()
        case actions.CreateRule() | actions.UpdateRule() | actions.DeleteRule():
            return context.lane("network")
        case actions.OpenFirewall() | actions.CloseFirewall() | actions.Release():
            return context.lane("network")
        case _:
            assert_never(action)


def _change_together(
    action: actions.MembersTogether, context: CallContext, begin: Callable[[], None]
) -> Outcome:
    """Change the members of several rules at once; raise the first error after all have ended."""

    def change(each: actions.Assign | actions.Remove) -> Outcome:
        if context.deadline.passed(margin=ANSWER_MARGIN):
            raise TimeUp(f"no time is left to {each}")
        return perform(each, context, begin)

    with ThreadPoolExecutor(MEMBERS_AT_ONCE, thread_name_prefix="members") as pool:
        futures = [pool.submit(change, each) for each in action.changes]
    return Outcome(tuple(refusal for each in futures for refusal in each.result().refusals))


def _do(action: CommandAction | actions.Retag | KubernetesAction, context: CallContext) -> str:
    """Do an action, and return the id of what it made."""
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
        case actions.Rerecord():
            rerecord(action, context) if action.after else forget(action, context)
        case actions.Retag():
            _retag(action, context)
        case actions.OpenFirewall() if action.tags:
            return _open_tagged(action, context)
        case actions.AddItem():
            undo = firewall.delete_network_acl
            return _create_tagged(action, ResourceType.NETWORK_ACL, undo, context)
        case actions.Assign(rule_id) | actions.Remove(rule_id):
            _change_members(rule_id, action, context)
        case actions.CreateRule():
            return _create_rule(action, context)
        case _:
            job = context.start(_command(action))
            context.wait_for(job)
            return job.resource_id
    return ""


def _create_rule(action: actions.CreateRule, context: CallContext) -> str:
    """Create a rule, and return its id.

    On a VPC's address with rules of another tier, CloudStack creates it there, whatever tier is
    asked for. Such a rule is deleted again: no member could be assigned to it.
    """
    command = _command(action)
    job = context.start(command)
    found, wanted = context.end_of(job).network_id, action.rule.network_id
    if found not in ("", wanted):
        context.run(loadbalancing.delete_load_balancer_rule(job.resource_id))
        text = (
            f"CloudStack created it on tier {found} instead of {wanted}, because the address has "
            "rules there, so it was deleted again. An address of a VPC serves one tier"
        )
        raise Refused(command.name, CONFLICT, text)
    context.members.keep(job.resource_id, {})
    return job.resource_id


def _join(action: actions.JoinShare, context: CallContext) -> PublicIpAddress | None:
    """Become a user of a shared address; return it as it is then, None if everything is to be read.

    A lease that shows now may be of a call that did not see the new user.
    """
    context.run(tag_command(action))
    client, deadline = context.cloud.client, context.deadline
    found = client.list_all(PublicIpAddress, deadline, id=action.ids[0])
    return found[0] if len(found) == 1 else None


def _retag(action: actions.Retag, context: CallContext) -> None:
    """Replace tags of resources: CloudStack refuses a key that is there."""
    what = _TYPES[action.owns[0].kind], [own.id for own in action.owns]
    if action.keys:
        context.run(delete_tags(*what, dict.fromkeys(action.keys)))
    if action.tags:
        context.run(create_tags(*what, dict(action.tags)))


def _open_tagged(action: actions.OpenFirewall, context: CallContext) -> str:
    """Create a firewall rule whose tags alone show that it is ours; return its id.

    A tag of the address shows it until then. It stays if the outcome is unknown.
    """
    address = [action.address_id]
    opening = {action.opening_key: actions.opening_text(action.ports)}

    def settle() -> None:
        with suppress(Refused):  # another call has done so
            context.run(delete_tags(ResourceType.ADDRESS, address, opening))

    context.run(create_tags(ResourceType.ADDRESS, address, opening))
    try:
        undo = firewall.delete_firewall_rule
        made = _create_tagged(action, ResourceType.FIREWALL_RULE, undo, context)
    except Refused:
        settle()
        raise
    settle()
    return made


def _create_tagged(
    action: actions.OpenFirewall | actions.AddItem,
    kind: ResourceType,
    undo: Callable[[str], Command],
    context: CallContext,
) -> str:
    """Create something, and tag it before its job ends; undo that if the tags are refused."""
    job = context.start(_command(action))
    tags = create_tags(kind, [job.resource_id], dict(action.tags))

    def delete() -> None:
        context.wait_for(job)
        context.run(undo(job.resource_id))

    context.tag_made(job, tags, delete)
    return job.resource_id


def _change_members(
    rule_id: str, action: actions.Assign | actions.Remove, context: CallContext
) -> None:
    """Change a rule's members, which are not known until the change is seen to be done."""
    known = context.members.get(rule_id)
    context.members.forget(rule_id)
    try:
        context.run(_command(action))
    except JobRunning as running:
        if known is not None:
            context.members.expect(running.job_id, rule_id, members_after(known, action))
        raise
    if known is not None:
        context.members.keep(rule_id, members_after(known, action))


def _change_policies(action: StickinessChange, context: CallContext) -> str:
    """Change a rule's stickiness policy, not known until that is seen to be done; return its id."""
    known = context.members.policies(action.rule_id)
    context.members.forget_policies(action.rule_id)
    if isinstance(action, SetStickiness):
        what = STICKINESS_POLICY, action.method, dict(action.params)
        command = loadbalancing.create_lb_stickiness_policy(action.rule_id, *what)
    else:
        command = loadbalancing.delete_lb_stickiness_policy(action.policy_id)
    job = context.start(command)
    context.wait_for(job)
    if known is not None or isinstance(action, SetStickiness):
        left = policies_after(known or (), action, job.resource_id)
        context.members.keep_policies(action.rule_id, left)
    return job.resource_id


def _change_certificates(action: CertificateAction, context: CallContext) -> str:
    """Upload, assign or delete a certificate; return the id of the one that was uploaded."""
    match action:
        case UploadCertificate():
            return upload(action, context)
        case AssignCertificate(rule_id, _, certificate_id):
            context.run(certificates.assign_cert_to_load_balancer(rule_id, certificate_id))
        case DeleteCertificate(certificate_id):
            command = certificates.delete_ssl_cert(certificate_id)
            context.cloud.client.call(command.name, command.params, context.deadline)
    return ""


def tag_command(action: actions.AddTags) -> Command:
    """Return the command that writes tags."""
    return create_tags(_TYPES[action.kind], action.ids, dict(action.tags))


def _command(action: CommandAction) -> Command:  # noqa: C901, PLR0912 - one line each
    """Return CloudStack's command for an action."""
    match action:
        case actions.Release(own, rules):
            return network.disassociate_ip_address(own.id, rules=rules)
        case actions.CreateRule(NewInternalLoadBalancer() as balancer):
            return loadbalancing.create_load_balancer(balancer)
        case actions.CreateRule(rule):
            return loadbalancing.create_load_balancer_rule(rule)
        case actions.UpdateRule(rule_id, _, change):
            return loadbalancing.update_load_balancer_rule(rule_id, change)
        case actions.DeleteRule(own):
            return loadbalancing.delete_load_balancer_rule(own.id)
        case UntagRules(owns, keys):
            ids = [own.id for own in owns]
            return delete_tags(ResourceType.LOAD_BALANCER_RULE, ids, dict.fromkeys(keys))
        case actions.Assign(rule_id, _, vm_ids):
            return loadbalancing.assign_to_load_balancer_rule(rule_id, vm_ids)
        case actions.Remove(rule_id, _, vm_ids):
            return loadbalancing.remove_from_load_balancer_rule(rule_id, vm_ids)
        case actions.OpenFirewall(address_id, ports):
            return firewall.create_firewall_rule(address_id, ports)
        case actions.CloseFirewall(own):
            return firewall.delete_firewall_rule(own.id)
        case actions.AddItem(acl_id, _, number, ports, reason):
            return firewall.create_network_acl(acl_id, number, ports, reason)
        case actions.ChangeItem(own, number, ports, reason):
            return firewall.update_network_acl_item(own.id, number, ports, reason)
        case actions.RemoveItem(own):
            return firewall.delete_network_acl(own.id)
        case actions.AddTags():
            return tag_command(action)
        case actions.UntagAddress(own, keys):
            removed = dict.fromkeys((*keys, TAG_LEASE))
            return delete_tags(ResourceType.ADDRESS, [own.id], removed)
        case _:
            assert_never(action)
