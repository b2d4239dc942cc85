"""Writes the world as one JSON document, for tests."""

from typing import Any

from simulator.groups import SecurityGroup
from simulator.jobs import DONE, PENDING
from simulator.model import (
    Account,
    Address,
    FirewallRule,
    InternalLoadBalancer,
    KubernetesCluster,
    LoadBalancerRule,
    Network,
    NetworkAclItem,
    NetworkAclList,
    PortForwardingRule,
    SslCertificate,
    VirtualMachine,
)
from simulator.world import World

STATUS = {PENDING: "pending", DONE: "done"}


def dump(world: World) -> dict[str, Any]:
    """Return the objects that tests read, by kind, each with its owner and tags."""
    internal = [rule for rule in world.rules if isinstance(rule, InternalLoadBalancer)]
    rules = [rule for rule in world.rules if rule not in internal]
    return {
        "world": world.name,
        "apiversion": world.api_version,
        "virtualmachines": [dump_vm(vm) for vm in world.vms],
        "kubernetesclusters": [dump_cluster(cluster) for cluster in world.clusters],
        "vpcs": [{"id": vpc.id, "name": vpc.name} for vpc in world.vpcs],
        "networks": [dump_network(network) for network in world.networks],
        "networkacllists": [dump_acl_list(world, acl) for acl in world.acl_lists],
        "addresses": [dump_address(a) for a in world.addresses if a.state != "Free"],
        "freeaddresses": sum(address.state == "Free" for address in world.addresses),
        "loadbalancerrules": [dump_rule(rule) for rule in rules],
        "loadbalancers": [dump_rule(balancer) for balancer in internal],
        "firewallrules": [dump_firewall_rule(rule) for rule in world.firewall_rules],
        "securitygroups": [dump_group(world, group) for group in world.groups],
        "portforwardingrules": [dump_forwarding(rule) for rule in world.forwarding_rules],
        "certificates": [dump_certificate(one) for one in world.certificates],
        "projects": [{"id": project.id, "name": project.name} for project in world.projects],
        "jobs": {
            "total": len(world.jobs),
            "pending": [job.id for job in world.jobs.pending()],
        },
    }


def owner_of(account: Account | None) -> dict[str, str]:
    """Return the owner of a resource, as a project or an account."""
    if account is None:
        return {}
    if account.project is not None:
        return {"project": account.project.name}
    return {"account": account.name}


def dump_vm(vm: VirtualMachine) -> dict[str, Any]:
    """Show a VM."""
    return {
        "id": vm.id,
        "name": vm.name,
        "state": vm.state,
        "boots": vm.boots,
        "zone": vm.zone.name,
        "offering": vm.offering.name,
        "addresses": [nic.ipaddress for nic in vm.nics],
        "networks": [nic.network.id for nic in vm.nics],
        "tags": dict(vm.tags),
        **owner_of(vm.account),
    }


def dump_cluster(cluster: KubernetesCluster) -> dict[str, Any]:
    """Show a Kubernetes cluster with the names of its VMs, also of those that are gone."""
    return {
        "id": cluster.id,
        "name": cluster.name,
        "state": cluster.state,
        "managed": cluster.managed,
        "size": cluster.size,
        "controlnodes": [vm.name for vm in cluster.control],
        "nodes": [vm.name for vm in cluster.vms if vm not in cluster.control],
        **owner_of(cluster.account),
    }


def dump_network(network: Network) -> dict[str, Any]:
    """Show a network."""
    return {
        "id": network.id,
        "name": network.name,
        "state": network.state,
        "cidr": str(network.cidr),
        "vpc": None if network.vpc is None else network.vpc.id,
        "acl": None if network.acl is None else network.acl.id,
        "tags": dict(network.tags),
        **owner_of(network.account),
    }


def dump_acl_list(world: World, acl: NetworkAclList) -> dict[str, Any]:
    """Show a list of network ACL items, with its items in the order of their numbers."""
    items = sorted(
        (item for item in world.acl_items if item.acl is acl), key=lambda item: item.position
    )
    return {
        "id": acl.id,
        "name": acl.name,
        "vpc": None if acl.vpc is None else acl.vpc.id,
        "items": [dump_acl_item(item) for item in items],
        **owner_of(acl.account),
    }


def dump_acl_item(item: NetworkAclItem) -> dict[str, Any]:
    """Show a network ACL item."""
    first, last = item.ports or (None, None)
    return {
        "id": item.id,
        "number": item.position,
        "action": item.action,
        "traffictype": item.traffic,
        "protocol": item.protocol,
        "startport": first,
        "endport": last,
        "cidrlist": list(item.cidrs),
        "reason": item.reason,
        "tags": dict(item.tags),
    }


def dump_address(address: Address) -> dict[str, Any]:
    """Show a public address that is in use."""
    return {
        "id": address.id,
        "ipaddress": address.name,
        "state": address.state,
        "sourcenat": address.source_nat,
        "network": None if address.network is None else address.network.id,
        "vpc": None if address.vpc is None else address.vpc.id,
        "staticnat": None if address.vm is None else address.vm.id,
        "tags": dict(address.tags),
        **owner_of(address.account),
    }


def dump_rule(rule: LoadBalancerRule) -> dict[str, Any]:
    """Show a load balancer rule with its members."""
    return {
        "id": rule.id,
        "name": rule.name,
        "address": rule.address.name,
        "addressid": rule.address.id,
        "network": rule.network.id,
        "publicport": rule.publicport,
        "privateport": rule.privateport,
        "protocol": rule.protocol,
        "algorithm": rule.algorithm,
        "cidrlist": list(rule.cidrs),
        "state": rule.state,
        "members": {member.vm.name: member.ipaddress for member in rule.members},
        "stickiness": [
            {"id": policy.id, "methodname": policy.method, "params": dict(policy.parameters)}
            for policy in rule.policies
        ],
        "certificate": None if rule.certificate is None else rule.certificate.id,
        "tags": dict(rule.tags),
        **owner_of(rule.account),
    }


def dump_certificate(one: SslCertificate) -> dict[str, Any]:
    """Show a certificate."""
    return {
        "id": one.id,
        "name": one.name,
        "fingerprint": one.fingerprint,
        "certificate": one.pem,
        "certchain": one.chain,
        **owner_of(one.account),
    }


def dump_firewall_rule(rule: FirewallRule) -> dict[str, Any]:
    """Show a firewall rule."""
    first, last = rule.ports or (None, None)
    return {
        "id": rule.id,
        "address": rule.address.name,
        "addressid": rule.address.id,
        "protocol": rule.protocol,
        "startport": first,
        "endport": last,
        "cidrlist": list(rule.cidrs),
        "state": rule.state,
        "tags": dict(rule.tags),
        **owner_of(rule.account),
    }


def dump_group(world: World, group: SecurityGroup) -> dict[str, Any]:
    """Show a security group with its rules and the names of its VMs."""
    return {
        "id": group.id,
        "name": group.name,
        "rules": [
            {
                "id": rule.id,
                "traffictype": rule.traffic,
                "protocol": rule.protocol,
                "startport": rule.ports[0],
                "endport": rule.ports[1],
                "cidr": rule.cidr,
                "tags": dict(rule.tags),
            }
            for rule in world.group_rules
            if rule.group is group
        ],
        "virtualmachines": [vm.name for vm in group.vms],
        "tags": dict(group.tags),
        **owner_of(group.account),
    }


def dump_forwarding(rule: PortForwardingRule) -> dict[str, Any]:
    """Show a port forwarding rule."""
    return {
        "id": rule.id,
        "address": rule.address.name,
        "addressid": rule.address.id,
        "protocol": rule.protocol,
        "ports": list(rule.ports),
        "privateports": list(rule.private_ports),
        "vm": rule.vm.name,
        "cidrlist": list(rule.cidrs),
        "state": rule.state,
        "tags": dict(rule.tags),
        **owner_of(rule.account),
    }
