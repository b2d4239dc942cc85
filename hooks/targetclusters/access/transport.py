"""Connects to a cluster that need not be friendly, with the trust that its kubeconfig gives."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hooks.http.tls import file_context, new_context
from hooks.http.transport import Transport
from hooks.kube.client import ApiServer
from hooks.targetclusters.access.kubeconfig import BadKubeconfig, Kubeconfig

#: Where a client certificate lies while it is being loaded; memory, where the system has it.
_MEMORY = Path("/dev/shm")  # noqa: S108 - in a folder that only we may enter


@contextmanager
def connect(
    kubeconfig: Kubeconfig, context: ssl.SSLContext, *, user_agent: str, max_answer_bytes: int
) -> Iterator[ApiServer]:
    """Make a client for the cluster; nothing is sent yet. Its connections are closed at the end.

    Args:
        kubeconfig: where the cluster is, and who we are to it.
        context: its TLS context.
        user_agent: what its audit log shows of us.
        max_answer_bytes: of each answer; as many jobs as run at once may hold one.
    """
    transport = Transport(
        lambda: context, server_name=kubeconfig.server_name, max_bytes=max_answer_bytes
    )
    api = ApiServer(
        kubeconfig.server,
        transport,
        authorization=lambda: kubeconfig.authorization,
        user_agent=user_agent,
    )
    with closing(api):
        yield api


def tls_context(kubeconfig: Kubeconfig) -> ssl.SSLContext:
    """Make a context that trusts the kubeconfig's authorities, or the public ones without any.

    Raises:
        BadKubeconfig: certificates or key cannot be used.
    """
    if kubeconfig.server.startswith("http:"):
        return file_context()  # never used
    if not kubeconfig.ca and not kubeconfig.certificate:
        return file_context(verify=kubeconfig.verify)  # shared: reading all of them takes 50 ms
    try:
        context = new_context(ca=kubeconfig.ca, verify=kubeconfig.verify)
    except ssl.SSLError:
        raise BadKubeconfig(
            "KubeconfigInvalid", "certificate-authority-data: is not a certificate in PEM"
        ) from None
    if kubeconfig.certificate:
        _load_client_certificate(context, kubeconfig)
    return context


def memory_folder() -> Path:
    """Return where files are memory, or where temporary ones go on a system without that."""
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
                "client-key-data: is not a key in PEM that fits client-certificate-data",
            ) from None
