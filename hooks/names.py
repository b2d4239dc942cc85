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
