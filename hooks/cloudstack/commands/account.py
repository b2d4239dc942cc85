"""The server's capabilities, and the limits of the account or project."""

from hooks.cloudstack.client import Client, Query
from hooks.cloudstack.commands.parameters import parameters
from hooks.cloudstack.models.account import Capabilities, ResourceLimit
from hooks.http.deadline import Deadline


def list_capabilities(client: Client, *, deadline: Deadline) -> Capabilities:
    """Read what the server is; every role may."""
    query = Query("listCapabilities", "capability", Capabilities.from_json)
    return client.one(query, parameters(), deadline)


def address_limit(client: Client, *, deadline: Deadline) -> ResourceLimit | None:
    """Tell how many public addresses the project, else the account, has and may have.

    None where CloudStack does not show exactly one owner: an ordinary user sees its own account.
    """
    query = Query("listAccounts", "account", ResourceLimit.from_json)
    if client.project_id:
        query = Query("listProjects", "project", ResourceLimit.from_json)
    owners = client.list_all(query, parameters(id=client.project_id or None), deadline)
    return owners[0] if len(owners) == 1 else None
