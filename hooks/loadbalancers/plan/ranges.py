"""Compares lists of source ranges (CIDRs) and rewrites them equivalently."""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, ip_network, summarize_address_range
from math import inf

from hooks.loadbalancers.request import EVERYONE


def effective(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ranges that a list in CloudStack admits: an empty list admits everyone."""
    return cidrs or (EVERYONE,)


def is_equivalent(ranges: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether two lists admit the same clients. An empty list admits nobody here."""
    return _joined(tuple(ranges)) == _joined(tuple(others))


def covers(ranges: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether the first list admits every client that the second admits."""
    return not uncovered(tuple(others), tuple(ranges))


@lru_cache(maxsize=512)
def uncovered(ranges: tuple[str, ...], admitted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ranges of the first list that the second does not admit whole."""
    known = _joined(admitted)
    missing = []
    for each in ranges:
        version, first, last = _ends(each)
        at = bisect_right(known, (version, first, inf)) - 1
        if at < 0 or known[at][0] != version or known[at][2] < last:
            missing.append(each)
    return tuple(missing)


def overlap(ranges: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether two lists have a client in common."""
    first, second = _joined(tuple(ranges)), _joined(tuple(others))
    at = [bisect_right(second, (version, last, inf)) - 1 for version, _, last in first]
    return any(
        number >= 0 and second[number][0] == each[0] and second[number][2] >= each[1]
        for each, number in zip(first, at, strict=True)
    )


def merge(ranges: Iterable[str], *, limit: int) -> tuple[str, ...] | None:
    """Write IPv4 ranges as the fewest that admit the same; None if these are more than `limit`."""
    joined = _joined(tuple(ranges))
    if len(joined) > limit:
        return None
    ends = ((IPv4Address(first), IPv4Address(last)) for _, first, last in joined)
    merged = tuple(str(each) for pair in ends for each in summarize_address_range(*pair))
    return merged if len(merged) <= limit else None


def rewrite_avoiding(ranges: Iterable[str], taken: Collection[str]) -> tuple[str, ...] | None:
    """Rewrite a list without the ranges that are taken, by their halves; it admits the same.

    CloudStack compares texts: it accepts 0.0.0.0/1 and 128.0.0.0/1 beside 0.0.0.0/0. Returns None
    if a single address is taken, because it has no halves.
    """
    ranges = tuple(ranges)
    if frozenset(taken).isdisjoint(ranges):
        return ranges
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


def _ends(cidr: str) -> tuple[int, int, int]:
    """Return a range's IP version, its first and its last address."""
    network = ip_network(cidr, strict=False)
    return network.version, int(network.network_address), int(network.broadcast_address)


@lru_cache(maxsize=512)
def _joined(ranges: tuple[str, ...]) -> list[tuple[int, int, int]]:
    """Return version, first and last address of what the ranges admit, in order and apart."""
    joined: list[tuple[int, int, int]] = []
    for version, first, last in sorted(map(_ends, ranges)):
        if joined and joined[-1][0] == version and first <= joined[-1][2] + 1:
            joined[-1] = (version, joined[-1][1], max(last, joined[-1][2]))
        else:
            joined.append((version, first, last))
    return joined
