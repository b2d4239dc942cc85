"""One CloudStack as the hooks use it: the client, and the facts that are kept for a while."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import inf
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies

from hooks.cloudstack.cache import CacheObserver, Fetching, SingleFlightCache, Snapshot
from hooks.cloudstack.client import Client, Observer
from hooks.cloudstack.commands.account import list_capabilities
from hooks.cloudstack.commands.compute import (
    VirtualMachineFilter,
    list_virtual_machines,
    list_zones,
)
from hooks.cloudstack.commands.network import list_networks
from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import UnknownZone
from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.network import Network
from hooks.cloudstack.wire import Wire
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.tls import environment_authorities, file_context
from hooks.http.transport import Transport

#: Seconds that a network's services, and the server's capabilities, are kept.
FACTS_TTL = 600.0
#: Fetches that run at once: the snapshot, and facts of several networks.
FETCHERS = 8


@dataclass(frozen=True, slots=True)
class Cloud:
    """One CloudStack, one account or project of it; used by many threads at once.

    Attributes:
        config: where, and as which account.
        client: what the functions in `hooks.cloudstack.commands` are given.
    """

    config: CloudConfig
    client: Client
    _transport: Transport
    _executor: ThreadPoolExecutor
    _zones: SingleFlightCache[str, str]
    _snapshots: SingleFlightCache[str, Snapshot]
    _networks: SingleFlightCache[str, Network | None]
    _capabilities: SingleFlightCache[str, Capabilities]

    def zone_id(self, deadline: Deadline) -> str:
        """Return the id of the configured zone, empty where none is configured.

        Raises:
            UnknownZone: CloudStack has no such zone, by name or id.
        """
        return self._zones.get(self.config.zone, deadline) if self.config.zone else ""

    def snapshot(self, deadline: Deadline) -> Snapshot:
        """Return all virtual machines of the account or project, and zone if one is configured."""
        return self._snapshots.get(self.zone_id(deadline), deadline)

    def network(self, network_id: str, deadline: Deadline) -> Network | None:
        """Return a network with its services, at most 10 minutes old; None if there is none."""
        return self._networks.get(network_id, deadline)

    def capabilities(self, deadline: Deadline) -> Capabilities:
        """Return what the server is, at most 10 minutes old."""
        return self._capabilities.get("", deadline)

    def close(self) -> None:
        """Close the connections, when this cloud is no longer used."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._transport.close()


def open_cloud(  # noqa: PLR0913 - all but the first are given by name
    config: CloudConfig,
    *,
    observer: Observer = lambda _command, _outcome, _seconds: None,
    cache_observer: CacheObserver = lambda _command, _hit: None,
    vm_cache_ttl: float = 15.0,
    clock: Callable[[], float] = time.time,
    monotonic: Monotonic = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Cloud:
    """Make what the hooks call CloudStack with; nothing is sent yet.

    Args:
        config: where, and as which account.
        observer: hears of each request: command, outcome, seconds.
        cache_observer: hears of each question to a cache: command, whether no call was needed.
        vm_cache_ttl: seconds that a snapshot of all virtual machines is used.
        clock: epoch seconds.
        monotonic: seconds that never go backwards.
        pause: waits for so many seconds.
    """
    transport = _transport(config)
    wire = Wire(config, transport, clock=clock)
    client = Client(
        wire, project_id=config.project_id, observer=observer, monotonic=monotonic, pause=pause
    )
    executor = ThreadPoolExecutor(FETCHERS, thread_name_prefix="cloudstack-fetch")
    read = _Reads(client, clock)
    how = Fetching(executor, monotonic, cache_observer)
    return Cloud(
        config,
        client,
        transport,
        executor,
        _zones=SingleFlightCache("listZones", read.zone_id, inf, how),
        _snapshots=SingleFlightCache("listVirtualMachines", read.snapshot, vm_cache_ttl, how),
        _networks=SingleFlightCache("listNetworks", read.network, FACTS_TTL, how),
        _capabilities=SingleFlightCache("listCapabilities", read.capabilities, FACTS_TTL, how),
    )


def _transport(config: CloudConfig) -> Transport:
    """Trust and use what the cloud-config says, or else what the environment does."""
    authorities = config.ca_file or environment_authorities(os.environ)
    trust = partial(file_context, authorities, verify=not config.ssl_no_verify)
    if config.proxy:
        return Transport(trust, proxies={"all": config.proxy})
    return Transport(trust, proxies=_environment_proxies(config.api_url))


def _environment_proxies(url: str) -> dict[str, str]:
    """Return the environment's proxies; NO_PROXY may name a port, of IPs too."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if f"{host}:{port}" in no_proxy.lower().replace(",", " ").split():
        return {}
    return get_environ_proxies(url)


@dataclass(frozen=True, slots=True)
class _Reads:
    """Reads the facts that are kept."""

    client: Client
    clock: Callable[[], float]

    def zone_id(self, zone: str, deadline: Deadline) -> str:
        """Find a zone by name, else by id."""
        zones = list_zones(self.client, deadline=deadline)
        for found in (*(z for z in zones if z.name == zone), *(z for z in zones if z.id == zone)):
            return found.id
        raise UnknownZone("listZones", zone, tuple(known.name for known in zones))

    def snapshot(self, zone_id: str, deadline: Deadline) -> Snapshot:
        """List all virtual machines, of one zone or (empty) of all."""
        taken_at = self.clock()
        where = VirtualMachineFilter(zone_id=zone_id) if zone_id else VirtualMachineFilter()
        machines = list_virtual_machines(self.client, deadline=deadline, **where)
        return Snapshot.of(machines, taken_at=taken_at)

    def network(self, network_id: str, deadline: Deadline) -> Network | None:
        """Find a network by id."""
        networks = list_networks(self.client, deadline=deadline, id=network_id)
        return networks[0] if networks else None

    def capabilities(self, _key: str, deadline: Deadline) -> Capabilities:
        """Read what the server is."""
        return list_capabilities(self.client, deadline=deadline)
