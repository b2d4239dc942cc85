"""Reads world files, and makes worlds from them."""

import base64
import hashlib
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, TypeVar

import yaml

from simulator.building import (
    default_group,
    implement,
    make_acl_item,
    make_acl_list,
    make_cluster,
    make_group,
    make_network,
    make_project,
    make_vm,
    make_vpc,
    plug,
)
from simulator.clock import Clock
from simulator.groups import SecurityGroup
from simulator.model import (
    Account,
    Address,
    Domain,
    Entity,
    Network,
    NetworkAclList,
    NetworkOffering,
    ServiceOffering,
    Template,
    User,
    VirtualMachine,
    Zone,
)
from simulator.world import NEWEST, Table, World

FOLDER = Path(__file__).parent / "worlds"
EPOCH = 1767225600.0  # everything in a world file was created on 2026-01-01
T = TypeVar("T", bound=Entity)
Document = Mapping[str, Any]

ISOLATED = (
    "SourceNat", "Vpn", "PortForwarding", "Lb", "Firewall", "StaticNat", "Dhcp", "Dns", "UserData",
)  # fmt: skip
TIER = (
    "Dns", "StaticNat", "UserData", "NetworkACL", "PortForwarding", "SourceNat", "Vpn", "Dhcp",
)  # fmt: skip
WITH_SOURCE_NAT = "DefaultIsolatedNetworkOfferingWithSourceNatService"
FOR_VPC = "DefaultIsolatedNetworkOfferingForVpcNetworks"
FOR_INTERNAL = f"{FOR_VPC}WithInternalLB"
WITH_GROUPS = "DefaultSharedNetworkOfferingWithSGService"
OFFERINGS = {
    WITH_SOURCE_NAT: ("Isolated", ISOLATED, False),
    "DefaultIsolatedNetworkOffering": ("Isolated", ("Dhcp", "Dns", "UserData"), False),
    FOR_VPC: ("Isolated", ("Lb", *TIER), True),
    f"{FOR_VPC}NoLB": ("Isolated", TIER, True),
    FOR_INTERNAL: ("Isolated", ("Lb", *TIER), True),
    "DefaultSharedNetworkOffering": ("Shared", ("Dhcp", "Dns", "UserData"), False),
    WITH_GROUPS: ("Shared", ("Dns", "SecurityGroup", "UserData", "Dhcp"), False),
}
DEFAULT_LISTS = {
    "default_deny": ("Default Network ACL Deny All", "Deny"),
    "default_allow": ("Default Network ACL Allow All", "Allow"),
}


class WorldError(ValueError):
    """A world file is unusable; str() names file and field, and says what would be right."""


def world_names() -> list[str]:
    """Return the names of the world files that come with the simulator."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_world(
    name: str, *, vms: int | None = None, api_version: str = NEWEST, clock: Clock | None = None
) -> World:
    """Make the world of a file.

    Args:
        name: of a file that comes with the simulator, or a path that ends in .yaml.
        vms: how many VMs to make, in a file with `generate`.
        api_version: the CloudStack version to imitate.
        clock: gives the time.

    Raises:
        WorldError: naming the file and the field.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except OSError as error:
        raise WorldError(
            f"world {name!r}: {error.strerror}; known: {', '.join(world_names())}, or a .yaml file"
        ) from None
    except yaml.YAMLError as error:
        raise WorldError(f"world {name!r}: not YAML: {error}") from None
    if not isinstance(document, dict):
        raise WorldError(f"world {name!r}: a world is an object, not {document!r}")
    settled = Clock(lambda: EPOCH)
    world = World(path.stem, settled, api_version)
    _Loader(world, document, path.name).load(vms)
    world.clock = clock or Clock()
    return world


def fixture_key(name: str, kind: str) -> str:
    """Return a key for a user: public, always the same, and as long as a real one."""
    digest = hashlib.sha512(f"cloudstack simulator: {kind} of {name}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class _Entry(dict[str, Any]):
    """An entry of a world file; a missing field raises an error that names the entry."""

    def __init__(self, fields: Document, file: str, field: str) -> None:
        super().__init__(fields)
        self._place = f"{file}: {field}"

    def __missing__(self, key: str) -> Any:  # noqa: ANN401 - never returns
        raise WorldError(f"{self._place}.{key}: missing")


class _Loader:
    """Makes the objects of one document, in the order of their dependencies."""

    def __init__(self, world: World, document: Document, file: str) -> None:
        self._world = world
        self._document = document
        self._file = file

    def load(self, vms: int | None) -> None:
        """Make everything."""
        known = {
            "zones", "accounts", "projects", "serviceofferings", "templates", "vpcs",
            "networkacllists", "securitygroups", "networks", "publicaddresses", "virtualmachines",
            "generate", "kubernetesclusters", "expunge", "mixedports",
        }  # fmt: skip
        for name in self._document:
            if name not in known:
                raise self._error(name, f"not a field of a world; known: {sorted(known)}")
        settings = self._world.settings
        settings.expunge = bool(self._document.get("expunge", False))
        settings.mixed_ports = bool(self._document.get("mixedports", False))
        self._load_zones()
        self._load_accounts()
        self._load_catalogue()
        self._load_addresses()
        self._load_vpcs()
        self._load_acl_lists()
        for index, entry in enumerate(self._entries("securitygroups")):
            owner = self._owner(f"securitygroups[{index}]", entry)
            make_group(self._world, entry["name"], owner, entry.get("description"))
        self._load_networks()
        for index, entry in enumerate(self._entries("virtualmachines")):
            self._load_vm(f"virtualmachines[{index}]", entry)
        if "generate" in self._document:
            self._generate(vms)
        elif vms is not None:
            raise self._error("generate", "missing: this world has a fixed number of VMs")
        for index, entry in enumerate(self._entries("kubernetesclusters")):
            self._load_cluster(f"kubernetesclusters[{index}]", entry)

    def _load_zones(self) -> None:
        for entry in self._entries("zones"):
            zone_id, number = self._world.identity("zone", entry["name"])
            public_network = self._world.identity("public network", entry["name"])[0]
            has = bool(entry.get("udp", False)), bool(entry.get("securitygroups", False))
            self._world.zones.add(Zone(zone_id, number, entry["name"], EPOCH, public_network, *has))
        if not len(self._world.zones):
            raise self._error("zones", "a world needs at least one")

    def _load_accounts(self) -> None:
        domain_id, number = self._world.identity("domain", "ROOT")
        domain = self._world.domains.add(Domain(domain_id, number, "ROOT", EPOCH))
        for entry in self._entries("accounts"):
            name, role = entry["name"], entry.get("role", "User")
            account_id, number = self._world.identity("account", name)
            account = Account(account_id, number, name, EPOCH, role, domain)
            account.limits = dict(entry.get("limits", {}))
            self._world.accounts.add(account)
            user_id, number = self._world.identity("user", name)
            keys = fixture_key(name, "api key"), fixture_key(name, "secret key")
            self._world.users.add(User(user_id, number, name, EPOCH, account, *keys))
        for index, entry in enumerate(self._entries("projects")):
            field = f"projects[{index}]"
            owner = self._named(self._world.accounts, f"{field}.owner", entry["owner"])
            project = make_project(self._world, entry["name"], owner)
            project.account.limits = dict(entry.get("limits", {}))
            for name in entry.get("members", []):
                member = self._named(self._world.accounts, f"{field}.members", name)
                project.members.append(member)

    def _load_catalogue(self) -> None:
        for entry in self._entries("serviceofferings"):
            offering_id, number = self._world.identity("offering", entry["name"])
            self._world.offerings.add(
                ServiceOffering(
                    offering_id,
                    number,
                    entry["name"],
                    EPOCH,
                    cpunumber=entry["cpunumber"],
                    cpuspeed=entry["cpuspeed"],
                    memory=entry["memory"],
                    placeable=entry.get("placeable", True),
                )
            )
        for entry in self._entries("templates"):
            template_id, number = self._world.identity("template", entry["name"])
            self._world.templates.add(Template(template_id, number, entry["name"], EPOCH))
        for name, (guest, services, forvpc) in OFFERINGS.items():
            offering_id, number = self._world.identity("networkoffering", name)
            what = guest, services, forvpc, name == FOR_INTERNAL
            self._world.network_offerings.add(
                NetworkOffering(offering_id, number, name, EPOCH, name, *what)
            )

    def _load_addresses(self) -> None:
        for index, entry in enumerate(self._entries("publicaddresses")):
            field = f"publicaddresses[{index}]"
            zone = self._zone(field, entry)
            try:
                first, last = IPv4Address(entry["first"]), IPv4Address(entry["last"])
            except AddressValueError as error:
                raise self._error(field, f"first and last are IPv4 addresses: {error}") from None
            for value in range(int(first), int(last) + 1):
                name = str(IPv4Address(value))
                address_id, number = self._world.identity("address", name)
                self._world.addresses.add(Address(address_id, number, name, EPOCH, zone))

    def _load_vpcs(self) -> None:
        for index, entry in enumerate(self._entries("vpcs")):
            field = f"vpcs[{index}]"
            zone, owner = self._zone(field, entry), self._owner(field, entry)
            make_vpc(self._world, entry["name"], owner, zone, IPv4Network(entry["cidr"]))

    def _load_acl_lists(self) -> None:
        for name, (description, action) in DEFAULT_LISTS.items():
            acl = make_acl_list(self._world, name, None, description)
            for number, traffic in enumerate(("Ingress", "Egress"), start=1):
                fields = {"number": number, "action": action, "traffictype": traffic}
                self._load_acl_item(acl, {"protocol": "all", **fields})
        for index, entry in enumerate(self._entries("networkacllists")):
            field = f"networkacllists[{index}]"
            vpc = self._named(self._world.vpcs, f"{field}.vpc", entry["vpc"])
            acl = make_acl_list(self._world, entry["name"], vpc)
            for number, item in enumerate(entry.get("items", [])):
                self._load_acl_item(acl, self._entry(f"{field}.items[{number}]", item))

    def _load_acl_item(self, acl: NetworkAclList, entry: Document) -> None:
        item = make_acl_item(self._world, acl, entry["number"])
        item.protocol = entry["protocol"]
        if "startport" in entry:
            item.ports = entry["startport"], entry.get("endport", entry["startport"])
        item.cidrs = list(entry.get("cidrlist", item.cidrs))
        item.action = entry.get("action", "Allow")
        item.traffic = entry.get("traffictype", "Ingress")
        item.reason, item.state = entry.get("reason"), "Active"

    def _load_networks(self) -> None:
        for index, entry in enumerate(self._entries("networks")):
            field = f"networks[{index}]"
            offering = self._named(
                self._world.network_offerings,
                f"{field}.offering",
                entry.get("offering", FOR_VPC if "vpc" in entry else WITH_SOURCE_NAT),
            )
            zone, owner = self._zone(field, entry), self._owner(field, entry)
            network = make_network(self._world, entry["name"], owner, offering, zone)
            if offering.guestiptype == "Shared" and owner.admin:
                network.state = "Setup"
            if "vpc" in entry:
                network.vpc = self._named(self._world.vpcs, f"{field}.vpc", entry["vpc"])
                network.zone, network.account = network.vpc.zone, network.vpc.account
            if "acl" in entry:
                network.acl = self._named(self._world.acl_lists, f"{field}.acl", entry["acl"])
            if "cidr" in entry:
                network.cidr = IPv4Network(entry["cidr"])
            if "ip6cidr" in entry:
                network.ip6cidr = IPv6Network(entry["ip6cidr"])

    def _load_vm(self, field: str, entry: Document) -> VirtualMachine:
        owner = self._owner(field, entry)
        user = self._user_of(owner)
        offering = self._named(self._world.offerings, f"{field}.offering", entry["offering"])
        template = next(iter(self._world.templates))
        vm = make_vm(self._world, entry["name"], user, offering, template)
        vm.account = owner
        vm.state = entry.get("state", "Running")
        for name in entry["networks"]:
            network = self._named(self._world.networks, f"{field}.networks", name)
            vm.zone = network.zone
            self._plug(vm, network, ip6=bool(entry.get("ip6", False)))
        for name in entry.get("securitygroups", []):
            self._group(f"{field}.securitygroups", owner, name).vms.append(vm)
        if vm.zone.groups and "securitygroups" not in entry:
            default_group(self._world, owner).vms.append(vm)
        return vm

    def _group(self, field: str, owner: Account, name: str) -> SecurityGroup:
        found = (each for each in self._world.groups if (each.account, each.name) == (owner, name))
        if group := next(found, None):
            return group
        raise self._error(field, f"{name!r} does not exist")

    def _load_cluster(self, field: str, entry: Document) -> None:
        owner = self._owner(field, entry)
        network = self._named(self._world.networks, f"{field}.network", entry["network"])
        cluster = make_cluster(self._world, entry["name"], owner, network)
        cluster.managed = entry.get("managed", True)
        cluster.state = entry.get("state", "Running")
        for kind in ("controlnodes", "nodes"):
            for name in entry[kind]:
                cluster.vms.append(self._named(self._world.vms, f"{field}.{kind}", name))
        cluster.control_nodes, cluster.size = len(entry["controlnodes"]), len(entry["nodes"])
        cluster.control = cluster.vms[: cluster.control_nodes]

    def _plug(self, vm: VirtualMachine, network: Network, *, ip6: bool) -> None:
        nic = plug(self._world, vm, network)
        if ip6 and network.ip6cidr is not None:
            host = int(IPv4Address(nic.ipaddress)) - int(network.cidr[0])
            nic.ip6address = str(network.ip6cidr[host])
        implement(self._world, network)

    def _generate(self, vms: int | None) -> None:
        wanted = self._entry("generate", self._document["generate"])
        count, form = wanted["count"] if vms is None else vms, wanted["name"]
        for index in range(1, count + 1):
            name = form.format(index)
            wanted["name"] = name
            self._load_vm("generate", wanted)

    def _entries(self, field: str) -> list[Document]:
        entries = self._document.get(field, [])
        if not isinstance(entries, list):
            raise self._error(field, f"a list, not {entries!r}")
        return [self._entry(f"{field}[{index}]", entry) for index, entry in enumerate(entries)]

    def _entry(self, field: str, entry: object) -> "_Entry":
        if not isinstance(entry, dict):
            raise self._error(field, f"an object, not {entry!r}")
        return _Entry(entry, self._file, field)

    def _zone(self, field: str, entry: Document) -> Zone:
        if "zone" not in entry:
            return next(iter(self._world.zones))
        return self._named(self._world.zones, f"{field}.zone", entry["zone"])

    def _owner(self, field: str, entry: Document) -> Account:
        if "project" in entry:
            project = self._named(self._world.projects, f"{field}.project", entry["project"])
            return project.account
        return self._named(self._world.accounts, f"{field}.account", entry.get("account", "user"))

    def _user_of(self, owner: Account) -> User:
        person = owner if owner.project is None else owner.project.owner
        return next(user for user in self._world.users if user.account is person)

    def _named(self, table: Table[T], field: str, name: str) -> T:
        found = table.named(name)
        if found is None:
            known = ", ".join(repr(resource.name) for resource in table)
            raise self._error(field, f"{name!r} does not exist; known: {known}")
        return found

    def _error(self, field: str, text: str) -> WorldError:
        return WorldError(f"{self._file}: {field}: {text}")
