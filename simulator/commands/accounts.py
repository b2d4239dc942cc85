"""Accounts and users; an ordinary user sees only its own."""

from typing import Any

from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.commands.limits import view_usage
from simulator.model import Account, User
from simulator.registry import command

ROLES = {"Admin": (1, "Root Admin"), "User": (0, "User")}


@command(
    "listAccounts",
    "id:account name accounttype:integer domainid:domain state details:list listall:boolean "
    "isrecursive:boolean iscleanuprequired:boolean showicon:boolean tag@4.20",
)
def list_accounts(call: Call) -> Answer:
    """List the accounts that the caller may see."""
    everyone = call.account.admin and (call.args.flag("listall") or "id" in call.args)
    found = [
        account
        for account in call.world.accounts
        if account.project is None
        and (everyone or account is call.account)
        and call.selects("id", account)
        and call.equals("name", account.name)
        and call.equals("state", "enabled")
        and call.matches(account.name)
    ]
    return call.listing("account", found, lambda account: view_account(call, account))


def view_account(call: Call, account: Account) -> dict[str, Any]:
    """Show an account with its user and how many VMs it has."""
    owned = [vm for vm in call.world.vms if vm.account is account]
    running = sum(vm.state == "Running" for vm in owned)
    return {
        "id": account.id,
        "name": account.name,
        **view_role(account),
        "domainid": account.domain.id,
        "domain": account.domain.name,
        "domainpath": account.domain.name,
        **view_usage(call.world, account),
        "vmrunning": running,
        "vmstopped": len(owned) - running,
        "state": "enabled",
        "user": [view_user(user) for user in call.world.users if user.account is account],
        "isdefault": account.admin,
        "groups": [],
    }


@command(
    "listUsers",
    "id:user username account accounttype:integer domainid:domain state listall:boolean "
    "isrecursive:boolean showicon:boolean usersource@4.21",
)
def list_users(call: Call) -> Answer:
    """List the users that the caller may see, without secret keys."""
    everyone = call.account.admin and (call.args.flag("listall") or "id" in call.args)
    found = [
        user
        for user in call.world.users
        if (everyone or user.account is call.account)
        and call.selects("id", user)
        and call.equals("username", user.name)
        and call.equals("account", user.account.name)
        and call.matches(user.name)
    ]
    return call.listing("user", found, view_user)


def view_user(user: User) -> dict[str, Any]:
    """Show a user."""
    return {
        "id": user.id,
        "username": user.name,
        "firstname": user.name,
        "lastname": "user",
        "email": f"{user.name}@example.com",
        "created": timestamp(user.created),
        "state": "enabled",
        "account": user.account.name,
        **view_role(user.account),
        "domainid": user.account.domain.id,
        "domain": user.account.domain.name,
        "apikey": user.api_key,
        "accountid": user.account.id,
        "isdefault": user.account.admin,
    }


def view_role(account: Account) -> dict[str, Any]:
    """Show the role of an account: its number, type and name."""
    number, name = ROLES[account.role]
    return {"accounttype": number, "roletype": account.role, "rolename": name}
