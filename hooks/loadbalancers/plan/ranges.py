"""Whom lists of source ranges let in, and how the same is said in other words."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

#: The source range that admits everyone.
EVERYONE = "0.0.0.0/0"


def listed(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Return whom a list of CloudStack's admits: an empty one admits everyone."""
    return cidrs or (EVERYONE,)


def same(one: Iterable[str], other: Iterable[str]) -> bool:
    """Tell whether two lists admit the same clients; here, an empty one admits nobody."""
    return _joined(one) == _joined(other)


def admits(ranges: Iterable[str], wanted: Iterable[str]) -> bool:
    """Tell whether a list admits everyone whom another one admits."""
    there = tuple(ranges)
    return same(there, (*there, *wanted))


def spelled_apart(ranges: Iterable[str], taken: Collection[str]) -> tuple[str, ...] | None:
    """Say whom a list admits without the ranges that are taken: by their halves.

    CloudStack goes by the text: it lets 0.0.0.0/1 and 128.0.0.0/1 stand beside 0.0.0.0/0. None
    where a single address is taken, which has no halves.
    """
    apart: list[str] = []
    for each in ranges:
        if each not in taken:
            apart.append(each)
            continue
        network = ip_network(each, strict=False)
        if network.num_addresses == 1:
            return None
        halves = spelled_apart(map(str, network.subnets()), taken)
        if halves is None:
            return None
        apart += halves
    return tuple(apart)


def _joined(ranges: Iterable[str]) -> tuple[list[IPv4Network], list[IPv6Network]]:
    """Join ranges as far as they can be, in order."""
    networks = [ip_network(each, strict=False) for each in ranges]
    return (
        list(collapse_addresses(each for each in networks if isinstance(each, IPv4Network))),
        list(collapse_addresses(each for each in networks if isinstance(each, IPv6Network))),
    )
