"""Compares lists of source ranges (CIDRs) and rewrites them equivalently."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from hooks.loadbalancers.request import EVERYONE


def effective(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ranges that a list in CloudStack admits: an empty list admits everyone."""
    return cidrs or (EVERYONE,)


def is_equivalent(ranges: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether two lists admit the same clients. An empty list admits nobody here."""
    return _collapsed(ranges) == _collapsed(others)


def covers(ranges: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether the first list admits every client that the second admits."""
    ranges = tuple(ranges)
    return is_equivalent(ranges, (*ranges, *others))


def rewrite_avoiding(ranges: Iterable[str], taken: Collection[str]) -> tuple[str, ...] | None:
    """Rewrite a list without the ranges that are taken, by their halves; it admits the same.

    CloudStack compares texts: it accepts 0.0.0.0/1 and 128.0.0.0/1 beside 0.0.0.0/0. Returns None
    if a single address is taken, because it has no halves.
    """
    rewritten: list[str] = []
    for each in ranges:
        if each not in taken:
            rewritten.append(each)
            continue
        network = ip_network(each, strict=False)
        if network.num_addresses == 1:
            return None
        halves = rewrite_avoiding(map(str, network.subnets()), taken)
        if halves is None:
            return None
        rewritten += halves
    return tuple(rewritten)


def _collapsed(ranges: Iterable[str]) -> tuple[list[IPv4Network], list[IPv6Network]]:
    networks = [ip_network(each, strict=False) for each in ranges]
    return (
        list(collapse_addresses(each for each in networks if isinstance(each, IPv4Network))),
        list(collapse_addresses(each for each in networks if isinstance(each, IPv6Network))),
    )
