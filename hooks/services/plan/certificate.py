"""Reads which ports of a Service speak TLS at the load balancer, and with which Secret."""

from collections.abc import Collection, Sequence
from functools import partial

from hooks import names
from hooks.http.bounded_json import Json
from hooks.http.texts import quote
from hooks.kube.patterns import OBJECT_NAME
from hooks.services.plan.named_ports import every_tcp_port, tcp_ports
from hooks.services.plan.values import InvalidValue, Reader, annotation_path


def read_certificate(
    ports: Sequence[Json], proxied: Collection[int], reader: Reader
) -> dict[int, str]:
    """Return the name of the Secret of each port that speaks TLS, by its place in `spec.ports`.

    CloudStack has the PROXY protocol, or TLS: `proxied` are the places of ports with the first.
    """
    wanted: dict[int, str] = reader.annotation(
        names.ANNOTATION_CERTIFICATE, partial(_read, ports=ports), default={}
    )
    if both := sorted(wanted.keys() & set(proxied)):
        numbers = ", ".join(str(ports[index].get("port")) for index in both)
        message = (
            f"CloudStack has no PROXY protocol behind TLS, and port {numbers} asks for both; name "
            f"the ports here with ports=, or in {names.ANNOTATION_PROXY_PROTOCOL}"
        )
        reader.refuse(annotation_path(names.ANNOTATION_CERTIFICATE), message)
    return wanted


def _read(text: str, ports: Sequence[Json]) -> dict[int, str]:
    """Read a Secret's name, and perhaps `ports=`. Raises InvalidValue."""
    secret, *words = text.split() or [""]
    if not OBJECT_NAME.fullmatch(secret):
        raise InvalidValue(f"{quote(secret)} is no name of a Secret")
    places = every_tcp_port(ports)
    for word in words:
        name, _, value = word.partition("=")
        if name != "ports" or len(words) > 1:
            problem = "follows the Secret's name; only ports= may, once and without blanks"
            raise InvalidValue(f"{quote(word)} {problem}")
        places = tcp_ports(value, ports)
    return dict.fromkeys(places, secret)
