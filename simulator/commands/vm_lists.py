"""Lists VMs and their NICs, by detail groups; administrators see more."""

from typing import Any

from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.errors import invalid
from simulator.groups import SecurityGroup
from simulator.model import Network, Nic, VirtualMachine, Vpc
from simulator.registry import command
from simulator.views import view_owner, view_tags

DETAILS = (
    "group", "nics", "stats", "secgrp", "tmpl", "servoff", "diskoff", "backoff", "iso", "volume",
    "min", "affgrp", "all",
)  # fmt: skip
EVERYTHING = frozenset({"nics", "tmpl", "servoff", "volume", "stats", "secgrp"})
UP = frozenset({"Running", "Stopping"})
GONE = frozenset({"Destroyed", "Expunging"})


@command(
    "listVirtualMachines",
    "id:vm ids:vm+@4.4 name state zoneid:zone networkid:network projectid:project account "
    "domainid:domain listall:boolean isrecursive:boolean details:list "
    "serviceofferingid:offering@4.4 templateid:template userid:user tags:map hypervisor "
    "accumulate:boolean@4.17 "
    "affinitygroupid:uuid forvirtualnetwork:boolean groupid:uuid haenable:boolean@4.15 "
    "hostid:uuid clusterid:uuid@4.16 isoid:uuid keypair podid:uuid "
    "retrieveonlyresourcecount:boolean showicon:boolean@4.16 storageid:uuid vpcid:vpc "
    "backupofferingid:uuid@4.17 securitygroupid:group@4.15 userdata:boolean@4.18 "
    "isvnf:boolean@4.19 arch@4.20",
)
def list_virtual_machines(call: Call) -> Answer:
    """List VMs; only administrators see destroyed ones."""
    groups = wanted_groups(call)
    ids = call.args.entities("ids", VirtualMachine)
    chosen = {vm.id for vm in ids} if "ids" in call.args else None
    candidates: list[VirtualMachine] = list(call.world.vms)
    one = call.args.entity("id", VirtualMachine)
    if one is not None:
        candidates = [one] if one in call.world.vms else []
    found = [
        vm
        for vm in call.visible(candidates)
        if (vm.state not in GONE or call.account.admin)
        and (chosen is None or vm.id in chosen)
        and in_state(call, vm)
        and selected(call, vm)
    ]
    return call.listing("virtualmachine", found, lambda vm: view_vm(call, vm, groups))


def in_state(call: Call, vm: VirtualMachine) -> bool:
    """Tell whether the state filter selects a VM; `Present` excludes destroyed ones."""
    if (call.args.text("state") or "").casefold() == "present":
        return vm.state not in GONE
    return call.equals("state", vm.shows or vm.state)


def selected(call: Call, vm: VirtualMachine) -> bool:
    """Tell whether the filters select a VM."""
    group = call.args.entity("securitygroupid", SecurityGroup)
    network, vpc = call.args.entity("networkid", Network), call.args.entity("vpcid", Vpc)
    return (
        call.equals("name", vm.name)
        and call.equals("hypervisor", vm.hypervisor)
        and call.selects("zoneid", vm.zone)
        and call.selects("serviceofferingid", vm.offering)
        and call.selects("templateid", vm.template)
        and call.selects("userid", vm.user)
        and (group is None or vm in group.vms)
        and (network is None or any(nic.network is network for nic in vm.nics))
        and (vpc is None or any(nic.network.vpc is vpc for nic in vm.nics))
        and call.matches(vm.name, vm.displayname)
    )


def wanted_groups(call: Call) -> frozenset[str]:
    """Return the requested detail groups; all if none is requested."""
    asked = call.args.items("details")
    for name in asked:
        if name.lower() not in DETAILS:
            raise invalid(
                "The details parameter contains a non permitted value. "
                f"The allowed values are {list(DETAILS)}"
            )
    names = {name.lower() for name in asked}
    return EVERYTHING if not names or "all" in names else frozenset(names)


def view_vm(
    call: Call, vm: VirtualMachine, groups: frozenset[str] = EVERYTHING - {"stats"}
) -> dict[str, Any]:
    """Show a VM with detail groups; only administrators see the hypervisor's host."""
    admin, up = call.account.admin, vm.state in UP
    shown: dict[str, Any] = {
        "id": vm.id,
        "name": vm.name,
        "displayname": vm.displayname,
        "userid": vm.user.id,
        "username": vm.user.name,
        **view_owner(vm.account),
        "created": timestamp(vm.created),
        "lastupdated": timestamp(vm.updated),
        "state": vm.shows or vm.state,
        "haenable": False,
        "zoneid": vm.zone.id,
        "zonename": vm.zone.name,
    }
    if admin and up:
        shown |= {"hostid": vm.host, "hostname": f"host-{vm.host[:8]}"}
    if up:
        shown["hostcontrolstate"] = "Enabled"
    shown |= view_groups(call, vm) if "secgrp" in groups else {"securitygroup": []}
    for group, view in GROUPS.items():
        if group in groups:
            shown |= view(vm)
    shown |= view_nics(vm) if "nics" in groups else {"nic": []}
    return shown | view_system(vm, admin=admin)


def view_system(vm: VirtualMachine, *, admin: bool) -> dict[str, Any]:
    """Show the system of a VM, and fields that are fixed, empty or for administrators."""
    return {
        "guestosid": vm.template.id,
        "hypervisor": vm.hypervisor,
        **({"instancename": vm.instancename, "displayvm": True} if admin else {}),
        "details": {},
        **({} if admin else {"readonlydetails": "dataDiskController, rootDiskController"}),
        "affinitygroup": [],
        "isdynamicallyscalable": False,
        "deleteprotection": False,
        "ostypeid": vm.template.id,
        "osdisplayname": vm.template.ostype,
        **({"bootmode": "legacy", "boottype": "Bios"} if vm.state in UP else {}),
        "pooltype": "NetworkFilesystem",
        "receivedbytes": 0,
        "sentbytes": 0,
        "tags": view_tags(vm.tags),
        "hasannotations": False,
    }


def view_template(vm: VirtualMachine) -> dict[str, Any]:
    """Show the VM's template."""
    return {
        "templateid": vm.template.id,
        "templatename": vm.template.name,
        "templatetype": "BUILTIN",
        "templateformat": "QCOW2",
        "templatedisplaytext": vm.template.name,
        "passwordenabled": False,
    }


def view_offering(vm: VirtualMachine) -> dict[str, Any]:
    """Show the VM's size."""
    return {
        "serviceofferingid": vm.offering.id,
        "serviceofferingname": vm.offering.name,
        "cpunumber": vm.offering.cpunumber,
        "cpuspeed": vm.offering.cpuspeed,
        "memory": vm.offering.memory,
    }


def view_volume(_vm: VirtualMachine) -> dict[str, Any]:
    """Show the VM's root disk."""
    return {"rootdeviceid": 0, "rootdevicetype": "ROOT"}


def view_groups(call: Call, vm: VirtualMachine) -> dict[str, Any]:
    """Show the VM's security groups, without their rules."""
    empty: dict[str, Any] = {"ingressrule": [], "egressrule": [], "tags": []}
    return {
        "securitygroup": [
            view_group_name(group) | empty | {"virtualmachineids": []}
            for group in call.world.groups
            if vm in group.vms
        ]
    }


def view_group_name(group: SecurityGroup) -> dict[str, Any]:
    """Show a security group's id, name, description and account."""
    owner = view_owner(group.account)
    described = {} if group.description is None else {"description": group.description}
    whose = {key: text for key, text in owner.items() if not key.startswith("domain")}
    return {"id": group.id, "name": group.name, **described, **whose}


def view_stats(_vm: VirtualMachine) -> dict[str, Any]:
    """Show statistics; nothing depends on them."""
    return {"cpuused": "10%", "networkkbsread": 0, "networkkbswrite": 0, "memorykbs": 0}


GROUPS = {
    "tmpl": view_template,
    "servoff": view_offering,
    "stats": view_stats,
    "volume": view_volume,
}


def view_nics(vm: VirtualMachine) -> dict[str, Any]:
    """Show the NICs, the default one's address, and the public address of static NAT."""
    shown: dict[str, Any] = {
        "nic": [
            view_nic(vm, nic, index)
            | {"secondaryip": [{"id": i, "ipaddress": a} for i, a in nic.secondary.items()]}
            for index, nic in enumerate(vm.nics)
        ]
    }
    default = next((nic for nic in vm.nics if nic.default), None)
    if default is not None:
        shown["ipaddress"] = default.ipaddress
    if vm.static_nat is not None:
        shown |= {"publicipid": vm.static_nat.id, "publicip": vm.static_nat.name}
    return shown


def view_nic(vm: VirtualMachine, nic: Nic, index: int) -> dict[str, Any]:
    """Show a NIC; its VLAN is known while the VM runs."""
    plugged, vpc = f"vlan://{nic.network.vlan}", nic.network.vpc
    uris = {"isolationuri": plugged, "broadcasturi": plugged} if vm.state in UP else {}
    ip6 = {}
    if nic.ip6address is not None and nic.network.ip6cidr is not None:
        ip6 = {
            "ip6address": nic.ip6address,
            "ip6gateway": str(nic.network.ip6cidr[1]),
            "ip6cidr": str(nic.network.ip6cidr),
        }
    return {
        "id": nic.id,
        "networkid": nic.network.id,
        "networkname": nic.network.name,
        "netmask": str(nic.network.cidr.netmask),
        "gateway": str(nic.network.cidr[1]),
        "ipaddress": nic.ipaddress,
        **uris,
        "traffictype": "Guest",
        "type": nic.network.offering.guestiptype,
        "isdefault": nic.default,
        "macaddress": nic.macaddress,
        **ip6,
        "extradhcpoption": [],
        "deviceid": str(index),
        **({} if vpc is None else {"vpcid": vpc.id, "vpcname": vpc.name}),
    }


@command(
    "listNics",
    "virtualmachineid:vm! nicid:uuid networkid:network",
)
def list_nics(call: Call) -> Answer:
    """List the NICs of a VM."""
    vm = call.args.entity("virtualmachineid", VirtualMachine)
    assert vm is not None  # noqa: S101 - required
    call.check_owner(vm.account)
    network = call.args.entity("networkid", Network)
    found = [
        (index, nic)
        for index, nic in enumerate(vm.nics)
        if (network is None or nic.network is network)
    ]
    return call.listing(
        "nic",
        found,
        lambda entry: view_nic(vm, entry[1], entry[0]) | {"virtualmachineid": vm.id},
    )
