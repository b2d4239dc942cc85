"""Changes of VMs: deploy, scale, rename, destroy, expunge."""

from typing import Any

from simulator.building import default_group, make_vm, plug, unplug
from simulator.call import Answer, Call, describe
from simulator.commands.limits import check_limit
from simulator.commands.networks import network_domain, usable_network
from simulator.commands.vm_changes import change, place, required_vm, touch
from simulator.commands.vm_lists import view_vm
from simulator.errors import INTERNAL_ERROR, ApiError, denied, invalid
from simulator.groups import SecurityGroup
from simulator.jobs import Result, Work
from simulator.model import (
    Account,
    Network,
    ServiceOffering,
    Template,
    VirtualMachine,
    Zone,
)
from simulator.registry import command
from simulator.timing import Load
from simulator.world import World

EXPUNGE_DENIED = "Account does not have permission for expunging."


@command(
    "deployVirtualMachine",
    "serviceofferingid:offering! templateid:template! zoneid:zone! networkids:network+ name "
    "displayname projectid:project account domainid:domain startvm:boolean ipaddress ip6address "
    "affinitygroupids:list affinitygroupnames:list hypervisor userdata~1048576 keypair group "
    "keypairs:list@4.17 diskofferingid:uuid size:integer rootdisksize:integer details:map "
    "securitygroupids:group+ securitygroupnames:list iptonetworklist:map hostid:uuid keyboard "
    "macaddress password@4.19 userdataid:uuid@4.18 dynamicscalingenabled:boolean@4.16 "
    "bootmode@4.14 boottype@4.14",
    job="user.vm.DeployVMCmd",
)
def deploy_virtual_machine(call: Call) -> Work:
    """Deploy a VM and start it, unless `startvm` is false."""
    offering = call.args.entity("serviceofferingid", ServiceOffering)
    template = call.args.entity("templateid", Template)
    zone = call.args.entity("zoneid", Zone)
    assert offering is not None and template is not None and zone is not None  # noqa: S101, PT018
    owner = call.owner()
    networks = deploy_networks(call, owner)
    groups = deploy_groups(call, owner, zone)
    check_limit(call.world, owner, "user_vm")
    name = call.args.text("name")
    check_name_free(call.world, name, networks)
    vm = make_vm(
        call.world, name or f"VM-{call.world.number('name')}", call.user, offering, template
    )
    vm.account, vm.zone = owner, zone
    for group in groups:
        group.vms.append(vm)
    vm.displayname = call.args.text("displayname") or vm.name
    for network in networks:
        plug(call.world, vm, network)
    start = call.args.flag("startvm", default=True)

    def finish() -> Result:
        if start:
            place(call.world, vm)
        touch(call.world, vm)
        return {"virtualmachine": view_vm(call, vm)}

    return Work(finish, lambda: fail_deployment(vm), vm.id, ("VirtualMachine", vm.id), Load("vm"))


def deploy_networks(call: Call, owner: Account) -> list[Network]:
    """Return the networks of a new VM: the requested ones, else the owner's only one."""
    named = call.args.entities("networkids", Network)
    if named:
        return [usable_network(call, network) for network in named]
    own = [network for network in call.world.networks if network.account is owner]
    if len(own) != 1:
        raise invalid("More than 1 default Isolated networks are found; please specify networkIds")
    return own


def deploy_groups(call: Call, owner: Account, zone: Zone) -> list[SecurityGroup]:
    """Return the security groups of a new VM: those asked for, else the owner's default one."""
    if not zone.groups:
        return []
    groups = call.args.entities("securitygroupids", SecurityGroup)
    for group in groups:
        if group.account is not owner:
            raise denied(
                f'Entity SecurityGroup {{"id":{group.number},"name":"{group.name}",'
                f'"uuid":"{group.id}"}} and entity {describe(owner)} belong to different accounts'
            )
    return list(dict.fromkeys(groups)) or [default_group(call.world, owner)]


def check_name_free(world: World, name: str | None, networks: list[Network]) -> None:
    """Refuse a host name that a VM in one of the networks has."""
    for vm in world.vms:
        if vm.name != name or vm.state in {"Destroyed", "Expunging", "Error"}:
            continue
        for network in networks:
            if any(nic.network is network for nic in vm.nics):
                raise invalid(
                    f"The vm with hostName {name} already exists in the network domain: "
                    f"{network_domain(network.account)}; network={network.name}"
                )


def fail_deployment(vm: VirtualMachine) -> None:
    """Keep a VM whose deployment failed, in state Error, as the server does."""
    vm.state = "Error"


@command(
    "scaleVirtualMachine",
    "id:vm! serviceofferingid:offering! details:map automigrate:boolean@4.16 shrinkok:boolean@4.16 "
    "maxiops:integer@4.16 miniops:integer@4.16 autoMigrate:boolean",
    job="user.vm.ScaleVMCmd",
)
def scale_virtual_machine(call: Call) -> Work:
    """Resize a stopped VM in a job; no world scales running VMs."""
    vm = required_vm(call)
    offering = call.args.entity("serviceofferingid", ServiceOffering)

    def work() -> None:
        assert offering is not None  # noqa: S101 - required
        check_scalable(vm, offering)
        vm.offering = offering

    return change(call, vm, work)


@command("changeServiceForVirtualMachine", "id:vm! serviceofferingid:offering! details:map")
def change_service_for_virtual_machine(call: Call) -> Answer:
    """Resize a stopped VM at once."""
    vm = required_vm(call)
    offering = call.args.entity("serviceofferingid", ServiceOffering)
    assert offering is not None  # noqa: S101 - required
    check_scalable(vm, offering)
    vm.offering = offering
    touch(call.world, vm)
    return {"virtualmachine": view_vm(call, vm)}


def check_scalable(vm: VirtualMachine, offering: ServiceOffering) -> None:
    """Refuse the size that a VM has already, and any size while it runs."""
    if vm.offering is offering:
        raise invalid(
            f"Not upgrading vm {vm.text} since it already has the requested service offering "
            f"({offering.name})"
        )
    if vm.state != "Stopped":
        raise invalid(f"Unable to scale {vm.text}: it is not dynamically scalable")


@command(
    "updateVirtualMachine",
    "id:vm! displayname name haenable:boolean group userdata~1048576 ostypeid:uuid "
    "isdynamicallyscalable:boolean details:map cleanupdetails:boolean instancename "
    "securitygroupids:group+ securitygroupnames:list customid extraconfig",
)
def update_virtual_machine(call: Call) -> Answer:
    """Rename a VM, in any state; its security groups change only while it is stopped."""
    vm = required_vm(call)
    groups = call.args.entities("securitygroupids", SecurityGroup)
    for group in groups:
        call.check_owner(group.account)
    if groups and vm.state != "Stopped":
        text = f"Failed to update VM, due to: VM {vm.id} must be stopped prior to update security"
        raise ApiError(530, f"{text} groups" if call.account.admin else INTERNAL_ERROR)
    if groups:
        leave_groups(call.world, vm)
    for group in dict.fromkeys(groups):
        group.vms.append(vm)
    name = call.args.text("name")
    if name is not None and name != vm.name:
        check_name_free(call.world, name, [nic.network for nic in vm.nics])
        vm.name = name
    vm.displayname = call.args.text("displayname") or vm.displayname
    touch(call.world, vm)
    return {"virtualmachine": view_vm(call, vm)}


@command(
    "destroyVirtualMachine",
    "id:vm! expunge:boolean@4.2 volumeids:list@4.12",
    job="user.vm.DestroyVMCmd",
)
def destroy_virtual_machine(call: Call) -> Work:
    """Destroy a VM; administrators still see it until it is expunged, which users may not do.

    If a user asks for that as well, the job fails.
    """
    vm = required_vm(call)
    expunged = call.args.flag("expunge")

    def work() -> None:
        if expunged and not may_expunge(call):
            raise ApiError(530, EXPUNGE_DENIED)
        for rule in call.world.rules:
            rule.members[:] = [member for member in rule.members if member.vm is not vm]
        if expunged:
            forget(call.world, vm)
        elif vm.state == "Destroyed":
            return
        vm.state = "Expunging" if expunged else "Destroyed"

    job = change(call, vm, work)
    return expunging(job) if expunged else job


def expunging(job: Work) -> Work:
    """Return the work with the result of an expunged VM, which is an empty VM."""
    work = job.finish

    def finish() -> Result:
        work()
        empty: dict[str, Any] = {
            "securitygroup": [], "nic": [], "affinitygroup": [], "deleteprotection": False,
            "tags": [],
        }  # fmt: skip
        return {"virtualmachine": empty}

    return Work(finish, job.undo, job.created, job.instance, job.load)


def may_expunge(call: Call) -> bool:
    """Tell whether the caller may expunge: users only if the installation permits it."""
    return call.account.admin or call.world.settings.expunge


def check_may_expunge(call: Call) -> None:
    """Refuse to expunge or to recover for those who may not."""
    if not may_expunge(call):
        raise denied(EXPUNGE_DENIED)


def forget(world: World, vm: VirtualMachine) -> None:
    """Remove a VM with its NICs and tags."""
    for nic in vm.nics:
        unplug(nic)
    if vm.static_nat is not None:
        vm.static_nat.vm, vm.static_nat.guest, vm.static_nat = None, "", None
    vm.nics.clear()
    leave_groups(world, vm)
    vm.tags.clear()
    world.vms.remove(vm)


def leave_groups(world: World, vm: VirtualMachine) -> None:
    """Take a VM out of its security groups."""
    for group in world.groups:
        if vm in group.vms:
            group.vms.remove(vm)


@command("expungeVirtualMachine", "id:vm!", job="admin.vm.ExpungeVMCmd")
def expunge_virtual_machine(call: Call) -> Work:
    """Expunge a destroyed VM."""
    vm = required_vm(call)
    check_may_expunge(call)

    def finish() -> Result:
        if vm.state != "Destroyed":
            raise invalid("Please destroy vm with specified vmId before expunge")
        forget(call.world, vm)
        vm.state = "Expunging"
        return {"success": True}

    return Work(finish, instance=("VirtualMachine", vm.id))


@command("recoverVirtualMachine", "id:vm!")
def recover_virtual_machine(call: Call) -> Answer:
    """Recover a destroyed VM, stopped."""
    vm = required_vm(call)
    check_may_expunge(call)
    if vm.state != "Destroyed":
        raise invalid(f"Unable to recover {vm.text}: it is not destroyed")
    vm.state = "Stopped"
    touch(call.world, vm)
    return {"virtualmachine": view_vm(call, vm)}
