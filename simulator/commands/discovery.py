"""Tells which commands a role may call."""

from typing import Any

from simulator.call import Answer, Call, Command
from simulator.errors import ApiError
from simulator.parameters import Parameter
from simulator.registry import ADMIN_ONLY, REGISTRY, command


@command("listApis", "name")
def list_apis(call: Call) -> Answer:
    """List the commands that the caller may call, or the one of a name; all others are 530."""
    name = call.args.text("name")
    if name is None:
        found = [each for each in REGISTRY.values() if may_call(call, each)]
        return {"count": len(found), "api": [view_api(each) for each in found]}
    one = REGISTRY.get(name)
    if one is None or not may_call(call, one):
        raise ApiError(
            530,
            "Api Discovery plugin was unable to find an api by that name or process any apis",
        )
    return {"count": 1, "api": [view_api(one)]}


def may_call(call: Call, wanted: Command) -> bool:
    """Tell whether the caller's role has a command, and the server's version knows it."""
    if wanted.since is not None and wanted.since > call.world.version:
        return False
    if wanted.name in call.account.denied:
        return False
    return call.account.admin or wanted.name not in ADMIN_ONLY


def view_api(one: Command) -> dict[str, Any]:
    """Show a command with its parameters."""
    since = {} if one.since is None else {"since": ".".join(map(str, one.since))}
    return {
        "name": one.name,
        "description": one.summary,
        **since,
        "isasync": one.asynchronous,
        "params": [view_parameter(each) for each in one.parameters.values()],
        "response": [],
    }


def view_parameter(parameter: Parameter) -> dict[str, Any]:
    """Show a parameter."""
    return {
        "name": parameter.name,
        "description": "",
        "type": "uuid" if parameter.entity else parameter.kind,
        "length": parameter.length,
        "required": parameter.required,
    }
