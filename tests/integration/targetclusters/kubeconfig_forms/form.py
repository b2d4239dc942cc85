"""A form of kubeconfig: what kubectl sends to the server that it names, and what we do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from hooks.http.bounded_json import Json
from tests.integration.targetclusters.kubeconfig_forms.recorder import Recorder, Sent
from tests.targets.objects import encoded, kubeconfig

TOKEN = {"token": "t0ken"}
#: kubectl ends with an error, or asks its user for a name and a password.
REFUSES = None


@dataclass(frozen=True)
class Form:
    """A kubeconfig.

    Attributes:
        text: writes it, given where the servers are.
        kubectl: what kubectl sends; REFUSES for nothing.
        operator: what the operator sends, or what its refusal says.
    """

    name: str
    text: Callable[[Recorder], str | bytes]
    kubectl: Sent | None
    operator: Sent | str


def same(name: str, text: Callable[[Recorder], str | bytes], sent: Sent | None = None) -> Form:
    """Make a form that both read in the same way."""
    sent = sent or Sent()
    return Form(name, text, sent, sent)


def refused(name: str, text: Callable[[Recorder], str | bytes], operator: str) -> Form:
    """Make a form that both refuse."""
    return Form(name, text, REFUSES, operator)


def only_kubectl(
    name: str, text: Callable[[Recorder], str | bytes], operator: str, sent: Sent | None = None
) -> Form:
    """Make a form that kubectl reads, and the operator refuses."""
    return Form(name, text, sent or Sent(), operator)


def config(
    at: Recorder, *, cluster: Json | None = None, user: Json | None = None, **top: object
) -> str:
    """Write one in JSON, with the server's authority, and with a token where no user is given."""
    authority = {"certificate-authority-data": encoded(at.ca)}
    whole = {**authority, **(cluster or {})}
    return kubeconfig(at.url, cluster=whole, user=TOKEN if user is None else user, **top)


def in_yaml(at: Recorder) -> str:
    return yaml.safe_dump(json.loads(config(at)))


def of_server(server: str) -> Callable[[Recorder], str]:
    """Write one with a server, in which `URL` and `PORT` stand for the real one's."""

    def text(at: Recorder) -> str:
        port = at.url.rpartition(":")[2]
        return config(at, cluster={"server": server.replace("URL", at.url).replace("PORT", port)})

    return text


def of_user(**user: object) -> Callable[[Recorder], str]:
    return lambda at: config(at, user={name.replace("_", "-"): it for name, it in user.items()})


def of_cluster(**cluster: object) -> Callable[[Recorder], str]:
    fields = {name.replace("_", "-"): value for name, value in cluster.items()}
    return lambda at: config(at, cluster=fields)


def of_top(**top: Any) -> Callable[[Recorder], str]:
    return lambda at: config(at, **{name.replace("_", "-"): it for name, it in top.items()})


def of_authority(write: Callable[[str], str]) -> Callable[[Recorder], str]:
    """Write one whose certificate-authority-data is made of the authority's PEM."""
    return lambda at: config(at, cluster={"certificate-authority-data": write(at.ca)})


def of_client(certificate: str, key: str, **user: object) -> Callable[[Recorder], str]:
    return of_user(
        client_certificate_data=encoded(certificate), client_key_data=encoded(key), **user
    )


def broken(text: str, line: str = "\n") -> str:
    """Break a text into lines of 64 characters."""
    return line.join(text[start : start + 64] for start in range(0, len(text), 64))


def changed(old: str, new: str) -> Callable[[Recorder], str]:
    """Write one in YAML, in which something is replaced."""
    return lambda at: in_yaml(at).replace(old, new)
