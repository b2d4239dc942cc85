"""Projects; their resources are listed only with the project's id."""

from typing import Any

from simulator.building import make_project
from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.commands.limits import view_usage
from simulator.errors import ApiError, denied, invalid
from simulator.jobs import Result, Work
from simulator.model import Project
from simulator.registry import command


@command(
    "createProject",
    "name! displaytext account domainid:domain accountid:account@4.16 userid:user@4.16",
    job="user.project.CreateProjectCmd",
)
def create_project(call: Call) -> Work:
    """Create a project that the caller owns."""
    name = call.args.required("name")
    if call.world.projects.named(name) is not None:
        raise invalid(f"Project with name {name} already exists in domain id=1")
    project = make_project(call.world, name, call.account, call.args.text("displaytext") or "")
    return Work(
        finish=lambda: {"project": view_project(call, project)},
        undo=lambda: remove(call, project),
        created=project.id,
        instance=("None", None),
    )


@command(
    "deleteProject",
    "id:project! cleanup:boolean@4.16",
    job="user.project.DeleteProjectCmd",
)
def delete_project(call: Call) -> Work:
    """Delete a project without VMs."""
    project = call.args.entity("id", Project)
    assert project is not None  # noqa: S101 - required
    if not (call.account.admin or project.owner is call.account):
        raise denied()

    def finish() -> Result:
        left = sum(vm.account is project.account for vm in call.world.vms)
        if left:
            raise ApiError(
                530,
                f"Can't delete the project yet because it has {left} VirtualMachine to clean up",
            )
        remove(call, project)
        return {"success": True}

    return Work(finish)


def remove(call: Call, project: Project) -> None:
    """Remove a project with its account and networks."""
    for network in call.world.networks:
        if network.account is project.account:
            call.world.networks.remove(network)
    call.world.projects.remove(project)
    call.world.accounts.remove(project.account)


@command(
    "listProjects",
    "id:project name displaytext account username state domainid:domain details:list "
    "listall:boolean isrecursive:boolean showicon:boolean tags:map",
)
def list_projects(call: Call) -> Answer:
    """List the projects that the caller is in; an administrator sees all."""
    everyone = call.account.admin and (call.args.flag("listall") or "id" in call.args)
    found = [
        project
        for project in call.world.projects
        if (everyone or call.account in project.members)
        and call.selects("id", project)
        and call.equals("name", project.name)
        and call.equals("displaytext", project.displaytext)
        and call.equals("state", "Active")
        and call.matches(project.name)
        and not call.args.maps("tags")
    ]
    return call.listing("project", found, lambda project: view_project(call, project))


def view_project(call: Call, project: Project) -> dict[str, Any]:
    """Show a project with its limits, which are strings, and what it uses."""
    vms = [vm for vm in call.world.vms if vm.account is project.account]
    return {
        "id": project.id,
        "name": project.name,
        "displaytext": project.displaytext,
        "domainid": project.account.domain.id,
        "domain": project.account.domain.name,
        "owner": [{"account": project.owner.name}],
        "projectaccountname": project.account.name,
        "state": "Active",
        "tags": [],
        **view_usage(call.world, project.account),
        "vmstopped": sum(vm.state == "Stopped" for vm in vms),
        "vmrunning": sum(vm.state == "Running" for vm in vms),
        "created": timestamp(project.created),
    }
