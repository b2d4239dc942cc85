"""Virtual machines, and clusters of the CloudStack Kubernetes Service."""

from hooks.cloudstack.commands.parameters import Command, command


def start_virtual_machine(vm_id: str) -> Command:
    """Start a VM; one that runs fails in the job."""
    return command("startVirtualMachine", id=vm_id)


def stop_virtual_machine(vm_id: str, *, forced: bool | None = None) -> Command:
    """Stop a VM; one that is stopped is no failure."""
    return command("stopVirtualMachine", id=vm_id, forced=forced)


def reboot_virtual_machine(vm_id: str) -> Command:
    """Reboot a VM; one that is stopped fails in the job."""
    return command("rebootVirtualMachine", id=vm_id)


def start_kubernetes_cluster(cluster_id: str) -> Command:
    """Start a stopped cluster of the CloudStack Kubernetes Service."""
    return command("startKubernetesCluster", id=cluster_id)
