"""What several commands do to a VM."""

from collections.abc import Callable

from simulator.building import implement
from simulator.call import Call
from simulator.commands.vm_lists import view_vm
from simulator.errors import ApiError
from simulator.jobs import Result, Work
from simulator.model import VirtualMachine
from simulator.timing import Load
from simulator.world import World


def place(world: World, vm: VirtualMachine) -> None:
    """Run a VM on a host, if one has room."""
    if not vm.offering.placeable:
        vm.state = "Error" if vm.updated == vm.created else "Stopped"
        raise ApiError(533, f"No destination found for a deployment for {vm.text}")
    for nic in vm.nics:
        implement(world, nic.network)
    vm.state = "Running"
    vm.boots += 1


def touch(world: World, vm: VirtualMachine) -> None:
    """Set the time of a VM's last change."""
    vm.updated = world.clock.now()


def required_vm(call: Call) -> VirtualMachine:
    """Return the VM that a call's required `id` names."""
    vm = call.args.entity("id", VirtualMachine)
    assert vm is not None  # noqa: S101 - required
    return vm


def change(call: Call, vm: VirtualMachine, work: Callable[[], None]) -> Work:
    """Return the work of a job that changes a VM when all before it on the VM have ended."""

    def finish() -> Result:
        work()
        touch(call.world, vm)
        return {"virtualmachine": view_vm(call, vm)}

    instance = ("VirtualMachine", vm.id)
    return Work(finish, instance=instance, load=Load("vm"), queue=f"vm {vm.id}")
