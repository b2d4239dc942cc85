"""Stickiness policies: the newest of a rule counts, by a method that the network supports."""

import re
from typing import Any

from simulator.call import Answer, Call
from simulator.commands.load_balancers import check_exists, required_rule
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import LoadBalancerRule, StickinessPolicy
from simulator.registry import command
from simulator.services import STICKINESS
from simulator.timing import Load
from simulator.world import World

METHODS = {
    method["methodname"].lower(): {entry["paramname"] for entry in method["paramlist"]}
    for method in STICKINESS
}
# The form of each value that is checked, and what the server says of another one.
TIME = (r"\d+[smhd]", "in timeformat")
FORMS = {
    "tablesize": (r"\d+[kmg]", "in size format"),
    "expire": TIME,
    "holdtime": TIME,
    "length": (r"\d+", "a number"),
}


@command(
    "createLBStickinessPolicy",
    "lbruleid:rule! methodname! name! param:map description",
    job="user.loadbalancer.CreateLBStickinessPolicyCmd",
    envelope="createLBStickinessPolicy",
)
def create_lb_stickiness_policy(call: Call) -> Work:
    """Set the stickiness policy of a rule, in place of the one it has.

    If several are set at once, all fail.
    """
    rule = required_rule(call, "lbruleid")
    policy = read_policy(call, rule)
    contest(rule, policy)
    rule.policies.append(call.world.policies.add(policy))

    def finish() -> Result:
        check_exists(call.world, rule)
        policy.pending = False
        if policy.contested:
            drop_policy(call.world, policy)
            raise ApiError(530, "Failed to create stickiness policy")
        for older in [other for other in rule.policies if other is not policy]:
            drop_policy(call.world, older)
        return {"stickinesspolicies": view_policies(rule, [policy])}

    return Work(
        finish,
        lambda: drop_policy(call.world, policy),
        policy.id,
        ("None", None),
        Load("rule", rule.network.id, rule.address.id),
    )


def read_policy(call: Call, rule: LoadBalancerRule) -> StickinessPolicy:
    """Return the policy that a call wants for a rule."""
    method, name = call.args.required("methodname"), call.args.required("name")
    given = {entry.get("name", ""): entry.get("value", "") for entry in call.args.maps("param")}
    parameters = {key: value for key, value in given.items() if value}
    check_method(rule, method, parameters)
    policy_id, number = call.world.identity("policy", f"{rule.id}/{name}")
    return StickinessPolicy(
        id=policy_id,
        number=number,
        name=name,
        created=call.world.clock.now(),
        rule=rule,
        method=method,
        description=call.args.text("description") or "",
        parameters=parameters,
    )


def contest(rule: LoadBalancerRule, policy: StickinessPolicy) -> None:
    """Note that policies of a rule are being set at once, the new one among them."""
    rivals = [other for other in rule.policies if other.pending]
    for each in [*rivals, policy] if rivals else []:
        each.contested = True


def check_method(rule: LoadBalancerRule, method: str, parameters: dict[str, str]) -> None:
    """Refuse a method, parameter or value that the load balancer does not know.

    Few values are checked: any mode and any cookie name will do.
    """
    if method.lower() not in METHODS:
        raise invalid(f"Failed to match Stickiness method name for LB rule:{rule.number}")
    unknown = sorted(set(parameters) - METHODS[method.lower()])
    if unknown:
        raise invalid(f"Failed : Stickiness policy does not support param name :{unknown[0]}")
    for name, (form, wanted) in FORMS.items():
        value = parameters.get(name)
        if value is not None and not re.fullmatch(form, value):
            which = "rule id" if method.lower() == "appcookie" else "rule"
            raise invalid(
                f"Failed LB in validation {which}: {rule.text} "
                f"Cause: {name} is not {wanted}: {value}"
            )


@command(
    "updateLBStickinessPolicy",
    "id:policy! fordisplay:boolean customid",
    job="user.loadbalancer.UpdateLBStickinessPolicyCmd",
)
def update_lb_stickiness_policy(call: Call) -> Work:
    """Change nothing that counts, whatever parameters of the policy are sent."""
    policy = required_policy(call)

    def finish() -> Result:
        check_exists(call.world, policy.rule)
        return {"stickinesspolicies": view_policies(policy.rule, [policy])}

    return Work(finish, load=Load("stickiness"))


def required_policy(call: Call) -> StickinessPolicy:
    """Return the policy that a call's required `id` names."""
    policy = call.args.entity("id", StickinessPolicy)
    assert policy is not None  # noqa: S101 - required
    call.check_owner(policy.rule.account)
    return policy


def drop_policy(world: World, policy: StickinessPolicy) -> None:
    """Remove a policy from its rule."""
    world.policies.remove(policy)
    policy.rule.policies[:] = [one for one in policy.rule.policies if one is not policy]


@command(
    "deleteLBStickinessPolicy",
    "id:policy!",
    job="user.loadbalancer.DeleteLBStickinessPolicyCmd",
    envelope="deleteLBstickinessrruleresponse",
)
def delete_lb_stickiness_policy(call: Call) -> Work:
    """Delete a stickiness policy."""
    policy = required_policy(call)

    def finish() -> Result:
        if policy not in call.world.policies:
            raise ApiError(530, "Failed to delete stickiness policy")
        drop_policy(call.world, policy)
        return {"success": True}

    return Work(finish, load=Load("stickiness"))


@command("listLBStickinessPolicies", "lbruleid:rule id:policy")
def list_lb_stickiness_policies(call: Call) -> Answer:
    """List the policies of a rule: one entry for the rule, which contains them."""
    policy = call.args.entity("id", StickinessPolicy)
    rule = call.args.entity("lbruleid", LoadBalancerRule)
    if policy is not None:
        rule = policy.rule
    if rule is None:
        raise invalid("load balancer rule ID and stickiness policy ID can't be null")
    call.check_owner(rule.account)
    found = [one for one in rule.policies if policy in {None, one}]
    return {"count": 1, "stickinesspolicies": [view_policies(rule, found)]}


def view_policies(rule: LoadBalancerRule, policies: list[StickinessPolicy]) -> dict[str, Any]:
    """Show a rule's policies; the owner is shown without the domain's path."""
    owner = rule.account
    whose = {"account": owner.name}
    if owner.project is not None:
        whose = {"projectid": owner.project.id, "project": owner.project.name}
    return {
        "lbruleid": rule.id,
        **whose,
        "domainid": owner.domain.id,
        "domain": owner.domain.name,
        "stickinesspolicy": [
            {
                "id": policy.id,
                "name": policy.name,
                **({"description": policy.description} if policy.description else {}),
                "methodname": policy.method,
                "params": policy.parameters,
            }
            for policy in policies
        ],
    }
