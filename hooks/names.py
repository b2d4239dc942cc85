"""Every name that others see: API groups, kinds, labels, annotations, taints, tags, events.

The reference page is made from this module: the text after `#:` above a constant is its entry.
"""

#: API group of the objects that the cloud controller keeps.
CLOUDSTACK_GROUP = "cloudstack.targetcluster.example.com"
#: API group of TargetCluster.
TARGET_CLUSTER_GROUP = "targetcluster.example.com"
#: Version of both groups.
API_VERSION = "v1alpha1"
#: Kind of the cluster-scoped object that says what CloudStack knows of a Node's VM.
INSTANCE_KIND = "CloudStackInstance"
#: Kind of the namespaced object that stands for a Service's load balancer.
LOAD_BALANCER_KIND = "CloudStackLoadBalancer"
#: Kind of the namespaced object that stands for a cluster to be looked after.
TARGET_CLUSTER_KIND = "TargetCluster"

# Nodes: labels

#: The host's name; set from the VM's name where kubelet has not set it, never changed.
LABEL_HOSTNAME = "kubernetes.io/hostname"
#: The VM's compute offering.
LABEL_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
#: The VM's zone.
LABEL_ZONE = "topology.kubernetes.io/zone"
#: The region of the cloud configuration, else the zone.
LABEL_REGION = "topology.kubernetes.io/region"
#: As `node.kubernetes.io/instance-type`, for kubelets up to 1.16.
LABEL_INSTANCE_TYPE_LEGACY = "beta.kubernetes.io/instance-type"
#: As `topology.kubernetes.io/zone`, for kubelets up to 1.16.
LABEL_ZONE_LEGACY = "failure-domain.beta.kubernetes.io/zone"
#: As `topology.kubernetes.io/region`, for kubelets up to 1.16.
LABEL_REGION_LEGACY = "failure-domain.beta.kubernetes.io/region"
#: Keeps a node out of load balancers, unless its value reads as false.
LABEL_EXCLUDE_FROM_LOAD_BALANCERS = "node.kubernetes.io/exclude-from-external-load-balancers"

# Nodes: annotations

#: Kubelet's `--node-ip`: one of the VM's addresses (or two, with a comma), to be listed first.
ANNOTATION_PROVIDED_NODE_IP = "alpha.kubernetes.io/provided-node-ip"
#: Set to `true` on a node whose VM is gone: lets it be deleted although many vanished at once.
ANNOTATION_CONFIRM_DELETION = "cloudstack.targetcluster.example.com/confirm-deletion"

# Nodes: taints

#: On a node that waits for its cloud controller; taken off when the node is initialised.
TAINT_UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
#: On a node that is not ready because its VM is stopped (effect NoSchedule).
TAINT_SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"
#: Set by the cluster autoscaler on a node that it is about to remove.
TAINT_TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"

# Nodes: events

#: Normal: the node is initialised.
EVENT_SYNCED = "Synced"
#: Normal: the node's VM is gone for good, the node is being deleted.
EVENT_DELETING_NODE = "DeletingNode"
#: Warning: a VM is gone, but its node is kept for the reason that is said.
EVENT_DELETION_HELD = "NodeDeletionHeld"
#: Warning: CloudStack has no VM for the node.
EVENT_INSTANCE_NOT_FOUND = "InstanceNotFound"
#: Warning: several living VMs have the node's name; nothing is done until one is left.
EVENT_INSTANCE_AMBIGUOUS = "InstanceAmbiguous"
#: Warning: the VM's addresses do not allow the node to be initialised.
EVENT_ADDRESSES_UNUSABLE = "NodeAddressesUnusable"

# TargetClusters: events

#: Normal: the cluster is reachable and healthy.
EVENT_CLUSTER_READY = "ClusterReady"
#: Warning: the cluster is not, or no longer, reachable and healthy.
EVENT_CLUSTER_NOT_READY = "ClusterNotReady"
#: Warning: the kubeconfig's certificate or token ends within seven days, or has ended.
EVENT_CREDENTIALS_EXPIRING = "CredentialsExpiring"
#: Normal: the resources on the cluster are as they should be.
EVENT_RESOURCES_SYNCED = "ResourcesSynced"
#: Warning: resources on the cluster are not as they should be.
EVENT_RESOURCES_NOT_SYNCED = "ResourcesNotSynced"
#: Normal: the TargetCluster goes, and everything that was brought to the cluster is deleted there.
EVENT_RESOURCES_DELETED = "ResourcesDeleted"
#: Warning: the TargetCluster goes, but what was brought to the cluster had to be left there.
EVENT_RESOURCES_ORPHANED = "ResourcesOrphaned"

# TargetClusters: sync

#: Set to `true` on a ConfigMap or Secret that is to be copied to the targets of its namespace's
#: TargetClusters, where these name no sources of their own.
LABEL_SYNC = "targetcluster.example.com/sync"
#: On each object of a target: a hash of what the operator last applied there.
ANNOTATION_APPLIED_HASH = "targetcluster.example.com/applied-hash"
#: The field manager, and the ApplySets' tool, that a target's API server shows.
FIELD_MANAGER = "target-cluster-operator"
#: On each object of a target: the ApplySet that it belongs to (KEP-3659).
LABEL_APPLYSET_PART_OF = "applyset.kubernetes.io/part-of"
#: On the ConfigMap that stands for an ApplySet: the ApplySet's id.
LABEL_APPLYSET_ID = "applyset.kubernetes.io/id"
#: On the ConfigMap that stands for an ApplySet: the tool that looks after it.
ANNOTATION_APPLYSET_TOOLING = "applyset.kubernetes.io/tooling"
#: On the ConfigMap that stands for an ApplySet: the kinds of its objects.
ANNOTATION_APPLYSET_GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
#: On the ConfigMap that stands for an ApplySet: where else than beside it its objects are.
ANNOTATION_APPLYSET_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
