"""CloudStack's objects as frozen values; the only place that knows the answers' field names.

Each `from_json` keeps what the hooks use and raises `Malformed` where an object lacks what makes
it one. A text that the server left out is empty; what may be unknown is None. Field names and
types are those that CloudStack 4.22 was observed to send.
"""

from hooks.cloudstack.models.account import Account, Capabilities, Project, ResourceLimit
from hooks.cloudstack.models.compute import (
    KubernetesCluster,
    Nic,
    VirtualMachine,
    Zone,
)
from hooks.cloudstack.models.fields import Answer, Malformed
from hooks.cloudstack.models.firewall import (
    FirewallRule,
    IngressRule,
    NetworkAcl,
    NetworkAclChange,
    NetworkAclList,
    NewNetworkAcl,
    PortRange,
    SecurityGroup,
)
from hooks.cloudstack.models.jobs import Job, JobStatus
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    LoadBalancerRuleChange,
    Member,
    NewLoadBalancerRule,
    NewStickinessPolicy,
    StickinessPolicy,
)
from hooks.cloudstack.models.network import Capability, Network, NetworkService, PublicIpAddress
from hooks.cloudstack.models.tags import Tag

__all__ = [
    "Account",
    "Answer",
    "Capabilities",
    "Capability",
    "FirewallRule",
    "IngressRule",
    "Job",
    "JobStatus",
    "KubernetesCluster",
    "LoadBalancerRule",
    "LoadBalancerRuleChange",
    "Malformed",
    "Member",
    "Network",
    "NetworkAcl",
    "NetworkAclChange",
    "NetworkAclList",
    "NetworkService",
    "NewLoadBalancerRule",
    "NewNetworkAcl",
    "NewStickinessPolicy",
    "Nic",
    "PortRange",
    "Project",
    "PublicIpAddress",
    "ResourceLimit",
    "SecurityGroup",
    "StickinessPolicy",
    "Tag",
    "VirtualMachine",
    "Zone",
]
