"""The state of a CloudStack: every object by id, the jobs, the version; makes ids."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from simulator.clock import Clock
from simulator.groups import SecurityGroup, SecurityGroupRule
from simulator.jobs import Job, Jobs
from simulator.model import (
    Account,
    Address,
    Domain,
    Entity,
    FirewallRule,
    KubernetesCluster,
    LoadBalancerRule,
    Network,
    NetworkAclItem,
    NetworkAclList,
    NetworkOffering,
    PortForwardingRule,
    Project,
    ServiceOffering,
    SslCertificate,
    StickinessPolicy,
    Template,
    User,
    VirtualMachine,
    Vpc,
    Zone,
)
from simulator.parameters import Version, version
from simulator.scanning import scan

T = TypeVar("T", bound=Entity)

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "simulator.cloudstack.example.com")


class Table(Generic[T]):
    """Objects of one kind by id, in the order of creation.

    A real server still knows the ids of removed objects of some kinds (VMs, networks, projects),
    and not of others (rules).

    Args:
        keep: removed objects can still be found by id.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._live: dict[str, T] = {}
        self._gone: dict[str, T] = {}
        self._keep = keep

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, resource: T) -> bool:
        return resource.id in self._live

    def add(self, resource: T) -> T:
        """Add an object."""
        self._live[resource.id] = resource
        return resource

    def remove(self, resource: T) -> None:
        """Remove an object; removing it twice is allowed."""
        if self._live.pop(resource.id, None) is not None and self._keep:
            self._gone[resource.id] = resource

    def find(self, entity_id: str) -> T | None:
        """Return an object by id, also a removed one if the table keeps those."""
        return self._live.get(entity_id) or self._gone.get(entity_id)

    def named(self, name: str) -> T | None:
        """Return the first object of that name."""
        return next((resource for resource in self._live.values() if resource.name == name), None)


@dataclass
class Settings:
    """The settings that can change while the simulator runs: see `/simulator/settings`."""

    job_delay: float = 0.05
    timing: str = "off"
    expunge: bool = False
    mixed_ports: bool = False
    cluster_scan: float = 30.0
    scale_replaces: bool = False


#: The CloudStack that was recorded, and is imitated where no other version is asked for.
NEWEST = "4.22"


class World:
    """Everything that a CloudStack installation knows; callers hold one lock while they use it."""

    def __init__(self, name: str, clock: Clock, api_version: str = NEWEST) -> None:
        self.name = name
        self.clock = clock
        self.api_version = api_version
        self.version: Version = version(api_version)
        self.settings = Settings()
        self.jobs = Jobs()
        self.domains: Table[Domain] = Table()
        self.accounts: Table[Account] = Table()
        self.users: Table[User] = Table()
        self.projects: Table[Project] = Table(keep=True)
        self.zones: Table[Zone] = Table()
        self.offerings: Table[ServiceOffering] = Table()
        self.templates: Table[Template] = Table()
        self.network_offerings: Table[NetworkOffering] = Table()
        self.vpcs: Table[Vpc] = Table()
        self.acl_lists: Table[NetworkAclList] = Table()
        self.acl_items: Table[NetworkAclItem] = Table()
        self.networks: Table[Network] = Table(keep=True)
        self.groups: Table[SecurityGroup] = Table()
        self.group_rules: Table[SecurityGroupRule] = Table()
        self.vms: Table[VirtualMachine] = Table(keep=True)
        self.clusters: Table[KubernetesCluster] = Table(keep=True)
        self.addresses: Table[Address] = Table()
        self.rules: Table[LoadBalancerRule] = Table()
        self.firewall_rules: Table[FirewallRule] = Table()
        self.forwarding_rules: Table[PortForwardingRule] = Table()
        self.policies: Table[StickinessPolicy] = Table()
        self.certificates: Table[SslCertificate] = Table()
        #: Rules that are gone, whose tags the server still has.
        self.tagged_remains: Table[LoadBalancerRule] = Table()
        #: Lists of ACL items for whose next number a call that is not yet answered has looked.
        self.numbering: set[str] = set()
        self._scanned = clock.now()
        self._numbers: dict[str, int] = {}
        self._issued: set[str] = set()
        self._tables = self._tables_by_kind()

    def _tables_by_kind(self) -> dict[str, Table[Any]]:
        """Return the tables by the kinds that id parameters name."""
        return {
            "domain": self.domains,
            "account": self.accounts,
            "user": self.users,
            "project": self.projects,
            "zone": self.zones,
            "offering": self.offerings,
            "template": self.templates,
            "networkoffering": self.network_offerings,
            "vpc": self.vpcs,
            "acl": self.acl_lists,
            "aclitem": self.acl_items,
            "network": self.networks,
            "group": self.groups,
            "grouprule": self.group_rules,
            "vm": self.vms,
            "kubernetescluster": self.clusters,
            "address": self.addresses,
            "rule": self.rules,
            "firewallrule": self.firewall_rules,
            "portforwardingrule": self.forwarding_rules,
            "policy": self.policies,
            "certificate": self.certificates,
        }

    def number(self, kind: str) -> int:
        """Return the next internal number of a kind, from 1 on."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def identity(self, kind: str, name: str) -> tuple[str, int]:
        """Return a new object's id and number.

        The id depends only on the names of the world, the kind and the object, so examples can hold
        the ids of world files. A name that is used again gets another id: ids are never reused.
        """
        number = self.number(kind)
        wanted = str(uuid.uuid5(NAMESPACE, f"{self.name}/{kind}/{name}"))
        if wanted in self._issued:
            wanted = str(uuid.uuid5(NAMESPACE, f"{self.name}/{kind}/{name}/{number}"))
        self._issued.add(wanted)
        return wanted, number

    def find(self, kind: str, entity_id: str) -> object | None:
        """Return the object that an id parameter of a kind names."""
        if kind == "job":
            return self.jobs.find(entity_id)
        if kind == "anynetwork":
            return self._network_or_zone(entity_id)
        table = self._tables.get(kind)
        return None if table is None else table.find(entity_id)

    def _network_or_zone(self, entity_id: str) -> Network | Zone | None:
        """Return a guest network, or the zone whose public network has this id."""
        zones = (zone for zone in self.zones if zone.public_network == entity_id)
        return self.networks.find(entity_id) or next(zones, None)

    def resources(self, kind: str) -> list[Any]:
        """Return every object of a kind; a kind without a table has none."""
        return list(self._tables.get(kind, ()))

    def user_with_key(self, api_key: str) -> User | None:
        """Return the user with this API key."""
        return next((user for user in self.users if user.api_key == api_key), None)

    def run_due_jobs(self) -> None:
        """Run the jobs that are due, and look at the Kubernetes clusters if that is due."""
        now = self.clock.now()
        self.jobs.run_due(now)
        if now - self._scanned >= self.settings.cluster_scan:
            self._scanned = now
            for cluster in self.clusters:
                scan(cluster)

    def start(self, job: Job) -> None:
        """Start a job."""
        self.jobs.add(job)
