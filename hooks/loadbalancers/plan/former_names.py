"""Says how we and former providers name rules. A name alone proves nothing."""

import re
from collections.abc import Iterable

from hooks.kube.services import load_balancer_name
from hooks.loadbalancers.request import ServiceName

_PROTOCOL_AND_PORT = r"(tcp|udp|tcp-proxy)-\d+"
#: How the fork of the existing provider begins the names of its rules; its cluster's name follows.
_FORK_PREFIX = "K8s_svc_"
_FORMER_NAME = re.compile(rf"(a[0-9a-f]{{31}}|{_FORK_PREFIX}.+)(-{_PROTOCOL_AND_PORT}|-\d+)")


def former_prefixes(namespace: str, service: ServiceName, names: Iterable[str]) -> frozenset[str]:
    """Return what names of rules begin with that other providers gave to this very Service.

    They hold its UID, or its namespace and name. A port that was dropped while no provider ran has
    a rule as well: transport and port follow, or the port alone.
    """
    own = re.escape(load_balancer_name(service.uid))
    fork = rf"{_FORK_PREFIX}.+_{re.escape(namespace)}_{re.escape(service.name)}"
    form = re.compile(rf"(?P<prefix>{own}|{fork})-({_PROTOCOL_AND_PORT}|\d+)")
    return frozenset(name["prefix"] for name in filter(None, map(form.fullmatch, names)))


def fork_prefix(cluster: str, namespace: str, service: str) -> str:
    """Return what the fork's names of a Service's rules begin with, in a cluster of this name."""
    return f"{_FORK_PREFIX}{cluster}_{namespace}_{service}-"


def is_former_name(name: str) -> bool:
    """Tell whether a former provider names rules like this, of any Service."""
    return bool(_FORMER_NAME.fullmatch(name))


def is_fork_name(name: str) -> bool:
    """Tell whether the fork of the existing provider gave a rule's name, which holds no UID."""
    return name.startswith(_FORK_PREFIX)


def is_former(prefix: str, name: str) -> bool:
    """Tell whether a name is this prefix of a former provider with a transport and port."""
    forms = {True: _PROTOCOL_AND_PORT, False: rf"{_PROTOCOL_AND_PORT}|\d+"}
    return has_prefix(prefix, name, forms[is_fork_name(prefix)])


def has_prefix(prefix: str, name: str, form: str = _PROTOCOL_AND_PORT) -> bool:
    """Tell whether a name is this prefix with a suffix of this form."""
    suffix = name.removeprefix(f"{prefix}-")
    return suffix != name and bool(re.fullmatch(form, suffix))
