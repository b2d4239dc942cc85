"""Every name that others see: API groups, kinds, labels, annotations, taints, tags, events.

The reference page is made from this module: the text after `#:` above a constant is its entry.
"""

#: API group of the objects that the cloud controller keeps.
CLOUDSTACK_GROUP = "cloudstack.targetcluster.example.com"
#: API group of TargetCluster.
TARGET_CLUSTER_GROUP = "targetcluster.example.com"
#: Version of both groups.
API_VERSION = "v1alpha1"
#: API group and version of the objects that the cloud controller keeps.
CLOUDSTACK_API = f"{CLOUDSTACK_GROUP}/{API_VERSION}"
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
#: Warning: the cluster is not reachable or not healthy.
EVENT_CLUSTER_NOT_READY = "ClusterNotReady"
#: Warning: the kubeconfig's certificate or token expires within seven days, or has expired.
EVENT_CREDENTIALS_EXPIRING = "CredentialsExpiring"
#: Normal: the resources on the cluster are in sync.
EVENT_RESOURCES_SYNCED = "ResourcesSynced"
#: Warning: resources on the cluster are not in sync; the message says why.
EVENT_RESOURCES_NOT_SYNCED = "ResourcesNotSynced"
#: Normal: the TargetCluster goes, and everything that it synced to the cluster is deleted.
EVENT_RESOURCES_DELETED = "ResourcesDeleted"
#: Warning: the TargetCluster goes, and what it synced to the cluster stays there.
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

# Services: class and condition

#: `spec.loadBalancerClass` of a Service that is ours even where the cluster has another default.
LOAD_BALANCER_CLASS = "cloudstack.targetcluster.example.com/loadbalancer"
#: Condition in `Service.status.conditions`: whether the load balancer serves, and if not, why, in
#: CloudStack's words. It is the sign that a Service is ours.
LOAD_BALANCER_READY = "cloudstack.targetcluster.example.com/LoadBalancerReady"

# Services: annotations

#: What the annotations of a Service begin with; the existing CloudStack provider's prefix.
SERVICE_ANNOTATION_PREFIX = "service.beta.kubernetes.io/cloudstack-load-balancer-"
#: `"true"`: members get the client's address by the HAProxy PROXY protocol, on every TCP port. May
#: be switched on a live Service. Default `"false"`.
ANNOTATION_PROXY_PROTOCOL = SERVICE_ANNOTATION_PREFIX + "proxy-protocol"
#: A DNS name that the Service's status shows in place of the address, so that pods reach the load
#: balancer through it instead of being short-circuited. Default: the address is shown.
ANNOTATION_HOSTNAME = SERVICE_ANNOTATION_PREFIX + "hostname"
#: Who may connect, as IPv4 CIDRs with commas between them; empty admits nobody. The field
#: `spec.loadBalancerSourceRanges` says the same; where both are given they have to agree. Default:
#: everybody, `0.0.0.0/0`.
ANNOTATION_SOURCE_CIDRS = SERVICE_ANNOTATION_PREFIX + "source-cidrs"
#: Who may connect, by Kubernetes' own annotation; not read where `spec.loadBalancerSourceRanges`
#: is set.
ANNOTATION_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
#: The IPv4 address that the Service wants; goes before `spec.loadBalancerIP`. Default: any.
ANNOTATION_ADDRESS = SERVICE_ANNOTATION_PREFIX + "address"
#: `"true"`: the address stays allocated to the account when the Service goes. Default `"false"`.
ANNOTATION_KEEP_IP = SERVICE_ANNOTATION_PREFIX + "keep-ip"
#: A note of the existing provider: it allocated the address that the Service asks for. Read when
#: a Service is taken over, so that the address is released with it; never written.
ANNOTATION_IP_ASSOCIATED = SERVICE_ANNOTATION_PREFIX + "ip-associated-by-controller"
#: A note of a fork of the existing provider: CloudStack's id of the address. Where it stands, the
#: annotation `address` is a note too. Read when a Service is taken over; never written.
ANNOTATION_ID = SERVICE_ANNOTATION_PREFIX + "id"
#: A note of the same fork: CloudStack's id of the network. Removed with the notes above when the
#: Service gives up its load balancer.
ANNOTATION_NETWORK_ID = SERVICE_ANNOTATION_PREFIX + "network-id"
#: `"true"`: this Service gets no load balancer from us; one that it has is taken down. Default
#: `"false"`.
ANNOTATION_DISABLED = SERVICE_ANNOTATION_PREFIX + "disabled"
#: `plan`: nothing is changed in CloudStack, and the changes that would be made are listed in the
#: CloudStackLoadBalancer's `status.plan`. Default `apply`.
ANNOTATION_MODE = SERVICE_ANNOTATION_PREFIX + "mode"
#: Labels that a node carries to be a member, as `key=value` with commas between them. Default:
#: every node.
ANNOTATION_NODE_SELECTOR = SERVICE_ANNOTATION_PREFIX + "node-selector"
#: How connections are spread: `roundrobin`, `leastconn` or `source`. Default: `source` where
#: `spec.sessionAffinity` is ClientIP, `roundrobin` otherwise.
ANNOTATION_ALGORITHM = SERVICE_ANNOTATION_PREFIX + "algorithm"
#: Reserved for one address serving several Services; refused for now.
ANNOTATION_SHARED_ADDRESS = SERVICE_ANNOTATION_PREFIX + "shared-address"

# Services: finalizers

#: Finalizer that cloud controller managers put on Services; taken off one that is taken over.
SERVICE_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
#: Finalizer of ours on a Service whose CloudStackLoadBalancer somebody deleted, until it is made
#: again: were the Service to go in between, its address would be left in CloudStack.
CLEANUP_FINALIZER = "cloudstack.targetcluster.example.com/load-balancer-cleanup"
#: Metacontroller's finalizer on a CloudStackLoadBalancer: goes when nothing is left to clean up.
LOAD_BALANCER_FINALIZER = "metacontroller.io/compositecontroller-cloudstack-loadbalancers"

# Services: events

#: Normal: a load balancer is being created or changed.
EVENT_ENSURING = "EnsuringLoadBalancer"
#: Normal: the load balancer serves as the Service asks.
EVENT_ENSURED = "EnsuredLoadBalancer"
#: Normal: a serving load balancer got other members, rules or another address.
EVENT_UPDATED = "UpdatedLoadBalancer"
#: Warning: the load balancer cannot be made or changed; the message says why.
EVENT_SYNC_FAILED = "SyncLoadBalancerFailed"
#: Warning: there is no node that could be a member.
EVENT_UNAVAILABLE = "UnAvailableLoadBalancer"
#: Normal: a load balancer that is no longer wanted is being deleted.
EVENT_DELETING = "DeletingLoadBalancer"
#: Normal: nothing is left in CloudStack of a load balancer that was taken down.
EVENT_DELETED = "DeletedLoadBalancer"

# Load balancers: tags in CloudStack

#: Tag: the cluster that an address, a rule or a firewall rule belongs to (`CLUSTER_ID`).
TAG_CLUSTER = "cloudstack.targetcluster.example.com/cluster"
#: Tag: the namespace of the Service that it belongs to.
TAG_NAMESPACE = "cloudstack.targetcluster.example.com/namespace"
#: Tag: the name of the Service that it belongs to.
TAG_SERVICE = "cloudstack.targetcluster.example.com/service"
#: Tag: the UID of the Service that it belongs to; this one decides.
TAG_SERVICE_UID = "cloudstack.targetcluster.example.com/service-uid"
#: Tag on an address: who allocated it. `controller`: it is released with the Service; `user`: it
#: is left allocated.
TAG_ORIGIN = "cloudstack.targetcluster.example.com/address-origin"
#: Value of the tag `address-origin` of an address that we allocated.
TAG_ORIGIN_CONTROLLER = "controller"
#: Value of the tag `address-origin` of an address that the user brought.
TAG_ORIGIN_USER = "user"

# Load balancers: events

#: Normal: something had been changed in CloudStack behind our back, and was put right; the message
#: names what.
EVENT_REPAIRED = "RepairedLoadBalancer"
#: Warning: what we put right is undone again and again, so it is left for an hour.
EVENT_CONTESTED = "LoadBalancerContested"
#: Normal: a CloudStackLoadBalancer without an owner, whose Service is gone, is being deleted.
EVENT_ORPHANED = "OrphanedLoadBalancer"
