"""A server that records what each request shows of its client, and where it came through."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests import loopback
from tests.integration.targetclusters.kubeconfig_forms.socks import socks
from tests.targets.certificates import Authority, Certificate, self_signed
from tests.unit.http.proxies import Proxy, proxying

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
        impersonated: the user that it wants to be seen as.
        tunnel: where a proxy was to lead it; empty without one.
        login: the user and password for the proxy, as it was sent.
    """

    path: str = "/version"
    authorization: str = "Bearer t0ken"
    client: str = ""
    server_name: str = ""
    impersonated: str = ""
    tunnel: str = ""
    login: str = ""


@dataclass
class Recorder:
    """Where the servers are, which authority to trust, and what they were sent.

    Attributes:
        url: of the server that speaks TLS.
        http: of the one that does not.
        ca: PEM of the authority of the first.
        proxy: leads to the server that speaks TLS, wherever it is asked to lead.
        tls_proxy, socks_proxy: the same behind TLS, and by SOCKS5.
    """

    url: str = ""
    http: str = ""
    ca: str = ""
    sent: list[Sent] = field(default_factory=list)
    proxy: Proxy = field(default_factory=Proxy)
    tls_proxy: Proxy = field(default_factory=Proxy)
    socks_proxy: Proxy = field(default_factory=Proxy)

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """Return all proxies."""
        return self.proxy, self.tls_proxy, self.socks_proxy

    def clear(self) -> None:
        """Forget what was sent."""
        self.sent.clear()
        for proxy in self.proxies:
            proxy.requests.clear()
            proxy.credentials.clear()


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """Serve on free ports of 127.0.0.1 until the block ends."""
    recorder = Recorder()
    handler = type("Handler", (_Handler,), {"recorder": recorder})
    with ExitStack() as stack:
        context = _context(folder, recorder)
        recorder.url = stack.enter_context(loopback.serving(handler, tls=context))
        recorder.http = stack.enter_context(loopback.serving(handler))
        recorder.proxy = stack.enter_context(proxying())
        recorder.tls_proxy = stack.enter_context(proxying(tls=context))
        port = int(recorder.url.rpartition(":")[2])
        recorder.proxy.port = recorder.tls_proxy.port = port
        recorder.socks_proxy = stack.enter_context(socks(port))
        yield recorder


class _Handler(loopback.Handler):
    recorder: Recorder

    def answer(self) -> None:
        connection: Any = self.connection
        is_tls = isinstance(connection, ssl.SSLSocket)
        subject = (connection.getpeercert() or {}).get("subject", ()) if is_tls else ()
        names = dict(pair for part in subject for pair in part)
        tunnels = [
            each
            for proxy in self.recorder.proxies
            for each in zip(proxy.requests, proxy.credentials, strict=True)
        ]
        asked, login = tunnels[-1] if tunnels else ("", "")
        tunnel = asked.removeprefix("CONNECT ") if asked.startswith("CONNECT ") else ""
        self.recorder.sent.append(
            Sent(
                self.path,
                self.headers.get("Authorization", ""),
                names.get("commonName", ""),
                getattr(connection, "asked_for", ""),
                self.headers.get("Impersonate-User", ""),
                tunnel,
                login,
            )
        )
        self.reply(200, b"{}", {"Content-Type": "application/json"})


class _Socket(ssl.SSLSocket):
    asked_for = ""


def _context(folder: Path, recorder: Recorder) -> ssl.SSLContext:
    authority = trustme.CA()
    recorder.ca = authority.cert_pem.bytes().decode()
    issued = authority.issue_cert("127.0.0.1", "localhost", "name.example", "2001:db8::1")
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
