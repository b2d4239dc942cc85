"""Virtual machines, and the clusters of the CloudStack Kubernetes Service.

The jobs of one machine run one after the other, and it reads Running until its stop or its reboot
is done: so wait for a job, then list the machine, then send the next command. See `operations`.
"""

from hooks.cloudstack.commands.parameters import Command, command


def start_virtual_machine(vm_id: str) -> Command:
    """Start a stopped machine; one that runs, or is being stopped, fails at once in the job."""
    return command("startVirtualMachine", id=vm_id)


def stop_virtual_machine(vm_id: str) -> Command:
    """Stop a machine. One that is stopped stays so."""
    return command("stopVirtualMachine", id=vm_id)


def reboot_virtual_machine(vm_id: str) -> Command:
    """Reboot a machine; one that does not run fails at once in the job."""
    return command("rebootVirtualMachine", id=vm_id)


def start_kubernetes_cluster(cluster_id: str) -> Command:
    """Start a cluster with its machines; one that runs, or is starting, is left as it is.

    A cluster in Alert stays there until CloudStack has looked at it itself. One that CloudStack
    does not manage fails in the job.
    """
    return command("startKubernetesCluster", id=cluster_id)
