"""What is known of a Service's certificate: what its Secret asks for, and what CloudStack has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AskedCertificate:
    """The certificate that a Service's ports ask for, without its key.

    Attributes:
        secret: the name of the Secret; empty if no port asks for one.
        digest: SHA-256 of the certificate and those that signed it, in hexadecimal digits; empty
            if the Secret cannot be used.
        expires: epoch seconds, the first end among them.
        reason, problem: why it cannot be used; empty if it can.
    """

    secret: str = ""
    digest: str = ""
    expires: float = 0.0
    reason: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """A certificate that CloudStack has.

    Attributes:
        digest: as above; empty for one that is surely not ours.
        rules: the ids of the rules that have it.
    """

    id: str
    name: str
    digest: str
    rules: frozenset[str] = frozenset()
