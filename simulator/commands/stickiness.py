"""Stickiness policies: at most one on a rule, by a method that the network can do."""

from typing import Any

from simulator.call import Call
from simulator.commands.load_balancers import still_there, the_rule
from simulator.commands.networks import STICKINESS
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import LoadBalancerRule, StickinessPolicy
from simulator.registry import Answer, command
from simulator.timing import Load
from simulator.world import World

METHODS = {
    method["methodname"]: {entry["paramname"] for entry in method["paramlist"]}
    for method in STICKINESS
}


@command(
    "createLBStickinessPolicy",
    "lbruleid:rule! methodname! name! param:map description",
    job="user.loadbalancer.CreateLBStickinessPolicyCmd",
    envelope="createLBStickinessPolicy",
)
def create_lb_stickiness_policy(call: Call) -> Work:
    """Make a rule keep its clients on their members."""
    rule = the_rule(call, "lbruleid")
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
    rule.policy = call.world.policies.add(policy)

    def finish() -> Result:
        still_there(call.world, rule)
        return {"stickinesspolicies": view_policies(rule, [policy])}

    return Work(
        finish,
        lambda: drop_policy(call.world, policy),
        policy.id,
        ("None", None),
        Load("rule", rule.network.id, rule.address.id),
    )


def check_method(rule: LoadBalancerRule, method: str, parameters: dict[str, str]) -> None:
    """Refuse a method or parameter that the load balancer does not know, and a second policy."""
    if method not in METHODS:
        raise invalid(f"Failed:  No Stickiness method available for LB rule:{rule.id}: {method}")
    unknown = sorted(set(parameters) - METHODS[method])
    if unknown:
        raise invalid(f"Failed : Invalid stickiness parameter {unknown[0]} for method {method}")
    if rule.policy is not None:
        raise invalid(
            f"Failed to create Stickiness policy: Already policy attached {rule.policy.name}"
        )


def drop_policy(world: World, policy: StickinessPolicy) -> None:
    """Take a policy off its rule."""
    world.policies.remove(policy)
    policy.rule.policy = None


@command(
    "deleteLBStickinessPolicy",
    "id:policy!",
    job="user.loadbalancer.DeleteLBStickinessPolicyCmd",
    envelope="deleteLBstickinessrruleresponse",
)
def delete_lb_stickiness_policy(call: Call) -> Work:
    """Let a rule spread its clients again."""
    policy = call.args.entity("id", StickinessPolicy)
    assert policy is not None  # noqa: S101 - required
    call.check_owner(policy.rule.account)

    def finish() -> Result:
        if policy not in call.world.policies:
            raise ApiError(530, "Failed to delete stickiness policy")
        drop_policy(call.world, policy)
        return {"success": True}

    return Work(finish, load=Load("rule", policy.rule.network.id, policy.rule.address.id))


@command("listLBStickinessPolicies", "lbruleid:rule id:policy")
def list_lb_stickiness_policies(call: Call) -> Answer:
    """List the policies of a rule: one entry for the rule, its policies inside."""
    policy = call.args.entity("id", StickinessPolicy)
    rule = call.args.entity("lbruleid", LoadBalancerRule)
    if policy is not None:
        rule = policy.rule
    if rule is None:
        raise invalid("load balancer rule ID and stickiness policy ID can't be null")
    call.check_owner(rule.account)
    found = [] if rule.policy is None else [rule.policy]
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
