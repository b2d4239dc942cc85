"""Virtual machines, and clusters of the CloudStack Kubernetes Service."""

from hooks.cloudstack.commands.parameters import Command, command


def start_virtual_machine(machine_id: str) -> Command:
    """Start a machine; one that runs fails in the job."""
    return command("startVirtualMachine", id=machine_id)


def stop_virtual_machine(machine_id: str, *, forced: bool | None = None) -> Command:
    """Stop a machine; one that is stopped is no failure."""
    return command("stopVirtualMachine", id=machine_id, forced=forced)


def reboot_virtual_machine(machine_id: str) -> Command:
    """Reboot a machine; one that is stopped fails in the job."""
    return command("rebootVirtualMachine", id=machine_id)


def start_kubernetes_cluster(cluster_id: str) -> Command:
    """Start a stopped cluster of the CloudStack Kubernetes Service."""
    return command("startKubernetesCluster", id=cluster_id)
