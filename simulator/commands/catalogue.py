"""The version, zones, offerings and templates of an installation."""

from typing import Any

from simulator.call import Answer, Call
from simulator.clock import timestamp
from simulator.errors import invalid
from simulator.model import NetworkOffering, ServiceOffering, Template, Zone
from simulator.registry import command
from simulator.services import provider_of

TEMPLATE_FILTERS = (
    "all", "featured", "self", "selfexecutable", "sharedexecutable", "executable", "community",
    "shared",
)  # fmt: skip


@command("listCapabilities")
def list_capabilities(call: Call) -> Answer:
    """Return the version, and what the installation permits its users."""
    return {
        "capability": {
            "securitygroupsenabled": any(zone.groups for zone in call.world.zones),
            "dynamicrolesenabled": True,
            "cloudstackversion": f"{call.world.api_version}.0.0",
            "userpublictemplateenabled": True,
            "supportELB": "false",
            "projectinviterequired": False,
            "allowusercreateprojects": True,
            "customdiskofferingminsize": 1,
            "customdiskofferingmaxsize": 1024,
            "regionsecondaryenabled": False,
            "kvmsnapshotenabled": True,
            "allowuserviewdestroyedvm": False,
            "allowuserexpungerecovervm": call.world.settings.expunge,
            "allowuserforcestopvm": True,
            "kubernetesserviceenabled": True,
            "kubernetesclusterexperimentalfeaturesenabled": False,
            "defaultuipagesize": 20,
            "dynamicscalingenabled": False,
        }
    }


@command(
    "listZones",
    "id:zone ids:zone+@4.19 name available:boolean networktype domainid:domain "
    "showcapacities:boolean showicon:boolean tags:map",
)
def list_zones(call: Call) -> Answer:
    """List the zones."""
    wanted = call.args.entities("ids", Zone)
    found = [
        zone
        for zone in call.world.zones
        if call.selects("id", zone)
        and (not wanted or zone in wanted)
        and call.equals("name", zone.name)
        and call.equals("networktype", "Advanced")
        and call.matches(zone.name)
        and not call.args.maps("tags")
    ]
    return call.listing("zone", found, lambda zone: view_zone(call, zone))


def view_zone(call: Call, zone: Zone) -> dict[str, Any]:
    """Show a zone; only administrators see its name servers."""
    private = {
        "dns1": "192.0.2.53",
        "internaldns1": "192.0.2.53",
        "guestcidraddress": "10.1.1.0/24",
    }
    return {
        "id": zone.id,
        "name": zone.name,
        **(private if call.account.admin else {}),
        "networktype": "Advanced",
        "securitygroupsenabled": zone.groups,
        "allocationstate": "Enabled",
        "dhcpprovider": "VirtualRouter",
        "localstorageenabled": False,
        "tags": [],
        "type": "Core",
        "hasannotations": False,
    }


@command(
    "listServiceOfferings",
    "id:offering name virtualmachineid:vm zoneid:zone@4.13 cpunumber:integer@4.15 "
    "cpuspeed:integer@4.15 memory:integer@4.15 state@4.19 templateid:template@4.20 "
    "domainid:domain projectid:project account listall:boolean isrecursive:boolean "
    "issystem:boolean systemvmtype storagetype@4.19 encryptroot:boolean@4.18",
)
def list_service_offerings(call: Call) -> Answer:
    """List the service offerings, which are sizes of VMs."""
    found = [
        offering
        for offering in call.world.offerings
        if call.selects("id", offering)
        and call.equals("name", offering.name)
        and call.equals("state", "Active")
        and call.equals("cpunumber", str(offering.cpunumber))
        and call.equals("cpuspeed", str(offering.cpuspeed))
        and call.equals("memory", str(offering.memory))
        and call.matches(offering.name)
        and not call.args.flag("issystem")
    ]
    return call.listing("serviceoffering", found, view_service_offering)


def view_service_offering(offering: ServiceOffering) -> dict[str, Any]:
    """Show a service offering."""
    return {
        "id": offering.id,
        "name": offering.name,
        "state": "Active",
        "displaytext": offering.name,
        "cpunumber": offering.cpunumber,
        "cpuspeed": offering.cpuspeed,
        "memory": offering.memory,
        "created": timestamp(offering.created),
        "storagetype": "shared",
        "provisioningtype": "thin",
        "offerha": False,
        "limitcpuuse": False,
        "isvolatile": False,
        "issystem": False,
        "defaultuse": False,
        "iscustomized": False,
        "rootdisksize": 0,
        "dynamicscalingenabled": True,
        "hasannotations": False,
    }


@command(
    "listTemplates",
    "templatefilter! id:template ids:template+ name zoneid:zone hypervisor account "
    "domainid:domain projectid:project listall:boolean isrecursive:boolean showremoved:boolean "
    "tags:map details:list",
)
def list_templates(call: Call) -> Answer:
    """List the templates of VMs, each once for every zone that it is in: for all zones here."""
    choice = call.args.required("templatefilter")
    if choice not in TEMPLATE_FILTERS:
        raise invalid(f"Unable to parse template filter {choice}")
    if choice == "all" and not call.account.admin:
        raise invalid("Filter all can be specified by root admin only")
    found = [
        (template, zone)
        for template in call.world.templates
        for zone in call.world.zones
        if choice not in {"self", "selfexecutable", "shared", "sharedexecutable"}
        and call.selects("zoneid", zone)
        and call.selects("id", template)
        and call.equals("name", template.name)
        and call.matches(template.name)
    ]
    return call.listing("template", found, lambda each: view_template(*each))


def view_template(template: Template, zone: Zone) -> dict[str, Any]:
    """Show a template in a zone."""
    return {
        "id": template.id,
        "name": template.name,
        "displaytext": template.name,
        "ispublic": True,
        "created": timestamp(template.created),
        "isready": True,
        "passwordenabled": False,
        "format": "QCOW2",
        "isfeatured": True,
        "crossZones": False,
        "ostypename": template.ostype,
        "zoneid": zone.id,
        "zonename": zone.name,
        "status": "Download Complete",
        "templatetype": "BUILTIN",
        "hypervisor": "KVM",
        "isextractable": False,
        "tags": [],
    }


@command(
    "listNetworkOfferings",
    "id:networkoffering name displaytext guestiptype state zoneid:zone networkid:network "
    "forvpc:boolean isdefault:boolean istagged:boolean sourcenatsupported:boolean "
    "specifyipranges:boolean specifyvlan:boolean availability supportedservices:list "
    "tags~4096 traffictype domainid:domain@4.13 routingmode@4.20",
)
def list_network_offerings(call: Call) -> Answer:
    """List the network offerings, which are kinds of networks."""
    services = set(call.args.items("supportedservices"))
    found = [
        offering
        for offering in call.world.network_offerings
        if call.selects("id", offering)
        and call.equals("name", offering.name)
        and call.equals("guestiptype", offering.guestiptype)
        and call.equals("state", "Enabled")
        and call.equals("traffictype", "Guest")
        and ("forvpc" not in call.args or call.args.flag("forvpc") == offering.forvpc)
        and (
            "sourcenatsupported" not in call.args
            or call.args.flag("sourcenatsupported") == ("SourceNat" in offering.services)
        )
        and services <= set(offering.services)
        and call.matches(offering.name)
    ]
    return call.listing("networkoffering", found, view_network_offering)


def view_network_offering(offering: NetworkOffering) -> dict[str, Any]:
    """Show a network offering with its services and their providers."""
    return {
        "id": offering.id,
        "name": offering.name,
        "displaytext": offering.displaytext,
        "created": timestamp(offering.created),
        "traffictype": "Guest",
        "isdefault": True,
        "specifyvlan": False,
        "conservemode": True,
        "specifyipranges": False,
        "availability": "Optional",
        "networkrate": 200,
        "state": "Enabled",
        "guestiptype": offering.guestiptype,
        "service": [
            {"name": name, "provider": [{"name": provider_of(name, offering)}]}
            for name in offering.services
        ],
        "forvpc": offering.forvpc,
        "ispersistent": False,
        "egressdefaultpolicy": False,
        "internetprotocol": "IPv4",
        "hasannotations": False,
    }


@command(
    "listAffinityGroups",
    "id:uuid name type virtualmachineid:vm account domainid:domain projectid:project "
    "listall:boolean isrecursive:boolean",
)
def list_affinity_groups(_call: Call) -> Answer:
    """List the affinity groups: no world has one."""
    return {}
