"""Reads which ports of a Service an annotation means: all, none, or some by number or name."""

from collections.abc import Sequence

from hooks.http.bounded_json import Json
from hooks.http.texts import join_names, quote
from hooks.services.plan.values import InvalidValue

#: How many ports an error names.
_NAMED = 8


def proxied_ports(text: str, ports: Sequence[Json]) -> frozenset[int]:
    """Read which ports speak the PROXY protocol: `true`, `false`, or numbers and names.

    Args:
        text: the annotation.
        ports: `spec.ports` of the Service.

    Returns:
        The places of the ports in `ports`; `true` means every TCP port.

    Raises:
        InvalidValue: it names what is no TCP port of the Service, or nothing.
    """
    word = text.strip().lower()
    if word == "false":
        return frozenset()
    if word == "true":
        return every_tcp_port(ports)
    return tcp_ports(text, ports, otherwise="write true, false or ")


def every_tcp_port(ports: Sequence[Json]) -> frozenset[int]:
    """Return the places of the TCP ports in a Service's ports."""
    return frozenset(index for index, port in enumerate(ports) if _is_tcp(port))


def tcp_ports(text: str, ports: Sequence[Json], *, otherwise: str = "write ") -> frozenset[int]:
    """Read TCP ports by numbers and names with commas between them; return their places.

    A word of digits is a number, also if a port has such a name.

    Args:
        text: such as `443,metrics`.
        ports: `spec.ports` of the Service.
        otherwise: how an error begins to say what would be right.

    Raises:
        InvalidValue: naming each word that is no TCP port of the Service.
    """
    words = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    found = {word: {i for i, port in enumerate(ports) if _is_meant(word, port)} for word in words}
    unknown = [quote(word) for word in words if not found[word]]
    tcp = every_tcp_port(ports)
    other = [quote(word) for word in words if found[word] and not found[word] & tcp]
    problems = [] if words else [f"{quote(text)} names no port"]
    if unknown:
        are = "is no port" if len(unknown) == 1 else "are no ports"
        problems.append(f"{join_names(unknown, limit=_NAMED)} {are} of the Service")
    if other:
        are = "is a port" if len(other) == 1 else "are ports"
        problems.append(f"{join_names(other, limit=_NAMED)} {are} without TCP")
    if problems:
        known = join_names([_described(ports[index]) for index in sorted(tcp)], limit=_NAMED)
        right = f"{otherwise}TCP ports by number or name: {known or 'there are none'}"
        raise InvalidValue("; ".join((*problems, right)))
    return frozenset().union(*found.values()) & tcp


def _is_tcp(port: Json) -> bool:
    return (port.get("protocol") or "TCP") == "TCP"


def _is_meant(word: str, port: Json) -> bool:
    is_number = word.isascii() and word.isdigit()
    return bool(word == (str(port.get("port")) if is_number else port.get("name")))


def _described(port: Json) -> str:
    name = port.get("name")
    return f"{port.get('port')} ({name})" if name else str(port.get("port"))
