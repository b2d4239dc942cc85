"""Decides who may connect: the source ranges of a Service's fields and annotations.

Whatever cannot be read admits nobody.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hooks import names
from hooks.http.bounded_json import Json
from hooks.http.texts import quote
from hooks.services.plan.values import InvalidValue, Reader, annotation_path

#: The most that the schema of CloudStackLoadBalancer takes.
MAX_SOURCE_RANGES = 256

EVERYONE = ["0.0.0.0/0"]


@dataclass(frozen=True)
class Ranges:
    """A list of ranges as it was read.

    Attributes:
        cidrs: the IPv4 CIDRs, without host bits and repetitions, in their order.
        ipv6: the IPv6 CIDRs as they were written: nobody reaches an IPv4 address from there.
        problem: why the list cannot be served; empty if it can.
    """

    cidrs: tuple[str, ...]
    ipv6: tuple[str, ...] = ()
    problem: str = ""


def read_source_ranges(spec: Json, reader: Reader) -> list[str]:
    """Read the source ranges from up to two places, and note what is wrong with them.

    What cannot be read is left out. If the places contradict each other, only clients that both
    of them admit are left.

    Args:
        spec: of the Service.
        reader: has the annotations.
    """
    places = _places(spec, reader)
    if not places:
        return EVERYONE
    read = [read_ranges(texts) for _, texts in places]
    for (field, _), ranges in zip(places, read, strict=True):
        if ranges.problem:
            reader.refuse(field, ranges.problem)
        elif ranges.ipv6:
            left_out = f"{', '.join(ranges.ipv6)} left out: the load balancer's address is IPv4"
            reader.ignore(field, left_out)
    if len(read) == 1:
        return list(read[0].cidrs)
    (first, _), (field, other) = places
    is_readable = not any(each.problem for each in read)
    if is_readable and set(read[0].cidrs) == set(read[1].cidrs):
        return list(read[0].cidrs)
    if is_readable:
        reader.refuse(
            field,
            f"{quote(other)} is not what {first} says; write one of them, or the same in both",
        )
    return common_ranges(read[0].cidrs, read[1].cidrs)


def still_admitted(present: Json, asked: Sequence[str]) -> list[str]:
    """Return the ranges of a load balancer's spec as far as the Service still admits them."""
    ranges = present.get("sourceRanges")
    return common_ranges(read_ranges(EVERYONE if ranges is None else ranges).cidrs, asked)


def read_ranges(texts: Sequence[str], *, limit: int = MAX_SOURCE_RANGES) -> Ranges:
    """Read a list of CIDRs; at least one must be IPv4, unless the list is empty."""
    networks: dict[str, None] = {}
    ipv6: dict[str, None] = {}
    problem = ""
    for text in texts:
        try:
            network = _network(text.strip())
        except InvalidValue as error:
            problem = problem or str(error)
        else:
            (networks if network.version == 4 else ipv6)[str(network)] = None
    if not problem and ipv6 and not networks:
        problem = (
            f"{quote(', '.join(ipv6))} is IPv6 only, and CloudStack's load balancers serve IPv4 "
            "only; add an IPv4 range"
        )
    elif not problem and len(networks) > limit:
        problem = f"{len(networks)} ranges are too many; join them to at most {limit}"
    return Ranges(tuple(networks)[:limit], tuple(ipv6), problem)


def common_ranges(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """Return the clients that both lists admit, as ranges of one of them, the first's first.

    Two CIDRs are apart, or one holds the other.
    """
    ours, others = [
        {ipaddress.IPv4Network(each): None for each in ranges} for ranges in (first, second)
    ]
    inner = [each for each in ours if _is_within(each, others)]
    outer = [each for each in others if each not in ours and _is_within(each, ours)]
    return [str(each) for each in (*inner, *outer)][:MAX_SOURCE_RANGES]


def _is_within(network: ipaddress.IPv4Network, others: dict[ipaddress.IPv4Network, None]) -> bool:
    """Tell whether one of the other networks holds this one."""
    return any(network.supernet(new_prefix=size) in others for size in range(network.prefixlen + 1))


def _places(spec: Json, reader: Reader) -> list[tuple[str, Sequence[str]]]:
    """List the fields that say who may connect, with their texts."""
    places: list[tuple[str, Sequence[str]]] = []
    standard = reader.annotations.get(names.ANNOTATION_SOURCE_RANGES, "")
    if spec.get("loadBalancerSourceRanges"):
        places.append(("spec.loadBalancerSourceRanges", spec["loadBalancerSourceRanges"]))
    elif standard.strip():
        places.append((annotation_path(names.ANNOTATION_SOURCE_RANGES), standard.split(",")))
    ours = reader.annotations.get(names.ANNOTATION_SOURCE_CIDRS)
    if ours is not None:
        texts = ours.split(",") if ours.strip() else []
        places.append((annotation_path(names.ANNOTATION_SOURCE_CIDRS), texts))
    return places


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read a CIDR. Raises InvalidValue."""
    address, slash, _ = text.partition("/")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        problem = f"{quote(text)} is not a CIDR; write one such as 192.0.2.0/24"
        raise InvalidValue(problem) from None
    if not slash:
        size = network.max_prefixlen
        raise InvalidValue(
            f"{quote(text)} has no prefix length; write {address}/{size} for one address"
        )
    return network
