"""Starts, stops and reboots VMs.

The jobs of one VM run one after the other. Whether a VM may be started or rebooted is looked up
when the command comes, and its state changes when its job ends: until then a list shows the former
one. So a start that comes during a stop fails at once, and the VM ends Stopped (measured on 4.22).
"""

from collections.abc import Callable

from simulator.call import Call
from simulator.commands.vm_changes import place, required_vm, touch
from simulator.commands.vm_lists import view_vm
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import VirtualMachine
from simulator.registry import command
from simulator.timing import Kind, Load


def refused(vm: VirtualMachine, error: ApiError) -> Work:
    """Return the work of a job that fails at once, whatever else is under way on the VM."""

    def finish() -> Result:
        raise error

    return Work(finish, instance=("VirtualMachine", vm.id))


def power(call: Call, vm: VirtualMachine, kind: Kind, work: Callable[[], None]) -> Work:
    """Return the work of a job that runs when all before it on the VM have ended."""

    def finish() -> Result:
        work()
        return {"virtualmachine": view_vm(call, vm)}

    instance = ("VirtualMachine", vm.id)
    return Work(finish, instance=instance, load=Load(kind), queue=f"vm {vm.id}")


@command(
    "startVirtualMachine",
    "id:vm! hostid:uuid@4.0 clusterid:uuid podid:uuid bootintosetup:boolean@4.15",
    job="user.vm.StartVMCmd",
)
def start_virtual_machine(call: Call) -> Work:
    """Start a VM; the job fails at once if it runs, or still runs while it is stopped."""
    vm = required_vm(call)
    if vm.state == "Running":
        return refused(vm, invalid(f"The virtual machine {vm.label} is already running"))
    if vm.state != "Stopped":
        return refused(vm, ApiError(530, f"Unable to start {vm.text}: it is not stopped"))

    def work() -> None:
        if vm.state != "Running":
            place(call.world, vm)
            touch(call.world, vm)

    return power(call, vm, "start", work)


@command(
    "stopVirtualMachine",
    "id:vm! forced:boolean",
    job="user.vm.StopVMCmd",
)
def stop_virtual_machine(call: Call) -> Work:
    """Stop a VM, which reads Running until it is done; one that is stopped stays stopped."""
    vm = required_vm(call)

    def work() -> None:
        if vm.state not in {"Running", "Stopped"}:
            raise ApiError(530, f"Unable to stop {vm.text}")
        if vm.state != "Stopped":
            vm.state = "Stopped"
            touch(call.world, vm)

    return power(call, vm, "forced stop" if call.args.flag("forced") else "stop", work)


@command(
    "rebootVirtualMachine",
    "id:vm! forced:boolean@4.16 bootintosetup:boolean@4.15",
    job="user.vm.RebootVMCmd",
)
def reboot_virtual_machine(call: Call) -> Work:
    """Reboot a VM, which reads Running meanwhile; the job fails if it does not run."""
    vm, forced = required_vm(call), call.args.flag("forced")
    error = invalid(f"The VM {vm.label} is not running, unable to reboot it")
    if vm.state != "Running":
        return refused(vm, error)

    def work() -> None:
        if vm.state != "Running":
            raise error
        vm.boots += 1
        if forced:
            touch(call.world, vm)

    return power(call, vm, "forced reboot" if forced else "reboot", work)
