"""Clusters of the CloudStack Kubernetes Service."""

from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.models.fields import Listing, Model

#: What `clustertype` says of a cluster that CloudStack made; older servers do not say it.
_CLOUD_MANAGED = ("", "cloudmanaged")


@dataclass(frozen=True, slots=True)
class KubernetesCluster(Model):
    """A cluster of the CloudStack Kubernetes Service.

    Listed by the id of a deleted cluster, or of another account's, there is none; an id that never
    existed is InvalidParameter.

    Attributes:
        state: Created, Starting, Running, Stopping, Stopped, Scaling, Upgrading, Alert, Recovering,
            Destroying, Destroyed, Error, ….
        size: how many workers it should have.
        control_nodes: how many nodes of the control plane; None where the server does not say.
        cluster_type: CloudManaged, or ExternalManaged for a mere record of machines.
        autoscaling_enabled: CloudStack's autoscaler decides about the size.
        vms: its machines; each lacks the path of its domain.
        project_id: empty for a cluster of an account.
    """

    LISTING = Listing("listKubernetesClusters", "kubernetescluster", "id name")
    id: str
    name: str
    state: str
    size: int
    control_nodes: int | None = None
    cluster_type: str = ""
    autoscaling_enabled: bool = False
    vms: Annotated[tuple[VirtualMachine, ...], "virtualmachines"] = ()
    project_id: str = ""
    account: str = ""
    domain_id: str = ""

    @property
    def is_managed(self) -> bool:
        """Tell whether CloudStack made the cluster, and can start it."""
        return self.cluster_type.lower() in _CLOUD_MANAGED
