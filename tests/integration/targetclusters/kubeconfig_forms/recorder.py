"""A server that records what each request shows of its client, and where it came through."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests import loopback
from tests.targets.certificates import Authority, Certificate, self_signed

CLIENTS = Authority()
#: Client certificates that vouch for themselves, by the kind of their keys.
OWN_KEYS: dict[str, Certificate] = {
    kind: self_signed("somebody", kind) for kind in ("Ed25519", "P-384", "RSA, PKCS#1")
}


@dataclass(frozen=True)
class Sent:
    """A request.

    Attributes:
        client: the name in the client's certificate; empty without one.
        server_name: which server it asked for (SNI), in lower case; empty for an address.
        impersonated: as whom it wants to be seen.
    """

    path: str = "/version"
    authorization: str = "Bearer t0ken"
    client: str = ""
    server_name: str = ""
    impersonated: str = ""


@dataclass
class Recorder:
    """Where the servers are, whom to trust, and what they were sent.

    Attributes:
        url: of the server that speaks TLS.
        http: of the one that does not.
        ca: PEM of the authority of the first.
    """

    url: str = ""
    http: str = ""
    ca: str = ""
    sent: list[Sent] = field(default_factory=list)


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """Serve on free ports of 127.0.0.1 until the block ends."""
    recorder = Recorder()
    handler = type("Handler", (_Handler,), {"recorder": recorder})
    with ExitStack() as stack:
        context = _context(folder, recorder)
        recorder.url = stack.enter_context(loopback.serving(handler, tls=context))
        recorder.http = stack.enter_context(loopback.serving(handler))
        yield recorder


class _Handler(loopback.Handler):
    recorder: Recorder

    def answer(self) -> None:
        connection: Any = self.connection
        is_tls = isinstance(connection, ssl.SSLSocket)
        subject = (connection.getpeercert() or {}).get("subject", ()) if is_tls else ()
        names = dict(pair for part in subject for pair in part)
        self.recorder.sent.append(
            Sent(
                self.path,
                self.headers.get("Authorization", ""),
                names.get("commonName", ""),
                getattr(connection, "asked_for", ""),
                self.headers.get("Impersonate-User", ""),
            )
        )
        self.reply(200, b"{}", {"Content-Type": "application/json"})


class _Socket(ssl.SSLSocket):
    asked_for = ""


def _context(folder: Path, recorder: Recorder) -> ssl.SSLContext:
    authority = trustme.CA()
    recorder.ca = authority.cert_pem.bytes().decode()
    issued = authority.issue_cert("127.0.0.1", "::1", "localhost", "name.example")
    pem = folder / "recorder.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    own = "".join(pair.certificate for pair in OWN_KEYS.values())
    context.load_verify_locations(cadata=CLIENTS.pem + own)
    context.sslsocket_class = _Socket

    def note(connection: _Socket, name: str | None, _context: ssl.SSLContext) -> None:
        connection.asked_for = (name or "").lower()

    context.sni_callback = note  # type: ignore[assignment]
    return context
