"""Speaks HTTP with a cluster that need not be friendly: its own trust, and answers that end."""

import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import requests.utils
from kubernetes.client import Configuration
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from hooks.kube.client import ApiServer
from hooks.targetclusters.access.kubeconfig import BadKubeconfig, Kubeconfig

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Where a client certificate lies while it is being loaded; memory, where the system has it.
_MEMORY = Path("/dev/shm")  # noqa: S108 - in a folder that only we may enter

#: Characters that a credential has at least that is hidden in a cluster's answers.
SHORTEST_HIDDEN = 8


def connect(kubeconfig: Kubeconfig, *, user_agent: str, max_answer_bytes: int) -> ApiServer:
    """Make a client for the cluster; nothing is sent yet. Whoever asks closes it.

    Args:
        kubeconfig: where the cluster is, and who we are to it.
        user_agent: what its audit log shows of us.
        max_answer_bytes: of each answer; as many jobs as run at once may hold one.

    Raises:
        BadKubeconfig: where certificates or key cannot be used.
    """
    configuration = Configuration()
    configuration.host = kubeconfig.server
    if kubeconfig.authorization:
        configuration.api_key["authorization"] = kubeconfig.authorization
    return ApiServer(
        configuration,
        max_answer_bytes=max_answer_bytes,
        user_agent=user_agent,
        adapter=_Adapter(_tls(kubeconfig)),
        hide=_credentials(kubeconfig),
    )


def _tls(kubeconfig: Kubeconfig) -> dict[str, object]:
    """Answer what connections are made with; making a context takes longer than a probe."""
    if kubeconfig.server.startswith("http:"):
        return {}
    name = kubeconfig.server_name or None
    return {"ssl_context": tls_context(kubeconfig), "server_hostname": name}


def tls_context(kubeconfig: Kubeconfig) -> ssl.SSLContext:
    """Make a context that trusts the kubeconfig's authorities and nobody else.

    Raises:
        BadKubeconfig: where certificates or key cannot be used.
    """
    if not kubeconfig.ca and not kubeconfig.certificate:
        return _public_context(kubeconfig.verify)
    try:
        context = _new_context(kubeconfig.ca, kubeconfig.verify)
    except ssl.SSLError:
        raise BadKubeconfig(
            "KubeconfigInvalid", "certificate-authority-data: is no certificate in PEM"
        ) from None
    if kubeconfig.certificate:
        _load_client_certificate(context, kubeconfig)
    return context


@lru_cache(maxsize=2)
def _public_context(verify: bool) -> ssl.SSLContext:
    """Share the context of the public authorities: reading them all takes 50 ms."""
    return _new_context("", verify)


def _new_context(ca: str, verify: bool) -> ssl.SSLContext:
    """Make a context that trusts `ca`, else the public authorities.

    Python 3.13's VERIFY_X509_STRICT is left off: certificates that kubectl accepts (without an
    authority key identifier, as many clusters make them) would be refused.
    """
    if ca:
        context = ssl.create_default_context(cadata=ca)
    else:
        context = ssl.create_default_context(cafile=requests.utils.DEFAULT_CA_BUNDLE_PATH)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def memory_folder() -> Path:
    """Answer where files are memory, or where temporary ones go on a system without that."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())


def _load_client_certificate(context: ssl.SSLContext, kubeconfig: Kubeconfig) -> None:
    """Load certificate and key, which Python reads from files only; the files are gone after."""
    with tempfile.TemporaryDirectory(prefix="client-certificate-", dir=memory_folder()) as private:
        pem = Path(private) / "both.pem"
        pem.touch(mode=0o600)
        pem.write_text(f"{kubeconfig.certificate}\n{kubeconfig.key}\n")
        try:
            # Without a password an encrypted key would ask for one on the terminal.
            context.load_cert_chain(pem, password="")
        except (ssl.SSLError, ValueError):
            raise BadKubeconfig(
                "KubeconfigInvalid",
                "client-key-data: is no key in PEM that fits client-certificate-data",
            ) from None


def _credentials(kubeconfig: Kubeconfig) -> list[str]:
    """List what no answer may hold; a short one would be found in innocent words too."""
    credential = kubeconfig.authorization.partition(" ")[2]
    return [credential] if len(credential) >= SHORTEST_HIDDEN else []


class _DeadlineReader(RawIOBase):
    """Reads a socket whose timeout is for all that comes, not for each byte.

    Without it, a byte every few seconds would keep a reader for ever.
    """

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        timeout = sock.gettimeout()
        self._until = None if timeout is None else time.monotonic() + timeout
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        """Read what is there, waiting no longer than is left."""
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer was not complete in time")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(
        self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = BufferedReader(_DeadlineReader(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Lets a context of ours decide on trust; requests would add the system's authorities."""

    def __init__(self, tls: Mapping[str, object]) -> None:
        self._tls = tls
        super().__init__(pool_maxsize=16)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object
    ) -> None:
        """Make pools of connections that know a deadline."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_trust: object, **_more_trust: object
    ) -> HTTPConnectionPool:
        """Find the pool for a request; what it would trust is not asked."""
        url = urlsplit(str(request.url))
        pool: HTTPConnectionPool = self.poolmanager.connection_from_host(
            url.hostname, url.port, url.scheme, pool_kwargs=dict(self._tls)
        )
        return pool

    def cert_verify(self, *_trust: object) -> None:
        """Leave the connection's trust as it is."""
