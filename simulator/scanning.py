"""How the server keeps the states of its Kubernetes clusters true to those of their VMs.

It looks at them every 30 s, and only at those that it manages (source of 4.22).
"""

from simulator.model import KubernetesCluster


def scan(cluster: KubernetesCluster) -> None:
    """Correct a cluster's state by its VMs; one that is being worked on stays as it is."""
    if not cluster.managed:
        return
    if cluster.state in {"Running", "Stopped"} and not all_are(cluster, cluster.state):
        cluster.state = "Alert"
    elif cluster.state == "Alert" and all_are(cluster, "Running"):
        cluster.state = "Running"
    elif cluster.state == "Alert" and all_are(cluster, "Stopped"):
        cluster.state = "Stopped"


def all_are(cluster: KubernetesCluster, state: str) -> bool:
    """Tell whether a cluster has all its VMs, and each is in this state."""
    wanted = cluster.size + cluster.control_nodes
    return len(cluster.vms) >= wanted and all(vm.state == state for vm in cluster.vms)
