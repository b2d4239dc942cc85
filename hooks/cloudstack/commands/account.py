"""The server's capabilities; accounts, projects and their limits."""

from hooks.cloudstack.client import Client, Query
from hooks.cloudstack.commands.parameters import parameters
from hooks.cloudstack.models import Account, Capabilities, Project, ResourceLimit
from hooks.http.deadline import Deadline


def list_capabilities(client: Client, *, deadline: Deadline) -> Capabilities:
    """Read what the server is; every role may."""
    query = Query("listCapabilities", "capability", Capabilities.from_json)
    return client.one(query, parameters(), deadline)


def list_accounts(client: Client, *, deadline: Deadline) -> tuple[Account, ...]:
    """List the accounts the caller may see: an ordinary user sees its own."""
    query = Query("listAccounts", "account", Account.from_json)
    return client.list_all(query, parameters(), deadline)


def list_projects(
    client: Client, *, deadline: Deadline, project_id: str | None = None
) -> tuple[Project, ...]:
    """List the projects the caller may see, all or by id."""
    query = Query("listProjects", "project", Project.from_json)
    return client.list_all(query, parameters(id=project_id), deadline)


def address_limit(client: Client, *, deadline: Deadline) -> ResourceLimit | None:
    """Tell how many public addresses the project, else the account, has and may have.

    None where CloudStack does not show it.
    """
    owners: tuple[Project | Account, ...]
    if client.project_id:
        owners = list_projects(client, deadline=deadline, project_id=client.project_id)
    else:
        owners = list_accounts(client, deadline=deadline)
    return owners[0].addresses if len(owners) == 1 else None
