"""Every name that others see: API groups, kinds, labels, annotations, taints, tags, events.

The reference page is generated from this module, from the comment `#:` above each constant.
"""

#: API group of the objects that the cloud controller keeps.
CLOUDSTACK_GROUP = "cloudstack.targetcluster.example.com"
#: API group of TargetCluster.
TARGET_CLUSTER_GROUP = "targetcluster.example.com"
#: Version of both groups.
API_VERSION = "v1alpha1"
#: API group and version of the objects that the cloud controller keeps.
CLOUDSTACK_API = f"{CLOUDSTACK_GROUP}/{API_VERSION}"
#: Kind of the cluster-scoped object with what CloudStack knows of a Node's VM.
INSTANCE_KIND = "CloudStackInstance"
#: Kind of the namespaced object of a Service's load balancer.
LOAD_BALANCER_KIND = "CloudStackLoadBalancer"
#: Kind of the namespaced object of a cluster that the operator manages.
TARGET_CLUSTER_KIND = "TargetCluster"
#: The operator of nodes, Services and load balancers, as Events show it.
CLOUD_CONTROLLER = "cloudstack-cloud-controller"
#: The operator of TargetClusters, as Events and the audit logs of target clusters show it.
TARGET_CLUSTER_OPERATOR = "target-cluster-operator"
#: On each controller: the operator; the label by which a Metacontroller selects its own.
LABEL_OWNER = "app.kubernetes.io/name"
#: On everything that is installed: the project, `cloudstack-metacontroller`.
LABEL_PROJECT = "app.kubernetes.io/part-of"

# Nodes: labels

#: The host's name; set to the VM's name where kubelet has not set it, never changed.
LABEL_HOSTNAME = "kubernetes.io/hostname"
#: The VM's compute offering.
LABEL_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
#: The VM's zone.
LABEL_ZONE = "topology.kubernetes.io/zone"
#: The region of the cloud configuration, else the zone.
LABEL_REGION = "topology.kubernetes.io/region"
#: Like `node.kubernetes.io/instance-type`, for kubelets up to 1.16.
LABEL_INSTANCE_TYPE_LEGACY = "beta.kubernetes.io/instance-type"
#: Like `topology.kubernetes.io/zone`, for kubelets up to 1.16.
LABEL_ZONE_LEGACY = "failure-domain.beta.kubernetes.io/zone"
#: Like `topology.kubernetes.io/region`, for kubelets up to 1.16.
LABEL_REGION_LEGACY = "failure-domain.beta.kubernetes.io/region"
#: Keeps a node out of load balancers, unless its value reads as false.
LABEL_EXCLUDE_FROM_LOAD_BALANCERS = "node.kubernetes.io/exclude-from-external-load-balancers"

# Nodes: annotations

#: The prefix of our annotations on Nodes.
NODE_ANNOTATION_PREFIX = "cloudstack.targetcluster.example.com/"
#: Kubelet's `--node-ip`: one or two of the VM's addresses, in place of others of its type.
ANNOTATION_PROVIDED_NODE_IP = "alpha.kubernetes.io/provided-node-ip"
#: `true` on a node whose VM is gone permits its deletion also if many are, or if it never had one.
ANNOTATION_CONFIRM_DELETION = NODE_ANNOTATION_PREFIX + "confirm-deletion"

# Nodes: taints

#: On a node that waits for its cloud controller; removed when the node is initialised.
TAINT_UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
#: On a node that is not ready because its VM is stopped (effect NoSchedule), until either changes.
TAINT_SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"
#: Announces a node's end: set by the cluster autoscaler on a node that it is about to remove.
TAINT_AUTOSCALER = "ToBeDeletedByClusterAutoscaler"
#: Announces a node's end: set by Karpenter 1.0 and newer.
TAINT_KARPENTER = "karpenter.sh/disrupted"
#: Announces a node's end: set by Karpenter before 1.0.
TAINT_KARPENTER_LEGACY = "karpenter.sh/disruption"
#: Announces a node's end: set by a person or a fencing agent on a node that was shut down for good.
TAINT_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
#: Announces a node's end: set by medik8s on a node that it is about to fence.
TAINT_REMEDIATION = "medik8s.io/remediation"
#: Announces a node's end: set by AWS' termination handler before a spot VM is interrupted.
TAINT_SPOT = "aws-node-termination-handler/spot-itn"
#: Announces a node's end: set by AWS' termination handler before a group of VMs shrinks.
TAINT_GROUP = "aws-node-termination-handler/asg-lifecycle-termination"
#: Announces a node's end: set by GKE before a spot VM is interrupted.
TAINT_IMPENDING = "cloud.google.com/impending-node-termination"
#: The default of `NODE_TERMINATION_TAINTS`.
TERMINATION_TAINTS = (
    TAINT_AUTOSCALER,
    TAINT_KARPENTER,
    TAINT_KARPENTER_LEGACY,
    TAINT_OUT_OF_SERVICE,
    TAINT_REMEDIATION,
    TAINT_SPOT,
    TAINT_GROUP,
    TAINT_IMPENDING,
)

# Nodes: events

#: Normal: the node is initialised.
EVENT_SYNCED = "Synced"
#: Normal: the node's VM is gone for good, and the node is deleted.
EVENT_DELETING_NODE = "DeletingNode"
#: Warning: a VM is gone, and its node is kept for the reason in the message.
EVENT_DELETION_HELD = "NodeDeletionHeld"
#: Warning: the node is Ready and its VM gone, but another VM has the node's name; delete the Node.
EVENT_INSTANCE_REPLACED = "InstanceReplaced"
#: Warning: a node is not initialised, as CloudStack has no VM of its id or name: what would help.
EVENT_NOT_INITIALISED = "NodeNotInitialised"
#: Warning: the provider id looks like CloudStack's and names no VM; the message says which would.
EVENT_PROVIDER_ID_MALFORMED = "ProviderIDMalformed"
#: Warning: CloudStack has no VM for a node that is initialised, or never waited for it.
EVENT_INSTANCE_NOT_FOUND = "InstanceNotFound"
#: Warning: several VMs have the node's name; nothing happens until only one is left.
EVENT_INSTANCE_AMBIGUOUS = "InstanceAmbiguous"
#: Warning: several Nodes claim one VM; the message says which one keeps it.
EVENT_INSTANCE_CLAIMED_TWICE = "InstanceClaimedTwice"
#: Warning: the zone's name leaves no label value, or another zone's; the message says which.
EVENT_ZONE_LABEL = "ZoneLabelChosen"
#: Warning: the VM's addresses do not allow the node to be initialised.
EVENT_ADDRESSES_UNUSABLE = "NodeAddressesUnusable"

# TargetClusters: shards

#: On a TargetCluster: which shard of the operator looks after it; without it, the operator itself.
LABEL_SHARD = "targetcluster.example.com/shard"
#: The CompositeController of TargetClusters; a shard's has `-` and its name behind that.
TARGET_CLUSTERS_CONTROLLER = "targetclusters"
#: What Metacontroller's finalizer on a TargetCluster begins with; the controller's name follows.
CONTROLLER_FINALIZER = "metacontroller.io/compositecontroller-"

# TargetClusters: events

#: Normal: the cluster is reachable and healthy.
EVENT_CLUSTER_READY = "ClusterReady"
#: Warning: the cluster is not reachable or not healthy.
EVENT_CLUSTER_NOT_READY = "ClusterNotReady"
#: Warning: a renewal of the kubeconfig's certificate or token is late, or it has expired.
EVENT_CREDENTIALS_EXPIRING = "CredentialsExpiring"
#: Normal: the resources on the cluster are in sync.
EVENT_RESOURCES_SYNCED = "ResourcesSynced"
#: Warning: resources on the cluster are not in sync; the message says why.
EVENT_RESOURCES_NOT_SYNCED = "ResourcesNotSynced"
#: Normal: objects that somebody changed on the cluster were corrected, with the fields.
EVENT_DRIFT_CORRECTED = "DriftCorrected"
#: Normal: the TargetCluster is deleted, and so is everything that it synced to the cluster.
EVENT_RESOURCES_DELETED = "ResourcesDeleted"
#: Warning: the TargetCluster is deleted, and what it synced to the cluster stays there.
EVENT_RESOURCES_ORPHANED = "ResourcesOrphaned"
#: Warning: the kubeconfig leads to another cluster; the message says what is left on the former.
EVENT_CLUSTER_CHANGED = "ClusterChanged"
#: Warning: the inventory of a TargetCluster is lost; what no source wants any more stays.
EVENT_INVENTORY_LOST = "InventoryLost"
#: Normal: a repair of a node's VM, or of a CloudStack Kubernetes Service cluster, was made.
EVENT_REPAIR_MADE = "RepairMade"
#: Warning: a repair was tried in vain; the message holds CloudStack's words.
EVENT_REPAIR_FAILED = "RepairFailed"
#: Warning: a fault had `maxRetry` attempts and is still there; nothing more is tried.
EVENT_RETRIES_EXHAUSTED = "RetriesExhausted"
#: Warning: too many nodes are not ready, so nothing is repaired.
EVENT_BREAKER_OPEN = "BreakerOpen"
#: Warning: a TargetCluster is deleted, and a VM that a repair has stopped is not started.
EVENT_VM_LEFT_STOPPED = "VMLeftStopped"

# TargetClusters: healing

#: `"false"` on a target's Node or pod: no repair. `"true"` on a Node: also if it was down before.
ANNOTATION_HEAL = "targetcluster.example.com/heal"
#: On a TargetCluster, a time as `2026-01-01T00:00:00Z`: all faults begin again, once for each time.
ANNOTATION_HEAL_AGAIN = "targetcluster.example.com/heal-again"
#: On a Lease in the operator's namespace: what was tried for the faults of a TargetCluster.
ANNOTATION_HEALING_JOURNAL = "targetcluster.example.com/healing-journal"
#: On the same Lease: the TargetCluster, as `NAMESPACE/NAME`.
ANNOTATION_HEALING_CLUSTER = "targetcluster.example.com/healing-cluster"
#: On one of 256 Leases in the operator's namespace: what was tried on VMs within an hour.
ANNOTATION_HEALING_VMS = "targetcluster.example.com/healing-vms"

# TargetClusters: sync

#: `true` on a ConfigMap or Secret copies it to its namespace's targets that name no sources.
LABEL_SYNC = "targetcluster.example.com/sync"
#: On each object of a target: a hash of what the operator last applied there.
ANNOTATION_APPLIED_HASH = "targetcluster.example.com/applied-hash"
#: On each object of a target, the owner mark: its owner, and the object's own kind, namespace and
#: name: `HUB/NAMESPACE/NAME:KIND.GROUP/OBJECT-NAMESPACE/OBJECT-NAME`. HUB is the hub's id,
#: NAMESPACE/NAME the TargetCluster. Another value gives the object to another owner.
ANNOTATION_OWNER = "targetcluster.example.com/owner"
#: On a namespace of a target that the operator created as it was missing: the owner, as it is in
#: front of the `:` of the annotation `owner`. A source of that TargetCluster may describe it later.
ANNOTATION_CREATED_FOR = "targetcluster.example.com/created-for"
#: On each object of a target: a hash of its owner, by which a person and the operator list it.
LABEL_MEMBER_OF = "targetcluster.example.com/member-of"
#: On an object in a source: the owner, as it is in front of the `:` of the annotation `owner`,
#: from which `conflictPolicy: Overwrite` takes the object over.
ANNOTATION_TAKEOVER = "targetcluster.example.com/takeover-from"
#: `"false"` on an object in a source: it stays on the target when it leaves it. Default `"true"`.
ANNOTATION_PRUNE = "targetcluster.example.com/prune"
#: `"true"` on an object in a source: where a target refuses a change, it is made again there.
ANNOTATION_REPLACE = "targetcluster.example.com/replace"
#: `Correct` or `Report` on an object in a source: its own `driftPolicy`. Default: the policy's.
ANNOTATION_DRIFT = "targetcluster.example.com/drift"
#: The field manager that a target's API server shows.
FIELD_MANAGER = "target-cluster-operator"

# Nodes and Services: events

#: Warning: an annotation of our prefix is none of ours; the message names the nearest one.
EVENT_UNKNOWN_ANNOTATION = "UnknownAnnotation"

# Services: class and condition

#: `spec.loadBalancerClass` of a Service that we serve even if the cluster has another default.
LOAD_BALANCER_CLASS = "cloudstack.targetcluster.example.com/loadbalancer"
#: Condition of a Service, which marks it as ours: whether its load balancer serves, or why not.
LOAD_BALANCER_READY = "cloudstack.targetcluster.example.com/LoadBalancerReady"

# Services: annotations

#: The prefix of a Service's annotations, which is the existing CloudStack provider's.
SERVICE_ANNOTATION_PREFIX = "service.beta.kubernetes.io/cloudstack-load-balancer-"
#: `"true"`: members get the client's address by the HAProxy PROXY protocol, on every TCP port. Or
#: some of the TCP ports, by number or name. May change on a live Service. Default `"false"`.
ANNOTATION_PROXY_PROTOCOL = SERVICE_ANNOTATION_PREFIX + "proxy-protocol"
#: A DNS name that the Service's status shows instead of the address. Pods that use it reach the
#: load balancer; connections to the address would be short-circuited. Default: the address.
ANNOTATION_HOSTNAME = SERVICE_ANNOTATION_PREFIX + "hostname"
#: Who may connect, as IPv4 CIDRs with commas between them; empty admits nobody. The field
#: `spec.loadBalancerSourceRanges` does the same; if both are set, they agree. Default `0.0.0.0/0`.
ANNOTATION_SOURCE_CIDRS = SERVICE_ANNOTATION_PREFIX + "source-cidrs"
#: The same in Kubernetes' own annotation; ignored if `spec.loadBalancerSourceRanges` is set.
ANNOTATION_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
#: The IPv4 address that the Service wants; overrides `spec.loadBalancerIP`. Default: any.
ANNOTATION_ADDRESS = SERVICE_ANNOTATION_PREFIX + "address"
#: `"true"`: the address stays allocated when the Service is deleted. Default `"false"`.
ANNOTATION_KEEP_IP = SERVICE_ANNOTATION_PREFIX + "keep-ip"
#: Written by the existing provider where it allocated the address that the Service asks for. Read
#: when a Service is taken over: the address is then released with it. Never written by us.
ANNOTATION_IP_ASSOCIATED = SERVICE_ANNOTATION_PREFIX + "ip-associated-by-controller"
#: Written by a fork of the existing provider: CloudStack's id of the address. The fork then wrote
#: the annotation `address` too. Read when a Service is taken over; never written by us.
ANNOTATION_ID = SERVICE_ANNOTATION_PREFIX + "id"
#: Written by the same fork: the network's id. Removed with the two above when the Service goes.
ANNOTATION_NETWORK_ID = SERVICE_ANNOTATION_PREFIX + "network-id"
#: `"true"`: the Service gets no load balancer from us, and loses the one it has. Default `"false"`.
ANNOTATION_DISABLED = SERVICE_ANNOTATION_PREFIX + "disabled"
#: `plan`: nothing changes in CloudStack, and a deletion waits; the CloudStackLoadBalancer's
#: `status.plan` lists what would change. Default `apply`.
ANNOTATION_MODE = SERVICE_ANNOTATION_PREFIX + "mode"
#: The id of a cluster that is gone (its `CLUSTER_ID`): address and rules of the Service with the
#: same namespace and name in that cluster are taken over in place. Or the name of a cluster that
#: the fork of the existing provider served, as its rules have it. Default: none.
ANNOTATION_TAKEOVER_FROM = SERVICE_ANNOTATION_PREFIX + "takeover-from"
#: `"true"` on a Service or its CloudStackLoadBalancer: a deletion lets go of what is in CloudStack.
ANNOTATION_ABANDON = SERVICE_ANNOTATION_PREFIX + "abandon"
#: Labels of the nodes that can be members: `key=value`, with commas, at most 64. Default: all.
ANNOTATION_NODE_SELECTOR = SERVICE_ANNOTATION_PREFIX + "node-selector"
#: `roundrobin`, `leastconn` or `source`, the default where `spec.sessionAffinity` is ClientIP.
ANNOTATION_ALGORITHM = SERVICE_ANNOTATION_PREFIX + "algorithm"
#: How clients are kept on their node: `LbCookie` or `SourceBased`, then CloudStack's parameters of
#: it as `name=value`, and `ports=` with numbers or names of TCP ports for some of them; or `none`.
#: Default: `SourceBased` with the timeout if `spec.sessionAffinity` is ClientIP, else none.
ANNOTATION_STICKINESS = SERVICE_ANNOTATION_PREFIX + "stickiness"
#: A Secret of type `kubernetes.io/tls` in the Service's namespace, whose certificate the load
#: balancer shows; and `ports=` with TCP ports, by number or name, for some. Default: none.
ANNOTATION_CERTIFICATE = SERVICE_ANNOTATION_PREFIX + "certificate"
#: CloudStack's id of the members' network, which counts until the Service has an address. Default:
#: `DEFAULT_LOAD_BALANCER_NETWORK`, else the one that most nodes are on, of those that can balance.
ANNOTATION_NETWORK = SERVICE_ANNOTATION_PREFIX + "network"
#: `"true"`: the address is one of the nodes' VPC tier, whose offering must have internal load
#: balancing. Write it when the Service is created. Default `"false"`: a public address.
ANNOTATION_INTERNAL = SERVICE_ANNOTATION_PREFIX + "internal"
#: The name of an address that several Services of the namespace share: those with the same name use
#: one. Write it when the Service is created. Default: an address of its own.
ANNOTATION_SHARED_ADDRESS = SERVICE_ANNOTATION_PREFIX + "shared-address"

# Services: finalizers

#: Finalizer that cloud controller managers put on Services; removed when a Service is taken over.
SERVICE_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
#: Our finalizer on a Service whose CloudStackLoadBalancer somebody deleted, until that is created
#: again. Without it, deleting the Service in between would leave its address in CloudStack.
CLEANUP_FINALIZER = "cloudstack.targetcluster.example.com/load-balancer-cleanup"
#: Metacontroller's finalizer on a CloudStackLoadBalancer; removed when nothing is left to clean up.
LOAD_BALANCER_FINALIZER = "metacontroller.io/compositecontroller-cloudstack-loadbalancers"

# Services: events

#: Normal: a load balancer is being created or changed.
EVENT_ENSURING = "EnsuringLoadBalancer"
#: Normal: the load balancer serves as the Service asks.
EVENT_ENSURED = "EnsuredLoadBalancer"
#: Normal: a serving load balancer got other members, rules or another address.
EVENT_UPDATED = "UpdatedLoadBalancer"
#: Warning: the load balancer cannot be created, changed or deleted; the message says why.
EVENT_SYNC_FAILED = "SyncLoadBalancerFailed"
#: Warning: no node can be a member, or no member runs.
EVENT_UNAVAILABLE = "UnAvailableLoadBalancer"
#: Normal: the Service's load balancer is being deleted.
EVENT_DELETING = "DeletingLoadBalancer"
#: Normal: nothing is left of the load balancer in CloudStack.
EVENT_DELETED = "DeletedLoadBalancer"

# Load balancers: tags in CloudStack

#: Tag: the cluster that an address, rule, firewall rule or ACL item belongs to (`CLUSTER_ID`).
TAG_CLUSTER = "cloudstack.targetcluster.example.com/cluster"
#: Tag: the namespace of the Service that it belongs to.
TAG_NAMESPACE = "cloudstack.targetcluster.example.com/namespace"
#: Tag: the name of the Service that it belongs to.
TAG_SERVICE = "cloudstack.targetcluster.example.com/service"
#: Tag: the UID of the Service that it belongs to. Something is ours if all four of these tags are.
TAG_SERVICE_UID = "cloudstack.targetcluster.example.com/service-uid"
#: Tag on an address that Services of a namespace share, in the place of the two above: its name.
TAG_SHARE = "cloudstack.targetcluster.example.com/share"
#: Begins the tag of each Service that uses a shared address; its UID follows. Value: its name.
TAG_USER_PREFIX = "cloudstack.targetcluster.example.com/user-"
#: Tag on an address: who allocated it. `controller`: it goes with the Service; `user`: it stays.
TAG_ORIGIN = "cloudstack.targetcluster.example.com/address-origin"
#: Tag on an address while a call, and no other, releases, untags or takes it over: since when.
TAG_LEASE = "cloudstack.targetcluster.example.com/lease"
#: Tag on an address while a Service takes it over from one of the same namespace and name: cluster
#: and UID of both. If that comes to no end, it shows whose the address was, and whose it becomes.
TAG_TAKEOVER = "cloudstack.targetcluster.example.com/takeover"
#: Tag on a person's address while a call opens its firewall: ports and clients. If the call dies,
#: it shows that the new rule is ours. On a shared address, `-` and the Service's UID follow.
TAG_OPENING = "cloudstack.targetcluster.example.com/opening"
#: Tag on a rule that has or gets a stickiness policy of ours; without it, none is looked for.
TAG_STICKINESS = "cloudstack.targetcluster.example.com/stickiness"
#: Value of that tag.
TAG_STICKINESS_OURS = "controller"
#: The name of the stickiness policies that we make. One of another name is somebody else's.
STICKINESS_POLICY = "cloudstack.targetcluster.example.com"
#: Value of the tag `address-origin` of an address that we allocated.
TAG_ORIGIN_CONTROLLER = "controller"
#: Value of the tag `address-origin` of an address that the user allocated.
TAG_ORIGIN_USER = "user"

# Load balancers: annotations

#: On a CloudStackLoadBalancer while, or since, a call acquires an address: which, when, and a seal.
ANNOTATION_ACQUIRING = "cloudstack.targetcluster.example.com/acquiring"

# Load balancers: reasons that a retry or the Service's condition depends on

#: Reason: CloudStack refuses a list, or gives no answer to one that a part of the work needs.
REASON_CLOUDSTACK_REFUSED = "CloudStackRefused"
#: Reason: no node may serve.
REASON_NO_MEMBERS = "NoMembers"
#: Reason: the VM of no member runs.
REASON_NO_RUNNING_MEMBERS = "NoRunningMembers"
#: Reason: members are nodes with a ready endpoint, and no node that may serve has one.
REASON_NO_ENDPOINTS = "NoReadyEndpoints"
#: Reason of MembersReady: nodes whose endpoints come and go wait before they join again.
REASON_NODES_RETURNING = "NodesReturning"
#: Reason of MembersReady: members stay whose Node is there, and whose CloudStackInstance is gone.
REASON_INSTANCES_GONE = "InstancesGone"
#: Reason: no CloudStackInstance is known.
REASON_NO_INSTANCES = "NoInstances"
#: Reason: no node with a network is known.
REASON_NO_NETWORK = "NoNetwork"
#: Reason: in plan mode, something would be changed.
REASON_PLAN_ONLY = "PlanOnly"
#: Reason of RulesReady: the rules stand without a policy, which was refused; `source` remains.
REASON_WITHOUT_STICKINESS = "WithoutStickiness"
#: Reason: it serves, and firewall rules of others admit more clients than the Service does.
REASON_OPENED_BY_OTHERS = "OpenedByOthers"
#: Reason: another writer undoes what we write, again and again.
REASON_CONTESTED = "Contested"
#: Reason: it serves by its rules; a router that asks its tier's list would shut clients out.
REASON_DENIED_BY_LIST = "DeniedByList"
#: Reason: the Service asks for what cannot be served.
REASON_INVALID_SERVICE = "InvalidService"

# Load balancers: events

#: Warning: the certificate ends within seven days, or cannot be used; the message says which.
EVENT_CERTIFICATE = "CertificateProblem"
#: Normal: drift in CloudStack was repaired; the message names what had changed.
EVENT_REPAIRED = "RepairedLoadBalancer"
#: Warning: something reverts our repairs, or the address shown: nothing is changed for an hour.
EVENT_CONTESTED = "LoadBalancerContested"
#: Warning: the load balancer is deleted, and what was asked for is another cluster's: it is left.
EVENT_FOREIGN_CLUSTER = "ForeignCluster"
#: Warning: the Service's address is not its own any more; the message says which one it gets.
EVENT_ADDRESS_LOST = "AddressLost"
#: Warning: somebody else has the Service's address, so it is not shown; the message says who.
EVENT_ADDRESS_WITHDRAWN = "AddressWithdrawn"
#: Normal: an address that was lost is the Service's again.
EVENT_ADDRESS_REGAINED = "AddressRegained"
#: Normal: the Service names the address that it has, which is the user's from then on and stays.
EVENT_ADDRESS_NAMED = "AddressNamed"
#: Normal: the Service asks for another address; the present one serves until that one does.
EVENT_ADDRESS_CHANGING = "AddressChanging"
#: Normal: another address serves; the former one is shown and serves a while longer.
EVENT_ADDRESS_CHANGED = "AddressChanged"
#: Warning: an address is not released: it is not wholly ours; the message says what is on it.
EVENT_ADDRESS_KEPT = "AddressKept"
#: Warning: a call that did not end may have acquired an address, which nothing proves any more.
EVENT_NOT_PROVEN = "AddressNotProven"
#: Warning: a person let go of a load balancer; everything stays in CloudStack.
EVENT_ABANDONED = "AbandonedLoadBalancer"
#: Warning: firewall rules of others, which are named, admit more clients than the Service does.
EVENT_OPENED_BY_OTHERS = "OpenedByOthers"
#: Warning: the list of the VPC tier denies clients of the Service; the message says what to do.
EVENT_DENIED_BY_LIST = "DeniedByList"
#: Normal: a CloudStackLoadBalancer without an owner is being deleted: its Service is gone.
EVENT_ORPHANED = "OrphanedLoadBalancer"
