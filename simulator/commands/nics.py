"""The NICs of VMs: added and removed."""

from simulator.building import implement, plug, unplug
from simulator.call import Call
from simulator.commands.networks import usable_network
from simulator.commands.vm_changes import touch
from simulator.commands.vm_lists import view_vm
from simulator.errors import ApiError, invalid
from simulator.jobs import Result, Work
from simulator.model import Network, Nic, VirtualMachine
from simulator.registry import command


@command(
    "addNicToVirtualMachine",
    "virtualmachineid:vm! networkid:network! ipaddress macaddress dhcpoptions:map",
    job="user.vm.AddNicToVMCmd",
)
def add_nic_to_virtual_machine(call: Call) -> Work:
    """Add a NIC in another network to a VM."""
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    network = call.args.entity("networkid", Network)
    assert vm is not None and network is not None  # noqa: S101, PT018 - required
    usable_network(call, network)

    def finish() -> Result:
        if any(nic.network is network for nic in vm.nics):
            raise invalid(
                f"A NIC already exists for VM: {vm.instancename} in network: {network.id}"
            )
        plug(call.world, vm, network)
        if vm.state == "Running":
            implement(call.world, network)
        touch(call.world, vm)
        return {"virtualmachine": view_vm(call, vm)}

    return Work(finish)


@command(
    "removeNicFromVirtualMachine",
    "virtualmachineid:vm! nicid!",
    job="user.vm.RemoveNicFromVMCmd",
)
def remove_nic_from_virtual_machine(call: Call) -> Work:
    """Remove a NIC that is not the default one."""
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    assert vm is not None  # noqa: S101 - required
    nic = find_nic(vm, call.args.required("nicid"))

    def finish() -> Result:
        if nic.default:
            raise ApiError(530, f"Unable to remove NIC from {vm.text} as it is the default NIC")
        unplug(nic)
        vm.nics.remove(nic)
        touch(call.world, vm)
        return {"virtualmachine": view_vm(call, vm)}

    return Work(finish)


def find_nic(vm: VirtualMachine, nic_id: str) -> Nic:
    """Return a VM's NIC by id."""
    for nic in vm.nics:
        if nic.id == nic_id:
            return nic
    raise invalid(f"Unable to find nic {nic_id}")
