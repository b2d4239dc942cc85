"""Makes a repair: sends the command of a VM or of a cluster, waits for its job, and looks."""

from typing import assert_never

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands.compute import (
    reboot_virtual_machine,
    start_kubernetes_cluster,
    start_virtual_machine,
    stop_virtual_machine,
)
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.operations import Outcome, Verdict, find_vm, operate
from hooks.http.deadline import Deadline
from hooks.targetclusters.healing.plan.model import CloudRepair

#: The commands that a repair needs.
COMMANDS: dict[CloudRepair, tuple[str, ...]] = {
    "StartVM": ("startVirtualMachine",),
    "RebootVM": ("rebootVirtualMachine",),
    "StopStartVM": ("stopVirtualMachine", "startVirtualMachine"),
    "StartCluster": ("startKubernetesCluster",),
}


def carry_out(client: Client, repair: CloudRepair, object_id: str, deadline: Deadline) -> Outcome:
    """Make a repair of a VM or a cluster, and return what became of it. Never raises."""
    match repair:
        case "StartVM":
            return operate(client, start_virtual_machine(object_id), deadline)
        case "RebootVM":
            return operate(client, reboot_virtual_machine(object_id), deadline)
        case "StopStartVM":
            return _stop_and_start(client, object_id, deadline)
        case "StartCluster":
            return operate(client, start_kubernetes_cluster(object_id), deadline)
        case _:
            assert_never(repair)


def _stop_and_start(client: Client, vm_id: str, deadline: Deadline) -> Outcome:
    """Stop a VM, and start it once it is seen to be stopped.

    A start that is sent before fails, and leaves the VM stopped. The stop is never forced: forced,
    CloudStack writes that the VM is stopped also if its host does not answer, and a start would let
    it run twice on one disk (apache/cloudstack 10799, 2890). An ordinary stop ends a guest that
    hangs as well, and fails where nobody can tell.
    """
    stopped = operate(client, stop_virtual_machine(vm_id), deadline)
    if not stopped.was_sent:
        return stopped
    try:
        vm = find_vm(client, vm_id, deadline)
    except CloudStackError as error:
        return Outcome(Verdict.UNKNOWN, f"not started after its stop: {error}")
    if vm is None or vm.state != "Stopped":
        state = vm.state if vm else "gone"
        text = f"not started: it is {state} after its stop. {stopped.text}".strip()
        return Outcome(Verdict.FAILED, text, stopped.job_id)
    started = operate(client, start_virtual_machine(vm_id), deadline)
    if started.was_sent:
        return started
    return Outcome(Verdict.FAILED, f"it was stopped, and not started: {started.text}")
