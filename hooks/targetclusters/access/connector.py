"""Opens a cluster by the kubeconfig in the Secret that its TargetCluster names."""

import os
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hooks.http.answer_memory import AnswerBounds, AnswerMemory
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.tls import file_context, new_context
from hooks.http.transport import Transport
from hooks.kube.client import METADATA, ApiServer, Kube, KubeError, KubeRefused, NotFound
from hooks.kube.kinds import SECRET
from hooks.kube.objects import part
from hooks.targetclusters.access.client_keys import UNREADABLE, key_problem
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.access.kubeconfig import NO_KUBECONFIG, Kubeconfig, read_secret
from hooks.targetclusters.access.kubeconfig_fields import BadKubeconfig
from hooks.targetclusters.health.model import (
    KUBECONFIG_MISSING,
    SECRET_NOT_FOUND,
    Failure,
    FailureKind,
)

#: Values in one answer of a cluster: a page of 50 pods with 20 containers each has half as many.
MAX_VALUES = 256 * 1024
#: Where a client certificate lies while it is being loaded; memory, where the system has it.
_MEMORY = Path("/dev/shm")  # noqa: S108 - in a folder that only we may enter


class AccessError(Exception):
    """A cluster cannot be opened.

    Attributes:
        failure: why.
        kubeconfig: as far as it could be read.
    """

    def __init__(self, failure: Failure, kubeconfig: Kubeconfig = NO_KUBECONFIG) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.kubeconfig = kubeconfig


class _Transport(Transport):
    """Sends the requests of one job, one after the other."""

    pool_size = 1


@dataclass(frozen=True)
class _Parsed:
    """A version of a Secret: its kubeconfig with a TLS context, or why that cannot be used."""

    version: tuple[str, ...]
    kubeconfig: Kubeconfig
    context: ssl.SSLContext | Failure


class Connector:
    """Opens one cluster, again and again.

    Parsing a kubeconfig and making a TLS context can take longer than a probe. So the connector
    keeps what the present version of the Secret holds, or why that cannot be used.

    Args:
        own: the API server with the TargetClusters and their Secrets.
        user_agent: what the cluster's audit log shows of us.
        destinations: where the kubeconfig may lead.
        memory: for the answers of all clusters.
    """

    def __init__(
        self, own: Kube, *, user_agent: str, destinations: Destinations, memory: AnswerMemory
    ) -> None:
        self.own = own
        self._memory = memory
        self._user_agent = user_agent
        self._destinations = destinations
        self._lock = threading.Lock()
        self._parsed: _Parsed | None = None

    @contextmanager
    def open(
        self, namespace: str, secret: str, *, max_answer_bytes: int, deadline: Deadline
    ) -> Iterator[tuple[ApiServer, Kubeconfig]]:
        """Open the cluster; its connections are closed at the end.

        The Secret is in the namespace of the TargetCluster; others are never read. The deadline is
        for reading it, the number of bytes for each of the cluster's answers.

        Raises:
            AccessError: saying why it cannot be opened.
        """
        parsed = self._read(namespace, secret, deadline)
        kubeconfig, context = parsed.kubeconfig, parsed.context
        if isinstance(context, Failure):
            raise AccessError(context, kubeconfig)
        with connect(
            kubeconfig,
            context,
            user_agent=self._user_agent,
            bounds=AnswerBounds(max_answer_bytes, MAX_VALUES, self._memory),
            destinations=self._destinations,
        ) as api:
            yield api, kubeconfig

    def _read(self, namespace: str, secret: str, deadline: Deadline) -> _Parsed:
        """Read the Secret; once it was parsed, its metadata, and the rest if its version is new."""
        path = SECRET.path(namespace, secret)
        try:
            if self._parsed is not None:
                version = _version(path, self.own.get(path, deadline=deadline, accept=METADATA))
                if parsed := self._of_version(version):
                    return parsed
            return self._parse(path, secret, self.own.get(path, deadline=deadline))
        except NotFound:
            self._parsed = None
            message = f"Secret {secret} does not exist; it must hold the kubeconfig"
            raise AccessError(Failure("absent", SECRET_NOT_FOUND, message)) from None
        except KubeRefused as error:
            self._parsed = None
            raise AccessError(Failure("own", "SecretForbidden", str(error))) from error
        except KubeError as error:
            raise AccessError(Failure("own", "SecretUnreadable", str(error))) from error

    def _of_version(self, version: tuple[str, ...]) -> _Parsed | None:
        parsed = self._parsed
        return parsed if parsed is not None and parsed.version == version else None

    def _parse(self, path: str, name: str, secret: Json) -> _Parsed:
        version, kubeconfig = _version(path, secret), NO_KUBECONFIG
        with self._lock:  # of several jobs, one parses
            if parsed := self._of_version(version):
                return parsed
            context: ssl.SSLContext | Failure
            try:
                found = read_secret(secret, self._destinations)
                kubeconfig = replace(found, version=version)
                context = tls_context(kubeconfig)
            except BadKubeconfig as error:
                kind: FailureKind = "absent" if error.reason == KUBECONFIG_MISSING else "kubeconfig"
                context = Failure(kind, error.reason, f"Secret {name}: {error}")
            self._parsed = _Parsed(version, kubeconfig, context)
            return self._parsed


def _version(path: str, secret: Json) -> tuple[str, ...]:
    """Return what changes with a Secret's content. Raises KubeError: without it none would show."""
    metadata = part(secret, "metadata")
    if not (version := metadata.get("resourceVersion")):
        raise KubeError(f"GET {path}: the answer has no metadata.resourceVersion")
    return path, str(metadata.get("uid")), str(version)


@contextmanager
def connect(
    kubeconfig: Kubeconfig,
    context: ssl.SSLContext,
    *,
    user_agent: str,
    bounds: AnswerBounds,
    destinations: Destinations,
) -> Iterator[ApiServer]:
    """Make a client for a cluster; nothing is sent yet. Its connections are closed at the end."""
    transport = _Transport(
        lambda: context,
        server_name=kubeconfig.server_name,
        bounds=bounds,
        proxy=kubeconfig.proxy,
        refusal=destinations.refusal,
    )
    api = ApiServer(
        kubeconfig.server,
        transport,
        authorization=lambda _: kubeconfig.authorization,
        user_agent=user_agent,
        secrets=kubeconfig.secrets,
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
        message = "certificate-authority-data: is not a certificate in PEM"
        raise BadKubeconfig(message) from None
    if kubeconfig.certificate:
        _load_client_certificate(context, kubeconfig)
    return context


def memory_folder() -> Path:
    """Return where files are memory, or where temporary ones go on a system without that."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())


def _load_client_certificate(context: ssl.SSLContext, kubeconfig: Kubeconfig) -> None:
    """Load certificate and key, which Python reads from files only; the files are gone after."""
    if problem := key_problem(kubeconfig.key):
        raise BadKubeconfig(f"client-key-data: {problem}")
    with tempfile.TemporaryDirectory(prefix="client-certificate-", dir=memory_folder()) as private:
        pem = Path(private) / "both.pem"
        pem.touch(mode=0o600)
        # The first key counts, also where the certificate's field holds another one.
        pem.write_text(f"{kubeconfig.key}\n{kubeconfig.certificate}\n")
        try:
            # Without a password an encrypted key would ask for one on the terminal.
            context.load_cert_chain(pem, password="")
        except (ssl.SSLError, ValueError):
            raise BadKubeconfig(f"client-key-data: {UNREADABLE}") from None
