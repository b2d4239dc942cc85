"""Each command function with a call of it and what that call must send."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hooks.cloudstack.commands import account, compute, firewall, loadbalancing, network, tags
from hooks.cloudstack.models.firewall import NetworkAclChange, NewNetworkAcl, PortRange
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRuleChange,
    NewLoadBalancerRule,
    NewStickinessPolicy,
)
from tests.unit.cloudstack.transports import Script

MODULES: list[ModuleType] = [account, compute, firewall, loadbalancing, network, tags]
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
    """A call of a command function and what must reach CloudStack.

    `in_project`: CloudStack's documentation gives the command a parameter `projectid`.
    `all`: outside of a project it is asked for all that the account may see.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...]
    command: str
    sent: Mapping[str, object]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    in_project: bool = False
    all: bool = False

    def run(self, *, project_id: str) -> dict[str, object]:
        """Call it, and return the parameters that arrived."""
        answers = {"listCapabilities": {"capability": {"cloudstackversion": "4.22"}}}
        answer = answers.get(
            self.command, {} if self.command.startswith("list") else {"jobid": "j"}
        )
        script = Script([answer])
        self.call(
            script.client(project_id=project_id),
            *self.args,
            deadline=script.deadline(8),
            **self.kwargs,
        )
        [(command, params)] = script.calls
        assert command == self.command
        return {name: value for name, value in params.items() if value is not None}


def listing(
    call: Callable[..., Any], command: str, sent: Mapping[str, object], **kwargs: Any
) -> Row:
    """Make the row of a list that takes a project and `listall`."""
    return Row(call, (), command, {**PAGE, **sent}, kwargs, in_project=True, all=True)


def writing(call: Callable[..., Any], args: tuple[Any, ...], command: str, **sent: object) -> Row:
    """Make the row of a write that is of one resource and so takes no project."""
    return Row(call, args, command, sent)


ROWS = [
    Row(account.list_capabilities, (), "listCapabilities", {}),
    listing(compute.list_virtual_machines, "listVirtualMachines", {"details": "nics,servoff"}),
    listing(
        compute.list_virtual_machines,
        "listVirtualMachines",
        {"zoneid": "z", "networkid": "n", "ids": ("a", "b"), "details": "min"},
        zone_id="z",
        network_id="n",
        ids=("a", "b"),
        details="min",
    ),
    writing(compute.start_virtual_machine, ("vm",), "startVirtualMachine", id="vm"),
    writing(compute.stop_virtual_machine, ("vm",), "stopVirtualMachine", id="vm"),
    Row(
        compute.stop_virtual_machine,
        ("vm",),
        "stopVirtualMachine",
        {"id": "vm", "forced": True},
        {"forced": True},
    ),
    writing(compute.reboot_virtual_machine, ("vm",), "rebootVirtualMachine", id="vm"),
    Row(compute.list_zones, (), "listZones", PAGE),
    Row(compute.list_zones, (), "listZones", {**PAGE, "name": "z"}, {"name": "z"}),
    listing(
        compute.list_kubernetes_clusters, "listKubernetesClusters", {"id": "c"}, cluster_id="c"
    ),
    writing(compute.start_kubernetes_cluster, ("c",), "startKubernetesCluster", id="c"),
    listing(network.list_networks, "listNetworks", {"id": "n"}, id="n"),
    listing(network.list_networks, "listNetworks", {"vpcid": "v"}, vpc_id="v"),
    listing(
        network.list_public_ip_addresses,
        "listPublicIpAddresses",
        {"associatednetworkid": "n", "ipaddress": "203.0.113.9", "tags": TAGS_SENT},
        associated_network_id="n",
        ip_address="203.0.113.9",
        tags=TAGS,
    ),
    listing(
        network.list_free_public_ip_addresses,
        "listPublicIpAddresses",
        {"zoneid": "z", "state": "Free", "forvirtualnetwork": True},
        zone_id="z",
    ),
    Row(
        network.associate_ip_address,
        (),
        "associateIpAddress",
        {"networkid": "n", "ipaddress": "203.0.113.9"},
        {"network_id": "n", "ip_address": "203.0.113.9"},
        in_project=True,
    ),
    Row(
        network.associate_ip_address,
        (),
        "associateIpAddress",
        {"vpcid": "v"},
        {"vpc_id": "v"},
        in_project=True,
    ),
    writing(network.disassociate_ip_address, ("ip",), "disassociateIpAddress", id="ip"),
    listing(
        loadbalancing.list_load_balancer_rules,
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
    writing(
        loadbalancing.update_load_balancer_rule,
        ("r", LoadBalancerRuleChange(protocol="tcp-proxy", cidrs=("0.0.0.0/0",))),
        "updateLoadBalancerRule",
        id="r",
        protocol="tcp-proxy",
        cidrlist=("0.0.0.0/0",),
    ),
    writing(loadbalancing.delete_load_balancer_rule, ("r",), "deleteLoadBalancerRule", id="r"),
    Row(
        loadbalancing.list_load_balancer_rule_instances,
        ("r",),
        "listLoadBalancerRuleInstances",
        {**PAGE, "id": "r", "lbvmips": True},
    ),
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
    Row(
        loadbalancing.list_lb_stickiness_policies,
        ("r",),
        "listLBStickinessPolicies",
        {**PAGE, "lbruleid": "r"},
    ),
    writing(
        loadbalancing.create_lb_stickiness_policy,
        (NewStickinessPolicy("r", "s", "SourceBased", (("expire", "3h"),)),),
        "createLBStickinessPolicy",
        lbruleid="r",
        name="s",
        methodname="SourceBased",
        param=[{"name": "expire", "value": "3h"}],
    ),
    writing(loadbalancing.delete_lb_stickiness_policy, ("p",), "deleteLBStickinessPolicy", id="p"),
    listing(
        firewall.list_firewall_rules, "listFirewallRules", {"ipaddressid": "ip"}, ip_address_id="ip"
    ),
    writing(
        firewall.create_firewall_rule,
        ("ip", PORTS),
        "createFirewallRule",
        ipaddressid="ip",
        **PORTS_SENT,
    ),
    writing(firewall.delete_firewall_rule, ("f",), "deleteFirewallRule", id="f"),
    listing(firewall.list_network_acl_lists, "listNetworkACLLists", {"id": "l"}, list_id="l"),
    listing(firewall.list_network_acls, "listNetworkACLs", {"aclid": "l"}, acl_id="l"),
    writing(
        firewall.create_network_acl,
        (NewNetworkAcl("l", 11, PORTS, "why"),),
        "createNetworkACL",
        aclid="l",
        number=11,
        action="Allow",
        traffictype="Ingress",
        reason="why",
        **PORTS_SENT,
    ),
    writing(
        firewall.update_network_acl_item,
        ("i", NetworkAclChange(ports=PORTS)),
        "updateNetworkACLItem",
        id="i",
        **PORTS_SENT,
    ),
    writing(
        firewall.update_network_acl_item,
        ("i", NetworkAclChange(number=7)),
        "updateNetworkACLItem",
        id="i",
        number=7,
    ),
    writing(firewall.delete_network_acl, ("i",), "deleteNetworkACL", id="i"),
    listing(
        firewall.list_security_groups,
        "listSecurityGroups",
        {"virtualmachineid": "vm"},
        virtual_machine_id="vm",
    ),
    Row(
        firewall.authorize_security_group_ingress,
        ("g", PORTS),
        "authorizeSecurityGroupIngress",
        {"securitygroupid": "g", **PORTS_SENT},
        in_project=True,
    ),
    writing(firewall.revoke_security_group_ingress, ("i",), "revokeSecurityGroupIngress", id="i"),
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
        (ADDRESS, ["a"], ["k", "l"]),
        "deleteTags",
        resourcetype="PublicIpAddress",
        resourceids=["a"],
        tags=[{"key": "k"}, {"key": "l"}],
    ),
]
