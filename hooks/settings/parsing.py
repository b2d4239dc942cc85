"""Parses the texts of settings; the text of an error continues a sentence that begins with it."""

import ipaddress
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from hooks.http.proxies import is_listed
from hooks.kube.durations import parse_duration
from hooks.kube.patterns import OBJECT_NAME

#: The values of LOG_LEVEL, and the levels of the standard library.
LOG_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}

_RESOURCE_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_HUB_ID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")
_HOST = re.compile(r"[0-9A-Za-z.:-]+")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%")
_PORT = re.compile(r"[0-9]{1,5}")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(ValueError):
    """Settings that cannot work: every problem.

    None of them holds the content of a file, because a secret may be in the wrong place.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class ListenAddress:
    """The address and port of a server."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as gunicorn reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def is_loopback(self) -> bool:
        """Return whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def names(text: str) -> tuple[str, ...]:
    """Read names with commas between them, without blanks and repetitions."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def object_name(text: str) -> str:
    """Read the name of a Kubernetes object; empty stays empty."""
    if text and not OBJECT_NAME.fullmatch(text):
        raise ValueError("cannot name a Kubernetes object; write small letters, digits, - and .")
    return text


def resource_id(text: str) -> str:
    """Read an id of CloudStack; empty stays empty."""
    if text and not _RESOURCE_ID.fullmatch(text):
        raise ValueError("is not an id of CloudStack; write one as listNetworks shows it")
    return text


def hub_id(text: str) -> str:
    """Read the id of a cluster; empty stays empty."""
    if text and not _HUB_ID.fullmatch(text):
        raise ValueError("is no id of a cluster; write up to 63 letters, digits, -, _ and .")
    return text


def object_names(text: str) -> tuple[str, ...]:
    """Read names of Kubernetes objects with commas between them."""
    return tuple(object_name(name) for name in names(text))


def networks(text: str) -> tuple[Network, ...]:
    """Read IP networks with commas between them."""
    try:
        return tuple(map(ipaddress.ip_network, names(text)))
    except ValueError:
        raise ValueError("is not a list of networks; write such as 127.0.0.0/8,::1/128") from None


def hosts(text: str) -> str:
    """Check hosts, domains, addresses and networks with commas between them."""
    is_listed("http://any", text)  # reads all of them
    return text


def port(text: str) -> int:
    """Read the number of a port."""
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise ValueError("is not a port; write a number from 1 to 65535")
    return int(text)


def host(text: str) -> str:
    """Read an address to listen on, without the brackets around IPv6."""
    bare = text.removeprefix("[").removesuffix("]")
    if not _HOST.fullmatch(bare):
        raise ValueError("is not an address to listen on; write 127.0.0.1, 0.0.0.0 or ::")
    return bare


def address(text: str) -> ListenAddress:
    """Read an address and a port with a colon between them."""
    before, colon, after = text.rpartition(":")
    if not colon or (":" in before and not before.startswith("[")):
        raise ValueError("is not an address with a port; write 127.0.0.1:8080 or [::1]:8080")
    return ListenAddress(host(before), port(after))


def choice(*allowed: str) -> Callable[[str], str]:
    """Make a parser of one of some words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return text.lower()

    return parse


def boolean(text: str) -> bool:
    """Read `true` or `false`."""
    return choice("true", "false")(text) == "true"


def seconds(at_least: float, at_most: float) -> Callable[[str], float]:
    """Make a parser of durations between two bounds, in seconds."""

    def parse(text: str) -> float:
        duration = parse_duration(text)
        if not at_least <= duration <= at_most:
            raise ValueError(f"is not from {at_least:g}s to {at_most:g}s")
        return duration

    return parse


def share(text: str) -> float:
    """Read a percentage from 0.1% to 100%, as a part of 1."""
    found = _SHARE.fullmatch(text)
    if not found or not 0.1 <= float(found[1]) <= 100:
        raise ValueError("is not from 0.1% to 100%; write for example 5%")
    return float(found[1]) / 100
