"""Decides which addresses the operator connects to for the author of a kubeconfig.

Authors are tenants: a kubeconfig may name an address that only the operator's pod reaches. So an
address is checked when it is connected to, after its name was resolved.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from hooks.http.proxies import is_listed
from hooks.http.sockets import NotConnected, look_up

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: IPv6 addresses whose last 32 bits are an IPv4 address (RFC 6052, RFC 4291).
_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True)
class Destinations:
    """Where kubeconfigs may lead: nowhere but to other machines, unless a setting allows it.

    Attributes:
        allowed: networks that are not refused.
        own: hosts and ports of the operator's own API server.
        proxies: through which they may lead, as `is_listed` reads hosts; a proxy's own address is
            checked like any other's.
        http_credentials: whether tokens and passwords may go to `http` servers.
    """

    allowed: tuple[Network, ...] = ()
    own: tuple[tuple[str, int], ...] = ()
    proxies: str = ""
    http_credentials: bool = False

    def allow_proxy(self, url: str) -> bool:
        """Return whether kubeconfigs may name a proxy."""
        return is_listed(url, self.proxies)

    def refusal(self, host: str, port: int) -> str:
        """Return why an IP address is not connected to; empty if it is."""
        whole = ipaddress.ip_address(host.partition("%")[0])
        for address in (whole, *_embedded(whole)):
            if any(address in network for network in self.allowed):
                continue
            kind = _kind(address) or self._own(address, port)
            if kind:
                return (
                    f"{host} is {kind}, which is refused; "
                    "TARGET_CLUSTER_ALLOWED_NETWORKS can allow it"
                )
        return ""

    def _own(self, address: Address, port: int) -> str:
        try:
            found = {
                each[4][0] for host, own in self.own if own == port for each in look_up(host, own)
            }
        except NotConnected:
            return "perhaps the operator's own API server, whose name is not resolved"
        same = any(address in (own, *_embedded(own)) for own in map(ipaddress.ip_address, found))
        return "the operator's own API server" if same else ""


def _embedded(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address may lead to."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    teredo = address.teredo[1] if address.teredo else None
    yield from filter(None, (address.ipv4_mapped, address.sixtofour, teredo))
    if any(address in network for network in _EMBEDDING) and int(address) > 1:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_unspecified:
        return "no address of a machine"
    if address.is_multicast or address == _BROADCAST:
        return "an address of many machines"
    return ""
