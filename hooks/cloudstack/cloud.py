"""One CloudStack as the hooks use it: the client, and the facts that are kept for a while."""

import hmac
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import inf

from hooks.cloudstack.cache import CacheObserver, Fetching, SingleFlightCache
from hooks.cloudstack.client import CLOCKS, MAX_OBJECTS, PAGE_SIZE, Client, Clocks, Observer
from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import Forbidden, Unauthorized, UnknownZone
from hooks.cloudstack.models.account import Account, Capabilities, ProjectLimit, ResourceLimit
from hooks.cloudstack.models.certificates import SslCertificate
from hooks.cloudstack.models.compute import Scope, Snapshot, VirtualMachine, Zone
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.cloudstack.wire import Wire
from hooks.http.answer_memory import AnswerBounds
from hooks.http.deadline import Deadline
from hooks.http.tls import file_context
from hooks.http.transport import Transport

#: Seconds that a network's services, and the server's capabilities, are kept.
FACTS_TTL = 600.0
#: Fetches that run at once: the snapshot, and facts of several networks.
FETCHERS = 8
#: Free addresses that are listed at once, and pages that are tried before all are listed.
FREE_PAGE = 10
FREE_TRIES = 2
#: CloudStack's code for what the account may not see.
NO_ACCOUNT = 531


@dataclass(frozen=True)
class Guest:
    """What is allowed to a CloudStack that a tenant names.

    Attributes:
        refusal: where its configuration may not lead, as Transport takes it; None: anywhere.
        bounds: of its answers, and the memory that they share with others'.
        max_objects: of a list.
    """

    refusal: Callable[[str, int], str] | None = None
    bounds: AnswerBounds | None = None
    max_objects: int = MAX_OBJECTS


class Cloud:
    """One CloudStack, one account or project of it; used by many threads at once.

    Nothing is sent when it is made.

    Args:
        config: where, and as which account.
        observer: called after each request: command, outcome, seconds.
        cache_observer: called when a cache is asked: command, whether it had the value.
        vm_cache_ttl: seconds that a snapshot of all virtual machines is used.
        clocks: how time passes; tests pass their own.
        guest: what is allowed to a CloudStack that a tenant names; None for the operator's own.

    Attributes:
        config: as it was given.
        client: calls the commands.
    """

    def __init__(  # noqa: PLR0913 - one for each that processes, tenants and tests set
        self,
        config: CloudConfig,
        *,
        observer: Observer = lambda _command, _outcome, _seconds: None,
        cache_observer: CacheObserver = lambda _command, _hit: None,
        vm_cache_ttl: float = 15.0,
        clocks: Clocks = CLOCKS,
        guest: Guest | None = None,
    ) -> None:
        self.config = config
        self._clocks = clocks
        trust = partial(file_context, config.ca_file, verify=not config.ssl_no_verify)
        limits = guest or Guest()
        self._transport = Transport(
            trust, proxy=config.proxy, bounds=limits.bounds, refusal=limits.refusal
        )
        self.client = Client(
            Wire(config, self._transport),
            project_id=config.project_id,
            max_objects=limits.max_objects,
            observer=observer,
            clocks=clocks,
        )
        self._executor = ThreadPoolExecutor(FETCHERS, thread_name_prefix="cloudstack-fetch")
        how = Fetching(self._executor, clocks.monotonic, cache_observer)
        self._free_counts: dict[str, int] = {}
        self._zones = SingleFlightCache("listZones", self._list_zones, FACTS_TTL, how)
        self._zone_ids = SingleFlightCache("listZones", self._find_zone, inf, how)
        self._owners = SingleFlightCache("listAccounts", self._find_owner, FACTS_TTL, how)
        self._snapshots = SingleFlightCache("listVirtualMachines", self._list, vm_cache_ttl, how)
        self._networks = SingleFlightCache("listNetworks", self._find_network, FACTS_TTL, how)
        self._capabilities = SingleFlightCache("listCapabilities", self._ask, FACTS_TTL, how)

    def __repr__(self) -> str:
        return f"Cloud({self.config!r})"

    @property
    def seal_key(self) -> bytes:
        """Return a key that only holders of the secret key can make; it tells nothing of that."""
        return hmac.digest(self.config.secret_key.encode(), b"seal of a choice", "sha256")

    def zone_id(self, deadline: Deadline) -> str:
        """Return the id of the configured zone, empty where none is configured.

        Raises:
            UnknownZone: CloudStack has no such zone, by name or id.
        """
        return self._zone_ids.get(self.config.zone, deadline) if self.config.zone else ""

    def zones(self, deadline: Deadline) -> tuple[Zone, ...]:
        """Return all zones, at most 10 minutes old."""
        return self._zones.get("", deadline)

    def snapshot(self, deadline: Deadline) -> Snapshot:
        """Return all virtual machines that the keys see, or of the configured project."""
        return self._snapshots.get("", deadline)

    def scope(self, deadline: Deadline) -> Scope:
        """Return whose virtual machines may be found by a name.

        Those of the configured project, account or domain, else those of the keys' own account:
        an administrator's keys see everybody's.

        Raises:
            UnknownZone: CloudStack has no such zone, by name or id.
        """
        config, zone_id = self.config, self.zone_id(deadline)
        if config.project_id:
            return Scope(project_id=config.project_id, zone_id=zone_id)
        if config.account or config.domain:
            return Scope(config.account, config.domain, zone_id=zone_id)
        owner = self._owners.get("", deadline)
        return Scope(owner.name if owner else "", owner.domain_id if owner else "", zone_id=zone_id)

    def network(self, network_id: str, deadline: Deadline) -> Network | None:
        """Return a network with its services, at most 10 minutes old; None if there is none."""
        return self._networks.get(network_id, deadline)

    def network_now(self, network_id: str, deadline: Deadline) -> Network | None:
        """Return a network as CloudStack shows it now, and keep that; None if there is none."""
        self._networks.forget(network_id)
        return self._networks.get(network_id, deadline)

    def capabilities(self, deadline: Deadline) -> Capabilities:
        """Return what the server is, at most 10 minutes old."""
        return self._capabilities.get("", deadline)

    def free_addresses(
        self, zone_id: str, position: float, deadline: Deadline
    ) -> tuple[PublicIpAddress, ...]:
        """Return some free public addresses: a small page, as each costs the server time.

        Args:
            zone_id: where; empty for every zone.
            position: of the page among all, from 0 to less than 1.
            deadline: when it must be done.
        """
        where: dict[str, object] = {"state": "Free", "for_virtual_network": True}
        if zone_id:
            where["zone_id"] = zone_id
        for _ in range(FREE_TRIES):
            known = self._free_counts.get(zone_id)
            number = 1 + int(position * -(-(known or 1) // FREE_PAGE))
            found, total = self.client.page(PublicIpAddress, number, FREE_PAGE, deadline, **where)
            self._free_counts[zone_id] = total
            usable = tuple(each for each in found if each.is_usable)
            if usable and (known is not None or total <= FREE_PAGE):
                return usable
        every, _ = self.client.page(PublicIpAddress, 1, PAGE_SIZE, deadline, **where)
        return tuple(each for each in every if each.is_usable)

    def address_limit(self, deadline: Deadline) -> ResourceLimit | None:
        """Return how many public addresses the project, else the account, has and may have.

        None where not exactly one owner shows; an ordinary user sees its own account.
        """
        owners: Sequence[ResourceLimit]
        if project_id := self.config.project_id:
            owners = self.client.list_all(ProjectLimit, deadline, id=project_id)
        else:
            owners = self.client.list_all(ResourceLimit, deadline)
        return owners[0] if len(owners) == 1 else None

    def certificates(self, deadline: Deadline) -> tuple[SslCertificate, ...]:
        """Return the certificates of the project, else of the keys' own account.

        Raises Forbidden too where CloudStack does not tell which account that is.
        """
        if self.config.project_id:
            return self.client.list_all(SslCertificate, deadline)
        owner = self._owners.get("", deadline)
        if owner is None:
            raise Forbidden("listAccounts", NO_ACCOUNT, "the account of the keys is not shown")
        return self.client.list_all(SslCertificate, deadline, account_id=owner.id)

    def close(self) -> None:
        """Close the connections, when this cloud is no longer used."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    def _find_zone(self, zone: str, deadline: Deadline) -> str:
        """Find a zone by name, else by id."""
        zones = self.client.list_all(Zone, deadline)
        for found in (*(z for z in zones if z.name == zone), *(z for z in zones if z.id == zone)):
            return found.id
        raise UnknownZone("listZones", zone, tuple(known.name for known in zones))

    def _list_zones(self, _key: str, deadline: Deadline) -> tuple[Zone, ...]:
        return tuple(self.client.list_all(Zone, deadline))

    def _find_owner(self, _key: str, deadline: Deadline) -> Account | None:
        """Find the keys' own account. Keys that may not ask are no administrator's."""
        try:
            accounts = self.client.list_all(Account, deadline)
        except (Forbidden, Unauthorized):
            return None
        return accounts[0] if len(accounts) == 1 else None

    def _list(self, _key: str, deadline: Deadline) -> Snapshot:
        """List all virtual machines, of every zone: a node's id counts wherever its VM is."""
        taken_at, monotonic = self._clocks.epoch(), self._clocks.monotonic()
        vms = self.client.list_all(VirtualMachine, deadline)
        return Snapshot.of(vms, taken_at=taken_at, taken_monotonic=monotonic)

    def _ask(self, _key: str, deadline: Deadline) -> Capabilities:
        return self.client.one(Capabilities, deadline)

    def _find_network(self, network_id: str, deadline: Deadline) -> Network | None:
        networks = self.client.list_all(Network, deadline, id=network_id)
        return networks[0] if networks else None
