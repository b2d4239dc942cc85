"""Does one action, and waits for what CloudStack makes of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands import firewall, loadbalancing, network
from hooks.cloudstack.commands.tags import ResourceType, create_tags, delete_tags
from hooks.cloudstack.errors import Forbidden, Refused, Unauthorized
from hooks.cloudstack.models import Job
from hooks.deadline import Deadline
from hooks.kube import Kube, NotFound
from hooks.loadbalancers import plan_actions as plan
from hooks.loadbalancers.plan_actions import Action
from hooks.loadbalancers.plan_facts import Refusal
from hooks.names import API_VERSION, CLOUDSTACK_GROUP

#: Assignments that a network takes at once; more only wait for each other in the server.
ASSIGNMENTS_AT_ONCE = 4


def perform(action: Action, client: Client, kube: Kube, deadline: Deadline) -> tuple[Refusal, ...]:
    """Do an action to its end and return what CloudStack refused of it.

    Raises:
        Unauthorized, Forbidden: so would be every other action.
        CloudStackError: the outcome is not known; it is found by looking again.
        KubeError: the object could not be deleted.
    """
    if isinstance(action, plan.DeleteSelf):
        _delete_self(action, kube, deadline)
        return ()
    if isinstance(action, plan.AssignTogether):
        return _side_by_side(action, client, deadline)
    return _refusals(action, lambda: _run(action, client, deadline))


def _refusals(action: Action, run: Callable[[], None]) -> tuple[Refusal, ...]:
    try:
        run()
    except (Unauthorized, Forbidden):
        raise
    except Refused as error:
        return (Refusal(action, error.code, error.text),)
    return ()


def _side_by_side(
    action: plan.AssignTogether, client: Client, deadline: Deadline
) -> tuple[Refusal, ...]:
    """Assign several rules' members at once; the first error is raised when all have ended."""
    with ThreadPoolExecutor(ASSIGNMENTS_AT_ONCE, thread_name_prefix="assign") as pool:
        futures = [pool.submit(perform_one, each, client, deadline) for each in action.assignments]
    return tuple(refusal for future in futures for refusal in future.result())


def perform_one(action: plan.Assign, client: Client, deadline: Deadline) -> tuple[Refusal, ...]:
    """Do one assignment."""
    return _refusals(action, lambda: _run(action, client, deadline))


def _run(action: Action, client: Client, deadline: Deadline) -> None:
    if isinstance(action, plan.AssociateAny):
        job = network.associate_ip_address(client, deadline=deadline, network_id=action.network_id)
        # The tag comes before the job's end: until it lands, nothing else says whose this is.
        tagged = create_tags(
            client, ResourceType.ADDRESS, [job.resource_id], dict(action.tags), deadline=deadline
        )
        client.wait_for(tagged, deadline)
        client.wait_for(job, deadline)
    else:
        client.wait_for(_start(action, client, deadline), deadline)


def _start(action: Action, client: Client, deadline: Deadline) -> Job:  # noqa: C901 - one line each
    """Call the command that an action stands for."""
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
        case plan.AssociateAny() | plan.AssignTogether() | plan.DeleteSelf():
            raise AssertionError(f"{action} is no single command")
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
