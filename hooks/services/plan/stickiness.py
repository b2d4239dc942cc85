"""Reads how a Service keeps clients on their nodes: the stickiness policy of each of its ports.

CloudStack hardly checks what a policy says, and its virtual router writes it into the configuration
of HAProxy as it is. One value that HAProxy refuses stops every later change of that router, so
whatever is not known to be right is refused here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hooks import names
from hooks.http.bounded_json import Json
from hooks.http.texts import quote
from hooks.kube.objects import items, part
from hooks.kube.patterns import DNS_NAME
from hooks.services.plan.named_ports import every_tcp_port, tcp_ports
from hooks.services.plan.values import InvalidValue, Reader, choice

#: Kubernetes' default of `sessionAffinityConfig.clientIP.timeoutSeconds`.
DEFAULT_TIMEOUT = 10800

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: HAProxy counts in milliseconds, up to 2^31: it refuses 25 days, which CloudStack takes.
_LONGEST = 24 * 86400
#: Entries of a table; more would fill the memory of a router.
_LARGEST = 1_000_000
_SIZES = {"k": 1000, "m": 1_000_000}
_COOKIE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")

#: What a policy is: `method` and `parameters`, as the CloudStackLoadBalancer has it; None for none.
Policy = Json | None


def read_stickiness(spec: Json, reader: Reader) -> dict[int, Json]:
    """Return the stickiness policy of each port that has one, by its place in `spec.ports`.

    The annotation precedes `spec.sessionAffinity`, for the ports that it is about. UDP ports have
    none: that is noted for each.
    """
    ports = items(spec, "ports")
    policies: dict[int, Policy] = {}
    if spec.get("sessionAffinity") == "ClientIP":
        policies = dict.fromkeys(every_tcp_port(ports), _by_client(spec))
    chosen: Mapping[int, Policy] = reader.annotation(
        names.ANNOTATION_STICKINESS, partial(_read, ports=ports), default={}
    )
    policies |= chosen
    found = {index: policy for index, policy in policies.items() if policy}
    if found:
        _note_udp(ports, reader)
    return found


def _by_client(spec: Json) -> Json:
    """Return the policy of `sessionAffinity: ClientIP`."""
    seconds = part(spec, "sessionAffinityConfig", "clientIP").get("timeoutSeconds")
    return _policy("SourceBased", {"expire": f"{seconds or DEFAULT_TIMEOUT}s"})


def _policy(method: str, parameters: Mapping[str, str]) -> Json:
    return {"method": method, "parameters": dict(sorted(parameters.items()))}


def _note_udp(ports: Sequence[Json], reader: Reader) -> None:
    tcp = every_tcp_port(ports)
    for index, port in enumerate(ports):
        if index not in tcp:
            problem = f"port {port.get('port')} is not TCP and has no stickiness policy"
            reader.ignore(f"spec.ports[{index}].protocol", problem)


def _read(text: str, ports: Sequence[Json]) -> dict[int, Policy]:
    """Read the annotation: a method, and its parameters as `name=value`. Raises InvalidValue."""
    method, *words = text.split() or [""]
    if method.lower() not in _METHODS:
        raise InvalidValue(f"{quote(method)} is not known; write LbCookie, SourceBased or none")
    parse, given = _METHODS[method.lower()], _pairs(words)
    places = tcp_ports(given.pop("ports"), ports) if "ports" in given else every_tcp_port(ports)
    return dict.fromkeys(places, parse(given))


def _pairs(words: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or (equals and not value):
            raise InvalidValue(f"{quote(word)} is no parameter; write name=value")
        if name in given:
            raise InvalidValue(f"{quote(name)} is written twice; write it once")
        given[name] = value
    return given


def _parameters(
    method: str, given: Mapping[str, str], known: Mapping[str, Callable[[str], str]]
) -> dict[str, str]:
    """Read parameters; those that end up empty are left out. Raises InvalidValue, naming one."""
    read: dict[str, str] = {}
    for name, value in given.items():
        if name not in known:
            allowed = ", ".join(("ports", *known))
            problem = f"{quote(name)} is no parameter of {method}; there are {allowed}"
            raise InvalidValue(problem)
        try:
            read[name] = known[name](value)
        except InvalidValue as error:
            raise InvalidValue(f"{name}: {error}") from None
    return {name: value for name, value in read.items() if value}


def _none(given: Mapping[str, str]) -> Policy:
    _parameters("none", given, {})
    return None


def _source_based(given: Mapping[str, str]) -> Policy:
    known = {"tablesize": _size, "expire": _time}
    return _policy("SourceBased", _parameters("SourceBased", given, known))


def _lb_cookie(given: Mapping[str, str]) -> Policy:
    """Read a cookie of the load balancer; HAProxy refuses some parameters together."""
    known = {
        "cookie-name": _cookie_name,
        "mode": _cookie_mode,
        "nocache": _flag,
        "indirect": _flag,
        "postonly": _flag,
        "domain": _domain,
    }
    read = _parameters("LbCookie", given, known)
    mode = read.get("mode", "insert")
    if mode != "insert" and "cookie-name" not in read:
        raise InvalidValue(f"mode {mode} changes a cookie of the pods; write its cookie-name")
    if mode != "insert" and "indirect" in read:
        raise InvalidValue(f"indirect does not go with mode {mode}; leave it out, or write insert")
    return _policy("LbCookie", read)


def _app_cookie(given: Mapping[str, str]) -> Policy:
    del given
    raise InvalidValue(
        "AppCookie stops the virtual router: its HAProxy has no appsession since 1.6; write "
        "LbCookie with mode=prefix and the cookie-name of the pods' cookie"
    )


_METHODS: Mapping[str, Callable[[Mapping[str, str]], Policy]] = {
    "sourcebased": _source_based,
    "lbcookie": _lb_cookie,
    "appcookie": _app_cookie,
    "none": _none,
}


def _time(text: str) -> str:
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if not found:
        raise InvalidValue(f"{quote(text)} is no time; write one such as 30s, 20m, 3h or 1d")
    if int(found[1]) * _UNITS[found[2]] > _LONGEST:
        raise InvalidValue(f"{quote(text)} is too long for HAProxy; write at most 24d")
    return text


def _size(text: str) -> str:
    found = re.fullmatch(r"([1-9][0-9]{0,8})([km])", text)
    if not found or int(found[1]) * _SIZES[found[2]] > _LARGEST:
        raise InvalidValue(f"{quote(text)} is no size; write one from 1k to 1m, such as 200k")
    return text


def _cookie_name(text: str) -> str:
    if not _COOKIE_NAME.fullmatch(text):
        raise InvalidValue(
            f"{quote(text)} is no name of a cookie; write up to 64 letters, digits, _, - and ."
        )
    return text


def _cookie_mode(text: str) -> str:
    return choice(text, {name: name for name in ("insert", "rewrite", "prefix")})


def _flag(text: str) -> str:
    """Read a flag, with or without a value. The router counts it as set whatever its value is."""
    return choice(text or "true", {"true": "true", "false": ""})


def _domain(text: str) -> str:
    name = text.removeprefix(".")
    if not DNS_NAME.fullmatch(name) or "." not in name:
        raise InvalidValue(f"{quote(text)} is no domain; write one such as .example.com")
    return text
