"""Stickiness policies: the newest of a rule counts, by a method that the network supports."""

import re
from typing import Any

from simulator.call import Answer, Call
from simulator.commands.load_balancers import check_exists, required_rule
from simulator.commands.networks import STICKINESS
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import LoadBalancerRule, StickinessPolicy
from simulator.registry import command
from simulator.timing import Load
from simulator.world import World

METHODS = {
    method["methodname"]: {entry["paramname"] for entry in method["paramlist"]}
    for method in STICKINESS
}
# Values that HAProxy takes: a number with a unit of size, or of time.
FORMS = {"tablesize": r"\d+[kmg]?", "expire": r"\d+[dhms]?", "holdtime": r"\d+[dhms]?"}


@command(
    "createLBStickinessPolicy",
    "lbruleid:rule! methodname! name! param:map description",
    job="user.loadbalancer.CreateLBStickinessPolicyCmd",
    envelope="createLBStickinessPolicy",
)
def create_lb_stickiness_policy(call: Call) -> Work:
    """Add a stickiness policy to a rule."""
    rule = required_rule(call, "lbruleid")
    method = call.args.required("methodname")
    parameters = {
        entry.get("name", ""): entry.get("value", "") for entry in call.args.maps("param")
    }
    check_method(rule, method, parameters)
    name = call.args.required("name")
    policy_id, number = call.world.identity("policy", f"{rule.id}/{name}")
    policy = StickinessPolicy(
        id=policy_id,
        number=number,
        name=name,
        created=call.world.clock.now(),
        rule=rule,
        method=method,
        description=call.args.text("description") or "",
        parameters=parameters,
    )
    rule.policies.append(call.world.policies.add(policy))

    def finish() -> Result:
        check_exists(call.world, rule)
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


def check_method(rule: LoadBalancerRule, method: str, parameters: dict[str, str]) -> None:
    """Refuse a method or parameter that the load balancer does not know, and a third policy."""
    if method not in METHODS:
        raise invalid(f"Failed to match Stickiness method name for LB rule:{rule.number}")
    unknown = sorted(set(parameters) - METHODS[method])
    if unknown:
        raise invalid(f"Failed : Stickiness policy does not support param name :{unknown[0]}")
    for name, form in FORMS.items():
        if name in parameters and not re.fullmatch(form, parameters[name]):
            raise invalid(f"Failed to create Stickiness policy: Validation Failed {rule.text}")
    if len(rule.policies) > 1:
        raise invalid(
            f"Failed to create Stickiness policy: Already two policies attached {rule.number}"
        )


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
    policy = call.args.entity("id", StickinessPolicy)
    assert policy is not None  # noqa: S101 - required
    call.check_owner(policy.rule.account)

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
