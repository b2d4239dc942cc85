"""Clusters of the CloudStack Kubernetes Service.

Clusters that the service only records were measured on 4.22. Of those that it manages, the states
and refusals are those of its source.
"""

from typing import Any

from simulator.building import make_cluster, make_vm, plug
from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.commands.virtual_machines import forget
from simulator.commands.vm_changes import place, touch
from simulator.commands.vm_lists import view_vm
from simulator.errors import ApiError
from simulator.jobs import Result, Work
from simulator.model import KubernetesCluster, Network, VirtualMachine, Zone
from simulator.registry import command
from simulator.timing import Load
from simulator.views import view_owner
from simulator.world import World

CLASSES = "user.kubernetes.cluster"
SCALABLE = frozenset({"Created", "Running", "Stopped"})


def required_cluster(call: Call) -> KubernetesCluster:
    """Return the cluster that a call's required `id` names."""
    cluster = call.args.entity("id", KubernetesCluster)
    assert cluster is not None  # noqa: S101 - required
    return cluster


def refused(text: str) -> ApiError:
    """Refuse as these commands do, whatever is wrong."""
    return ApiError(530, text)


def check_managed(cluster: KubernetesCluster, what: str) -> None:
    """Refuse to work on a cluster that the service only records."""
    if not cluster.managed:
        text = f"{what} kubernetes cluster is not supported for an externally managed cluster"
        raise refused(f"{text} ({cluster.name})")


def failing(error: ApiError) -> Work:
    """Return the work of a job that fails at once; jobs on clusters do not name them."""

    def finish() -> Result:
        raise error

    return Work(finish)


@command(
    "listKubernetesClusters",
    "id:kubernetescluster name state clustertype@4.19 projectid:project account domainid:domain "
    "listall:boolean isrecursive:boolean",
)
def list_kubernetes_clusters(call: Call) -> Answer:
    """List the Kubernetes clusters, each with its VMs; a deleted one is not there."""
    one = call.args.entity("id", KubernetesCluster)
    candidates = list(call.world.clusters)
    if one is not None:
        candidates = [one] if one in call.world.clusters else []
    found = [
        cluster
        for cluster in call.owned(candidates)
        if call.equals("name", cluster.name)
        and call.equals("state", cluster.shows or cluster.state)
        and call.equals("clustertype", kind_of(cluster))
        and call.matches(cluster.name)
    ]
    return call.listing("kubernetescluster", found, lambda each: view_cluster(call, each))


@command(
    "createKubernetesCluster",
    "name! zoneid:zone! networkid:network clustertype@4.19 description projectid:project account "
    "domainid:domain kubernetesversionid:uuid serviceofferingid:offering size:integer "
    "controlnodes:integer masternodes:integer keypair externalloadbalanceripaddress "
    "noderootdisksize:integer dockerregistryusername dockerregistrypassword dockerregistryurl",
    job=f"{CLASSES}.CreateKubernetesClusterCmd",
)
def create_kubernetes_cluster(call: Call) -> Work:
    """Record a cluster; the simulator makes none that the service manages."""
    network = call.args.entity("networkid", Network)
    if (call.args.text("clustertype") or "CloudManaged") != "ExternalManaged" or network is None:
        raise refused("The simulator makes ExternalManaged clusters only, in a network")
    call.check_owner(network.account)
    cluster = make_cluster(call.world, call.args.required("name"), call.owner(), network)
    cluster.managed, cluster.zone = False, call.args.entity("zoneid", Zone) or network.zone
    cluster.description = call.args.text("description") or cluster.name

    def finish() -> Result:
        return {"kubernetescluster": view_cluster(call, cluster)}

    return Work(finish, created=cluster.id, instance=("KubernetesCluster", None))


@command(
    "addVirtualMachinesToKubernetesCluster",
    "id:kubernetescluster! virtualmachineids:vm+! iscontrolnode:boolean",
    since="4.19",
)
def add_virtual_machines_to_kubernetes_cluster(call: Call) -> Answer:
    """Add VMs to a recorded cluster; those that are in it stay."""
    cluster = required_cluster(call)
    if cluster.managed:
        raise refused("VM cannot be added to a CloudStack managed Kubernetes cluster")
    for vm in call.args.entities("virtualmachineids", VirtualMachine):
        if vm in cluster.vms:
            continue
        cluster.vms.append(vm)
        if call.args.flag("iscontrolnode"):
            cluster.control.append(vm)
    count(cluster)
    return {"success": True}


@command(
    "removeVirtualMachinesFromKubernetesCluster",
    "id:kubernetescluster! virtualmachineids:vm+!",
    since="4.19",
)
def remove_virtual_machines_from_kubernetes_cluster(call: Call) -> Answer:
    """Remove VMs from a recorded cluster; they stay as they are."""
    cluster = required_cluster(call)
    if cluster.managed:
        raise refused("VM cannot be removed from a CloudStack managed Kubernetes cluster")
    named = call.args.entities("virtualmachineids", VirtualMachine)
    removed = [vm for vm in named if vm in cluster.vms]
    cluster.vms = [vm for vm in cluster.vms if vm not in removed]
    cluster.control = [vm for vm in cluster.control if vm not in removed]
    count(cluster)
    rows = [{"id": vm.id, "success": True} for vm in removed]
    return {"count": len(rows), "removevirtualmachinesfromkubernetesclusterresponse": rows}


def count(cluster: KubernetesCluster) -> None:
    """Count the workers of a recorded cluster."""
    cluster.size = len(cluster.vms) - len(cluster.control)


@command(
    "deleteKubernetesCluster",
    "id:kubernetescluster! cleanup:boolean@4.19 expunge:boolean@4.19",
    job=f"{CLASSES}.DeleteKubernetesClusterCmd",
)
def delete_kubernetes_cluster(call: Call) -> Work:
    """Delete a cluster, with its VMs if the service made it; the second time the job fails."""
    cluster = required_cluster(call)

    def finish() -> Result:
        if cluster not in call.world.clusters:
            raise refused("Invalid cluster id specified")
        call.world.clusters.remove(cluster)
        for vm in cluster.vms if cluster.managed else ():
            expunge(call.world, vm)
        return {"success": True}

    return Work(finish, instance=("KubernetesCluster", None))


@command(
    "startKubernetesCluster", "id:kubernetescluster!", job=f"{CLASSES}.StartKubernetesClusterCmd"
)
def start_kubernetes_cluster(call: Call) -> Work:
    """Start a cluster's VMs; one in Alert stays there until the server has looked at it."""
    cluster = required_cluster(call)
    try:
        check_managed(cluster, "Start")
    except ApiError as error:
        return failing(error)
    if cluster.state in {"Running", "Starting"}:
        return Work(lambda: {"kubernetescluster": view_cluster(call, cluster)})
    former = cluster.state
    if former in {"Created", "Stopped"}:
        cluster.state = "Starting"

    def finish() -> Result:
        start_vms(call.world, cluster)
        if cluster.state == "Starting":
            cluster.state = "Running"
        return {"kubernetescluster": view_cluster(call, cluster)}

    def undo() -> None:
        cluster.state = "Alert"

    return Work(finish, undo, load=Load("start"), queue=f"cluster {cluster.id}")


def start_vms(world: World, cluster: KubernetesCluster) -> None:
    """Start the VMs of a cluster, as many as can be; if one does not run, the cluster is wrong."""
    for vm in cluster.vms:
        if vm in world.vms and vm.state == "Stopped":
            try:
                place(world, vm)
            except ApiError:
                continue
            touch(world, vm)
    if not all(vm in world.vms and vm.state == "Running" for vm in cluster.vms):
        cluster.state = "Alert"
        raise refused(f"Failed to start all VMs in Kubernetes cluster : {cluster.name}")


@command(
    "stopKubernetesCluster", "id:kubernetescluster!", job=f"{CLASSES}.StopKubernetesClusterCmd"
)
def stop_kubernetes_cluster(call: Call) -> Work:
    """Stop a cluster's VMs; one that is stopped stays as it is."""
    cluster = required_cluster(call)
    try:
        check_managed(cluster, "Stop")
    except ApiError as error:
        return failing(error)
    if cluster.state in {"Stopped", "Stopping"}:
        return Work(lambda: {"success": True})
    if cluster.state in {"Running", "Alert", "Starting"}:
        cluster.state = "Stopping"

    def finish() -> Result:
        for vm in cluster.vms:
            if vm in call.world.vms and vm.state == "Running":
                vm.state = "Stopped"
                touch(call.world, vm)
        if cluster.state == "Stopping":
            cluster.state = "Stopped"
        return {"success": True}

    def undo() -> None:
        cluster.state = "Alert"

    return Work(finish, undo, load=Load("stop"), queue=f"cluster {cluster.id}")


@command(
    "scaleKubernetesCluster",
    "id:kubernetescluster! size:integer serviceofferingid:offering nodeids:list@4.16 "
    "autoscalingenabled:boolean@4.16 minsize:integer@4.16 maxsize:integer@4.16",
    job=f"{CLASSES}.ScaleKubernetesClusterCmd",
)
def scale_kubernetes_cluster(call: Call) -> Work:
    """Change how many workers a cluster has; its own size succeeds, and changes nothing."""
    cluster, size = required_cluster(call), call.args.integer("size")
    try:
        wanted = checked_size(cluster, size)
    except ApiError as error:
        return failing(error)
    if wanted == cluster.size and not call.world.settings.scale_replaces:
        return Work(lambda: {"kubernetescluster": view_cluster(call, cluster)})
    cluster.state = "Scaling"

    def finish() -> Result:
        resize(call.world, cluster, wanted)
        cluster.state = "Running"
        return {"kubernetescluster": view_cluster(call, cluster)}

    def undo() -> None:
        cluster.state = "Alert"

    return Work(finish, undo, load=Load("start"), queue=f"cluster {cluster.id}")


def checked_size(cluster: KubernetesCluster, size: int | None) -> int:
    """Return the size that a cluster is to have, if it may have it now."""
    if size is None:
        raise refused(
            f"Kubernetes cluster {cluster.name} cannot be scaled, either service offering or "
            "cluster size or nodeids to be removed or autoscaling must be passed"
        )
    check_managed(cluster, "Scale")
    if cluster.state not in SCALABLE:
        state = f"is in {cluster.state} state"
        raise refused(f"Kubernetes cluster {cluster.name} {state} and can not be scaled")
    if size != cluster.size and cluster.state == "Stopped":
        raise refused(f"Kubernetes cluster : {cluster.name} is in {cluster.state} state")
    if size < 1:
        raise refused(f"Kubernetes cluster : {cluster.name} cannot be scaled for size, {size}")
    return size


def resize(world: World, cluster: KubernetesCluster, size: int) -> None:
    """Give a cluster as many workers; the last go first, and those that are gone do not count."""
    workers = [vm for vm in cluster.vms if vm not in cluster.control]
    present = [vm for vm in workers if vm in world.vms and vm.state not in {"Destroyed", "Error"}]
    for vm in present[size:]:
        expunge(world, vm)
    kept, first = present[:size], cluster.vms[0]
    for _ in range(size - len(kept)):
        name = f"{cluster.name}-node-{world.number('cluster node')}x"
        vm = make_vm(world, name, first.user, first.offering, first.template)
        vm.account, vm.zone = cluster.account, cluster.zone
        plug(world, vm, cluster.network)
        place(world, vm)
        kept.append(vm)
    cluster.vms, cluster.size = [*cluster.control, *kept], size


def expunge(world: World, vm: VirtualMachine) -> None:
    """Remove a VM of a cluster."""
    forget(world, vm)
    vm.state = "Expunging"


def kind_of(cluster: KubernetesCluster) -> str:
    """Name what kind of cluster it is."""
    return "CloudManaged" if cluster.managed else "ExternalManaged"


def view_cluster(call: Call, cluster: KubernetesCluster) -> dict[str, Any]:
    """Show a cluster with its VMs; one that is expunged is not shown."""
    nat = next(
        (a for a in call.world.addresses if a.network is cluster.network and a.source_nat), None
    )
    address = {} if nat is None else {"ipaddress": nat.name, "ipaddressid": nat.id}
    return {
        "id": cluster.id,
        "name": cluster.name,
        "description": cluster.description,
        "zoneid": cluster.zone.id,
        "zonename": cluster.zone.name,
        "etcdnodes": 0,
        "networkid": cluster.network.id,
        "associatednetworkname": cluster.network.name,
        **view_owner(cluster.account),
        "masternodes": cluster.control_nodes,
        "controlnodes": cluster.control_nodes,
        "size": cluster.size,
        "state": cluster.shows or cluster.state,
        "cpunumber": "0",
        "memory": "0",
        "endpoint": "",
        "virtualmachines": [view_node(call, vm) for vm in cluster.vms if vm in call.world.vms],
        **address,
        **({"etcdips": {}} if cluster.vms else {}),
        "autoscalingenabled": False,
        "csienabled": False,
        "clustertype": kind_of(cluster),
        "created": timestamp(cluster.created),
        "hasannotations": False,
    }


def view_node(call: Call, vm: VirtualMachine) -> dict[str, Any]:
    """Show a VM of a cluster: with its NICs, without size and template."""
    shown = view_vm(call, vm, frozenset({"nics"}))
    for name in ("domainpath", "ipaddress", "hasannotations"):
        shown.pop(name, None)
    return {"isexternalnode": False, "isetcdnode": False, **shown}
