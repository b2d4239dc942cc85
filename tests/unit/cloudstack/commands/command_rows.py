"""Each command function and each model that is listed: a call, and what it must send."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hooks.cloudstack.commands import certificates, compute, firewall, loadbalancing, network, tags
from hooks.cloudstack.models.account import Account, Capabilities, ProjectLimit, ResourceLimit
from hooks.cloudstack.models.certificates import SslCertificate
from hooks.cloudstack.models.compute import VirtualMachine, Zone
from hooks.cloudstack.models.fields import Model
from hooks.cloudstack.models.firewall import (
    FirewallRule,
    NetworkAcl,
    NetworkAclList,
    PortForwardingRule,
    PortRange,
)
from hooks.cloudstack.models.jobs import PendingJob
from hooks.cloudstack.models.kubernetes import KubernetesCluster
from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    LoadBalancerRuleChange,
    Member,
    NewInternalLoadBalancer,
    NewLoadBalancerRule,
    RulePolicies,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from tests.unit.cloudstack.transports import Script

MODULES: list[ModuleType] = [certificates, compute, firewall, loadbalancing, network, tags]
PROJECT = "the-project"
PORTS = PortRange("tcp", 80, 89, ("10.0.0.0/8", "192.168.0.0/16"))
RULE = NewLoadBalancerRule("web-tcp-80", "ip", "net", 80, 30080)
PAGE = {"page": 1, "pagesize": 500}
PORTS_SENT = {"protocol": "tcp", "startport": 80, "endport": 89, "cidrlist": PORTS.cidrs}
TAGS_SENT = [{"key": "k", "value": "v"}, {"key": "l", "value": "w"}]
TAGS = {"k": "v", "l": "w"}
ADDRESS = tags.ResourceType.ADDRESS


@dataclass(frozen=True)
class Row:
    """A call of a command function, or a list of a model, and what must reach CloudStack.

    `by`: the client's method.
    `in_project`: CloudStack's documentation gives the command a parameter `projectid`.
    `all`: outside of a project it is asked for all that the account may see.
    """

    what: Callable[..., Any]
    command: str
    sent: Mapping[str, object]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    by: str = "start"
    in_project: bool = False
    all: bool = False

    @property
    def name(self) -> str:
        return self.what.__name__

    def run(self, *, project_id: str) -> dict[str, object]:
        """Call it, and return the parameters that arrived."""
        answers = {"listCapabilities": {"capability": {"cloudstackversion": "4.22"}}}
        answer = answers.get(
            self.command, {} if self.command.startswith("list") else {"jobid": "j"}
        )
        script = Script([answer])
        client, deadline = script.client(project_id=project_id), script.deadline(8)
        if self.by == "start":
            client.start(self.what(*self.args, **self.kwargs), deadline)
        else:
            getattr(client, self.by)(self.what, deadline=deadline, **self.kwargs)
        [(command, params)] = script.calls
        assert command == self.command
        return {name: value for name, value in params.items() if value is not None}


def listing(model: type[Model], command: str, sent: Mapping[str, object], **where: Any) -> Row:
    """Make the row of a list that takes a project and `listall`."""
    sent = {**PAGE, **sent}
    return Row(model, command, sent, (), where, "list_all", in_project=True, all=True)


def listing_outside(
    model: type[Model], command: str, sent: Mapping[str, object], **where: Any
) -> Row:
    """Make the row of a list that takes no project."""
    return Row(model, command, {**PAGE, **sent}, (), where, "list_all")


def writing(call: Callable[..., Any], args: tuple[Any, ...], command: str, **sent: object) -> Row:
    """Make the row of a write that is of one resource and so takes no project."""
    return Row(call, command, sent, args)


ROWS = [
    Row(Capabilities, "listCapabilities", {}, by="one"),
    listing_outside(Account, "listAccounts", {}),
    listing_outside(ResourceLimit, "listAccounts", {}),
    listing_outside(ProjectLimit, "listProjects", {"id": "p"}, id="p"),
    listing(VirtualMachine, "listVirtualMachines", {"details": "nics,servoff"}),
    listing(
        VirtualMachine,
        "listVirtualMachines",
        {"zoneid": "z", "networkid": "n", "ids": ("a", "b"), "details": "min"},
        zone_id="z",
        network_id="n",
        ids=("a", "b"),
        details="min",
    ),
    listing(VirtualMachine, "listVirtualMachines", {"id": "v", "details": "nics,servoff"}, id="v"),
    writing(compute.start_virtual_machine, ("v",), "startVirtualMachine", id="v"),
    writing(compute.stop_virtual_machine, ("v",), "stopVirtualMachine", id="v"),
    writing(compute.reboot_virtual_machine, ("v",), "rebootVirtualMachine", id="v"),
    listing(KubernetesCluster, "listKubernetesClusters", {"id": "c"}, id="c"),
    writing(compute.start_kubernetes_cluster, ("c",), "startKubernetesCluster", id="c"),
    listing_outside(PendingJob, "listAsyncJobs", {}),
    listing_outside(Zone, "listZones", {}),
    listing_outside(Zone, "listZones", {"name": "z"}, name="z"),
    listing(Network, "listNetworks", {"id": "n"}, id="n"),
    listing(Network, "listNetworks", {"vpcid": "v"}, vpc_id="v"),
    listing(
        PublicIpAddress,
        "listPublicIpAddresses",
        {"associatednetworkid": "n", "ipaddress": "203.0.113.9", "tags": TAGS_SENT},
        associated_network_id="n",
        ip_address="203.0.113.9",
        tags=TAGS,
    ),
    Row(
        PublicIpAddress,
        "listPublicIpAddresses",
        {"page": 3, "pagesize": 10, "zoneid": "z", "state": "Free", "forvirtualnetwork": True},
        kwargs={
            "number": 3,
            "size": 10,
            "zone_id": "z",
            "state": "Free",
            "for_virtual_network": True,
        },
        by="page",
        in_project=True,
        all=True,
    ),
    Row(
        network.associate_ip_address,
        "associateIpAddress",
        {"networkid": "n", "ipaddress": "203.0.113.9"},
        (),
        {"network_id": "n", "ip_address": "203.0.113.9"},
        in_project=True,
    ),
    Row(
        network.associate_ip_address,
        "associateIpAddress",
        {"vpcid": "v"},
        (),
        {"vpc_id": "v"},
        in_project=True,
    ),
    writing(network.disassociate_ip_address, ("ip",), "disassociateIpAddress", id="ip"),
    listing(
        LoadBalancerRule,
        "listLoadBalancerRules",
        {"publicipid": "ip", "name": "web-tcp-80", "tags": TAGS_SENT},
        public_ip_id="ip",
        name="web-tcp-80",
        tags=TAGS,
    ),
    writing(
        loadbalancing.create_load_balancer_rule,
        (RULE,),
        "createLoadBalancerRule",
        name="web-tcp-80",
        algorithm="roundrobin",
        protocol="tcp",
        publicport=80,
        privateport=30080,
        publicipid="ip",
        networkid="net",
        openfirewall=False,
    ),
    listing(
        InternalLoadBalancer,
        "listLoadBalancers",
        {"networkid": "net", "tags": TAGS_SENT},
        network_id="net",
        tags=TAGS,
    ),
    writing(
        loadbalancing.create_load_balancer,
        (NewInternalLoadBalancer("web-80", "10.1.1.9", "net", 80, 30080),),
        "createLoadBalancer",
        name="web-80",
        scheme="Internal",
        algorithm="roundrobin",
        sourceport=80,
        instanceport=30080,
        sourceipaddress="10.1.1.9",
        networkid="net",
        sourceipaddressnetworkid="net",
    ),
    writing(
        loadbalancing.create_load_balancer,
        (NewInternalLoadBalancer("web-80", "", "net", 80, 30080, algorithm="source"),),
        "createLoadBalancer",
        name="web-80",
        scheme="Internal",
        algorithm="source",
        sourceport=80,
        instanceport=30080,
        networkid="net",
        sourceipaddressnetworkid="net",
    ),
    writing(
        loadbalancing.update_load_balancer_rule,
        ("r", LoadBalancerRuleChange(protocol="tcp-proxy", cidrs=("0.0.0.0/0",))),
        "updateLoadBalancerRule",
        id="r",
        protocol="tcp-proxy",
        cidrlist=("0.0.0.0/0",),
    ),
    writing(loadbalancing.delete_load_balancer_rule, ("r",), "deleteLoadBalancerRule", id="r"),
    listing_outside(Member, "listLoadBalancerRuleInstances", {"id": "r", "lbvmips": True}, id="r"),
    writing(
        loadbalancing.assign_to_load_balancer_rule,
        ("r", ["a", "b"]),
        "assignToLoadBalancerRule",
        id="r",
        virtualmachineids=["a", "b"],
    ),
    writing(
        loadbalancing.remove_from_load_balancer_rule,
        ("r", ["a"]),
        "removeFromLoadBalancerRule",
        id="r",
        virtualmachineids=["a"],
    ),
    listing_outside(RulePolicies, "listLBStickinessPolicies", {"lbruleid": "r"}, lb_rule_id="r"),
    writing(
        loadbalancing.create_lb_stickiness_policy,
        ("r", "s", "SourceBased", {"expire": "3h"}),
        "createLBStickinessPolicy",
        lbruleid="r",
        name="s",
        methodname="SourceBased",
        param=[{"name": "expire", "value": "3h"}],
    ),
    writing(loadbalancing.delete_lb_stickiness_policy, ("p",), "deleteLBStickinessPolicy", id="p"),
    Row(
        SslCertificate,
        "listSslCerts",
        {**PAGE, "accountid": "a"},
        (),
        {"account_id": "a"},
        "list_all",
        in_project=True,
    ),
    Row(
        certificates.upload_ssl_cert,
        "uploadSslCert",
        {"name": "n", "certificate": "c", "privatekey": "k"},
        ("n", "c", "k", ""),
        in_project=True,
    ),
    Row(
        certificates.upload_ssl_cert,
        "uploadSslCert",
        {
            "name": "n",
            "certificate": "c",
            "privatekey": "k",
            "certchain": "d",
            "enabledrevocationcheck": False,
        },
        ("n", "c", "k", "d"),
        in_project=True,
    ),
    writing(certificates.delete_ssl_cert, ("c",), "deleteSslCert", id="c"),
    writing(
        certificates.assign_cert_to_load_balancer,
        ("r", "c"),
        "assignCertToLoadBalancer",
        lbruleid="r",
        certid="c",
        forced=True,
    ),
    listing(FirewallRule, "listFirewallRules", {"ipaddressid": "ip"}, ip_address_id="ip"),
    listing(
        PortForwardingRule, "listPortForwardingRules", {"ipaddressid": "ip"}, ip_address_id="ip"
    ),
    writing(
        firewall.create_firewall_rule,
        ("ip", PORTS),
        "createFirewallRule",
        ipaddressid="ip",
        **PORTS_SENT,
    ),
    writing(firewall.delete_firewall_rule, ("f",), "deleteFirewallRule", id="f"),
    listing(NetworkAclList, "listNetworkACLLists", {"vpcid": "v"}, vpc_id="v"),
    listing(NetworkAcl, "listNetworkACLs", {"aclid": "l"}, acl_id="l"),
    writing(
        firewall.create_network_acl,
        ("l", 11, PORTS, "why"),
        "createNetworkACL",
        aclid="l",
        number=11,
        action="Allow",
        traffictype="Ingress",
        reason="why",
        **PORTS_SENT,
    ),
    Row(
        firewall.update_network_acl_item,
        "updateNetworkACLItem",
        {"id": "i", **PORTS_SENT},
        ("i",),
        {"ports": PORTS},
    ),
    writing(
        firewall.update_network_acl_item,
        ("i", 7, None, "why"),
        "updateNetworkACLItem",
        id="i",
        number=7,
        reason="why",
    ),
    writing(firewall.delete_network_acl, ("i",), "deleteNetworkACL", id="i"),
    writing(
        tags.create_tags,
        (ADDRESS, ["a", "b"], TAGS),
        "createTags",
        resourcetype="PublicIpAddress",
        resourceids=["a", "b"],
        tags=TAGS_SENT,
    ),
    writing(
        tags.delete_tags,
        (ADDRESS, ["a"], {"k": None, "l": "v"}),
        "deleteTags",
        resourcetype="PublicIpAddress",
        resourceids=["a"],
        tags=[{"key": "k"}, {"key": "l", "value": "v"}],
    ),
]
