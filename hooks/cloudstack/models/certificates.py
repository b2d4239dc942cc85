"""Certificates that load balancer rules of the protocol `ssl` have; CloudStack shows no key."""

from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.fields import Answer, Listing, Model

#: Characters of a certificate with its chain; a longer one is none of ours.
MAX_PEM = 1024 * 1024


def _pem(answer: Answer, name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) and len(value) <= MAX_PEM else ""


@dataclass(frozen=True, slots=True)
class SslCertificate(Model):
    """A certificate of an account or a project, in PEM.

    Listed by exactly one of the filters, or by the client's project. Names are not unique.

    Attributes:
        name: empty for one of before certificates had names.
        chain: the certificates that signed it, in PEM; empty for none.
        rules: the ids of the rules that have it.
    """

    LISTING = Listing("listSslCerts", "sslcert", "account_id")
    id: str
    pem: Annotated[str, _pem, "certificate"]
    name: str = ""
    chain: Annotated[str, _pem, "certchain"] = ""
    rules: Annotated[tuple[str, ...], "loadbalancerrulelist"] = ()
