"""Reads the URL of a proxy, so that nothing after it reads another; and lists of hosts."""

import re
from base64 import b64encode
from collections.abc import Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import unquote, urlsplit

from hooks.http.texts import show_url

#: What stands in a user and password as it is, and all else as RFC 3986 encodes it.
_LOGIN = r"(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+"
_PROXY = re.compile(
    rf"https?://(?:{_LOGIN}@)?(?P<host>\[[^\]]*\]|[^][:/@]+)(?::(?P<port>[0-9]{{1,5}}))?/?",
    re.ASCII,
)
_HOST_NAME = re.compile(r"(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?", re.ASCII)
_WANTED = (
    "must be an http or https URL without a path, such as http://proxy.example.com:3128, "
    "and special characters of a user and password in it must be percent-encoded"
)


def proxy_problem(url: str) -> str:
    """Return why a proxy's URL cannot be used, to continue its setting's name; empty if it can."""
    found = _PROXY.fullmatch(url)
    if found and _is_host(found["host"]) and 0 < int(found["port"] or 80) < 65536:
        return ""
    has_scheme = "://" in url  # else it may be anything, also a secret
    shown = f"is {show_url(url)}" if has_scheme else "begins with neither http:// nor https://"
    return f"{shown}; {_WANTED}"


def authorization(url: str) -> str:
    """Return the header Proxy-Authorization for the user and password in a proxy's URL, as curl."""
    user, colon, password = _login(url).partition(":")
    if not user and not colon:
        return ""
    login = f"{unquote(user)}:{unquote(password)}"
    return f"Basic {b64encode(login.encode()).decode()}"


def secrets(url: str) -> Iterator[str]:
    """Yield the password of a proxy, or the user without one, as it is written, meant and sent."""
    user, _, password = _login(url).partition(":")
    if hidden := password or user:
        yield from (hidden, unquote(hidden), authorization(url).removeprefix("Basic "))


def is_listed(url: str, hosts: str) -> bool:
    """Tell whether the server of a URL is in a list such as NO_PROXY.

    Args:
        url: with a scheme; http and https have the usual ports.
        hosts: names, which stand for all below them too, domains, addresses, networks, or `*` for
            any, with commas or blanks between them; names and addresses may have a port.

    Raises:
        ValueError: one of the hosts is nothing of that.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    entries = hosts.lower().replace(",", " ").split()
    return any([_covers(entry, host, port) for entry in entries])  # noqa: C419 - all are read


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        network = _network(entry)
        return address is not None and address in network
    with_port = re.fullmatch(r"(\[.*\]|[^:]*):([0-9]{1,5})", entry)
    name = with_port[1] if with_port else entry
    is_port = not with_port or int(with_port[2]) == port
    if named := _address(name[1:-1] if re.fullmatch(r"\[.*\]", name) else name):
        return named == address and is_port
    domain = name.removeprefix("*.").strip(".")
    if not _is_host(domain):
        raise _no_entry(entry)
    return is_port and f".{host}".endswith(f".{domain}")


def _network(entry: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        raise _no_entry(entry) from None


def _no_entry(entry: str) -> ValueError:
    right = "must be a host, a domain, an address or a network, such as .example.com or 10.0.0.0/8"
    return ValueError(f"names {show_url(entry)}; {right}")


def _login(url: str) -> str:
    found = re.match(r"\w+://([^/@]*)@", url)
    return found[1] if found else ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_host(text: str) -> bool:
    """Tell whether a text is a host's name, an IPv4 address, or an IPv6 address in brackets."""
    if text.startswith("["):
        bare = text.removeprefix("[").removesuffix("]")
        return text == f"[{bare}]" and isinstance(_address(bare), IPv6Address) and "%" not in bare
    is_number = re.fullmatch(r"[0-9.]+", text)  # which a resolver may take for another address
    return bool(_address(text) if is_number else _HOST_NAME.fullmatch(text))
